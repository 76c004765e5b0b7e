/** As much of Stripe.js as the page uses (https://docs.stripe.com/js). */
export interface StripeJs {
  elements: (options: { clientSecret: string; locale: string; appearance: unknown }) => StripeElements;
  confirmPayment: (options: {
    elements: StripeElements;
    confirmParams: { return_url: string };
    redirect: "if_required";
  }) => Promise<{ error?: { message?: string } }>;
}

export interface StripeElements {
  create: (kind: "payment") => StripeElement;
}

export interface StripeElement {
  mount: (where: HTMLElement) => void;
  destroy: () => void;
  on: (event: "ready" | "loaderror", handler: () => void) => void;
}

declare global {
  interface Window {
    Stripe?: (publishableKey: string) => StripeJs;
  }
}

let loading: Promise<void> | undefined;

/** Loads Stripe.js, once; Stripe wants it loaded from its own address. */
export async function loadStripe(script: string, publishableKey: string): Promise<StripeJs> {
  loading ??= load(script).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  await loading;
  if (!window.Stripe) throw new Error("the script brought no Stripe.js");
  return window.Stripe(publishableKey);
}

function load(script: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = script;
    element.onload = () => resolve();
    element.onerror = () => {
      element.remove();
      reject(new Error("the script of the payment form could not be loaded"));
    };
    document.head.append(element);
  });
}
