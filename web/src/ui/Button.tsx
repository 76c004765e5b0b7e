import type { ButtonHTMLAttributes } from "react";
import styles from "./Button.module.css";

type Kind = "main" | "plain" | "quiet" | "danger";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  busy?: boolean;
  wide?: boolean;
}

/** A button; while busy it keeps its focus and ignores presses. */
export function Button({ kind = "main", busy = false, wide = false, className, onClick, children, ...rest }: Props) {
  const classes = [styles.button, styles[kind], wide && styles.wide, className].filter(Boolean).join(" ");
  return (
    <button
      type="button"
      {...rest}
      className={classes}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {children}
    </button>
  );
}
