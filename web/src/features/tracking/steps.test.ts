import { describe, expect, it } from "vitest";
import type { OrderStatus } from "../../api/types";
import { stepsOf } from "./steps";

/** `past > now` and the kind of delivery, against one letter a step: done, now, next, off. */
function check(past: OrderStatus[], type: "pickup" | "courier", expected: string) {
  const status = past.at(-1) ?? "CHECKOUT";
  it(`${past.join(" > ")} by ${type}: ${expected}`, () => {
    const steps = stepsOf({ status, delivery: { type, status: "WAITING" }, timeline: past.map((reached) => ({ at: "", status: reached })) });
    expect(steps.map(({ state }) => state).join(" ")).toBe(expected);
  });
}

describe("progress", () => {
  check(["CHECKOUT"], "pickup", "now next next next next");
  check(["CHECKOUT", "PAYMENT_PENDING"], "pickup", "now next next next next");
  check(["CHECKOUT", "PAYMENT_PENDING", "RECEIVED"], "pickup", "done now next next next");
  check(["RECEIVED", "IN_PREPARATION", "READY"], "courier", "done done done now next next");
  check(["READY", "OUT_FOR_DELIVERY"], "courier", "done done done done now next");
  check(["READY", "COMPLETED"], "pickup", "done done done done done");
  check(["CHECKOUT", "REJECTED"], "pickup", "done off off off off");
  check(["CHECKOUT", "RECEIVED", "IN_PREPARATION", "CANCELLED"], "pickup", "done done done off off");
});
