//! `comanda ledger`: the books from a shell.

use std::fmt::Write;

use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::order::{encode, money};
use super::progress::{bar, follow};
use crate::cli::ledger::{Account, Command, Import, Ledger, Post};
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// The pause before a work of the server is looked at again.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

pub(crate) async fn run(config: &Config, ledger: Ledger, output: Output) -> Result<(), Failure> {
    let client = Client::new(ledger.server.server.as_deref(), config);
    match ledger.command {
        Command::Account(account) => run_account(&client, account, output).await,
        Command::Post(arguments) => post(&client, &arguments, output).await,
        Command::Reverse { id, reason, at } => {
            let body = with(json!({"reason": reason}), &[("effectiveAt", at)]);
            let path = format!("/v1/ledger/entries/{}/reverse", encode(&id));
            say_entry(client.post(&path, &body, &[]).await?, output)
        }
        Command::Entries { id: Some(id), .. } => {
            say_entry(client.get(&format!("/v1/ledger/entries/{}", encode(&id))).await?, output)
        }
        Command::Entries { id: None, account, limit } => entries(&client, account, limit, output).await,
        Command::Statement { account, from, to, currency, all } => {
            let query = query(&[("from", from), ("to", to), ("currency", currency)]);
            statement(client.get(&format!("/v1/statements/{}{query}", encode(&account))).await?, all, output)
        }
        Command::Balance { account: Some(account), at, by, currency, .. } => {
            let query = query(&[("at", at), ("by", Some(by)), ("currency", currency)]);
            balance(client.get(&format!("/v1/ledger/accounts/{}/balance{query}", encode(&account))).await?, output)
        }
        Command::Balance { account: None, from, to, .. } => {
            let query = query(&[("from", from), ("to", to)]);
            balances(client.get(&format!("/v1/ledger/balances{query}")).await?, output)
        }
        Command::Import(arguments) => import(&client, &arguments, output).await,
        Command::Export { format, from, to } => {
            let query = query(&[("format", Some(format)), ("from", from), ("to", to)]);
            client.download(&format!("/v1/ledger/export{query}"), &mut std::io::stdout()).await
        }
        Command::Close { date } => {
            let path = format!("/v1/ledger/days/{}/close", encode(&date));
            let bar = bar(output);
            let seal = until_done(&client, &path, "hash", &bar).await;
            bar.finish_and_clear();
            let seal = seal?;
            let shown = format!("{} is sealed: {}", text(&seal, "date"), text(&seal, "hash"));
            output.say(&seal, shown)
        }
        Command::Verify => verify(&client, output).await,
        Command::Rebuild => {
            let built: Value = client.post("/v1/ledger/projection/rebuild", &json!({}), &[]).await?;
            let built = match built.get("tookMs") {
                Some(_) => built,
                None => rebuilt(&client, &bar(output)).await?,
            };
            let shown = match built.get("tookMs").and_then(Value::as_i64) {
                Some(took_ms) => format!("{} entries counted in {took_ms} ms", int(&built, "entries")),
                None => format!("{} entries counted", int(&built, "entries")),
            };
            output.say(&built, shown)
        }
        Command::Status { stop, resume } => {
            let path = "/v1/ledger/projection";
            let status: Value = match stop || resume {
                true => client.put(path, &json!({"running": resume})).await?,
                false => client.get(path).await?,
            };
            let shown = describe_status(&status);
            output.say(&status, shown)
        }
    }
}

async fn run_account(client: &Client, account: Account, output: Output) -> Result<(), Failure> {
    let path = |code: &str, rest: &str| format!("/v1/ledger/accounts/{}{rest}", encode(code));
    let account: Value = match account {
        Account::List => return accounts(client.get("/v1/ledger/accounts").await?, output),
        Account::Open { code, name, currency } => {
            let body = with(json!({"code": code, "name": name}), &[("currency", currency)]);
            client.post("/v1/ledger/accounts", &body, &[]).await?
        }
        Account::Close { code } => client.post(&path(&code, "/close"), &json!({}), &[]).await?,
        Account::Reopen { code } => client.post(&path(&code, "/reopen"), &json!({}), &[]).await?,
    };
    let shown = describe_account(&account);
    output.say(&account, shown)
}

fn accounts(chart: Value, output: Output) -> Result<(), Failure> {
    let lines: Vec<String> = list(&chart, "accounts").iter().map(describe_account).collect();
    output.say(&chart, lines.join("\n"))
}

fn describe_account(account: &Value) -> String {
    let closed = if account.get("closed") == Some(&Value::Bool(true)) { "  closed" } else { "" };
    format!("{:<32} {:<10} {}{closed}", text(account, "code"), text(account, "kind"), text(account, "name"))
}

async fn post(client: &Client, arguments: &Post, output: Output) -> Result<(), Failure> {
    let debits = arguments.debit.iter().map(|text| posting(text, 1, arguments));
    let credits = arguments.credit.iter().map(|text| posting(text, -1, arguments));
    let postings: Result<Vec<Value>, Failure> = debits.chain(credits).collect();
    let mut metadata = Map::new();
    for pair in &arguments.metadata {
        let (name, value) = pair.split_once('=').ok_or_else(|| usage(format!("`{pair}`: write NAME=VALUE")))?;
        metadata.insert(name.into(), value.into());
    }
    let body = json!({"description": arguments.description, "postings": postings?, "metadata": metadata});
    let body = with(body, &[("effectiveAt", arguments.at.clone())]);
    let key = arguments.idempotency_key.as_deref().map(|key| ("Idempotency-Key", key));
    say_entry(client.post("/v1/ledger/entries", &body, key.as_slice()).await?, output)
}

/// `ACCOUNT=AMOUNT` with at most two decimals.
fn posting(text: &str, sign: i64, arguments: &Post) -> Result<Value, Failure> {
    let wrong = || usage(format!("`{text}`: write ACCOUNT=AMOUNT, for example assets:cash=25.90"));
    let (account, amount) = text.split_once('=').ok_or_else(wrong)?;
    let (whole, cents) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || cents.len() > 2 || !digits(whole) || !digits(cents) {
        return Err(wrong());
    }
    let minor: i64 = format!("{whole}{cents:0<2}").parse().map_err(|_| wrong())?;
    let line = json!({"account": account, "amount": sign * minor});
    Ok(with(line, &[("currency", arguments.currency.clone())]))
}

fn say_entry(entry: Value, output: Output) -> Result<(), Failure> {
    let shown = describe_entry(&entry);
    output.say(&entry, shown)
}

fn describe_entry(entry: &Value) -> String {
    let mut shown = format!("{}  {}  {}", text(entry, "id"), text(entry, "effectiveAt"), text(entry, "description"));
    for (name, label) in [("reverses", "undoes"), ("reversedBy", "undone by")] {
        if let Some(other) = entry.get(name).and_then(Value::as_str) {
            let _ = write!(shown, "  ({label} {other})");
        }
    }
    for posting in list(entry, "postings") {
        let amount = money(int(&posting, "amount"), &text(&posting, "currency"));
        // Writing to a string cannot fail.
        let _ = write!(shown, "\n    {:<40} {amount:>20}", text(&posting, "account"));
    }
    shown
}

async fn entries(client: &Client, account: Option<String>, limit: u32, output: Output) -> Result<(), Failure> {
    let query = query(&[("account", account), ("limit", Some(limit.to_string()))]);
    let page: Value = client.get(&format!("/v1/ledger/entries{query}")).await?;
    let lines: Vec<String> = list(&page, "items").iter().map(describe_entry).collect();
    output.say(&page, if lines.is_empty() { "No entries.".into() } else { lines.join("\n") })
}

fn statement(view: Value, all: bool, output: Output) -> Result<(), Failure> {
    let currency = text(&view, "currency");
    let amount = |of: &Value, name: &str| money(int(of, name), &currency);
    let line = |title: &str, of: &Value| {
        let columns = ["opening", "debits", "credits", "closing"].map(|name| format!("{:>18}", amount(of, name)));
        format!("{title:<10} {} {:>8}", columns.join(" "), int(of, "postings"))
    };
    let mut shown = format!("{} ({}), as of {}\n", text(&view, "account"), text(&view, "name"), text(&view, "asOf"));
    let heads = ["opening", "debits", "credits", "closing"].map(|name| format!("{name:>18}"));
    let _ = writeln!(shown, "{:<10} {} {:>8}", "day", heads.join(" "), "postings");
    for day in list(&view, "days") {
        let restated = day.get("restated");
        if !all && int(&day, "postings") == 0 && restated.is_none() {
            continue;
        }
        shown.push_str(&line(&text(&day, "date"), &day));
        if day.get("sealed") == Some(&Value::Bool(true)) {
            shown.push_str("  sealed");
        }
        if let Some(restated) = restated {
            let _ = write!(shown, ", restated by {}", amount(restated, "closing"));
        }
        shown.push('\n');
    }
    shown.push_str(&line("total", view.get("period").unwrap_or(&Value::Null)));
    output.say(&view, shown)
}

fn balance(view: Value, output: Output) -> Result<(), Failure> {
    let amount = money(int(&view, "balance"), &text(&view, "currency"));
    let shown = format!("{}  {amount}  at {} by {} time", text(&view, "account"), text(&view, "at"), text(&view, "by"));
    output.say(&view, shown)
}

fn balances(view: Value, output: Output) -> Result<(), Failure> {
    let mut shown = format!("{} to {}, as of {}\n", text(&view, "from"), text(&view, "to"), text(&view, "asOf"));
    for line in list(&view, "accounts") {
        let currency = text(&line, "currency");
        let columns = ["opening", "debits", "credits", "closing"].map(|name| money(int(&line, name), &currency));
        let columns = columns.map(|amount| format!("{amount:>18}"));
        let _ = writeln!(shown, "{:<32} {}", text(&line, "account"), columns.join(" "));
    }
    output.say(&view, shown)
}

async fn import(client: &Client, arguments: &Import, output: Output) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file)
        .map_err(|error| Failure::new(Kind::Usage, format!("cannot read `{name}`: {error}")))?;
    let by_name = if name.to_ascii_lowercase().ends_with(".ofx") { "ofx" } else { "csv" };
    let format = arguments.format.clone().unwrap_or_else(|| by_name.to_owned());
    let a = arguments;
    let query = query(&[
        ("format", Some(format)),
        ("account", a.account.clone()),
        ("currency", a.currency.clone()),
        ("dryRun", a.dry_run.then(|| "true".to_owned())),
        ("deposits", a.deposits.clone()),
        ("withdrawals", a.withdrawals.clone()),
        ("delimiter", a.delimiter.map(String::from)),
        ("decimal", a.decimal.clone()),
        ("dates", a.dates.clone()),
        ("dateColumn", a.date_column.clone()),
        ("amountColumn", a.amount_column.clone()),
        ("descriptionColumn", a.description_column.clone()),
        ("idColumn", a.id_column.clone()),
    ]);
    let view: Value = client.upload(&format!("/v1/ledger/import{query}"), bytes).await?;
    let currency = text(&view, "currency");
    let verb = if arguments.dry_run { "would be imported" } else { "imported" };
    let mut shown = format!(
        "{} lines {verb}, {} known already; deposits {}, withdrawals {}",
        int(&view, "imported"),
        int(&view, "known"),
        money(int(&view, "deposits"), &currency),
        money(int(&view, "withdrawals"), &currency)
    );
    for arrival in list(&view, "payouts") {
        let amount = money(int(&arrival, "amount"), &currency);
        let _ = write!(shown, "\nline {}: {amount} is the payout {}", int(&arrival, "line"), text(&arrival, "payout"));
    }
    for rejected in list(&view, "rejected") {
        let _ = write!(shown, "\nline {}: {}", int(&rejected, "line"), text(&rejected, "reason"));
    }
    output.say(&view, shown)?;
    match int(&view, "rejectedCount") {
        0 => Ok(()),
        n => Err(Failure::new(Kind::Refused, format!("{n} lines cannot be imported, so nothing would be"))),
    }
}

async fn verify(client: &Client, output: Output) -> Result<(), Failure> {
    let bar = bar(output);
    let found = follow(client, "/v1/ledger/verify/events", &bar).await;
    bar.finish_and_clear();
    let found: Value = found?;
    let differences = list(&found, "differences");
    let mut shown = format!(
        "{} entries, {} postings, {} accounts, {} sealed days",
        int(&found, "entries"),
        int(&found, "postings"),
        int(&found, "accounts"),
        int(&found, "days")
    );
    for difference in &differences {
        let _ = write!(shown, "\nDIFFERENCE {}", difference.as_str().unwrap_or_default());
    }
    if differences.is_empty() {
        shown.push_str(": all agree.");
    }
    output.say(&found, shown)?;
    match differences.len() as i64 + int(&found, "more") {
        0 => Ok(()),
        n => Err(Failure::new(Kind::Refused, format!("{n} differences"))),
    }
}

/// Asks again until the answer has that field: until then the server works on.
async fn until_done(client: &Client, path: &str, field: &str, bar: &ProgressBar) -> Result<Value, Failure> {
    loop {
        let answer: Value = client.post(path, &json!({}), &[]).await?;
        if answer.get(field).is_some() {
            return Ok(answer);
        }
        bar.set_message(match answer.get("lastSealed").and_then(Value::as_str) {
            Some(last) => format!("sealed to {last}"),
            None => format!("{} rows to count", int(&answer, "pending")),
        });
        bar.tick();
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the projection is built anew; answers its state.
async fn rebuilt(client: &Client, bar: &ProgressBar) -> Result<Value, Failure> {
    bar.set_message("rebuilding");
    loop {
        let status: Value = client.get("/v1/ledger/projection").await?;
        if status.get("rebuilding") != Some(&Value::Bool(true)) {
            bar.finish_and_clear();
            return Ok(status);
        }
        bar.tick();
        tokio::time::sleep(LOOK).await;
    }
}

fn describe_status(status: &Value) -> String {
    let running = if status.get("running") == Some(&Value::Bool(true)) { "runs" } else { "is stopped" };
    let more = if status.get("morePending") == Some(&Value::Bool(true)) { "more than " } else { "" };
    let sealed = match status.get("lastSealed").and_then(Value::as_str) {
        Some(last) => format!("sealed {} to {last}", text(status, "firstSealed")),
        None => "no day is sealed".into(),
    };
    let problem = match status.get("problem").and_then(Value::as_str) {
        Some(problem) => format!("\nIt does not go on: {problem}"),
        None => String::new(),
    };
    format!(
        "The daily consolidation {running}, as of {} (lag {} ms); {} entries counted, {more}{} rows pending.\nDays by {}; {sealed}.{problem}",
        text(status, "asOf"),
        int(status, "lagMs"),
        int(status, "entries"),
        int(status, "pending"),
        text(status, "calendar"),
    )
}

fn usage(problem: String) -> Failure {
    Failure::new(Kind::Usage, problem)
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn int(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or_default()
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// A body with the fields that are given.
fn with(mut body: Value, fields: &[(&str, Option<String>)]) -> Value {
    if let Some(object) = body.as_object_mut() {
        for (name, value) in fields {
            if let Some(value) = value {
                object.insert((*name).to_owned(), Value::from(value.as_str()));
            }
        }
    }
    body
}

/// The parameters that are given, as `?a=b&c=d`.
fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value.as_deref()?))));
    let given: Vec<String> = given.collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}
