import { useDeferredValue, useEffect, useRef, useState, type ReactNode } from "react";
import { Link } from "wouter";
import { useMail, useMails } from "../../api/queries";
import type { Mail } from "../../api/types";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { LiveMark } from "../../ui/LiveMark";
import { useLocale } from "../../ui/locale";
import { Blank, Failure, Loading } from "../../ui/Notice";
import { useTitle } from "../../ui/title";
import styles from "./MailboxPage.module.css";

export function MailboxPage({ id }: { id: string | undefined }) {
  const { t } = useLocale();
  const [to, setTo] = useState("");
  const mails = useMails({ to: useDeferredValue(to.trim()) });
  const items = mails.data?.pages.flatMap((page) => page.items);
  useTitle(t.mailbox.title);
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <div>
          <h1>{t.mailbox.title}</h1>
          <p>{t.mailbox.lead}</p>
        </div>
        <LiveMark state={mails.error ? "polling" : mails.live} />
      </header>
      <div className={`${styles.columns} ${id === undefined ? "" : styles.open}`}>
        <div className={styles.list}>
          <TextField label={t.mailbox.search} type="search" value={to} placeholder={t.mailbox.searchPlaceholder} onChange={setTo} />
          {items ? (
            <MailList mails={items} open={id} filtered={to.trim() !== ""} />
          ) : mails.error ? (
            <Failure error={mails.error} onRetry={() => void mails.refetch()} />
          ) : (
            <Loading shapes={2} />
          )}
          {mails.hasNextPage && (
            <Button kind="plain" busy={mails.isFetchingNextPage} onClick={() => void mails.fetchNextPage()}>
              {t.mailbox.older}
            </Button>
          )}
        </div>
        <div className={styles.letter}>
          {id !== undefined ? <Letter key={id} id={id} /> : items && items.length > 0 && <p className={styles.pick}>{t.mailbox.pick}</p>}
        </div>
      </div>
    </div>
  );
}

function MailList({ mails, open, filtered }: { mails: Mail[]; open: string | undefined; filtered: boolean }) {
  const { t, moment } = useLocale();
  if (mails.length === 0) {
    return filtered ? (
      <p className={styles.pick}>{t.mailbox.noMatch}</p>
    ) : (
      <Blank title={t.mailbox.emptyTitle}>
        <p>{t.mailbox.empty}</p>
      </Blank>
    );
  }
  return (
    <nav aria-label={t.mailbox.list}>
      <ul>
        {mails.map((mail) => (
          <li key={mail.mailId}>
            <Link href={`/mailbox/${encodeURIComponent(mail.mailId)}`} className={styles.item ?? ""} aria-current={mail.mailId === open ? "true" : undefined}>
              <strong>{mail.subject}</strong>
              <span>{mail.to}</span>
              <time dateTime={mail.at}>{moment(mail.at)}</time>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Letter({ id }: { id: string }) {
  const { t, moment } = useLocale();
  const mail = useMail(id);
  const title = useRef<HTMLHeadingElement>(null);
  const loaded = mail.data !== undefined;
  useEffect(() => {
    title.current?.focus({ preventScroll: true });
    title.current?.scrollIntoView({ block: "nearest" });
  }, [loaded]);
  if (!mail.data) return mail.error ? <Failure error={mail.error} onRetry={() => void mail.refetch()} /> : <Loading shapes={1} />;
  const { subject, to, at, text, locale } = mail.data;
  return (
    <article className={styles.paper} aria-label={subject}>
      <Link href="/mailbox" className={styles.back ?? ""}>
        {t.mailbox.back}
      </Link>
      <h2 ref={title} tabIndex={-1}>
        {subject}
      </h2>
      <p className={styles.meta}>
        <span>
          {t.mailbox.to}: {to}
        </span>
        <time dateTime={at}>{moment(at)}</time>
      </p>
      <div className={styles.text} lang={locale}>
        {linked(text ?? "")}
      </div>
    </article>
  );
}

/** The text with its addresses as links. */
function linked(text: string): ReactNode[] {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, n) => (n % 2 === 1 ? <a key={n} href={part}>{part}</a> : part));
}
