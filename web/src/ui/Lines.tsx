import type { Line } from "../api/types";
import { useLocale } from "./locale";
import styles from "./Lines.module.css";

/** The written lines of an order: quantity, what, how, and what it costs where a currency is given. */
export function Lines({ lines, currency }: { lines: Line[]; currency?: string }) {
  const { money } = useLocale();
  return (
    <ul className={styles.lines}>
      {lines.map((line, n) => {
        const details = [...(line.options ?? []).map(({ name }) => name), ...(line.extras ?? []).map(({ name }) => `+ ${name}`)];
        return (
          <li key={n} className={styles.line}>
            <span className={styles.quantity}>{line.quantity}×</span>
            <div className={styles.what}>
              <span className={styles.name}>{line.name}</span>
              {details.length > 0 && <p className={styles.details}>{details.join(", ")}</p>}
              {line.note && <p className={styles.note}>“{line.note}”</p>}
            </div>
            {currency !== undefined && <span className={styles.price}>{money(line.total, currency)}</span>}
          </li>
        );
      })}
    </ul>
  );
}
