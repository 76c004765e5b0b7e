import { useId, useRef, useState, type RefObject } from "react";
import type { Checkout, PaymentMethod } from "../api/types";
import { digitsOf, groupCard, groupExpiry, isCardNumber, isCvc, readExpiry, TEST_CARDS } from "./card";
import { Pick, TextField } from "./Field";
import { useLocale } from "./locale";
import type { Messages } from "./messages/en";
import styles from "./Payment.module.css";

type Choice = "card" | "hosted" | "pix";

const CHOICES: readonly Choice[] = ["hosted", "card", "pix"];

interface Entry {
  type: Choice;
  number: string;
  expiry: string;
  cvc: string;
}

type Errors = Partial<Record<"number" | "expiry" | "cvc", string>>;

export interface PaymentForm {
  entry: Entry;
  checkout: Checkout;
  /** What this shop takes, out of what the page offers. */
  choices: Choice[];
  errors: Errors;
  change: (part: Partial<Entry>) => void;
  /** The method to send, or the number of fields that need a look. */
  read: () => { method: PaymentMethod } | { wrong: number };
  /** Forgets the card. */
  clear: () => void;
  root: RefObject<HTMLFieldSetElement | null>;
}

const BLANK: Omit<Entry, "type"> = { number: "", expiry: "", cvc: "" };

export function usePaymentForm(checkout: Checkout): PaymentForm {
  const { t } = useLocale();
  const choices = CHOICES.filter((choice) => checkout.types.includes(choice));
  const blank: Entry = { type: choices[0] ?? "card", ...BLANK };
  const [entry, setEntry] = useState(blank);
  const [shown, setShown] = useState(false);
  const root = useRef<HTMLFieldSetElement>(null);
  const errors = check(entry, t);
  return {
    entry,
    checkout,
    choices,
    errors: shown ? errors : {},
    root,
    change: (part) => setEntry((before) => ({ ...before, ...part })),
    clear: () => {
      setEntry(blank);
      setShown(false);
    },
    read: () => {
      setShown(true);
      const wrong = choices.length === 0 ? 1 : Object.keys(errors).length;
      const method = methodOf(entry);
      return wrong > 0 || method === undefined ? { wrong } : { method };
    },
  };
}

function check(entry: Entry, t: Messages): Errors {
  const errors: Errors = {};
  if (entry.type !== "card") return errors;
  if (!isCardNumber(entry.number)) errors.number = t.payment.badNumber;
  if (!readExpiry(entry.expiry, new Date())) errors.expiry = t.payment.badExpiry;
  if (!isCvc(entry.cvc)) errors.cvc = t.payment.badCvc;
  return errors;
}

function methodOf(entry: Entry): PaymentMethod | undefined {
  if (entry.type !== "card") return { type: entry.type };
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
        {form.choices.map((choice) => {
          const [label, hint] = wordsOf(choice, form.checkout, t);
          return <Pick key={choice} type="radio" name={name} value={choice} checked={entry.type === choice} label={label} hint={hint} onChange={() => change({ type: choice })} />;
        })}
      </div>
      {form.choices.length === 0 && <p>{t.payment.onlyHere}</p>}
      {form.choices.includes("card") && entry.type === "card" && (
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

function wordsOf(choice: Choice, checkout: Checkout, t: Messages): [string, string] {
  if (choice === "card") return [t.payment.card, t.payment.cardHint];
  if (choice === "pix") return [t.payment.pix, t.payment.pixHint];
  return checkout.provider === "paypal" ? [t.payment.paypal, t.payment.paypalHint] : [t.payment.hosted, t.payment.hostedHint];
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
