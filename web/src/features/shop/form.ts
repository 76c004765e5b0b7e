import type { Address, PaymentMethod, PlaceOrder } from "../../api/types";
import { digitsOf } from "../../ui/card";
import type { Locale } from "../../ui/locale";
import type { Messages } from "../../ui/messages/en";
import { lineRequests, type Cart } from "./cart";

/** What a person fills in besides the cart and the payment. */
export interface Form {
  named: boolean;
  name: string;
  email: string;
  cpf: string;
  courier: boolean;
  street: string;
  number: string;
  complement: string;
  district: string;
  city: string;
  state: string;
  postalCode: string;
  tipPercent: number;
  note: string;
}

export const BLANK: Form = {
  named: true,
  name: "",
  email: "",
  cpf: "",
  courier: false,
  street: "",
  number: "",
  complement: "",
  district: "",
  city: "",
  state: "",
  postalCode: "",
  tipPercent: 0,
  note: "",
};

export type FormErrors = Partial<Record<keyof Form, string>>;

export function check(form: Form, t: Messages): FormErrors {
  const errors: FormErrors = {};
  const need = (...fields: (keyof Form)[]) => {
    for (const field of fields) if (String(form[field]).trim() === "") errors[field] = t.checkout.required;
  };
  if (form.named) {
    need("name", "email");
    if (!errors.email && !isEmail(form.email)) errors.email = t.checkout.badEmail;
    if (form.cpf.trim() !== "" && !isCpf(form.cpf)) errors.cpf = t.checkout.badCpf;
  }
  if (form.courier) {
    need("street", "number", "district", "city", "state", "postalCode");
    if (!errors.postalCode && digitsOf(form.postalCode).length !== 8) errors.postalCode = t.checkout.badPostalCode;
  }
  return errors;
}

/** The order as the server takes it. */
export function orderOf(form: Form, cart: Cart, payment: PaymentMethod, money: { tip: number; total: number }, locale: Locale): PlaceOrder {
  return {
    customer: form.named
      ? { name: form.name.trim(), email: form.email.trim(), ...(form.cpf.trim() !== "" && { cpf: digitsOf(form.cpf) }), locale }
      : { locale },
    lines: lineRequests(cart),
    payment,
    delivery: form.courier ? { type: "courier", address: addressOf(form) } : { type: "pickup" },
    tip: money.tip,
    ...(form.note.trim() !== "" && { note: form.note.trim() }),
    expectedTotal: money.total,
  };
}

function addressOf(form: Form): Address {
  return {
    street: form.street.trim(),
    number: form.number.trim(),
    ...(form.complement.trim() !== "" && { complement: form.complement.trim() }),
    district: form.district.trim(),
    city: form.city.trim(),
    state: form.state,
    postalCode: groupPostalCode(form.postalCode),
  };
}

/** Loose on purpose: the server decides. */
export const isEmail = (text: string): boolean => /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(text.trim());

/** The two check digits of a CPF (Receita Federal): weighted sums modulo 11. */
export function isCpf(text: string): boolean {
  const digits = Array.from(digitsOf(text), Number);
  if (digits.length !== 11 || new Set(digits).size === 1) return false;
  return [9, 10].every((length) => {
    const sum = digits.slice(0, length).reduce((total, digit, place) => total + digit * (length + 1 - place), 0);
    return ((sum * 10) % 11) % 10 === digits[length];
  });
}

export function groupCpf(text: string): string {
  const digits = digitsOf(text).slice(0, 11);
  return digits
    .replace(/^(\d{3})(\d)/, "$1.$2")
    .replace(/^(\d{3})\.(\d{3})(\d)/, "$1.$2.$3")
    .replace(/\.(\d{3})(\d{1,2})$/, ".$1-$2");
}

export const groupPostalCode = (text: string): string => digitsOf(text).slice(0, 8).replace(/^(\d{5})(\d)/, "$1-$2");

export const STATES = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO".split(" ");
