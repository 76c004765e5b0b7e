import type { ReactNode } from "react";
import { Problem, Unreachable } from "../api/http";
import { LampArt, PlateArt } from "./art";
import { Button } from "./Button";
import { useLocale } from "./locale";
import styles from "./Notice.module.css";

interface NoticeProps {
  tone: "bad" | "warn" | "good";
  title?: string | undefined;
  children?: ReactNode;
}

/** A message among the content. Bad ones interrupt a screen reader, others wait. */
export function Notice({ tone, title, children }: NoticeProps) {
  return (
    <div className={`${styles.notice} ${styles[tone]}`} role={tone === "bad" ? "alert" : "status"}>
      {title && <strong>{title}</strong>}
      {children && <div>{children}</div>}
    </div>
  );
}

/** What an error says to a person: the server's own detail where there is one. */
export function useErrorText(): (error: unknown) => string {
  const { t } = useLocale();
  return (error) => {
    if (error instanceof Problem) return sentence(error.detail);
    return error instanceof Unreachable ? t.state.offline : t.state.unexpected;
  };
}

/** A server's detail begins in lower case and has no full stop; on a page it is a sentence. */
function sentence(detail: string): string {
  const text = detail.replaceAll("`", "'");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

interface BlankProps {
  title: string;
  children?: ReactNode;
  art?: "plate" | "lamp";
}

/** A page or list with nothing to show. */
export function Blank({ title, children, art = "plate" }: BlankProps) {
  const Art = art === "plate" ? PlateArt : LampArt;
  return (
    <div className={styles.blank}>
      <Art className={styles.art} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A page whose content could not be loaded. */
export function Failure({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useLocale();
  const text = useErrorText();
  return (
    <div role="alert">
      <Blank art="lamp" title={error instanceof Unreachable ? t.state.offlineTitle : t.state.failed}>
        <p>{text(error)}</p>
        <Button kind="plain" onClick={onRetry}>
          {t.state.retry}
        </Button>
      </Blank>
    </div>
  );
}

/** Grey shapes where the content will stand. */
export function Loading({ shapes = 6 }: { shapes?: number }) {
  const { t } = useLocale();
  return (
    <div className={styles.loading} role="status">
      <span className="hidden">{t.state.loading}</span>
      {Array.from({ length: shapes }, (_, n) => (
        <span key={n} className={styles.shape} aria-hidden="true" />
      ))}
    </div>
  );
}
