import { useState, type ReactNode } from "react";
import type { Catalogue } from "../../api/types";
import { useLocale } from "../../ui/locale";
import { Row, Ticket } from "../../ui/Ticket";
import { basket } from "./basket";
import { count, type Priced, type PricedLine } from "./cart";
import styles from "./CartTicket.module.css";
import { ProductDialog } from "./ProductDialog";
import { Stepper } from "./Stepper";

interface Props {
  catalogue: Catalogue;
  cart: Priced;
  /** The amounts below the lines. */
  amounts: { label: string; value: string; strong?: boolean }[];
  children?: ReactNode;
}

/** The order so far, on paper, every line changeable. */
export function CartTicket({ catalogue, cart, amounts, children }: Props) {
  const { t } = useLocale();
  const [editing, setEditing] = useState<PricedLine | null>(null);
  return (
    <Ticket>
      <div className={styles.head}>
        <h2>{t.cart.title}</h2>
        {cart.lines.length > 0 && <span>{t.cart.items(count(cart.lines.map(({ line }) => line)))}</span>}
      </div>
      {cart.lines.length === 0 ? (
        <p className={styles.empty}>{t.cart.empty}</p>
      ) : (
        <>
          <ul className={styles.lines}>
            {cart.lines.map((line) => (
              <Line key={line.line.id} priced={line} currency={catalogue.currency} onEdit={() => setEditing(line)} />
            ))}
          </ul>
          <dl>
            {amounts.map((amount) => (
              <Row key={amount.label} {...amount} />
            ))}
          </dl>
        </>
      )}
      {children}
      {editing?.product && (
        <ProductDialog
          product={editing.product}
          currency={catalogue.currency}
          before={editing.line}
          onClose={() => setEditing(null)}
          onDone={(choice) => {
            basket.replace(editing.line.id, choice);
            setEditing(null);
          }}
        />
      )}
    </Ticket>
  );
}

function Line({ priced, currency, onEdit }: { priced: PricedLine; currency: string; onEdit: () => void }) {
  const { t, money } = useLocale();
  const { line, product, total, problem } = priced;
  const name = product?.name ?? line.sku;
  const options = (product?.options ?? []).map(({ code, choices }) => choices.find((choice) => choice.code === line.options[code])?.name);
  const extras = (product?.extras ?? []).filter(({ code }) => line.extras.includes(code)).map((extra) => `+ ${extra.name}`);
  const details = [...options, ...extras].filter((text) => text !== undefined);
  return (
    <li className={styles.line}>
      <div className={styles.top}>
        {product ? (
          <button type="button" className={styles.name} onClick={onEdit} aria-label={t.cart.edit(name)}>
            {name}
          </button>
        ) : (
          <span className={styles.name}>{name}</span>
        )}
        <span className={styles.price}>{product ? money(total, currency) : ""}</span>
      </div>
      {details.length > 0 && <p className={styles.details}>{details.join(", ")}</p>}
      {line.note && <p className={styles.details}>“{line.note}”</p>}
      {problem && <p className={styles.problem}>{problemText(problem, t)}</p>}
      <div className={styles.tools}>
        {product && problem?.kind !== "soldOut" && (
          <Stepper value={line.quantity} min={0} label={`${t.shop.quantity}: ${name}`} onChange={(quantity) => basket.setQuantity(line.id, quantity)} />
        )}
        <button type="button" className={styles.remove} onClick={() => basket.remove(line.id)} aria-label={t.cart.remove(name)}>
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <path d="M4 6h12M8 6V4h4v2m-7 0 1 11h8l1-11M8.5 9v5m3-5v5" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" />
          </svg>
        </button>
      </div>
    </li>
  );
}

function problemText(problem: NonNullable<PricedLine["problem"]>, t: ReturnType<typeof useLocale>["t"]): string {
  if (problem.kind === "short") return t.shop.left(problem.available);
  return problem.kind === "gone" ? t.cart.gone : t.cart.soldOut;
}
