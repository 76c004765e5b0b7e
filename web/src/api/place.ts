import type { Attempts } from "./attempt";
import { Problem, request } from "./http";
import type { PlacedOrder, PlaceOrder } from "./types";

/** How often one press of the button tries before it asks the person. */
export const PLACE_TRIES = 4;

export type Send = (order: PlaceOrder, key: string) => Promise<PlacedOrder>;

export const sendOrder: Send = (order, key) =>
  request("POST", "/place-order", { body: order, headers: { "Idempotency-Key": key } });

/**
 * Places an order once, however often it is called: calls for the same attempt share one request, and retries reuse
 * its key. An unanswered attempt keeps the key for the next press; a definite answer settles it.
 */
export class Counter {
  readonly #attempts: Attempts;
  readonly #send: Send;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #underWay = new Map<string, Promise<PlacedOrder>>();

  constructor(attempts: Attempts, send: Send, pause: (ms: number) => Promise<void>) {
    this.#attempts = attempts;
    this.#send = send;
    this.#pause = pause;
  }

  place(order: PlaceOrder): Promise<PlacedOrder> {
    const key = this.#attempts.keyFor(order);
    const running = this.#underWay.get(key);
    if (running) return running;
    const placing = this.#try(order, key).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, placing);
    return placing;
  }

  async #try(order: PlaceOrder, key: string): Promise<PlacedOrder> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const placed = await this.#send(order, key);
        this.#attempts.settle();
        return placed;
      } catch (error) {
        const waitMs = retryDelay(error, attempt);
        if (waitMs === undefined) this.#attempts.settle();
        if (waitMs === undefined || attempt >= PLACE_TRIES) throw error;
        await this.#pause(waitMs);
      }
    }
  }
}

/** How long to wait before the same request may be sent again; `undefined` when the answer is definite. */
export function retryDelay(error: unknown, attempt: number): number | undefined {
  const backoff = 300 * 2 ** (attempt - 1);
  if (!(error instanceof Problem)) return backoff;
  const busy = error.status >= 500 || error.status === 429 || error.status === 408;
  const concurrent = error.status === 409 && (error.code === "conflict" || error.code.includes("idempotency"));
  return busy || concurrent ? Math.min(error.retryAfterMs ?? backoff, 5_000) : undefined;
}
