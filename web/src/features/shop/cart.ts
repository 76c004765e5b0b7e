import { MAX_LINES, MAX_QUANTITY, type Catalogue, type LineRequest, type Product } from "../../api/types";

/** What a person chose of a product. */
export interface Choice {
  sku: string;
  quantity: number;
  options: Record<string, string>;
  extras: string[];
  note: string;
}

export interface CartLine extends Choice {
  id: string;
}

export type Cart = readonly CartLine[];

/** Adds a choice; the same product made the same way joins its line. */
export function add(cart: Cart, choice: Choice, id: string): Cart {
  const same = cart.find((line) => sameWay(line, choice));
  if (same) return setQuantity(cart, same.id, same.quantity + choice.quantity);
  return cart.length >= MAX_LINES ? cart : [...cart, { ...choice, quantity: capped(choice.quantity), id }];
}

/** Changes a line; when it becomes like another one, the two join. */
export function replace(cart: Cart, id: string, choice: Choice): Cart {
  const twin = cart.find((line) => line.id !== id && sameWay(line, choice));
  if (twin) return setQuantity(remove(cart, id), twin.id, twin.quantity + choice.quantity);
  return cart.map((line) => (line.id === id ? { ...choice, quantity: capped(choice.quantity), id } : line));
}

/** None removes the line. */
export function setQuantity(cart: Cart, id: string, quantity: number): Cart {
  if (quantity < 1) return remove(cart, id);
  return cart.map((line) => (line.id === id ? { ...line, quantity: capped(quantity) } : line));
}

export const remove = (cart: Cart, id: string): Cart => cart.filter((line) => line.id !== id);

export const count = (cart: Cart): number => cart.reduce((sum, line) => sum + line.quantity, 0);

/** The price of one unit as chosen, in minor units. */
export function unitPrice(product: Product, choice: Pick<Choice, "options" | "extras">): number {
  const chosen = (product.options ?? []).map(
    (option) => option.choices.find(({ code }) => code === choice.options[option.code])?.price ?? 0,
  );
  const added = (product.extras ?? []).filter(({ code }) => choice.extras.includes(code)).map(({ price }) => price ?? 0);
  return [product.price, ...chosen, ...added].reduce((sum, price) => sum + price, 0);
}

export interface PricedLine {
  line: CartLine;
  product: Product | undefined;
  total: number;
  /** Why the line cannot be ordered as it is. */
  problem: { kind: "gone" } | { kind: "soldOut" } | { kind: "short"; available: number } | undefined;
}

export interface Priced {
  lines: PricedLine[];
  subtotal: number;
  ready: boolean;
}

/** The cart at today's prices and stock. */
export function priced(cart: Cart, catalogue: Catalogue): Priced {
  const lines = cart.map((line): PricedLine => {
    const product = catalogue.products.find(({ sku, active }) => sku === line.sku && active !== false);
    if (!product) return { line, product, total: 0, problem: { kind: "gone" } };
    return { line, product, total: unitPrice(product, line) * line.quantity, problem: shortage(cart, product) };
  });
  return {
    lines,
    subtotal: lines.reduce((sum, { total }) => sum + total, 0),
    ready: lines.length > 0 && lines.every(({ problem }) => problem === undefined),
  };
}

export const isSoldOut = (product: Product): boolean => product.stock.available < 1;

/** Part of an amount in whole percent, rounded half up, in integers throughout. */
export function percentOf(amount: number, percent: number): number {
  return shareOf(amount, percent * 100);
}

/** A share in hundredths of a per cent, rounded half up as the server does it. */
export function shareOf(amount: number, basisPoints: number): number {
  const parts = amount * basisPoints + 5000;
  return (parts - (parts % 10000)) / 10000;
}

/** The lines as the server takes them. */
export function lineRequests(cart: Cart): LineRequest[] {
  return cart.map(({ sku, quantity, options, extras, note }) => ({
    sku,
    quantity,
    ...(Object.keys(options).length > 0 && { options }),
    ...(extras.length > 0 && { extras }),
    ...(note.trim() !== "" && { note: note.trim() }),
  }));
}

function shortage(cart: Cart, product: Product): PricedLine["problem"] {
  if (isSoldOut(product)) return { kind: "soldOut" };
  const { available } = product.stock;
  const wanted = count(cart.filter(({ sku }) => sku === product.sku));
  return wanted > available ? { kind: "short", available } : undefined;
}

const capped = (quantity: number): number => Math.min(quantity, MAX_QUANTITY);

const sameWay = (one: Choice, other: Choice): boolean => signature(one) === signature(other);

function signature({ sku, options, extras, note }: Choice): string {
  return JSON.stringify([sku, Object.entries(options).sort(), [...extras].sort(), note.trim()]);
}
