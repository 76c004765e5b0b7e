import type { PlaceOrder } from "./types";

/** Where the attempt under way is kept, so that a reload does not forget it. */
export interface Drawer {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const NAME = "comanda.attempt";

/**
 * The idempotency key of the order being placed. The same order keeps its key through double clicks, retries and
 * reloads; another order gets another key; an attempt with a known end is settled and forgotten.
 */
export class Attempts {
  readonly #drawer: Drawer;
  readonly #newKey: () => string;

  constructor(drawer: Drawer, newKey: () => string) {
    this.#drawer = drawer;
    this.#newKey = newKey;
  }

  keyFor(order: PlaceOrder): string {
    const print = fingerprint(order);
    const [key, kept] = (this.#drawer.getItem(NAME) ?? "").split(" ");
    if (key && kept === print) return key;
    const fresh = this.#newKey();
    this.#drawer.setItem(NAME, `${fresh} ${print}`);
    return fresh;
  }

  settle(): void {
    this.#drawer.removeItem(NAME);
  }
}

/** A digest of the order that tells attempts apart. Invariant: of a card only the last four digits enter it. */
export function fingerprint(order: PlaceOrder): string {
  const payment = order.payment.type === "card" ? { type: "card", last4: order.payment.number.slice(-4) } : order.payment;
  return digest(JSON.stringify({ ...order, payment }));
}

/** 128 random bits. `randomUUID` is absent on pages served over plain HTTP from another host. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Two rounds of 32-bit FNV-1a from different offsets: enough to tell one person's attempts apart. */
function digest(text: string): string {
  return [0x811c9dc5, 0x9747b28c].map((offset) => fnv(text, offset).toString(16).padStart(8, "0")).join("");
}

function fnv(text: string, offset: number): number {
  let hash = offset;
  for (let at = 0; at < text.length; at += 1) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}
