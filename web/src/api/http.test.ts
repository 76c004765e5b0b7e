import { describe, expect, it, vi } from "vitest";
import { ifMatch, Problem, request, Unreachable, withToken } from "./http";
import { newer, type Order } from "./types";

vi.stubGlobal("document", { documentElement: { lang: "pt-BR" } });


function answer(status: number, body: string, headers: Record<string, string> = {}) {
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response(body, { status, headers })));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

async function failureOf(calling: Promise<unknown>): Promise<unknown> {
  return calling.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("problems", () => {
  const check = (name: string, status: number, body: string, expected: [code: string, detail: string]) =>
    it(name, async () => {
      answer(status, body);
      const error = await failureOf(request("GET", "/v1/orders/x"));
      expect(error).toBeInstanceOf(Problem);
      expect([(error as Problem).code, (error as Problem).detail]).toEqual(expected);
    });

  check("of RFC 9457", 404, '{"type":"/problems#not-found","title":"No","status":404,"code":"not-found","detail":"there is no order"}', ["not-found", "there is no order"]);
  check("without a detail", 409, '{"title":"Conflict","code":"conflict"}', ["conflict", "Conflict"]);
  check("of a proxy", 502, "<html>Bad gateway</html>", ["http-502", ""]);

  it("say when to come back", async () => {
    answer(503, "{}", { "Retry-After": "3" });
    expect(await failureOf(request("GET", "/"))).toMatchObject({ status: 503, retryAfterMs: 3_000 });
  });
});

describe("requests", () => {
  it("say the language and the revision", async () => {
    const fetched = answer(200, "{}");
    await request("POST", "/v1/kitchen/orders/ord_1/start", { headers: ifMatch(7) });
    expect(fetched.mock.calls[0]?.[1]?.headers).toMatchObject({ "If-Match": '"7"', "Accept-Language": "pt-BR" });
  });

  it("are unreachable when nothing answers", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed to fetch")));
    expect(await failureOf(request("GET", "/"))).toBeInstanceOf(Unreachable);
  });

  it("carry the tracking token", () => {
    expect(withToken("/v1/orders/ord_1", "a b")).toBe("/v1/orders/ord_1?t=a%20b");
    expect(withToken("/v1/orders/ord_1", null)).toBe("/v1/orders/ord_1");
  });
});

describe("the higher revision wins", () => {
  const at = (orderId: string, revision: number) => ({ orderId, revision }) as Order;
  const check = (name: string, before: Order | undefined, after: Order, revision: number) => it(name, () => expect(newer(before, after).revision).toBe(revision));

  check("first", undefined, at("a", 1), 1);
  check("newer", at("a", 1), at("a", 2), 2);
  check("late", at("a", 3), at("a", 2), 3);
  check("of another order", at("a", 3), at("b", 2), 2);
});
