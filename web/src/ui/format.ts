/** An amount in minor units as text, e.g. 2590 BRL as `R$ 25,90`. Invariant: the amount never becomes a float. */
export function money(locale: string, minor: number, currency: string): string {
  const format = currencyFormat(locale, currency);
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(decimal(minor, digits));
}

/** Minor units as a decimal literal: (2590, 2) is `25.90`. */
export function decimal(minor: number, digits: number): Intl.StringNumericLiteral {
  if (!Number.isSafeInteger(minor)) throw new RangeError(`\`${minor}\` is not an amount in minor units`);
  const text = String(Math.abs(minor)).padStart(digits + 1, "0");
  const cut = text.length - digits;
  const sign = minor < 0 ? "-" : "";
  const fraction = digits === 0 ? "" : `.${text.slice(cut)}`;
  return `${sign}${text.slice(0, cut)}${fraction}` as Intl.StringNumericLiteral;
}

/** `date and time` today is only the time; another day has its date. */
export function moment(locale: string, at: string, now: Date): string {
  const then = new Date(at);
  const today = then.toDateString() === now.toDateString();
  const options: Intl.DateTimeFormatOptions = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return dateFormat(locale, options).format(then);
}

export const clock = (locale: string, at: string): string => dateFormat(locale, { timeStyle: "medium" }).format(new Date(at));

export function minutes(locale: string, ms: number): string {
  const total = Math.floor(ms / 60_000);
  const format = (n: number, unit: string) =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(n);
  return total < 60 ? format(total, "minute") : `${format(Math.floor(total / 60), "hour")} ${format(total % 60, "minute")}`;
}

/** Time left as minutes and seconds; never negative. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const currencies = new Map<string, Intl.NumberFormat>();
const dates = new Map<string, Intl.DateTimeFormat>();

function currencyFormat(locale: string, currency: string): Intl.NumberFormat {
  return cached(currencies, `${locale} ${currency}`, () => new Intl.NumberFormat(locale, { style: "currency", currency }));
}

function dateFormat(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return cached(dates, `${locale} ${JSON.stringify(options)}`, () => new Intl.DateTimeFormat(locale, options));
}

function cached<T>(map: Map<string, T>, name: string, make: () => T): T {
  let value = map.get(name);
  if (value === undefined) {
    value = make();
    map.set(name, value);
  }
  return value;
}
