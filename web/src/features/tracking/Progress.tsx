import type { Order } from "../../api/types";
import { useLocale } from "../../ui/locale";
import styles from "./Progress.module.css";
import { stepsOf, type Step } from "./steps";

export function Progress({ order }: { order: Order }) {
  const { t } = useLocale();
  const label = (step: Step) => (step === "COMPLETED" && order.delivery.type === "courier" ? t.order.steps.DELIVERED : t.order.steps[step]);
  return (
    <ol className={styles.steps} aria-label={t.order.progress}>
      {stepsOf(order).map(({ step, state }) => (
        <li key={step} className={styles[state]} aria-current={state === "now" ? "step" : undefined}>
          <span className={styles.dot}>
            <svg viewBox="0 0 24 24" aria-hidden="true">
              {ICONS[step]}
            </svg>
          </span>
          <span className={styles.label}>{label(step)}</span>
        </li>
      ))}
    </ol>
  );
}

const ICONS: Record<Step, React.ReactNode> = {
  placed: <path d="M7 4h10v16l-2.5-1.800L12 20l-2.5-1.800L7 20zM9.5 9h5m-5 4h5" />,
  RECEIVED: <path d="M4 7h16v10H4zM4 10.500h16M7 14h4" />,
  IN_PREPARATION: <path d="M5 11h14v4a4 4 0 0 1-4 4H9a4 4 0 0 1-4-4zM3 11h18M9 7c-1-1.5 1-2 0-3.500M14 7c-1-1.5 1-2 0-3.5" />,
  READY: <path d="M4 17h16M5.5 17a6.5 6.5 0 0 1 13 0M12 10.500V8m-1.5 0h3" />,
  OUT_FOR_DELIVERY: <path d="M6.5 18.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4m11 0a2 2 0 1 0 0-4 2 2 0 0 0 0 4M8.5 16.500h7L17 9h-2.500M4 13v-3h6v4" />,
  COMPLETED: <path d="m5 12.5 4.5 4.500L19 7" />,
};
