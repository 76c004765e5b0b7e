import { useId, useRef, useState, type RefObject } from "react";
import type { PaymentMethod } from "../api/types";
import { digitsOf, groupCard, groupExpiry, isCardNumber, isCvc, readExpiry, TEST_CARDS } from "./card";
import { Pick, TextField } from "./Field";
import { useLocale } from "./locale";
import type { Messages } from "./messages/en";
import styles from "./Payment.module.css";

interface Entry {
  type: "card" | "pix";
  number: string;
  expiry: string;
  cvc: string;
}

type Errors = Partial<Record<"number" | "expiry" | "cvc", string>>;

export interface PaymentForm {
  entry: Entry;
  errors: Errors;
  change: (part: Partial<Entry>) => void;
  /** The method to send, or the number of fields that need a look. */
  read: () => { method: PaymentMethod } | { wrong: number };
  /** Forgets the card. */
  clear: () => void;
  root: RefObject<HTMLFieldSetElement | null>;
}

const BLANK: Entry = { type: "card", number: "", expiry: "", cvc: "" };

export function usePaymentForm(): PaymentForm {
  const { t } = useLocale();
  const [entry, setEntry] = useState(BLANK);
  const [shown, setShown] = useState(false);
  const root = useRef<HTMLFieldSetElement>(null);
  const errors = check(entry, t);
  return {
    entry,
    errors: shown ? errors : {},
    root,
    change: (part) => setEntry((before) => ({ ...before, ...part })),
    clear: () => {
      setEntry(BLANK);
      setShown(false);
    },
    read: () => {
      setShown(true);
      const wrong = Object.keys(errors).length;
      const method = methodOf(entry);
      return wrong > 0 || method === undefined ? { wrong } : { method };
    },
  };
}

function check(entry: Entry, t: Messages): Errors {
  const errors: Errors = {};
  if (entry.type === "pix") return errors;
  if (!isCardNumber(entry.number)) errors.number = t.payment.badNumber;
  if (!readExpiry(entry.expiry, new Date())) errors.expiry = t.payment.badExpiry;
  if (!isCvc(entry.cvc)) errors.cvc = t.payment.badCvc;
  return errors;
}

function methodOf(entry: Entry): PaymentMethod | undefined {
  if (entry.type === "pix") return { type: "pix" };
  const expiry = readExpiry(entry.expiry, new Date());
  return expiry && { type: "card", number: digitsOf(entry.number), expMonth: expiry.month, expYear: expiry.year, cvc: entry.cvc };
}

export function PaymentFields({ form }: { form: PaymentForm }) {
  const { t } = useLocale();
  const name = useId();
  const { entry, errors, change } = form;
  return (
    <fieldset ref={form.root} className={styles.payment}>
      <legend className="hidden">{t.payment.method}</legend>
      <div className={styles.methods}>
        <Pick type="radio" name={name} value="card" checked={entry.type === "card"} label={t.payment.card} hint={t.payment.cardHint} onChange={() => change({ type: "card" })} />
        <Pick type="radio" name={name} value="pix" checked={entry.type === "pix"} label={t.payment.pix} hint={t.payment.pixHint} onChange={() => change({ type: "pix" })} />
      </div>
      {entry.type === "card" && (
        <>
          <div className={styles.card}>
            <TextField
              className={styles.number}
              label={t.payment.number}
              error={errors.number}
              value={entry.number}
              inputMode="numeric"
              autoComplete="cc-number"
              placeholder="4242 4242 4242 4242"
              onChange={(value) => change({ number: groupCard(value) })}
            />
            <TextField
              label={t.payment.expiry}
              error={errors.expiry}
              value={entry.expiry}
              inputMode="numeric"
              autoComplete="cc-exp"
              placeholder="12/34"
              onChange={(value) => change({ expiry: groupExpiry(value) })}
            />
            <TextField
              label={t.payment.cvc}
              error={errors.cvc}
              value={entry.cvc}
              inputMode="numeric"
              autoComplete="cc-csc"
              placeholder="123"
              maxLength={4}
              onChange={(value) => change({ cvc: digitsOf(value) })}
            />
          </div>
          <TestCards onUse={(number) => change({ number: groupCard(number), expiry: sampleExpiry(new Date()), cvc: "123" })} />
        </>
      )}
    </fieldset>
  );
}

function TestCards({ onUse }: { onUse: (number: string) => void }) {
  const { t } = useLocale();
  return (
    <aside className={styles.tests} aria-label={t.payment.tests}>
      <h3>{t.payment.tests}</h3>
      <p>{t.payment.testsLead}</p>
      <ul>
        {TEST_CARDS.map(({ kind, number }) => (
          <li key={kind}>
            <button type="button" onClick={() => onUse(number)}>
              <span>{t.payment.test[kind]}</span>
              <code>{groupCard(number)}</code>
            </button>
          </li>
        ))}
      </ul>
    </aside>
  );
}

function sampleExpiry(now: Date): string {
  return `12/${String((now.getFullYear() + 4) % 100).padStart(2, "0")}`;
}
