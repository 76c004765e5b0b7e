const MIN_DIGITS = 12;
const MAX_DIGITS = 19;

export const digitsOf = (text: string): string => text.replace(/\D/g, "");

/** Groups of four while typing. */
export const groupCard = (text: string): string =>
  digitsOf(text).slice(0, MAX_DIGITS).replace(/(\d{4})(?=\d)/g, "$1 ");

/** A plausible card number: its length, and the check digit of ISO/IEC 7812. */
export function isCardNumber(text: string): boolean {
  const digits = digitsOf(text);
  if (digits.length < MIN_DIGITS || digits.length > MAX_DIGITS) return false;
  const sum = Array.from(digits, Number)
    .reverse()
    .reduce((total, digit, place) => total + (place % 2 === 1 ? doubled(digit) : digit), 0);
  return sum % 10 === 0;
}

function doubled(digit: number): number {
  return digit > 4 ? digit * 2 - 9 : digit * 2;
}

export function groupExpiry(text: string): string {
  const digits = digitsOf(text).slice(0, 4);
  return digits.length > 2 ? `${digits.slice(0, 2)}/${digits.slice(2)}` : digits;
}

/** `MM/YY` that has not passed, else `undefined`. */
export function readExpiry(text: string, now: Date): { month: number; year: number } | undefined {
  const digits = digitsOf(text);
  if (digits.length !== 4) return undefined;
  const month = Number(digits.slice(0, 2));
  const year = 2000 + Number(digits.slice(2));
  const passed = year < now.getFullYear() || (year === now.getFullYear() && month < now.getMonth() + 1);
  return month < 1 || month > 12 || passed ? undefined : { month, year };
}

export const isCvc = (text: string): boolean => /^\d{3,4}$/.test(text);

export type TestCard = "success" | "declined" | "insufficient" | "authentication" | "late" | "duplicate" | "never" | "reordered" | "capture";

/** The numbers the payment simulator knows. */
export const TEST_CARDS: readonly { kind: TestCard; number: string }[] = [
  { kind: "success", number: "4242424242424242" },
  { kind: "declined", number: "4000000000000002" },
  { kind: "insufficient", number: "4000000000009995" },
  { kind: "authentication", number: "4000002500003155" },
  { kind: "late", number: "4000000000100018" },
  { kind: "duplicate", number: "4000000000100026" },
  { kind: "never", number: "4000000000100034" },
  { kind: "reordered", number: "4000000000100042" },
  { kind: "capture", number: "4000000000100059" },
];
