import { useEffect, useRef } from "react";
import { Link, Route, Switch, useLocation, useSearch } from "wouter";
import styles from "./app.module.css";
import { KitchenPage } from "./features/kitchen/KitchenPage";
import { MailboxPage } from "./features/mailbox/MailboxPage";
import { CheckoutPage } from "./features/shop/CheckoutPage";
import { ShopPage } from "./features/shop/ShopPage";
import { TrackingPage } from "./features/tracking/TrackingPage";
import { Sign } from "./ui/art";
import { useLocale, type Locale } from "./ui/locale";
import { Blank } from "./ui/Notice";

export function App() {
  const { t } = useLocale();
  const main = useRef<HTMLElement>(null);
  const [path] = useLocation();
  const page = path.split("/")[1];
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    window.scrollTo(0, 0);
    main.current?.focus();
  }, [page]);
  return (
    <>
      <a className={styles.skip} href="#main">
        {t.nav.skip}
      </a>
      <Header path={path} />
      <main id="main" ref={main} tabIndex={-1} className={styles.main}>
        <Switch>
          <Route path="/">
            <ShopPage />
          </Route>
          <Route path="/cart">
            <CheckoutPage />
          </Route>
          <Route path="/orders/:id">{({ id }) => <Tracking id={id} />}</Route>
          <Route path="/kitchen">
            <KitchenPage />
          </Route>
          <Route path="/mailbox/:id?">{({ id }) => <MailboxPage id={id} />}</Route>
          <Route>
            <NotFound />
          </Route>
        </Switch>
      </main>
    </>
  );
}

function Tracking({ id }: { id: string }) {
  const token = new URLSearchParams(useSearch()).get("t");
  return <TrackingPage key={id} id={id} token={token} />;
}

function Header({ path }: { path: string }) {
  const { t } = useLocale();
  const links = [
    { href: "/", label: t.nav.menu, here: path === "/" || path === "/cart" },
    { href: "/kitchen", label: t.nav.kitchen, here: path === "/kitchen" },
    { href: "/mailbox", label: t.nav.mailbox, here: path.startsWith("/mailbox") },
  ];
  return (
    <header className={styles.header}>
      <div className={styles.sign}>
        <div className={styles.bar}>
          <Link href="/" className={styles.brand ?? ""}>
            <Sign className={styles.logo} />
            Comanda
          </Link>
          <nav className={styles.nav} aria-label={t.nav.main}>
            {links.map(({ href, label, here }) => (
              <Link key={href} href={href} aria-current={here ? "page" : undefined}>
                {label}
              </Link>
            ))}
          </nav>
          <Languages />
        </div>
      </div>
      <div className={styles.awning} aria-hidden="true" />
    </header>
  );
}

const LANGUAGES: readonly { locale: Locale; short: string; name: string }[] = [
  { locale: "en", short: "EN", name: "English" },
  { locale: "pt-BR", short: "PT", name: "Português" },
];

function Languages() {
  const { t, locale, setLocale } = useLocale();
  return (
    <div className={styles.languages} role="group" aria-label={t.nav.language}>
      {LANGUAGES.map((language) => (
        <button
          key={language.locale}
          type="button"
          lang={language.locale}
          title={language.name}
          aria-pressed={language.locale === locale}
          onClick={() => setLocale(language.locale)}
        >
          {language.short}
        </button>
      ))}
    </div>
  );
}

function NotFound() {
  const { t } = useLocale();
  return (
    <Blank title={t.state.notFoundTitle}>
      <p>{t.state.notFound}</p>
      <Link href="/">{t.state.home}</Link>
    </Blank>
  );
}
