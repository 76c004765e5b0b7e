"""The ledger against programs that are not ours: random entries go in over HTTP, and every closing balance of every day is
compared with sums by Python and by DuckDB over the CSV export, and with hledger over the journal export. Python and DuckDB
find the merchant's day of each entry by themselves, with two implementations of the time zones.

ledger_check.py URL FOLDER ENTRIES DAYS ZONE CUT_OFF JUDGES"""

import csv
import datetime
import json
import random
import resource
import shutil
import subprocess
import sys
import time
import urllib.request
import zoneinfo
from collections import defaultdict

ACCOUNTS = [f"{root}:c{n}" for n in range(4) for root in ("assets", "liabilities", "income", "expenses", "equity")]
CURRENCIES = ["BRL", "BRL", "USD", "EUR"]
MAX_BATCH = 5_000
# Entries that hledger reads at once.
MAX_HLEDGER = 200_000


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


def by_python(path, zone, cut_off):
    """Closing balances by (account, currency, day), from the effective time of every posting."""
    moved, names = defaultdict(int), {}
    with open(path, newline="") as export:
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
    return add_up(moved)


def by_duckdb(path, zone, cut_off):
    """The same. A day begins when the clock of the zone shows the cut-off, as DuckDB knows the zone."""
    import duckdb

    base = duckdb.connect()
    base.execute("SET TimeZone = 'UTC'; SET memory_limit = '4GB'; SET threads = 2")
    rows = base.execute(
        """
        WITH days AS (
            SELECT day, timezone($zone, day + $cut_off::INTERVAL) AS begins
            FROM (SELECT unnest(generate_series(DATE '2015-01-01', current_date + 3, INTERVAL 1 DAY))::TIMESTAMP AS day)
        ), postings AS (
            SELECT account, currency, amount, effective_at::TIMESTAMPTZ AS moment FROM read_csv($path, header = true, types =
                {'account': 'VARCHAR', 'currency': 'VARCHAR', 'amount': 'DECIMAL(18, 2)', 'effective_at': 'VARCHAR'})
        )
        SELECT account, currency, strftime(day, '%Y-%m-%d'), (sum(sum(amount)) OVER (
            PARTITION BY account, currency ORDER BY day) * 100)::BIGINT
        FROM postings ASOF JOIN days ON moment >= begins
        GROUP BY account, currency, day
        """,
        {"zone": zone, "cut_off": f"{cut_off.hour} hours {cut_off.minute} minutes", "path": path},
    ).fetchall()
    return {(account, currency, day): closing for account, currency, day, closing in rows}


def add_up(moved):
    """From what moved on each day to the closing balances of the days on which something moved."""
    closing, balances = {}, defaultdict(int)
    for account, currency, day in sorted(moved):
        balances[account, currency] += moved[account, currency, day]
        closing[account, currency, day] = balances[account, currency]
    return closing


def by_hledger(url, folder, count, first, last):
    """The same. hledger needs 13 kB of memory for an entry, so it gets some days at a time, as people keep a file for each year:
    each begins with hledger's own balances at the end of the one before."""
    parts, closing, opening = -(-count // MAX_HLEDGER), {}, {}
    length = -(-((last - first).days + 1) // parts)
    for part in range(parts):
        begin = first + datetime.timedelta(part * length)
        end = min(last, begin + datetime.timedelta(length - 1))
        journal = f"{folder}/{part}.journal"
        fetch(f"{url}/v1/ledger/export?format=hledger&from={begin}&to={end}", journal)
        if opening:
            with open(journal, "a") as file:
                file.write(f"\n{begin} opening balances\n")
                for (account, currency), amount in opening.items():
                    whole, cents = divmod(abs(amount), 100)
                    file.write(f"    {account}  {currency} {'-' if amount < 0 else ''}{whole}.{cents:02}\n")
        found = read_hledger(journal)
        closing.update(found)
        final = max(day for *_, day in found)
        opening = {(account, currency): amount for (account, currency, day), amount in found.items() if day == final}
    return closing


def read_hledger(journal):
    """What hledger says of a journal: balances by (account, currency, day) that are not zero."""
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


def fetch(url, path):
    with urllib.request.urlopen(url, timeout=3600) as answer, open(path, "wb") as file:
        shutil.copyfileobj(answer, file)


def post(url, count, days, now, chance):
    """Posts the entries in batches; a day in the middle is closed while half of them are still to come."""
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
                middle = (now - datetime.timedelta(days // 2)).date().isoformat()
                call(url, "POST", f"/v1/ledger/days/{middle}/close", {})
    while call(url, "GET", "/v1/ledger/projection")["pending"]:
        time.sleep(0.05)


def statements(url, first, last):
    """Closing balances by (account, currency, day) as the server shows them; None where nothing moved on the day."""
    for account in ACCOUNTS:
        for currency in sorted(set(CURRENCIES)):
            begin = first
            while begin <= last:
                end = min(last, begin + datetime.timedelta(399))
                path = f"/v1/statements/{account}?currency={currency}&from={begin}&to={end}"
                for day in call(url, "GET", path)["days"]:
                    yield (account, currency, day["date"]), day["closing"], day["postings"]
                begin = end + datetime.timedelta(1)


def timed(what, work, *arguments):
    begin = time.monotonic()
    found = work(*arguments)
    print(f"  {what}: {time.monotonic() - begin:.1f} s", flush=True)
    return found


def main():
    url, folder, count, days, zone_name, cut_off = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:7]
    judges = sys.argv[7].split(",")
    zone, cut_off = zoneinfo.ZoneInfo(zone_name), datetime.time.fromisoformat(cut_off)
    chance, now = random.Random(7), datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(2)
    timed("posted and consolidated", post, url, count, days, now, chance)
    first, last = (now - datetime.timedelta(days + 2)).date(), (now + datetime.timedelta(1)).date()
    export = f"{folder}/entries.csv"
    timed("exported as CSV", fetch, url + "/v1/ledger/export?format=csv", export)
    closings = {"Python": timed("Python", by_python, export, zone, cut_off)}
    if "duckdb" in judges:
        closings["DuckDB"] = timed("DuckDB", by_duckdb, export, zone_name, cut_off)
    if "hledger" in judges:
        closings["hledger"] = timed("hledger", by_hledger, url, folder, count, first, last)
        print(f"  hledger's memory: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6:.1f} GB")
    cells, balances = 0, defaultdict(int)
    for cell, closing, moved in timed("statements", list, statements(url, first, last)):
        cells += 1
        for judge, theirs in closings.items():
            # Where nothing moved the balance is that of the day before.
            expected = theirs.get(cell, 0 if moved else balances[judge, cell[:2]])
            balances[judge, cell[:2]] = expected
            if closing != expected:
                sys.exit(f"DIFFERENCE {cell}: {closing}, by {judge} {expected}")
    for judge, theirs in closings.items():
        if any(not first.isoformat() <= day <= last.isoformat() for *_, day in theirs):
            sys.exit(f"DIFFERENCE {judge} knows of days that no statement shows")
    found = timed("verified", call, url, "GET", "/v1/ledger/verify")
    if found["differences"] or found["entries"] < count:
        sys.exit(f"DIFFERENCE {found}")
    print(f"{found['entries']} entries, {cells} closing balances: equal to the cent by {', '.join(closings)}")


main()
