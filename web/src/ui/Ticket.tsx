import type { ReactNode } from "react";
import styles from "./Ticket.module.css";

export type Copy = "white" | "canary" | "green" | "pink";

/** The paper a comanda is written on: one copy of a pad, torn off below. */
export function Ticket({ copy = "canary", className, children }: { copy?: Copy; className?: string | undefined; children: ReactNode }) {
  return (
    <div className={[styles.lift, className].filter(Boolean).join(" ")}>
      <div className={`${styles.ticket} ${styles[copy]}`}>{children}</div>
    </div>
  );
}

/** A printed row: what on the left, how much on the right. */
export function Row({ label, value, strong = false }: { label: ReactNode; value: ReactNode; strong?: boolean }) {
  return (
    <div className={`${styles.row} ${strong ? styles.strong : ""}`}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
