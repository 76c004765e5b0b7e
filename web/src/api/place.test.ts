import { describe, expect, it } from "vitest";
import { Attempts, fingerprint, type Drawer } from "./attempt";
import { Problem, Unreachable } from "./http";
import { Counter, PLACE_TRIES, retryDelay } from "./place";
import type { PlacedOrder, PlaceOrder } from "./types";

const order: PlaceOrder = {
  lines: [{ sku: "burger", quantity: 1 }],
  payment: { type: "card", number: "4242424242424242", expMonth: 12, expYear: 2030, cvc: "987" },
};
const bigger: PlaceOrder = { ...order, lines: [{ sku: "burger", quantity: 2 }] };
const placed: PlacedOrder = { orderId: "ord_1", number: 1, status: "CHECKOUT", total: 1, currency: "BRL", trackingUrl: "", trackingToken: "t", expiresAt: "" };

const unanswered = new Unreachable(new TypeError("failed to fetch"));
const problem = (status: number, code: string) => new Problem({ status, code, detail: code });

function drawer(): Drawer & { kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return { kept, getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => void kept.set(name, value), removeItem: (name) => void kept.delete(name) };
}

/** A counter whose sends end as told, one after the other; the last ending repeats. */
function scene(...endings: (PlacedOrder | Error)[]) {
  const sent: string[] = [];
  const kept = drawer();
  let keys = 0;
  const attempts = () => new Attempts(kept, () => `key-${++keys}`);
  const send = (_: PlaceOrder, key: string) => {
    const ending = endings[Math.min(sent.length, endings.length - 1)];
    sent.push(key);
    return ending instanceof Error ? Promise.reject(ending) : Promise.resolve(ending ?? placed);
  };
  const make = () => new Counter(attempts(), send, () => Promise.resolve());
  return { sent, kept, counter: make(), reloaded: make };
}

describe("placing once", () => {
  it("a double click shares one request", async () => {
    const { counter, sent } = scene(placed);
    await Promise.all([counter.place(order), counter.place(order)]);
    expect(sent).toEqual(["key-1"]);
  });

  it("a retry reuses the key", async () => {
    const { counter, sent } = scene(unanswered, problem(503, "overloaded"), placed);
    await counter.place(order);
    expect(sent).toEqual(["key-1", "key-1", "key-1"]);
  });

  it("the next press after silence reuses the key, also after a reload", async () => {
    const { counter, sent, reloaded } = scene(...Array<Error>(PLACE_TRIES).fill(unanswered), placed);
    await expect(counter.place(order)).rejects.toBe(unanswered);
    await reloaded().place(order);
    expect(new Set(sent)).toEqual(new Set(["key-1"]));
    expect(sent).toHaveLength(PLACE_TRIES + 1);
  });

  it("the same lunch again tomorrow is another order", async () => {
    const { counter, sent } = scene(placed);
    await counter.place(order);
    await counter.place(order);
    expect(sent).toEqual(["key-1", "key-2"]);
  });

  it("a changed order is another attempt", async () => {
    const { counter, sent } = scene(...Array<Error>(PLACE_TRIES).fill(unanswered), placed);
    await expect(counter.place(order)).rejects.toBe(unanswered);
    await counter.place(bigger);
    expect(sent.at(-1)).toBe("key-2");
  });

  it("a refusal is definite: it is not retried and its key is not reused", async () => {
    const { counter, sent } = scene(problem(409, "price-changed"), placed);
    await expect(counter.place(order)).rejects.toThrow("price-changed");
    await counter.place(order);
    expect(sent).toEqual(["key-1", "key-2"]);
  });
});

describe("retry", () => {
  const check = (name: string, error: unknown, again: boolean) => it(name, () => expect(retryDelay(error, 1) !== undefined).toBe(again));

  check("no answer", unanswered, true);
  check("overloaded", problem(503, "overloaded"), true);
  check("too many requests", problem(429, "too-many"), true);
  check("the same key is under way", problem(409, "idempotency-in-progress"), true);
  check("someone else changed the same data", problem(409, "conflict"), true);
  check("the price changed", problem(409, "price-changed"), false);
  check("the key was used for another order", problem(422, "idempotency-key-reused"), false);
  check("a wrong body", problem(422, "invalid-body"), false);

  it("waits as long as the server asks, within reason", () => {
    expect(retryDelay(new Problem({ status: 503 }, 2_000), 1)).toBe(2_000);
    expect(retryDelay(new Problem({ status: 503 }, 600_000), 1)).toBe(5_000);
  });
});

describe("fingerprint", () => {
  it("tells cards apart by their last four digits", () => {
    expect(fingerprint(order)).not.toBe(fingerprint({ ...order, payment: { type: "pix" } }));
    const other = { ...order, payment: { type: "card", number: "4000000000000002", expMonth: 12, expYear: 2030, cvc: "987" } } as const;
    expect(fingerprint(order)).not.toBe(fingerprint(other));
  });

  it("keeps nothing of the card", () => {
    const kept = drawer();
    new Attempts(kept, () => "key").keyFor(order);
    expect([...kept.kept.values()].join()).toMatch(/^key [0-9a-f]{16}$/);
  });
});
