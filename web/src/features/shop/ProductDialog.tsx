import { useId, useState, type CSSProperties } from "react";
import { MAX_NOTE, MAX_QUANTITY, type Product } from "../../api/types";
import { FoodArt } from "../../ui/art";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Pick, TextField } from "../../ui/Field";
import { useLocale } from "../../ui/locale";
import { unitPrice, type Choice } from "./cart";
import styles from "./ProductDialog.module.css";
import { Stepper } from "./Stepper";

interface Props {
  product: Product;
  currency: string;
  /** The line being changed; a new one without it. */
  before?: Choice | undefined;
  onDone: (choice: Choice) => void;
  onClose: () => void;
}

/** Chooses how a product is made. */
export function ProductDialog({ product, currency, before, onDone, onClose }: Props) {
  const { t, money } = useLocale();
  const name = useId();
  const [choice, setChoice] = useState<Choice>(() => before ?? firstChoice(product));
  const change = (part: Partial<Choice>) => setChoice((now) => ({ ...now, ...part }));
  const surcharge = (price: number | undefined) => (price ? `+ ${money(price, currency)}` : undefined);
  const total = money(unitPrice(product, choice) * choice.quantity, currency);
  const tile = { "--tile": `var(--${TILES[product.category]})` } as CSSProperties;

  return (
    <Dialog
      title={product.name}
      onClose={onClose}
      head={
        <div className={styles.head} style={tile}>
          <FoodArt sku={product.sku} name={product.name} category={product.category} />
        </div>
      }
    >
      {product.description && <p className={styles.description}>{product.description}</p>}
      {product.options?.map((option) => (
        <fieldset key={option.code} className={styles.group}>
          <legend>{option.name}</legend>
          <div className={styles.picks}>
            {!option.required && (
              <Pick
                type="radio"
                name={`${name}-${option.code}`}
                value=""
                label={t.shop.asItComes}
                checked={choice.options[option.code] === undefined}
                onChange={() => change({ options: without(choice.options, option.code) })}
              />
            )}
            {option.choices.map(({ code, name: label, price }) => (
              <Pick
                key={code}
                type="radio"
                name={`${name}-${option.code}`}
                value={code}
                label={label}
                aside={surcharge(price)}
                checked={choice.options[option.code] === code}
                onChange={() => change({ options: { ...choice.options, [option.code]: code } })}
              />
            ))}
          </div>
        </fieldset>
      ))}
      {(product.extras ?? []).length > 0 && (
        <fieldset className={styles.group}>
          <legend>{t.shop.extras}</legend>
          <div className={styles.picks}>
            {product.extras?.map(({ code, name: label, price }) => (
              <Pick
                key={code}
                type="checkbox"
                name={`${name}-extras`}
                value={code}
                label={label}
                aside={surcharge(price)}
                checked={choice.extras.includes(code)}
                onChange={(checked) =>
                  change({ extras: checked ? [...choice.extras, code] : choice.extras.filter((extra) => extra !== code) })
                }
              />
            ))}
          </div>
        </fieldset>
      )}
      <TextField
        label={t.shop.note}
        hint={t.checkout.optional}
        value={choice.note}
        maxLength={MAX_NOTE}
        placeholder={t.shop.notePlaceholder}
        onChange={(note) => change({ note })}
      />
      <div className={styles.foot}>
        <Stepper
          value={choice.quantity}
          label={t.shop.quantity}
          max={Math.min(MAX_QUANTITY, Math.max(1, product.stock.available))}
          onChange={(quantity) => change({ quantity })}
        />
        <Button className={styles.done} onClick={() => onDone(choice)}>
          {before ? t.shop.saveFor(total) : t.shop.addFor(total)}
        </Button>
      </div>
    </Dialog>
  );
}

const TILES: Record<Product["category"], string> = { snack: "mustard", side: "lime", drink: "guava", dessert: "acai" };

/** One unit, each required option at its first choice. */
export function firstChoice(product: Product): Choice {
  const required = (product.options ?? []).filter((option) => option.required);
  const options = Object.fromEntries(required.flatMap((option) => (option.choices[0] ? [[option.code, option.choices[0].code]] : [])));
  return { sku: product.sku, quantity: 1, options, extras: [], note: "" };
}

function without(options: Record<string, string>, code: string): Record<string, string> {
  return Object.fromEntries(Object.entries(options).filter(([other]) => other !== code));
}
