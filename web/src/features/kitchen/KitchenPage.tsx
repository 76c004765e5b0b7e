import { useState } from "react";
import { Problem } from "../../api/http";
import { useKitchen, useKitchenStep, type KitchenStep } from "../../api/queries";
import type { KitchenOrder } from "../../api/types";
import { Button } from "../../ui/Button";
import { Lines } from "../../ui/Lines";
import { LiveMark } from "../../ui/LiveMark";
import { useLocale } from "../../ui/locale";
import { Blank, Failure, Loading, Notice, useErrorText } from "../../ui/Notice";
import { useNow } from "../../ui/now";
import { Ticket, type Copy } from "../../ui/Ticket";
import { useTitle } from "../../ui/title";
import styles from "./KitchenPage.module.css";

const COLUMNS = ["READY", "IN_PREPARATION", "RECEIVED"] as const;
const COPIES: Record<(typeof COLUMNS)[number], Copy> = { READY: "green", IN_PREPARATION: "canary", RECEIVED: "white" };
const STEPS: readonly KitchenStep[] = ["start", "ready", "handover"];
const LATE_MS = 20 * 60_000;

type Outcome = { number: number; step: KitchenStep } & ({ ok: true } | { ok: false; error: unknown });

export function KitchenPage() {
  const { t } = useLocale();
  const kitchen = useKitchen();
  const step = useKitchenStep();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  useTitle(t.kitchen.title);

  const move = (order: KitchenOrder, name: KitchenStep) => {
    const { number } = order;
    step.mutate(
      { order, step: name },
      {
        onSuccess: () => setOutcome({ number, step: name, ok: true }),
        onError: (error) => setOutcome({ number, step: name, ok: false, error }),
      },
    );
  };

  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <div>
          <h1>{t.kitchen.title}</h1>
          <p>{t.kitchen.lead}</p>
        </div>
        <LiveMark state={kitchen.error ? "polling" : kitchen.live} />
      </header>
      {outcome && <Told outcome={outcome} />}
      {kitchen.data ? (
        <Board orders={kitchen.data.items} busy={step.isPending ? step.variables.order.orderId : undefined} onMove={move} />
      ) : kitchen.error ? (
        <Failure error={kitchen.error} onRetry={() => void kitchen.refetch()} />
      ) : (
        <Loading shapes={3} />
      )}
    </div>
  );
}

function Told({ outcome }: { outcome: Outcome }) {
  const { t } = useLocale();
  const errorText = useErrorText();
  if (outcome.ok) {
    return (
      <p className="hidden" role="status">
        {t.kitchen.done[outcome.step](outcome.number)}
      </p>
    );
  }
  const changed = outcome.error instanceof Problem && [409, 412].includes(outcome.error.status);
  return (
    <Notice tone={changed ? "warn" : "bad"} title={changed ? t.kitchen.conflictTitle(outcome.number) : t.kitchen.failed(outcome.number)}>
      {changed ? t.kitchen.conflict : errorText(outcome.error)}
    </Notice>
  );
}

interface BoardProps {
  orders: KitchenOrder[];
  busy: string | undefined;
  onMove: (order: KitchenOrder, step: KitchenStep) => void;
}

function Board({ orders, busy, onMove }: BoardProps) {
  const { t } = useLocale();
  const now = useNow(10_000);
  if (orders.length === 0) {
    return (
      <Blank title={t.kitchen.quietTitle}>
        <p>{t.kitchen.quiet}</p>
      </Blank>
    );
  }
  return (
    <div className={styles.board}>
      {COLUMNS.map((status) => {
        const inColumn = orders.filter((order) => order.status === status);
        return (
          <section key={status} className={styles.column} aria-labelledby={`column-${status}`}>
            <h2 id={`column-${status}`} className={styles.rail}>
              {t.kitchen.columns[status]} <span aria-label={t.kitchen.orders(inColumn.length)}>{inColumn.length}</span>
            </h2>
            {inColumn.length === 0 && <p className={styles.none}>{t.kitchen.none[status]}</p>}
            <ol className={styles.tickets}>
              {inColumn.map((order) => (
                <li key={order.orderId}>
                  <OrderTicket order={order} copy={COPIES[status]} ageMs={now - Date.parse(order.placedAt)} busy={busy === order.orderId} onMove={onMove} />
                </li>
              ))}
            </ol>
          </section>
        );
      })}
    </div>
  );
}

interface TicketProps {
  order: KitchenOrder;
  copy: Copy;
  ageMs: number;
  busy: boolean;
  onMove: BoardProps["onMove"];
}

function OrderTicket({ order, copy, ageMs, busy, onMove }: TicketProps) {
  const { t, minutes } = useLocale();
  const step = STEPS.find((name) => order.actions.includes(name));
  return (
    <Ticket copy={copy}>
      <article aria-label={t.order.title(order.number)} data-order={order.orderId}>
        <header className={styles.stub}>
          <span className={styles.number}>{order.number}</span>
          <span className={styles.who}>
            <strong>{order.customerName ?? t.kitchen.anonymous}</strong>
            <span className={ageMs > LATE_MS ? styles.late : undefined}>
              {ageMs < 60_000 ? t.kitchen.justNow : t.kitchen.waiting(minutes(ageMs))}
            </span>
          </span>
          {order.delivery === "courier" && <span className={styles.courier}>{t.order.courier}</span>}
        </header>
        <Lines lines={order.lines} />
        {order.note && <p className={styles.note}>“{order.note}”</p>}
        {step ? (
          <Button
            wide
            className={styles.move}
            kind={step === "start" ? "plain" : "main"}
            busy={busy}
            aria-label={t.kitchen.stepNamed(t.kitchen.step[step], order.number)}
            onClick={() => onMove(order, step)}
          >
            {t.kitchen.step[step]}
          </Button>
        ) : (
          order.delivery === "courier" && <p className={styles.waits}>{t.kitchen.courierComes}</p>
        )}
      </article>
    </Ticket>
  );
}
