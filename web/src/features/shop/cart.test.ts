import { describe, expect, it } from "vitest";
import { MAX_QUANTITY, type Catalogue, type Product } from "../../api/types";
import { add, count, lineRequests, percentOf, priced, remove, replace, setQuantity, unitPrice, type Cart, type Choice } from "./cart";

const product = (sku: string, price: number, available: number): Product => ({
  sku,
  name: sku,
  category: "snack",
  price,
  revision: 1,
  stock: { onHand: available, reserved: 0, available },
  options: [{ code: "size", name: "Size", required: true, choices: [{ code: "s", name: "S", price: 0 }, { code: "l", name: "L", price: 350 }] }],
  extras: [{ code: "bacon", name: "Bacon", price: 450 }, { code: "egg", name: "Egg", price: 300 }],
});

const catalogue: Catalogue = { currency: "BRL", merchant: "", deliveryFee: 700, serviceFeeBasisPoints: 0, checkout: { provider: "simulator", types: ["card"] }, maxTip: 50000, products: [product("burger", 2590, 10), product("rare", 1000, 1), product("none", 500, 0)] };

const choice = (sku: string, part: Partial<Choice> = {}): Choice => ({ sku, quantity: 1, options: {}, extras: [], note: "", ...part });

const cartOf = (...choices: Choice[]): Cart => choices.reduce<Cart>((cart, one, n) => add(cart, one, `line-${n}`), []);

describe("adding", () => {
  const check = (name: string, choices: Choice[], quantities: number[]) =>
    it(name, () => expect(cartOf(...choices).map((line) => line.quantity)).toEqual(quantities));

  check("the same way joins", [choice("burger"), choice("burger", { quantity: 2 })], [3]);
  check("the order of extras does not matter", [choice("burger", { extras: ["egg", "bacon"] }), choice("burger", { extras: ["bacon", "egg"] })], [2]);
  check("another option is another line", [choice("burger", { options: { size: "s" } }), choice("burger", { options: { size: "l" } })], [1, 1]);
  check("another note is another line", [choice("burger"), choice("burger", { note: "no onion" })], [1, 1]);
  check("spaces around a note do not matter", [choice("burger", { note: "hot" }), choice("burger", { note: " hot " })], [2]);
  check("a line has a limit", [choice("burger", { quantity: MAX_QUANTITY }), choice("burger")], [MAX_QUANTITY]);
  check("an order has a limit", Array.from({ length: 60 }, (_, n) => choice("burger", { note: String(n) })), Array<number>(50).fill(1));
});

describe("changing", () => {
  const cart = cartOf(choice("burger"), choice("burger", { extras: ["egg"] }));

  it("joins a line that became like another", () => {
    const changed = replace(cart, "line-1", choice("burger", { quantity: 2 }));
    expect(changed.map(({ id, quantity }) => [id, quantity])).toEqual([["line-0", 3]]);
  });

  it("keeps the place of a line", () => {
    expect(replace(cart, "line-0", choice("burger", { note: "hot" })).map(({ id }) => id)).toEqual(["line-0", "line-1"]);
  });

  it("none removes the line", () => {
    expect(setQuantity(cart, "line-0", 0)).toEqual(remove(cart, "line-0"));
  });

  it("counts units, not lines", () => expect(count(setQuantity(cart, "line-0", 4))).toBe(5));
});

describe("prices", () => {
  const check = (name: string, one: Choice, expected: number) =>
    it(name, () => expect(unitPrice(product("burger", 2590, 1), one)).toBe(expected));

  check("plain", choice("burger"), 2590);
  check("with a choice", choice("burger", { options: { size: "l" } }), 2940);
  check("with extras", choice("burger", { extras: ["bacon", "egg"] }), 3340);
  check("what the menu no longer has costs nothing", choice("burger", { options: { size: "xl" }, extras: ["gold"] }), 2590);
});

describe("ordering", () => {
  const check = (name: string, choices: Choice[], expected: [subtotal: number, ready: boolean, problem?: string]) =>
    it(name, () => {
      const { subtotal, ready, lines } = priced(cartOf(...choices), catalogue);
      expect([subtotal, ready, lines.find(({ problem }) => problem)?.problem?.kind]).toEqual([expected[0], expected[1], expected[2]]);
    });

  check("adds up", [choice("burger", { quantity: 3 }), choice("rare")], [8770, true]);
  check("an empty cart is not ready", [], [0, false]);
  check("a product that left the menu", [choice("ghost")], [0, false, "gone"]);
  check("a sold-out product", [choice("none")], [500, false, "soldOut"]);
  check("more than there are, over all lines", [choice("rare"), choice("rare", { note: "hot" })], [2000, false, "short"]);
});

describe("percent", () => {
  const check = (amount: number, percent: number, expected: number) =>
    it(`${percent} % of ${amount} is ${expected}`, () => expect(percentOf(amount, percent)).toBe(expected));

  check(2590, 10, 259);
  check(2595, 10, 260);
  check(2594, 10, 259);
  check(0, 15, 0);
  check(9_007_199_254_740, 15, 1_351_079_888_211);
});

it("sends only what was said", () => {
  expect(lineRequests(cartOf(choice("burger"), choice("rare", { note: " hot ", extras: ["egg"], options: { size: "l" } })))).toEqual([
    { sku: "burger", quantity: 1 },
    { sku: "rare", quantity: 1, options: { size: "l" }, extras: ["egg"], note: "hot" },
  ]);
});
