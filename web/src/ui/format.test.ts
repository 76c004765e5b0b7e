import { describe, expect, it } from "vitest";
import { groupCard, groupExpiry, isCardNumber, readExpiry, TEST_CARDS } from "./card";
import { countdown, decimal, minutes, money } from "./format";
import { match } from "./locale";
import { en } from "./messages/en";
import { pt } from "./messages/pt";

const plain = (text: string) => text.replaceAll(/\s/g, " ");

describe("money", () => {
  const check = (locale: string, minor: number, currency: string, expected: string) =>
    it(`${minor} ${currency} in ${locale}`, () => expect(plain(money(locale, minor, currency))).toBe(expected));

  check("pt-BR", 2590, "BRL", "R$ 25,90");
  check("en", 2590, "BRL", "R$25.90");
  check("en", 5, "USD", "$0.05");
  check("en", -5, "USD", "-$0.05");
  check("en", 0, "USD", "$0.00");
  check("en", 1200, "JPY", "¥1,200");
  check("pt-BR", 9_007_199_254_740_991, "BRL", "R$ 90.071.992.547.409,91");
  check("en", 1_234_567, "KWD", "KWD 1,234.567");

  it("refuses a float", () => expect(() => decimal(25.9, 2)).toThrow(RangeError));
});

describe("time", () => {
  it("short waits in minutes", () => expect(plain(minutes("en", 61_000))).toBe("1 min"));
  it("long waits in hours", () => expect(plain(minutes("pt-BR", 3_900_000))).toBe("1 h 5 min"));
  it("counts down to nothing", () => expect([countdown(61_000), countdown(-5)]).toEqual(["1:01", "0:00"]));
});

describe("plurals", () => {
  it("in English", () => expect([0, 1, 2].map(en.cart.items)).toEqual(["0 items", "1 item", "2 items"]));
  it("in Portuguese", () => expect([0, 1, 2].map(pt.cart.items)).toEqual(["0 item", "1 item", "2 itens"]));
});

describe("language", () => {
  const check = (wanted: string[], expected: string) => it(wanted.join() || "none", () => expect(match(wanted)).toBe(expected));

  check(["pt-PT", "en"], "pt-BR");
  check(["fr-FR", "pt"], "pt-BR");
  check(["de", "en-GB", "pt"], "en");
  check(["ja"], "en");
  check([], "en");
});

describe("cards", () => {
  const now = new Date(2027, 4, 20);
  const check = (name: string, actual: unknown, expected: unknown) => it(name, () => expect(actual).toEqual(expected));

  check("every test card has its check digit", TEST_CARDS.every(({ number }) => isCardNumber(number)), true);
  check("a mistyped digit", isCardNumber("4242 4242 4242 4241"), false);
  check("too short", isCardNumber("42"), false);
  check("groups", groupCard("42424242-4242x4242"), "4242 4242 4242 4242");
  check("expiry while typing", groupExpiry("123"), "12/3");
  check("this month is good", readExpiry("05/27", now), { month: 5, year: 2027 });
  check("last month has passed", readExpiry("04/27", now), undefined);
  check("no such month", readExpiry("13/30", now), undefined);
});
