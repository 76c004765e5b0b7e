//! Payouts on their way to the bank, and what the lines of the provider's account alone tell.

use std::sync::Arc;

use app::commands::{ListPage, RequestRefund};
use app::ledger::import::{ImportOptions, ImportView};
use app::provider::Stripe;
use serde_json::json;
use store::memory::MemoryStore;
use store::{Batch, Value};

use crate::contract::stripe_config;
use crate::fake_stripe::FakeStripe;
use crate::shop::{Shop, lunch, settings};

const GOOD: &str = "4242424242424242";
const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment \
                    send-notification generate-receipt await-preparation";

async fn shop() -> Shop {
    let mut settings = settings();
    settings.simulator.payout_delay_ms = 0;
    settings.reconcile_after_ms = 0;
    Shop::with(settings).await
}

async fn paid(shop: &Shop) -> String {
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, PAID).await;
    id
}

async fn a_moment_later() {
    let now = store::clock::now_ms();
    while store::clock::now_ms() == now {
        tokio::task::yield_now().await;
    }
}

async fn reconcile(shop: &Shop) -> Vec<String> {
    a_moment_later().await;
    shop.app.reconcile_now().await.unwrap();
    let page = shop.app.reconciliation(ListPage::default()).await.unwrap();
    let shown = |item: &app::views::Unmatched| format!("{} {:?} {:?}", item.reason, item.ours, item.theirs);
    page.items.iter().map(shown).collect()
}

/// An order that was paid and paid out; answers the payout's id and amount.
async fn paid_out(shop: &Shop) -> (String, i64) {
    paid(shop).await;
    a_moment_later().await;
    let payout = shop.simulator.pay_out().await.unwrap().unwrap();
    assert_eq!(reconcile(shop).await, [""; 0]);
    let newest = shop.app.payouts(ListPage::default()).await.unwrap().items.remove(0);
    assert_eq!(newest.payout_id, payout);
    (payout, newest.amount)
}

/// A day from today, as a statement shows it.
fn day(from_today: i64) -> String {
    let day = jiff::Timestamp::from_millisecond(store::clock::now_ms() + from_today * 86_400_000).unwrap();
    day.strftime("%Y-%m-%d").to_string()
}

async fn import(shop: &Shop, lines: &[(String, i64)], dry_run: bool) -> ImportView {
    let line = |(day, amount): &(String, i64)| format!("{day},TED,{}.{:02}\n", amount / 100, amount % 100);
    let text = format!("date,description,amount\n{}", lines.iter().map(line).collect::<String>());
    let options = ImportOptions { dry_run, ..ImportOptions::default() };
    shop.app.ledger().import(text.as_bytes(), &options).await.unwrap()
}

#[tokio::test]
async fn a_payout_is_booked_once_also_with_the_banks_statement() {
    let shop = shop().await;
    let (first, amount) = paid_out(&shop).await;
    let (second, same) = paid_out(&shop).await;
    assert_eq!((shop.books().await["assets:payouts-in-transit"], same), (2 * amount, amount));
    // Two days later one has arrived, with another deposit; the next statement has both.
    let lines = [(day(2), amount), (day(2), 1_234)];
    let named = |view: &ImportView| view.payouts.iter().map(|p| (p.line, p.payout.clone())).collect::<Vec<_>>();
    assert_eq!(named(&import(&shop, &lines, true).await), [(2, first.clone())]);
    assert_eq!(shop.books().await.get("assets:bank"), None, "a dry run changes nothing");
    assert_eq!(named(&import(&shop, &lines, false).await), [(2, first)]);
    let books = shop.books().await;
    assert_eq!((books["assets:bank"], books["assets:payouts-in-transit"]), (amount + 1_234, amount));
    assert_eq!(books["income:unknown"], -1_234);
    // A third deposit of the same amount is no payout, and one long after is none either.
    let lines = [(day(20), amount), (day(3), amount), (day(4), amount)];
    assert_eq!(named(&import(&shop, &lines, false).await), [(3, second)]);
    let books = shop.books().await;
    assert_eq!((books["assets:payouts-in-transit"], books["income:unknown"]), (0, -1_234 - 2 * amount));
    assert_eq!(shop.audit().await.differences, []);
}

/// Forgets the fee of the newest payment, as if the provider had not told it.
async fn forget_fee(shop: &Shop, id: &str) {
    let entry = shop.take_out("ledger_entries").await;
    let of = |name: &str| app::tables().into_iter().find(|table| table.name == name).unwrap();
    let mut batch = Batch::new();
    batch.delete(of("ledger_pending"), entry.key().clone());
    batch.delete(of("ledger_keys"), format!("payment/{id}/fee/1").as_str());
    shop.store.commit(batch).await.unwrap();
    shop.set("payments", vec![("fee", Value::Null)]).await;
}

#[tokio::test]
async fn a_fee_that_only_the_line_tells_is_booked_with_it() {
    let shop = shop().await;
    let id = paid(&shop).await;
    let fee = shop.app.settings().simulator.fee(5180);
    forget_fee(&shop, &id).await;
    assert_eq!(shop.books().await["assets:provider:simulator"], 5180);
    assert_eq!(reconcile(&shop).await, [""; 0]);
    let books = shop.books().await;
    assert_eq!((books["expenses:provider-fees"], books["assets:provider:simulator"]), (fee, 5180 - fee));
    assert_eq!(shop.newest("payments").await.int("fee"), Some(fee));
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_line_that_was_matched_without_its_fee_is_compared_when_the_fee_comes() {
    let shop = shop().await;
    let id = paid(&shop).await;
    assert_eq!(reconcile(&shop).await, [""; 0]);
    let fee = shop.app.settings().simulator.fee(5180);
    forget_fee(&shop, &id).await;
    shop.set("provider_movements", vec![("fee", Value::Int(1))]).await;
    // Asked for as long after the capture, not after the time to pay.
    shop.set("payments", vec![("waiting", 1.into()), ("ask_at", 0.into()), ("expires_at", 0.into())]).await;
    let intent = shop.simulator_intent(&id).await;
    assert_eq!(intent.fee, Some(fee));
    shop.run(&id, "tick:poll-payments").await;
    assert_eq!(shop.newest("payments").await.int("fee"), Some(fee));
    let open = shop.app.reconciliation(ListPage::default()).await.unwrap().items;
    let open: Vec<String> =
        open.iter().map(|item| format!("{} {:?} {:?}", item.reason, item.ours, item.theirs)).collect();
    assert_eq!(open, [format!("fee-unexpected Some({fee}) Some(1)")]);
}

#[tokio::test]
async fn a_missing_fee_is_asked_for_long_after_the_time_to_pay() {
    let shop = shop().await;
    let id = paid(&shop).await;
    forget_fee(&shop, &id).await;
    shop.set("payments", vec![("waiting", 1.into()), ("ask_at", 0.into()), ("expires_at", 0.into())]).await;
    shop.run(&id, "down tick:poll-payments").await;
    assert_eq!(shop.newest("payments").await.int("waiting"), Some(1), "it was captured a moment ago");
    shop.run(&id, "well").await;
    assert!(shop.due_now(&id).await);
    shop.run(&id, "tick:poll-payments").await;
    let fee = shop.app.settings().simulator.fee(5180);
    assert_eq!(shop.newest("payments").await.int("fee"), Some(fee));
}

#[tokio::test]
async fn a_payout_is_the_sum_of_its_lines() {
    let shop = shop().await;
    paid(&shop).await;
    a_moment_later().await;
    shop.simulator.pay_out().await.unwrap().unwrap();
    let paid = shop.newest("simulator_movements").await.int("amount").unwrap();
    shop.set("simulator_movements", vec![("amount", Value::Int(paid - 7))]).await;
    assert_eq!(reconcile(&shop).await, [format!("payout-differs Some({paid}) Some({})", paid - 7)]);
    assert_eq!(shop.books().await["assets:payouts-in-transit"], 7 - paid);
    let warned = |audit: &app::views::AuditReport| audit.warnings.iter().any(|warning| warning.code == "unreconciled");
    assert!(warned(&shop.audit().await));
    // A person settles it: with an entry of another amount not, with a reason and a name.
    let id = shop.app.reconciliation(ListPage::default()).await.unwrap().items.remove(0).id;
    let entry = shop.newest("ledger_entries").await.key().int().unwrap();
    let entry = format!("ent_{}", store::id::encode(entry));
    let explain = async |entry: Option<&str>, by: &str| {
        let command = json!({ "id": id, "reason": "the bank keeps 7", "by": by, "entry": entry });
        shop.app.explain_difference(serde_json::from_value(command).unwrap()).await
    };
    assert!(matches!(explain(Some(&entry), "Ana").await, Err(app::ExplainError::OtherAmount { difference: -7, .. })));
    assert!(matches!(explain(Some("ent_0000000000000"), "Ana").await, Err(app::ExplainError::NoEntry(_))));
    assert!(matches!(explain(None, " ").await, Err(app::ExplainError::Text("by"))));
    assert_eq!(explain(None, "Ana").await.unwrap().explanation.unwrap().by, "Ana");
    assert!(matches!(explain(None, "Ana").await, Err(app::ExplainError::NotFound(_))));
    // It stays settled, and is kept with who and why.
    assert_eq!(reconcile(&shop).await, [""; 0]);
    let audit = shop.audit().await;
    assert_eq!((warned(&audit), audit.counts.get("explained-differences")), (false, Some(&1)));
    let kept = shop.app.explained_differences(ListPage::default()).await.unwrap().items.remove(0);
    assert_eq!(kept.explanation.unwrap().reason, "the bank keeps 7");
}

#[tokio::test]
async fn an_entry_that_only_a_line_tells_of_needs_that_line_and_its_amount() {
    let shop = shop().await;
    paid_out(&shop).await;
    assert_eq!(shop.audit().await.differences, []);
    let line = shop.newest("provider_movements").await;
    assert_eq!(line.text("kind"), Some("payout"));
    shop.set("provider_movements", vec![("amount", Value::Int(-1))]).await;
    let codes = async || {
        let found = shop.audit().await.differences;
        found.iter().map(|difference| difference.code.clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, ["ledger-against-account"]);
    shop.take_out("provider_movements").await;
    assert_eq!(codes().await, ["ledger-against-account"]);
}

#[tokio::test]
async fn the_fee_of_a_capture_has_to_be_known_a_day_later() {
    let shop = shop().await;
    let id = paid(&shop).await;
    forget_fee(&shop, &id).await;
    assert_eq!(shop.audit().await.differences, [], "it may be on its way");
    let of = |name: &str| app::tables().into_iter().find(|table| table.name == name).unwrap();
    let long_ago = store::id::floor(store::clock::now_ms() - 48 * 3_600_000);
    let mut batch = Batch::new();
    let capture = format!("payment/{id}/capture/1");
    batch.update(of("ledger_keys"), capture.as_str(), vec![("entry_id", Value::Int(long_ago))], None);
    shop.store.commit(batch).await.unwrap();
    let found = shop.audit().await.differences;
    assert!(found.iter().any(|difference| difference.code == "fee-unknown" && difference.subject == id), "{found:?}");
}

#[tokio::test]
async fn money_of_another_provider_is_not_asked_for() {
    let store = Arc::new(MemoryStore::new());
    let before = Shop::over(store.clone(), settings()).await;
    let id = paid(&before).await;
    let held = before.place(lunch(GOOD)).await;
    before.run(&held, "validate-order reserve-stock request-payment webhook results:ok").await;
    let command: RequestRefund = serde_json::from_value(json!({ "amount": 700, "reason": "quality" })).unwrap();
    let refund = before.app.request_refund(&id, command, None, None).await.unwrap().refund.refund_id;
    // From now on payments go through Stripe, which knows nothing of these.
    let fake = FakeStripe::start().await;
    let stripe = Arc::new(Stripe::new(&stripe_config(&fake.url), store::clock::now_ms).unwrap());
    let shop = Shop::with_provider(store, settings(), None, Some(stripe)).await;
    let input = json!({ "orderId": id, "refundId": refund, "taskToken": "token" });
    assert_eq!(shop.call("request-refund", input).await, Err("OtherProvider".into()));
    shop.run(&held, "capture-payment!OtherProvider reverse-payment!OtherProvider:CANCELLED").await;
    shop.set("refunds", vec![("waiting", 1.into()), ("ask_at", 0.into())]).await;
    shop.run(&id, "tick:poll-refunds").await;
    assert!(shop.order(&id).await.needs_attention.unwrap_or_default().contains("`simulator`"));
    assert_eq!(shop.newest("refunds").await.int("waiting"), None);
    let audit = shop.audit().await;
    assert!(!audit.differences.iter().any(|d| d.code == "money-unknown-to-the-provider"), "{:?}", audit.differences);
    let named = |d: &&app::views::Difference| d.code == "provider-not-checked" && d.subject == "simulator";
    assert_eq!(audit.warnings.iter().filter(named).count(), 1);
}

#[tokio::test]
async fn entries_that_nobody_counts_are_named() {
    let shop = shop().await;
    paid(&shop).await;
    let audit = async || {
        let simulator: Arc<dyn app::provider::PaymentProvider> = shop.simulator.clone();
        let auditor = app::Auditor::new(app::Source::Live(shop.store.clone()), move |_| simulator.clone());
        let report = auditor.due_after(-60_000).run(&|_| {}).await.unwrap();
        let named = |of: &[app::views::Difference]| of.iter().any(|found| found.code == "not-consolidated");
        (named(&report.differences), named(&report.warnings))
    };
    assert_eq!(audit().await, (true, false));
    shop.app.ledger().set_stopped(true).await.unwrap();
    assert_eq!(audit().await, (false, true), "a person has stopped it");
    shop.app.ledger().consolidate().await.unwrap();
    assert_eq!(audit().await, (false, false));
}
