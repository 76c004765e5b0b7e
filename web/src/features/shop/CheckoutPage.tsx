import { useState } from "react";
import { Link, useLocation } from "wouter";
import { useQueryClient } from "@tanstack/react-query";
import { expectHandover } from "../../api/handover";
import { Problem, Unreachable } from "../../api/http";
import { counter, useCatalogue } from "../../api/queries";
import { rememberOrder, trackingPath } from "../../api/recent";
import type { Catalogue } from "../../api/types";
import { Button } from "../../ui/Button";
import { useLocale } from "../../ui/locale";
import { Blank, Failure, Loading, Notice, useErrorText } from "../../ui/Notice";
import { PaymentFields, usePaymentForm } from "../../ui/Payment";
import { useTitle } from "../../ui/title";
import { basket, useCart } from "./basket";
import { percentOf, shareOf, priced } from "./cart";
import { CartTicket } from "./CartTicket";
import styles from "./CheckoutPage.module.css";
import { DeliveryFields, ExtraFields, WhoFields } from "./CheckoutFields";
import { BLANK, check, orderOf, type Form } from "./form";

const DRAFT = "comanda.draft";

export function CheckoutPage() {
  const { t } = useLocale();
  const catalogue = useCatalogue();
  const cart = useCart();
  useTitle(t.checkout.title);
  if (cart.length === 0) {
    return (
      <Blank title={t.checkout.emptyTitle}>
        <p>{t.checkout.empty}</p>
        <Link href="/">{t.state.home}</Link>
      </Blank>
    );
  }
  if (catalogue.data) return <Checkout catalogue={catalogue.data} />;
  return catalogue.error ? <Failure error={catalogue.error} onRetry={() => void catalogue.refetch()} /> : <Loading shapes={3} />;
}

function Checkout({ catalogue }: { catalogue: Catalogue }) {
  const { t, money, locale } = useLocale();
  const client = useQueryClient();
  const errorText = useErrorText();
  const [, navigate] = useLocation();
  const [form, setForm] = useState(draft);
  const [shown, setShown] = useState(false);
  const [wrong, setWrong] = useState(0);
  const [placing, setPlacing] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const payment = usePaymentForm(catalogue.checkout);
  const lines = useCart();
  const cart = priced(lines, catalogue);

  const amount = (minor: number) => money(minor, catalogue.currency);
  const tip = Math.min(percentOf(cart.subtotal, form.tipPercent), catalogue.maxTip);
  const service = shareOf(cart.subtotal, catalogue.serviceFeeBasisPoints);
  const fee = form.courier ? catalogue.deliveryFee : 0;
  const total = cart.subtotal + fee + service + tip;
  const errors = check(form, t);

  const change = (part: Partial<Form>) => {
    const next = { ...form, ...part };
    setForm(next);
    sessionStorage.setItem(DRAFT, JSON.stringify(next));
  };

  const place = async () => {
    if (placing) return;
    const paying = payment.read();
    const missing = Object.keys(errors).length + ("wrong" in paying ? paying.wrong : 0);
    setShown(true);
    setWrong(missing);
    setFailure(null);
    if ("wrong" in paying || missing > 0) { focusFirstInvalid(); return; }
    setPlacing(true);
    try {
      const placed = await counter.place(orderOf(form, lines, paying.method, { tip, total }, locale));
      rememberOrder({ orderId: placed.orderId, number: placed.number, token: placed.trackingToken, placedAt: new Date().toISOString() });
      if (paying.method.type === "hosted" && !catalogue.checkout.form) expectHandover(placed.orderId);
      navigate(trackingPath(placed.orderId, placed.trackingToken));
      basket.clear();
      void client.invalidateQueries({ queryKey: ["catalogue"] });
    } catch (error) {
      setFailure(error);
      setPlacing(false);
      if (error instanceof Problem && error.status === 409) void client.invalidateQueries({ queryKey: ["catalogue"] });
    }
  };

  return (
    <form
      className={styles.page}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void place();
      }}
    >
      <div className={styles.form}>
        <div>
          <Link href="/">{t.cart.back}</Link>
          <h1>{t.checkout.title}</h1>
        </div>
        <WhoFields form={form} errors={shown ? errors : {}} change={change} />
        <DeliveryFields form={form} errors={shown ? errors : {}} change={change} fee={catalogue.deliveryFee === 0 ? t.cart.free : amount(catalogue.deliveryFee)} />
        <section className={styles.section}>
          <h2>{t.checkout.pay}</h2>
          <PaymentFields form={payment} />
        </section>
        <ExtraFields form={form} change={change} tipOf={(percent) => amount(Math.min(percentOf(cart.subtotal, percent), catalogue.maxTip))} />
      </div>
      <div className={styles.aside}>
        <CartTicket
          catalogue={catalogue}
          cart={cart}
          amounts={[
            { label: t.cart.subtotal, value: amount(cart.subtotal) },
            ...(form.courier ? [{ label: t.cart.delivery, value: fee === 0 ? t.cart.free : amount(fee) }] : []),
            ...(service > 0 ? [{ label: t.cart.service, value: amount(service) }] : []),
            ...(tip > 0 ? [{ label: t.cart.tip, value: amount(tip) }] : []),
            { label: t.cart.total, value: amount(total), strong: true },
          ]}
        />
        {failure !== null && (
          <Notice tone="bad" title={failure instanceof Unreachable ? t.checkout.silent : t.checkout.failed}>
            <FailureText error={failure} text={errorText(failure)} />
          </Notice>
        )}
        {wrong > 0 && shown && failure === null && <Notice tone="warn">{t.checkout.fix(wrong)}</Notice>}
        {!cart.ready && <Notice tone="warn">{t.checkout.fixCart}</Notice>}
        <Button type="submit" wide busy={placing} disabled={!cart.ready}>
          {placing ? t.checkout.placing : t.checkout.place(amount(total))}
        </Button>
      </div>
    </form>
  );
}

function FailureText({ error, text }: { error: unknown; text: string }) {
  const { t } = useLocale();
  if (error instanceof Unreachable) return t.checkout.unreachable;
  if (!(error instanceof Problem)) return text;
  const hint = { "price-changed": t.checkout.changed, "out-of-stock": t.checkout.outOfStock }[error.code];
  return (
    <>
      {hint && <p>{hint}</p>}
      <p>{text}</p>
    </>
  );
}

function draft(): Form {
  try {
    return { ...BLANK, ...(JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}") as Partial<Form>) };
  } catch {
    return BLANK;
  }
}

function focusFirstInvalid(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>("[aria-invalid]")?.focus());
}
