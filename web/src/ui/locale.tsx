import { createContext, use, useMemo, useState, type ReactNode } from "react";
import { clock, minutes, moment, money } from "./format";
import { en, type Messages } from "./messages/en";
import { pt } from "./messages/pt";

export type Locale = "en" | "pt-BR";

const NAME = "comanda.locale";
const MESSAGES: Record<Locale, Messages> = { en, "pt-BR": pt };

interface Speech {
  locale: Locale;
  setLocale: (locale: Locale) => void;
  t: Messages;
  money: (minor: number, currency: string) => string;
  /** The time, with the date when it is not today. */
  moment: (at: string) => string;
  clock: (at: string) => string;
  minutes: (ms: number) => string;
}

const LocaleContext = createContext<Speech | null>(null);

export function LocaleProvider({ children }: { children: ReactNode }) {
  const [locale, setLocale] = useState(preferred);
  const speech = useMemo<Speech>(
    () => ({
      locale,
      setLocale: (chosen) => {
        remember(chosen);
        document.documentElement.lang = chosen;
        setLocale(chosen);
      },
      t: MESSAGES[locale],
      money: (minor, currency) => money(locale, minor, currency),
      moment: (at) => moment(locale, at, new Date()),
      clock: (at) => clock(locale, at),
      minutes: (ms) => minutes(locale, ms),
    }),
    [locale],
  );
  return <LocaleContext value={speech}>{children}</LocaleContext>;
}

export function useLocale(): Speech {
  const speech = use(LocaleContext);
  if (!speech) throw new Error("useLocale needs a LocaleProvider above it");
  return speech;
}

/** The first of the wanted languages that we speak. */
export function match(wanted: readonly string[]): Locale {
  for (const language of wanted) {
    if (language.toLowerCase().startsWith("pt")) return "pt-BR";
    if (language.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

function preferred(): Locale {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(NAME);
  } catch {
    // Storage may be forbidden; the browser's language decides then.
  }
  const locale = match(kept === null ? navigator.languages : [kept]);
  document.documentElement.lang = locale;
  return locale;
}

function remember(locale: Locale): void {
  try {
    localStorage.setItem(NAME, locale);
  } catch {
    // The choice then lasts until the page is left.
  }
}
