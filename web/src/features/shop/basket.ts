import { useSyncExternalStore } from "react";
import { randomKey } from "../../api/attempt";
import { add, remove, replace, setQuantity, type Cart, type Choice } from "./cart";

const NAME = "comanda.cart";
const EMPTY: Cart = [];

let cart = read();
const listeners = new Set<() => void>();

/** The cart of this browser: it outlives reloads and is the same in all tabs. */
export const useCart = (): Cart => useSyncExternalStore(subscribe, () => cart);

export const basket = {
  add: (choice: Choice) => write(add(cart, choice, randomKey())),
  replace: (id: string, choice: Choice) => write(replace(cart, id, choice)),
  setQuantity: (id: string, quantity: number) => write(setQuantity(cart, id, quantity)),
  remove: (id: string) => write(remove(cart, id)),
  clear: () => write(EMPTY),
};

function subscribe(listener: () => void): () => void {
  const fromOtherTab = (event: StorageEvent) => {
    if (event.key !== NAME) return;
    cart = read();
    listener();
  };
  listeners.add(listener);
  window.addEventListener("storage", fromOtherTab);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", fromOtherTab);
  };
}

function write(next: Cart): void {
  cart = next;
  try {
    localStorage.setItem(NAME, JSON.stringify(cart));
  } catch {
    // The cart then lasts until the page is left.
  }
  listeners.forEach((listener) => listener());
}

function read(): Cart {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(kept) ? (kept as Cart) : EMPTY;
  } catch {
    return EMPTY;
  }
}
