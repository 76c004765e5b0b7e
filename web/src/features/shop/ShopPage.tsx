import { useState } from "react";
import { Link, useLocation } from "wouter";
import { useCatalogue } from "../../api/queries";
import { recentOrders, trackingPath } from "../../api/recent";
import type { Catalogue, Category, Product } from "../../api/types";
import { Button } from "../../ui/Button";
import { useLocale } from "../../ui/locale";
import { Blank, Failure, Loading } from "../../ui/Notice";
import { useTitle } from "../../ui/title";
import { basket, useCart } from "./basket";
import { count, priced } from "./cart";
import { CartTicket } from "./CartTicket";
import { firstChoice, ProductDialog } from "./ProductDialog";
import { hasChoices, ProductCard } from "./ProductCard";
import styles from "./ShopPage.module.css";

const CATEGORIES: readonly Category[] = ["snack", "side", "drink", "dessert"];

export function ShopPage() {
  const { t } = useLocale();
  const catalogue = useCatalogue();
  useTitle(t.nav.menu);
  return (
    <div className={styles.page}>
      <header className={styles.hero}>
        <h1>{t.shop.title}</h1>
        <p>
          {catalogue.data?.merchant && <strong>{catalogue.data.merchant}. </strong>}
          {t.shop.lead}
        </p>
      </header>
      <Recent />
      {catalogue.data ? (
        <Shop catalogue={catalogue.data} />
      ) : catalogue.error ? (
        <Failure error={catalogue.error} onRetry={() => void catalogue.refetch()} />
      ) : (
        <Loading />
      )}
    </div>
  );
}

function Shop({ catalogue }: { catalogue: Catalogue }) {
  const { t, money } = useLocale();
  const [, navigate] = useLocation();
  const [picking, setPicking] = useState<Product | null>(null);
  const [said, setSaid] = useState("");
  const cart = priced(useCart(), catalogue);
  const amount = (minor: number) => money(minor, catalogue.currency);
  const units = count(cart.lines.map(({ line }) => line));
  const onSale = catalogue.products.filter(({ active }) => active !== false);
  const shelves = CATEGORIES.map((category) => ({ category, products: onSale.filter((product) => product.category === category) })).filter(
    ({ products }) => products.length > 0,
  );

  const pick = (product: Product) => {
    if (hasChoices(product)) { setPicking(product); return; }
    basket.add(firstChoice(product));
    setSaid(t.shop.added(product.name));
  };

  if (shelves.length === 0) {
    return (
      <Blank title={t.shop.emptyTitle}>
        <p>{t.shop.empty}</p>
      </Blank>
    );
  }
  return (
    <div className={styles.columns}>
      <div>
        <nav className={styles.categories} aria-label={t.shop.categories}>
          {shelves.map(({ category }) => (
            <a key={category} href={`#${category}`}>
              {t.category[category]}
            </a>
          ))}
        </nav>
        {shelves.map(({ category, products }) => (
          <section key={category} id={category} className={styles.shelf} aria-labelledby={`${category}-title`}>
            <h2 id={`${category}-title`}>{t.category[category]}</h2>
            <div className={styles.grid}>
              {products.map((product) => (
                <ProductCard key={product.sku} product={product} currency={catalogue.currency} onPick={() => pick(product)} />
              ))}
            </div>
          </section>
        ))}
      </div>
      <aside className={styles.aside} aria-label={t.cart.title}>
        <CartTicket catalogue={catalogue} cart={cart} amounts={[{ label: t.cart.total, value: amount(cart.subtotal), strong: true }]}>
          {cart.lines.length > 0 && (
            <Button wide className={styles.checkout} onClick={() => navigate("/cart")}>
              {t.cart.checkout}
            </Button>
          )}
        </CartTicket>
      </aside>
      {units > 0 && (
        <div className={styles.bar}>
          <Button wide onClick={() => navigate("/cart")}>
            <span>{t.cart.show}</span>
            <span className={styles.barCount}>
              {t.cart.items(units)} · {amount(cart.subtotal)}
            </span>
          </Button>
        </div>
      )}
      <p className="hidden" role="status">
        {said}
      </p>
      {picking && (
        <ProductDialog
          product={picking}
          currency={catalogue.currency}
          onClose={() => setPicking(null)}
          onDone={(choice) => {
            basket.add(choice);
            setSaid(t.shop.added(picking.name));
            setPicking(null);
          }}
        />
      )}
    </div>
  );
}

function Recent() {
  const { t, moment } = useLocale();
  const [orders] = useState(() => recentOrders(Date.now()));
  if (orders.length === 0) return null;
  return (
    <nav className={styles.recent} aria-label={t.shop.recent}>
      <span>{t.shop.recent}</span>
      {orders.map((order) => (
        <Link key={order.orderId} href={trackingPath(order.orderId, order.token)}>
          {t.shop.follow(order.number)} <small>{moment(order.placedAt)}</small>
        </Link>
      ))}
    </nav>
  );
}
