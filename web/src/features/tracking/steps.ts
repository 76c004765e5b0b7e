import type { Order, OrderStatus } from "../../api/types";

export type Step = "placed" | "RECEIVED" | "IN_PREPARATION" | "READY" | "OUT_FOR_DELIVERY" | "COMPLETED";
export type StepState = "done" | "now" | "next" | "off";

const PICKUP: readonly Step[] = ["placed", "RECEIVED", "IN_PREPARATION", "READY", "COMPLETED"];
const COURIER: readonly Step[] = ["placed", "RECEIVED", "IN_PREPARATION", "READY", "OUT_FOR_DELIVERY", "COMPLETED"];
const BROKEN: readonly OrderStatus[] = ["REJECTED", "CANCELLED", "EXPIRED"];

export const isBroken = (status: OrderStatus): boolean => BROKEN.includes(status);

/** The way of this order and how far it has come; what a broken order never reached is off. */
export function stepsOf(order: Pick<Order, "status" | "timeline" | "delivery">): { step: Step; state: StepState }[] {
  const steps = order.delivery.type === "courier" ? COURIER : PICKUP;
  const broken = isBroken(order.status);
  const last = broken ? furthest(order, steps) : Math.max(0, steps.indexOf(order.status as Step));
  return steps.map((step, n) => ({ step, state: stateOf(n, last, broken, order.status) }));
}

function stateOf(n: number, last: number, broken: boolean, status: OrderStatus): StepState {
  if (n < last || (n === last && (broken || status === "COMPLETED"))) return "done";
  if (n === last) return "now";
  return broken ? "off" : "next";
}

function furthest({ timeline }: Pick<Order, "timeline">, steps: readonly Step[]): number {
  return Math.max(0, ...timeline.map(({ status }) => steps.indexOf(status as Step)));
}
