import { useState } from "react";
import { Link } from "wouter";
import { Problem } from "../../api/http";
import { creditNoteLink, receiptLink, useOrder, useRefunds } from "../../api/queries";
import { isFinal, type Order, type Refund } from "../../api/types";
import { Button } from "../../ui/Button";
import { Lines } from "../../ui/Lines";
import { LiveMark } from "../../ui/LiveMark";
import { useLocale } from "../../ui/locale";
import { Blank, Failure, Loading, Notice, useErrorText } from "../../ui/Notice";
import { Row, Ticket, type Copy } from "../../ui/Ticket";
import { useTitle } from "../../ui/title";
import { CancelDialog } from "./CancelDialog";
import { PaymentPanel } from "./PaymentPanel";
import { Progress } from "./Progress";
import { isBroken } from "./steps";
import styles from "./TrackingPage.module.css";

export function TrackingPage({ id, token }: { id: string; token: string | null }) {
  const { t } = useLocale();
  const order = useOrder(id, token);
  useTitle(order.data ? `${t.order.title(order.data.number)} · ${t.order.status[order.data.status]}` : t.cart.title);
  if (!order.data) {
    if (!order.error) return <Loading shapes={3} />;
    const missing = order.error instanceof Problem && [401, 403, 404].includes(order.error.status);
    if (!missing) return <Failure error={order.error} onRetry={() => void order.refetch()} />;
    return (
      <Blank title={t.order.missingTitle}>
        <p>{t.order.missing}</p>
        <Link href="/">{t.state.home}</Link>
      </Blank>
    );
  }
  return <Tracking order={order.data} token={token} live={<LiveMark state={order.error ? "polling" : order.live} />} />;
}

function Tracking({ order, token, live }: { order: Order; token: string | null; live: React.ReactNode }) {
  const { t, money, moment, clock } = useLocale();
  const [cancelling, setCancelling] = useState(false);
  const amount = (minor: number) => money(minor, order.currency);
  const { status, delivery } = order;
  const explain = status === "READY" && delivery.type === "courier" ? t.order.explain.READY_COURIER : t.order.explain[status];
  return (
    <div className={styles.page}>
      <div className={styles.main}>
        <header className={styles.head}>
          <div className={styles.meta}>
            <span>{t.order.title(order.number)}</span>
            <span>{t.order.placedAt(moment(order.placedAt))}</span>
            {!isFinal(status) && live}
          </div>
          <div role="status">
            <h1 data-status={status}>{t.order.status[status]}</h1>
            <p className={styles.explain}>{explain}</p>
          </div>
          {isBroken(status) && <Reason order={order} />}
          {order.needsAttention && <Notice tone="warn">{t.order.attention}</Notice>}
          <Progress order={order} />
        </header>
        {!(isBroken(status) && order.payment.status === "PENDING") && <PaymentPanel order={order} token={token} />}
        <Receipt order={order} token={token} />
        <Refunds order={order} token={token} />
        <section className={styles.section}>
          <h2>{t.order.timeline}</h2>
          <ol className={styles.timeline}>
            {order.timeline.map((entry, n) => (
              <li key={n}>
                <time dateTime={entry.at}>{clock(entry.at)}</time>
                <span>{t.order.event[entry.status] ?? entry.status}</span>
                {entry.detail && <small>{entry.detail}</small>}
              </li>
            ))}
          </ol>
        </section>
        <div className={styles.tools}>
          {order.actions.includes("cancel") && (
            <Button kind="danger" onClick={() => setCancelling(true)}>
              {t.order.cancel}
            </Button>
          )}
          {isFinal(status) ? <Link href="/">{t.order.again}</Link> : <p className={styles.kept}>{t.order.kept}</p>}
        </div>
      </div>
      <aside className={styles.aside} aria-label={t.order.items}>
        <Ticket copy={copyOf(order)}>
          <div className={styles.stub}>
            <span className={styles.number}>{order.number}</span>
            {order.customer?.name && <span className={styles.customer}>{order.customer.name}</span>}
            {isFinal(status) && <span className={`${styles.stamp} ${isBroken(status) ? styles.broken : ""}`}>{stampOf(order, t.order.stamp)}</span>}
          </div>
          <Lines lines={order.lines} currency={order.currency} />
          {order.note && <p className={styles.note}>“{order.note}”</p>}
          <dl className={styles.amounts}>
            <Row label={t.cart.subtotal} value={amount(order.subtotal)} />
            {delivery.type === "courier" && <Row label={t.cart.delivery} value={order.deliveryFee === 0 ? t.cart.free : amount(order.deliveryFee)} />}
            {order.serviceFee > 0 && <Row label={t.cart.service} value={amount(order.serviceFee)} />}
            {order.tip > 0 && <Row label={t.cart.tip} value={amount(order.tip)} />}
            <Row label={t.cart.total} value={amount(order.total)} strong />
          </dl>
          <Destination order={order} />
        </Ticket>
      </aside>
      {cancelling && <CancelDialog order={order} token={token} onClose={() => setCancelling(false)} />}
    </div>
  );
}

function Reason({ order }: { order: Order }) {
  const last = order.timeline.at(-1);
  const why = order.cancelReason ?? last?.detail;
  return why ? <Notice tone="warn">{why}</Notice> : null;
}

function Destination({ order: { delivery } }: { order: Order }) {
  const { t } = useLocale();
  if (delivery.type === "pickup") return <p className={styles.where}>{t.order.pickup}</p>;
  const { address, courier } = delivery;
  const street = address && [`${address.street}, ${address.number}`, address.complement].filter(Boolean).join(" · ");
  const town = address && [address.district, address.city, address.state, address.postalCode].filter(Boolean).join(", ");
  return (
    <div className={styles.where}>
      <strong>{courier ? `${t.order.courier}: ${courier}` : t.order.courier}</strong>
      {street && <p>{street}</p>}
      {town && <p>{town}</p>}
    </div>
  );
}

function Receipt({ order, token }: { order: Order; token: string | null }) {
  const { t } = useLocale();
  if (!order.receipt) {
    return order.status === "COMPLETED" ? <p className={styles.explain}>{t.order.receiptSoon}</p> : null;
  }
  return (
    <section className={styles.receipt} aria-label={t.order.receipt}>
      <span>{t.order.receiptNumber(String(order.receipt.number))}</span>
      <Download label={t.order.download} link={() => receiptLink(order.orderId, token)} />
    </section>
  );
}

function Refunds({ order, token }: { order: Order; token: string | null }) {
  const { t, money } = useLocale();
  const refunds = useRefunds(order, token).data?.items ?? [];
  // One that failed is for the staff to try again.
  const shown = refunds.filter((refund) => refund.status !== "FAILED");
  if (shown.length === 0) return null;
  const text = (refund: Refund) =>
    (refund.status === "SUCCEEDED" ? t.order.refunded : t.order.refunding)(money(refund.amount, refund.currency));
  return (
    <section aria-label={t.order.refunds}>
      {shown.map((refund) => (
        <div key={refund.refundId} className={styles.receipt}>
          <span>{text(refund)}</span>
          {refund.creditNote != null && (
            <Download label={t.order.creditNote} link={() => creditNoteLink(order.orderId, refund.refundId, token)} />
          )}
        </div>
      ))}
    </section>
  );
}

/** Asks for a link that expires, and follows it. */
function Download({ label, link }: { label: string; link: () => Promise<{ url: string }> }) {
  const errorText = useErrorText();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const download = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const anchor = document.createElement("a");
      anchor.href = (await link()).url;
      anchor.download = "";
      anchor.click();
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button kind="plain" busy={busy} onClick={() => void download()}>
        {label}
      </Button>
      {failure !== null && <Notice tone="bad">{errorText(failure)}</Notice>}
    </>
  );
}

/** The colour of the copy follows the order through the house. */
function copyOf({ status }: Order): Copy {
  if (isBroken(status)) return "pink";
  if (status === "READY" || status === "OUT_FOR_DELIVERY" || status === "COMPLETED") return "green";
  return "canary";
}

function stampOf({ status }: Order, stamps: Record<string, string>): string {
  return stamps[status] ?? status;
}
