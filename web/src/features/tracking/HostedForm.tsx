import { useEffect, useRef, useState } from "react";
import { loadStripe, type StripeElements, type StripeJs } from "../../api/stripe";
import type { CheckoutForm } from "../../api/types";
import { Button } from "../../ui/Button";
import { useLocale } from "../../ui/locale";
import { Notice } from "../../ui/Notice";
import styles from "./PaymentPanel.module.css";

interface Props {
  form: CheckoutForm;
  secret: string;
  /** What is paid, for the button. */
  total: string;
  /** The provider took the payment, or works on it. */
  onSent: () => void;
}

/** The provider's own form: what is entered there goes to the provider only. */
export function HostedForm({ form, secret, total, onSent }: Props) {
  const { t, locale } = useLocale();
  const box = useRef<HTMLDivElement>(null);
  const loaded = useRef<{ stripe: StripeJs; elements: StripeElements } | null>(null);
  const [stage, setStage] = useState<"loading" | "ready" | "failed" | "sending">("loading");
  const [refusal, setRefusal] = useState<string | null>(null);

  useEffect(() => {
    let gone = false;
    let destroy: (() => void) | undefined;
    setStage("loading");
    loadStripe(form.script, form.publishableKey)
      .then((stripe) => {
        if (gone || !box.current) return;
        const elements = stripe.elements({ clientSecret: secret, locale, appearance: appearance() });
        const element = elements.create("payment");
        element.on("ready", () => setStage("ready"));
        element.on("loaderror", () => setStage("failed"));
        element.mount(box.current);
        destroy = () => element.destroy();
        loaded.current = { stripe, elements };
      })
      .catch(() => {
        if (!gone) setStage("failed");
      });
    return () => {
      gone = true;
      loaded.current = null;
      destroy?.();
    };
  }, [form.script, form.publishableKey, secret, locale]);

  const pay = async () => {
    if (!loaded.current || stage !== "ready") return;
    setStage("sending");
    setRefusal(null);
    const { stripe, elements } = loaded.current;
    const { error } = await stripe
      .confirmPayment({ elements, confirmParams: { return_url: window.location.href }, redirect: "if_required" })
      .catch(() => ({ error: { message: undefined } }));
    if (error) {
      setRefusal(error.message ?? t.state.failed);
      setStage("ready");
    } else {
      onSent();
    }
  };

  return (
    <form
      className={styles.hosted}
      aria-label={t.payment.form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void pay();
      }}
    >
      <div ref={box} data-stage={stage} />
      {stage === "failed" && <Notice tone="bad">{t.payment.formFailed}</Notice>}
      {refusal !== null && <Notice tone="bad" title={t.order.refused}>{refusal}</Notice>}
      <Button type="submit" busy={stage === "loading" || stage === "sending"} disabled={stage === "failed"}>
        {stage === "sending" ? t.order.paying : t.payment.pay(total)}
      </Button>
    </form>
  );
}

/** The form in the page's colours. */
function appearance(): unknown {
  const root = getComputedStyle(document.documentElement);
  const colour = (name: string) => root.getPropertyValue(name).trim();
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const variables = Object.entries({ colorPrimary: colour("--accent"), colorText: colour("--ink"), colorBackground: colour("--surface") });
  return { theme: dark ? "night" : "stripe", variables: Object.fromEntries(variables.filter(([, value]) => value.startsWith("#"))) };
}
