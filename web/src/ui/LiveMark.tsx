import type { Liveness } from "../api/live";
import styles from "./LiveMark.module.css";
import { useLocale } from "./locale";

/** Whether what is shown follows by events. */
export function LiveMark({ state }: { state: Liveness }) {
  const { t } = useLocale();
  return (
    <span className={`${styles.mark} ${styles[state]}`} role="status">
      {t.state[state]}
    </span>
  );
}
