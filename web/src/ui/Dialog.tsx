import { useEffect, useId, useRef, type ReactNode } from "react";
import { createPortal } from "react-dom";
import styles from "./Dialog.module.css";
import { useLocale } from "./locale";

interface Props {
  title: string;
  onClose: () => void;
  head?: ReactNode;
  children: ReactNode;
}

/**
 * A modal dialog while mounted. Escape, the backdrop and the cross close it; focus returns where it was. It stands
 * outside of the page so that Enter in its fields sends no form around it.
 */
export function Dialog({ title, onClose, head, children }: Props) {
  const { t } = useLocale();
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return createPortal(
    <dialog
      ref={ref}
      className={styles.dialog}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div className={styles.box}>
        <button type="button" className={styles.cross} onClick={onClose} aria-label={t.state.close}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="m3 3 10 10M13 3 3 13" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
          </svg>
        </button>
        {head}
        <div className={styles.body}>
          <h2 id={titleId}>{title}</h2>
          {children}
        </div>
      </div>
    </dialog>,
    document.body,
  );
}
