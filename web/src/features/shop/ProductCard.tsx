import type { Product } from "../../api/types";
import { FoodArt } from "../../ui/art";
import { Button } from "../../ui/Button";
import { useLocale } from "../../ui/locale";
import { isSoldOut } from "./cart";
import styles from "./ProductCard.module.css";

/** From here down the number left is worth telling. */
const FEW = 5;

interface Props {
  product: Product;
  currency: string;
  onPick: () => void;
}

export function ProductCard({ product, currency, onPick }: Props) {
  const { t, money } = useLocale();
  const soldOut = isSoldOut(product);
  const few = !soldOut && product.stock.available <= FEW;
  const choices = hasChoices(product);
  return (
    <article className={`${styles.card} ${soldOut ? styles.soldOut : ""}`} data-sku={product.sku}>
      <div className={`${styles.tile} ${styles[product.category]}`}>
        <FoodArt sku={product.sku} name={product.name} category={product.category} className={styles.art} />
        {soldOut && <span className={styles.flag}>{t.shop.soldOut}</span>}
        {few && <span className={`${styles.flag} ${styles.few}`}>{t.shop.left(product.stock.available)}</span>}
      </div>
      <div className={styles.text}>
        <h3>{product.name}</h3>
        {product.description && <p>{product.description}</p>}
      </div>
      <div className={styles.foot}>
        <span className={styles.price}>{money(product.price, currency)}</span>
        {!soldOut && (
          <Button
            kind={choices ? "plain" : "main"}
            className={styles.add}
            onClick={onPick}
            aria-label={choices ? t.shop.chooseNamed(product.name) : t.shop.addNamed(product.name)}
          >
            {choices ? t.shop.choose : t.shop.add}
          </Button>
        )}
      </div>
    </article>
  );
}

export const hasChoices = (product: Product): boolean =>
  (product.options ?? []).length > 0 || (product.extras ?? []).length > 0;
