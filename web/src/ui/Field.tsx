import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from "react";
import styles from "./Field.module.css";

interface Common {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
}

interface Wiring { id: string; "aria-describedby"?: string; "aria-invalid"?: true }

function Frame({ label, hint, error, className, children }: Common & { className?: string | undefined; children: (wiring: Wiring) => ReactNode }) {
  const id = useId();
  const wiring: Wiring = error ? { id, "aria-describedby": `${id}-error`, "aria-invalid": true } : { id };
  return (
    <div className={[styles.field, className].filter(Boolean).join(" ")}>
      <label htmlFor={id}>
        {label}
        {hint && <span className={styles.hint}> ({hint})</span>}
      </label>
      {children(wiring)}
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
    </div>
  );
}

type InputProps = Common & Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> & { onChange: (value: string) => void };

export function TextField({ label, hint, error, className, onChange, ...rest }: InputProps) {
  return (
    <Frame label={label} hint={hint} error={error} className={className}>
      {(wiring) => <input {...rest} {...wiring} className={styles.input} onChange={(event) => onChange(event.target.value)} />}
    </Frame>
  );
}

type SelectProps = Common & Omit<SelectHTMLAttributes<HTMLSelectElement>, "onChange"> & { onChange: (value: string) => void };

export function SelectField({ label, hint, error, className, onChange, children, ...rest }: SelectProps) {
  return (
    <Frame label={label} hint={hint} error={error} className={className}>
      {(wiring) => (
        <select {...rest} {...wiring} className={styles.input} onChange={(event) => onChange(event.target.value)}>
          {children}
        </select>
      )}
    </Frame>
  );
}

interface PickProps {
  type: "radio" | "checkbox";
  name: string;
  value: string;
  checked: boolean;
  label: string;
  hint?: string | undefined;
  aside?: string | undefined;
  onChange: (checked: boolean) => void;
}

/** One choice, the whole tile pressable. */
export function Pick({ type, name, value, checked, label, hint, aside, onChange }: PickProps) {
  return (
    <label className={styles.pick}>
      <input type={type} name={name} value={value} checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span className={styles.pickText}>
        <span>{label}</span>
        {hint && <small>{hint}</small>}
      </span>
      {aside && <span className={styles.aside}>{aside}</span>}
    </label>
  );
}
