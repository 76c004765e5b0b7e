"""The ledger against two programs that are not ours: random entries go in over HTTP, and every closing balance of every day is
compared with sums by Python over the CSV export, and with hledger over the journal export.

ledger_check.py URL ENTRIES DAYS ZONE CUT_OFF [--hledger]"""

import csv
import datetime
import json
import random
import subprocess
import sys
import urllib.request
import zoneinfo
from collections import defaultdict

ACCOUNTS = [f"{root}:c{n}" for n in range(4) for root in ("assets", "liabilities", "income", "expenses", "equity")]
CURRENCIES = ["BRL", "BRL", "USD", "EUR"]
MAX_BATCH = 5_000


def call(url, method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def entries(chance, count, days, now):
    for _ in range(count):
        a, b = chance.sample(ACCOUNTS, 2)
        at = now - datetime.timedelta(seconds=chance.random() * days * 86_400)
        amount, currency = chance.randint(1, 10_000_000), chance.choice(CURRENCIES)
        part = chance.randint(0, amount - 1)
        postings = [(a, amount), (b, part - amount)] + ([(chance.choice(ACCOUNTS), -part)] if part else [])
        yield {
            "description": f"entry; \"{chance.randint(0, 99)}\", of | chance",
            "effectiveAt": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "postings": [{"account": c, "amount": m, "currency": currency} for c, m in postings],
        }


def merchant_day(at, zone, cut_off):
    """By the definition: the day began when the local clock showed the cut-off."""
    local = at.astimezone(zone)
    day = local.date()
    begin = lambda day: datetime.datetime.combine(day, cut_off, zone).timestamp()
    return day if at.timestamp() >= begin(day) else day - datetime.timedelta(1)


def by_python(export, zone, cut_off):
    """Closing balances by (account, currency, day), from the effective time of every posting."""
    moved, names, count = defaultdict(int), {}, 0
    for line in csv.DictReader(export):
        at = line["effective_at"]
        day = names.get(at)
        if day is None:
            day = names[at] = merchant_day(datetime.datetime.fromisoformat(at), zone, cut_off).isoformat()
        if day != line["day"]:
            sys.exit(f"DIFFERENCE {line['entry']} counts on {line['day']}, by Python on {day}")
        whole, cents = line["amount"].split(".")
        minor = abs(int(whole)) * 100 + int(cents)
        moved[line["account"], line["currency"], day] += -minor if whole.startswith("-") else minor
        count += 1
    return moved, count


def by_hledger(journal):
    """Closing balances by (account, currency, day)."""
    command = ["hledger", "-f", journal, "balance", "--daily", "--historical", "--no-total", "-O", "csv"]
    found = subprocess.run(command, capture_output=True, text=True, env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    if found.returncode:
        sys.exit(f"hledger cannot read the journal: {found.stderr[-500:]}")
    rows = csv.reader(found.stdout.splitlines())
    days, closing = next(rows)[1:], {}
    for account, *cells in rows:
        for day, cell in zip(days, cells):
            for amount in cell.split(", "):
                if amount != "0":
                    currency, number = amount.split(" ")
                    closing[account, currency, day] = int(number.replace(".", ""))
    return closing


def main():
    url, count, days, zone, cut_off = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    zone, cut_off = zoneinfo.ZoneInfo(zone), datetime.time.fromisoformat(cut_off)
    chance, now = random.Random(7), datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(2)
    for code in ACCOUNTS:
        call(url, "POST", "/v1/ledger/accounts", {"code": code, "name": code})
    size = min(MAX_BATCH, max(1, count // 10))
    batch, sent = [], 0
    for entry in entries(chance, count, days, now):
        batch.append(entry)
        if len(batch) == size or sent + len(batch) == count:
            call(url, "POST", "/v1/ledger/entries:batch", {"entries": batch})
            sent, batch = sent + len(batch), []
            if sent == count // size // 2 * size:
                # A day in the middle is closed while half of the entries are still to come.
                middle = (now - datetime.timedelta(days // 2)).date().isoformat()
                call(url, "POST", f"/v1/ledger/days/{middle}/close", {})
    while call(url, "GET", "/v1/ledger/projection")["pending"]:
        pass
    with urllib.request.urlopen(url + "/v1/ledger/export?format=csv", timeout=600) as export:
        moved, postings = by_python((line.decode() for line in export), zone, cut_off)
    hledger = None
    if "--hledger" in sys.argv:
        journal = f"/tmp/comanda-ledger-{url.rsplit(':', 1)[1]}.journal"
        urllib.request.urlretrieve(url + "/v1/ledger/export?format=hledger", journal)
        hledger = by_hledger(journal)
    first = (now - datetime.timedelta(days + 2)).date()
    last = (now + datetime.timedelta(1)).date()
    cells = 0
    for account in ACCOUNTS:
        for currency in sorted(set(CURRENCIES)):
            begin, balance = first, 0
            while begin <= last:
                end = min(last, begin + datetime.timedelta(399))
                path = f"/v1/statements/{account}?currency={currency}&from={begin}&to={end}"
                for day in call(url, "GET", path)["days"]:
                    balance += moved.get((account, currency, day["date"]), 0)
                    if day["closing"] != balance:
                        sys.exit(f"DIFFERENCE {account} {currency} {day['date']}: {day['closing']}, by Python {balance}")
                    if hledger is not None and day["postings"]:
                        theirs = hledger.get((account, currency, day["date"]), 0)
                        if theirs != balance:
                            sys.exit(f"DIFFERENCE {account} {currency} {day['date']}: {balance}, by hledger {theirs}")
                    cells += 1
                begin = end + datetime.timedelta(1)
    found = call(url, "GET", "/v1/ledger/verify")
    if found["differences"] or found["entries"] < count:
        sys.exit(f"DIFFERENCE {found}")
    who = "Python and hledger" if hledger is not None else "Python"
    print(f"{count} entries, {postings} postings, {cells} closing balances: equal to the cent by {who}")


main()
