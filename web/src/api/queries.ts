import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Attempts, randomKey } from "./attempt";
import { ifMatch, request, withToken } from "./http";
import { follow, type Liveness } from "./live";
import { Counter, sendOrder } from "./place";
import { isFinal, newer, type Catalogue, type CreditNoteLink, type KitchenList, type KitchenOrder, type Mail, type MailPage, type Order, type Payment, type PaymentMethod, type ReceiptLink, type RefundList } from "./types";

const POLL_MS = 2_500;
const QUIET_POLL_MS = 15_000;
/** Where there are no streams every question is paid for: deploy/cost.json counts them. */
const ASK_MS = 10_000;
const MAIL_POLL_MS = 5_000;
const MAIL_PAGES = 20;
const SETTLE_POLLS = 20;
const EVENT_GATHER_MS = 120;

export const counter = new Counter(
  new Attempts(sessionStorage, randomKey),
  sendOrder,
  (ms) => new Promise((resolve) => window.setTimeout(resolve, ms)),
);

export const useCatalogue = () =>
  useQuery({
    queryKey: ["catalogue"],
    queryFn: ({ signal }) => request<Catalogue>("GET", "/v1/catalogue", { signal }),
    staleTime: 30_000,
  });

/** An order, live: events while the stream stands, polling while it does not, and a while after the end. */
export function useOrder(id: string, token: string | null) {
  const client = useQueryClient();
  const [live, setLive] = useState<Liveness>("connecting");
  const path = `/v1/orders/${encodeURIComponent(id)}`;
  const query = useQuery({
    queryKey: ["order", id],
    queryFn: ({ signal }) => request<Order>("GET", withToken(path, token), { signal }),
    structuralSharing: (before, after) => newer(before as Order | undefined, after as Order),
    refetchInterval: ({ state }) => {
      const order = state.data;
      if (order && isFinal(order.status)) return settled(order) || state.dataUpdateCount > SETTLE_POLLS ? false : POLL_MS;
      return pause(live, QUIET_POLL_MS);
    },
  });

  const known = query.data !== undefined;
  const ended = query.data !== undefined && isFinal(query.data.status);
  useEffect(() => {
    if (!known || ended) return;
    return follow(withToken(`${path}/events`, token), {
      onMessage: (data) => {
        const order = JSON.parse(data) as Order;
        client.setQueryData<Order>(["order", id], (before) => newer(before, order));
      },
      onState: setLive,
    });
  }, [client, id, path, token, known, ended]);

  return { ...query, live: ended ? ("live" as const) : live };
}

export function usePay(id: string, token: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ method, key }: { method: PaymentMethod; key: string }) =>
      request<Payment>("POST", withToken(`/v1/orders/${encodeURIComponent(id)}/payments`, token), {
        body: { method },
        headers: { "Idempotency-Key": key },
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ["order", id] }),
  });
}

const CHECK_MS = 2_500;
const CHECKS = 12;

/** Asks the server to ask the provider, while a payment waits whose customer has just paid elsewhere. */
export function useCheck(order: Order, token: string | null, wanted: boolean) {
  const client = useQueryClient();
  const waits = wanted && order.payment.status === "PENDING";
  useQuery({
    queryKey: ["check", order.orderId, order.payment.attempts],
    queryFn: async ({ signal }) => {
      const path = `/v1/orders/${encodeURIComponent(order.orderId)}/payments/check`;
      const payment = await request<Payment>("POST", withToken(path, token), { signal });
      if (payment.status !== "PENDING") void client.invalidateQueries({ queryKey: ["order", order.orderId] });
      return payment;
    },
    enabled: waits,
    retry: false,
    gcTime: 0,
    refetchInterval: ({ state }) => (state.dataUpdateCount + state.errorUpdateCount < CHECKS ? CHECK_MS : false),
  });
}

export function useCancel(id: string, token: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ revision, reason }: { revision: number; reason: string }) =>
      request<unknown>("POST", withToken(`/v1/orders/${encodeURIComponent(id)}/cancel`, token), {
        body: { reason },
        headers: ifMatch(revision),
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ["order", id] }),
  });
}

export const receiptLink = (id: string, token: string | null) =>
  request<ReceiptLink>("GET", withToken(`/v1/orders/${encodeURIComponent(id)}/receipt`, token));

export const creditNoteLink = (id: string, refund: string, token: string | null) =>
  request<CreditNoteLink>("GET", withToken(`/v1/orders/${encodeURIComponent(id)}/refunds/${encodeURIComponent(refund)}/credit-note`, token));

/** The refunds of an order, asked for anew with each of its revisions and while one is under way. */
export const useRefunds = (order: Order, token: string | null) =>
  useQuery({
    queryKey: ["refunds", order.orderId, order.revision, order.payment.status, order.payment.refunded],
    queryFn: ({ signal }) =>
      request<RefundList>("GET", withToken(`/v1/payments/${encodeURIComponent(order.orderId)}/refunds`, token), { signal }),
    enabled: order.payment.captured > 0,
    refetchInterval: ({ state }) => (state.data?.items.some((refund) => refund.status === "PENDING") ? POLL_MS : false),
  });

export type KitchenStep = "start" | "ready" | "handover";

export function useKitchen() {
  const live = useEvents(["kitchen"]);
  const query = useQuery({
    queryKey: ["kitchen"],
    queryFn: ({ signal }) => request<KitchenList>("GET", "/v1/kitchen/orders", { signal }),
    refetchInterval: pause(live, QUIET_POLL_MS),
  });
  return { ...query, live };
}

export function useKitchenStep() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ order, step }: { order: KitchenOrder; step: KitchenStep }) =>
      request<unknown>("POST", `/v1/kitchen/orders/${encodeURIComponent(order.orderId)}/${step}`, {
        headers: ifMatch(order.revision),
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ["kitchen"] }),
  });
}

/** Mails, newest first, page by page. */
export function useMails(filter: { to: string }) {
  const live = useEvents(["mails"]);
  const query = useInfiniteQuery({
    queryKey: ["mails", filter],
    queryFn: ({ signal, pageParam }) => {
      const given = Object.entries({ ...filter, cursor: pageParam }).filter(([, value]) => value !== "");
      return request<MailPage>("GET", `/v1/mailbox?${new URLSearchParams(given).toString()}`, { signal });
    },
    initialPageParam: "",
    getNextPageParam: ({ next }) => next ?? undefined,
    maxPages: MAIL_PAGES,
    refetchInterval: pause(live, MAIL_POLL_MS),
  });
  return { ...query, live };
}

export const useMail = (id: string) =>
  useQuery({
    queryKey: ["mail", id],
    queryFn: ({ signal }) => request<Mail>("GET", `/v1/mailbox/${encodeURIComponent(id)}`, { signal }),
    staleTime: Infinity,
  });

/** Follows all orders and reloads one list when something happened, gathering bursts into one reload. */
function useEvents(queryKey: readonly string[]): Liveness {
  const client = useQueryClient();
  const [live, setLive] = useState<Liveness>("connecting");
  const name = queryKey[0];
  useEffect(() => {
    let timer: number | undefined;
    const stop = follow("/v1/events", {
      onMessage: () => {
        timer ??= window.setTimeout(() => {
          timer = undefined;
          void client.invalidateQueries({ queryKey: [name] });
        }, EVENT_GATHER_MS);
      },
      onState: setLive,
    });
    return () => {
      window.clearTimeout(timer);
      stop();
    };
  }, [client, name]);
  return live;
}

/** How long to wait before asking again, where `quietMs` is enough beside a stream. */
function pause(live: Liveness, quietMs: number): number {
  if (live === "live") return quietMs;
  return live === "asking" ? ASK_MS : POLL_MS;
}

/** Nothing more is expected to change: the receipt of a completed order is there, its money has come to rest. */
function settled(order: Order): boolean {
  const moving = order.payment.status === "PENDING" || order.payment.status === "AUTHORIZED";
  return !moving && (order.status !== "COMPLETED" || Boolean(order.receipt));
}
