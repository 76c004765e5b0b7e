const NAME = "comanda.handover";

/**
 * Notes that this tab's visitor has just chosen to pay an order on the provider's page, and is to be taken there: nobody
 * else who opens the order's link is.
 */
export const expectHandover = (orderId: string): void => sessionStorage.setItem(NAME, orderId);

/** Whether the visitor is to be taken to the provider's page for that order; once. */
export function takeHandover(orderId: string): boolean {
  const expected = sessionStorage.getItem(NAME) === orderId;
  if (expected) sessionStorage.removeItem(NAME);
  return expected;
}

/** What providers add to the address when they send a visitor back. */
const MARKS = ["PayerID", "payment_intent"];

/** Whether the visitor comes from the provider's page. */
export const cameBack = (): boolean => {
  const query = new URLSearchParams(window.location.search);
  return MARKS.some((mark) => query.has(mark));
};
