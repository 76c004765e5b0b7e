import type { components } from "./schema";

type Schemas = components["schemas"];

export type Category = Schemas["Category"];
export type Product = Schemas["ProductView"];
export type Catalogue = Schemas["CatalogueView"];
export type Checkout = Schemas["CheckoutView"];
export type CheckoutForm = Schemas["CheckoutForm"];
export type Address = Schemas["Address"];
export type PaymentMethod = Schemas["PaymentMethod"];
export type LineRequest = Schemas["LineRequest"];
export type PlaceOrder = Schemas["PlaceOrder"];
export type PlacedOrder = Schemas["PlacedOrder"];
export type OrderStatus = Schemas["OrderStatus"];
export type Line = Schemas["Line"];
export type Order = Schemas["OrderView"];
export type Payment = Schemas["PaymentView"];
export type ReceiptLink = Schemas["ReceiptLink"];
export type RefundList = Schemas["RefundList"];
export type Refund = Schemas["RefundView"];
export type CreditNoteLink = Schemas["CreditNoteLink"];
export type KitchenOrder = Schemas["KitchenOrder"];
export type KitchenList = Schemas["KitchenList"];
export type Mail = Schemas["MailView"];
export type MailPage = Schemas["MailPage"];
export type ProblemDetails = Schemas["Problem"];

/** The server's limits, from its OpenAPI document. */
export const MAX_LINES = 50;
export const MAX_QUANTITY = 100;
export const MAX_NOTE = 280;
export const MAX_TEXT = 120;

const FINAL: readonly OrderStatus[] = ["COMPLETED", "REJECTED", "CANCELLED", "EXPIRED"];

export const isFinal = (status: OrderStatus): boolean => FINAL.includes(status);

/** Events and answers race; the higher revision wins. */
export function newer(before: Order | undefined, after: Order): Order {
  return before?.orderId === after.orderId && before.revision > after.revision ? before : after;
}
