import { useEffect, useRef, useState } from "react";
import { randomKey } from "../../api/attempt";
import { cameBack, expectHandover, takeHandover } from "../../api/handover";
import { Problem } from "../../api/http";
import { useCatalogue, useCheck, usePay } from "../../api/queries";
import type { Checkout, Order, Payment } from "../../api/types";
import { Button } from "../../ui/Button";
import { countdown } from "../../ui/format";
import { useLocale } from "../../ui/locale";
import { Notice, useErrorText } from "../../ui/Notice";
import { useNow } from "../../ui/now";
import { PaymentFields, usePaymentForm } from "../../ui/Payment";
import { Qr } from "../../ui/Qr";
import { HostedForm } from "./HostedForm";
import styles from "./PaymentPanel.module.css";

/** Where the money stands, and what the customer can do about it. */
export function PaymentPanel({ order, token }: { order: Order; token: string | null }) {
  const { t, money } = useLocale();
  const { payment } = order;
  const checkout = useCatalogue().data?.checkout;
  // The try that the customer has paid elsewhere: the provider's word is on its way.
  const [paid, setPaid] = useState(() => (cameBack() ? payment.attempts : null));
  const sent = paid === payment.attempts;
  const waiting = payment.status === "PENDING" && order.status === "PAYMENT_PENDING";
  const asksCustomer = waiting && !sent && Boolean(payment.qr ?? payment.actionUrl ?? payment.clientSecret);
  const approves = payment.method !== "card" && payment.method !== "pix";
  useCheck(order, token, waiting && sent);
  useEffect(() => {
    if (waiting && payment.actionUrl && takeHandover(order.orderId)) window.location.assign(payment.actionUrl);
  }, [waiting, payment.actionUrl, order.orderId]);
  return (
    <section className={styles.panel} aria-label={t.order.payment} data-payment={payment.status}>
      <div className={styles.head}>
        <h2>{t.order.payment}</h2>
        <p>
          <span>{[t.order.method[payment.method] ?? payment.method, payment.card].filter(Boolean).join(" · ")}</span>
          {payment.attempts > 1 && <span>{t.order.attempts(payment.attempts)}</span>}
          <strong className={styles[toneOf(payment)]}>{t.order.paymentStatus[payment.status]}</strong>
        </p>
      </div>
      {waiting && payment.actionUrl && (
        <a className={styles.action} href={payment.actionUrl}>
          {approves ? t.payment.approve : t.payment.authenticate}
        </a>
      )}
      {waiting && !sent && payment.clientSecret && checkout?.form && (
        <HostedForm form={checkout.form} secret={payment.clientSecret} total={money(order.total, order.currency)} onSent={() => setPaid(payment.attempts)} />
      )}
      {waiting && payment.qr && <PixCode payload={payment.qr} />}
      {waiting && !asksCustomer && <p className={styles.left}>{t.order.asking}</p>}
      {(asksCustomer || order.actions.includes("pay")) && <TimeLeft until={payment.expiresAt} />}
      {order.actions.includes("pay") && checkout && <PayAgain order={order} token={token} checkout={checkout} />}
    </section>
  );
}

function PixCode({ payload }: { payload: string }) {
  const { t } = useLocale();
  const [copied, setCopied] = useState(false);
  const code = useRef<HTMLTextAreaElement>(null);
  const copy = async () => {
    code.current?.select();
    try {
      await navigator.clipboard.writeText(payload);
      setCopied(true);
    } catch {
      // The clipboard is closed to pages over plain HTTP from another host; the selected text can be copied by hand.
    }
  };
  return (
    <div className={styles.pix}>
      <Qr text={payload} label={t.order.qrLabel} className={styles.qr} />
      <div className={styles.pixText}>
        <p>{t.order.scan}</p>
        <textarea ref={code} className={styles.payload} readOnly rows={4} value={payload} aria-label={t.order.qrLabel} />
        <Button kind="plain" onClick={() => void copy()}>
          {copied ? t.order.copied : t.order.copy}
        </Button>
        <span className="hidden" role="status">
          {copied ? t.order.copied : ""}
        </span>
      </div>
    </div>
  );
}

function TimeLeft({ until }: { until: string }) {
  const { t } = useLocale();
  const left = Date.parse(until) - useNow(1000);
  return <p className={styles.left}>{left > 0 ? t.order.timeLeft(countdown(left)) : t.order.timeOver}</p>;
}

function PayAgain({ order, token, checkout }: { order: Order; token: string | null; checkout: Checkout }) {
  const { t, money } = useLocale();
  const errorText = useErrorText();
  const form = usePaymentForm(checkout);
  const pay = usePay(order.orderId, token);
  const key = useRef<string | null>(null);
  const { failure } = order.payment;
  const submit = () => {
    const read = form.read();
    if ("wrong" in read) {
      requestAnimationFrame(() => form.root.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus());
      return;
    }
    key.current ??= randomKey();
    pay.mutate(
      { method: read.method, key: key.current },
      {
        onSuccess: () => {
          key.current = null;
          if (read.method.type === "hosted" && !checkout.form) expectHandover(order.orderId);
          form.clear();
        },
        onError: (error) => {
          if (error instanceof Problem && error.status < 500) key.current = null;
        },
      },
    );
  };
  return (
    <form
      className={styles.again}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!pay.isPending) submit();
      }}
    >
      <Notice tone="bad" title={t.order.refused}>
        {failure && <p>{t.payment.failure[failure.code] ?? failure.message}</p>}
        <p>{t.order.payAgain}</p>
      </Notice>
      <PaymentFields form={form} />
      {pay.error && <Notice tone="bad" title={t.state.failed}>{errorText(pay.error)}</Notice>}
      <Button type="submit" busy={pay.isPending}>
        {pay.isPending ? t.order.paying : t.order.payNow(money(order.total, order.currency))}
      </Button>
    </form>
  );
}

function toneOf({ status }: Payment): "good" | "bad" | "wait" {
  if (status === "REJECTED" || status === "EXPIRED") return "bad";
  return status === "PENDING" ? "wait" : "good";
}
