import { MAX_QUANTITY } from "../../api/types";
import { useLocale } from "../../ui/locale";
import styles from "./Stepper.module.css";

interface Props {
  value: number;
  label: string;
  min?: number;
  max?: number;
  onChange: (value: number) => void;
}

/** A small quantity, up and down. */
export function Stepper({ value, label, min = 1, max = MAX_QUANTITY, onChange }: Props) {
  const { t } = useLocale();
  return (
    <div className={styles.stepper} role="group" aria-label={label}>
      <button type="button" aria-label={t.shop.less} disabled={value <= min} onClick={() => onChange(value - 1)}>
        −
      </button>
      <output aria-live="polite">{value}</output>
      <button type="button" aria-label={t.shop.more} disabled={value >= max} onClick={() => onChange(value + 1)}>
        +
      </button>
    </div>
  );
}
