/** An order placed from this browser, and the token that opens its tracking page. */
export interface Recent {
  orderId: string;
  number: number;
  token: string;
  placedAt: string;
}

const NAME = "comanda.recent";
const KEPT = 5;
const MAX_AGE_MS = 24 * 60 * 60 * 1000;

export function recentOrders(now: number): Recent[] {
  try {
    const kept = JSON.parse(localStorage.getItem(NAME) ?? "[]") as Recent[];
    return kept.filter((order) => now - Date.parse(order.placedAt) < MAX_AGE_MS);
  } catch {
    return [];
  }
}

export function rememberOrder(order: Recent): void {
  const others = recentOrders(Date.parse(order.placedAt)).filter((other) => other.orderId !== order.orderId);
  try {
    localStorage.setItem(NAME, JSON.stringify([order, ...others].slice(0, KEPT)));
  } catch {
    // A full or forbidden storage costs the shortcut, not the order.
  }
}

export const trackingPath = (orderId: string, token: string): string =>
  `/orders/${encodeURIComponent(orderId)}?t=${encodeURIComponent(token)}`;
