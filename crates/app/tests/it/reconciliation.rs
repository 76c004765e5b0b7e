//! The provider's account against our records.

use app::commands::{ListPage, RequestRefund};
use serde_json::json;
use store::{Batch, Query, Row, Value};

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

async fn paid(shop: &Shop, number: &str) -> String {
    let id = shop.place(lunch(number)).await;
    shop.run(&id, PAID).await;
    id
}

/// Reason and subject of everything that does not fit.
async fn unmatched(shop: &Shop) -> Vec<String> {
    // What happened in this very millisecond is not old enough.
    let now = store::clock::now_ms();
    while store::clock::now_ms() == now {
        tokio::task::yield_now().await;
    }
    shop.app.reconcile_now().await.unwrap();
    let page = shop.app.reconciliation(ListPage::default()).await.unwrap();
    assert!(page.as_of.is_some());
    let shown = |item: &app::views::Unmatched| format!("{} {:?} {:?}", item.reason, item.ours, item.theirs);
    page.items.iter().map(shown).collect()
}

#[tokio::test]
async fn every_line_of_the_account_finds_its_record() {
    let shop = shop().await;
    let first = paid(&shop, GOOD).await;
    shop.run(&first, "cancel results:OrderCancelled reverse-payment:CANCELLED release-stock close-order:CANCELLED")
        .await;
    paid(&shop, GOOD).await;
    let bounced = paid(&shop, "4000000000005126").await;
    let command: RequestRefund = serde_json::from_value(json!({ "amount": 700, "reason": "quality" })).unwrap();
    shop.app.request_refund(&bounced, command, None, None).await.unwrap();
    shop.refunds().await;
    shop.run(&bounced, "timer webhook").await;
    let disputed = paid(&shop, "4000000000000259").await;
    shop.run(&disputed, "timer webhook").await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    let payout = shop.simulator.pay_out().await.unwrap().unwrap();
    assert_eq!(unmatched(&shop).await, [""; 0]);
    let payouts = shop.app.payouts(ListPage::default()).await.unwrap().items;
    assert_eq!(payouts.iter().map(|p| p.payout_id.as_str()).collect::<Vec<_>>(), [payout.as_str()]);
    // What was paid out is on its way to the bank, and the provider holds nothing more of ours.
    let books = shop.books().await;
    assert_eq!((books["assets:payouts-in-transit"], books["assets:provider:simulator"]), (payouts[0].amount, 0));
    // Again changes nothing.
    assert_eq!(unmatched(&shop).await, [""; 0]);
    assert_eq!(shop.books().await, books);
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn lines_of_a_try_that_failed_find_their_refund_after_another_try() {
    let shop = shop().await;
    let id = paid(&shop, "4000000000005126").await;
    let command: RequestRefund = serde_json::from_value(json!({ "amount": 700, "reason": "quality" })).unwrap();
    let refund = shop.app.request_refund(&id, command, None, None).await.unwrap().refund.refund_id;
    shop.refunds().await;
    shop.run(&id, "timer webhook").await;
    shop.app.retry_refund(&refund, None).await.unwrap();
    // The account was not read in between: money went for a refund whose row knows nothing of that any more.
    assert_eq!(unmatched(&shop).await, [""; 0]);
    shop.refunds().await;
    shop.run(&id, "timer webhook").await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
}

#[tokio::test]
async fn what_does_not_fit_is_listed_with_its_reason_until_it_fits() {
    let shop = shop().await;
    paid(&shop, GOOD).await;
    let fee = shop.app.settings().simulator.fee(5180);
    // A line that was not there.
    let movement = shop.take_out("simulator_movements").await;
    assert_eq!(unmatched(&shop).await, ["missing-at-provider Some(5180) None"]);
    shop.put_back(&movement).await;
    assert_eq!(unmatched(&shop).await, [""; 0], "it came late");
    for (table, column, value, expected) in [
        ("payments", "captured", Value::Int(5181), "amount-differs Some(5181) Some(5180)".to_owned()),
        ("payments", "currency", "USD".into(), "currency-differs Some(5180) Some(5180)".to_owned()),
        ("payments", "fee", Value::Int(1), format!("fee-unexpected Some(1) Some({fee})")),
        ("payments", "intent", "pi_other".into(), "missing-here None Some(5180)".to_owned()),
    ] {
        let shop = self::shop().await;
        paid(&shop, GOOD).await;
        let before = shop.newest(table).await;
        shop.set(table, vec![(column, value)]).await;
        let found = unmatched(&shop).await;
        assert!(found.contains(&expected), "{column}: {found:?}");
        shop.set(table, vec![(column, before.value(column).clone())]).await;
        assert_eq!(unmatched(&shop).await, [""; 0], "{column}");
    }
}

#[tokio::test]
async fn the_fee_of_a_dispute_is_booked_once_whoever_tells_of_it() {
    let shop = shop().await;
    let id = paid(&shop, "4000000000000259").await;
    shop.run(&id, "timer webhook dispute:won").await;
    // The bank returns the fee with the amount: the news and the line of the account tell of the same.
    let (message, mut event) = shop.messages("simulator-webhooks").await.pop().unwrap();
    shop.delete(message).await;
    event["data"]["object"]["balance_transactions"][0]["fee"] = 0.into();
    crate::webhooks::post(&shop, &event).await.unwrap();
    let line = shop.newest("simulator_movements").await;
    assert_eq!(line.text("kind"), Some("dispute-reversal"));
    let dispute_fee = shop.app.settings().simulator.dispute_fee;
    shop.set("simulator_movements", vec![("fee", Value::Int(-dispute_fee))]).await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    let fee = shop.app.settings().simulator.fee(5180);
    let books = shop.books().await;
    assert_eq!((books["expenses:provider-fees"], books["assets:provider:simulator"]), (fee, 5180 - fee));
}

#[tokio::test]
async fn the_fee_of_money_that_counts_for_nothing_is_booked_once() {
    let shop = shop().await;
    let id = shop.place(lunch("pix")).await;
    shop.run(&id, "validate-order reserve-stock request-payment").await;
    let intent = shop.intent(&id).await;
    shop.set("payments", vec![("status", "REJECTED".into()), ("waiting", Value::Null)]).await;
    shop.run(&id, &format!("await-payment pay:{GOOD} results:ok request-payment webhook results:ok")).await;
    shop.run(&id, "commit-stock capture-payment send-notification generate-receipt await-preparation").await;
    shop.app.simulate_pix(&intent).await.unwrap();
    // Its line is read before anything is known of it, and again when its refund is there.
    let fee = shop.app.settings().simulator.fee(5180);
    assert_eq!(unmatched(&shop).await, ["missing-here None Some(5180)"]);
    assert_eq!(shop.books().await["expenses:provider-fees"], fee);
    shop.run(&id, "webhook late").await;
    for _ in 0..2 {
        assert_eq!(unmatched(&shop).await, [""; 0]);
        let books = shop.books().await;
        let rest = (books["liabilities:unapplied-payments"], books["assets:provider:simulator"]);
        assert_eq!((books["expenses:provider-fees"], rest), (2 * fee, (0, 5180 - 2 * fee)));
    }
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn every_difference_has_its_turn_however_many_there_are() {
    let shop = shop().await;
    let of = |name: &str| app::tables().into_iter().find(|table| table.name == name).unwrap();
    let (differences, matches) = (of("reconciliation_differences"), of("reconciliation_matches"));
    for rows in (0..1_200).collect::<Vec<i64>>().chunks(50) {
        let mut batch = Batch::new();
        for n in rows {
            let key = format!("capture/ord_{n:013}/1");
            let values = vec![
                "missing-at-provider".into(),
                key.as_str().into(),
                Value::Int(1),
                Value::Null,
                "BRL".into(),
                Value::Int(*n),
                Value::Null,
                Value::Int(1),
                Value::Null,
                Value::Null,
                Value::Null,
            ];
            batch.insert(Row::new(differences, key.as_str(), values));
            // The youngest have found their lines by now.
            if *n >= 1_190 {
                batch.insert(Row::new(matches, key.as_str(), vec!["simulator/txn".into()]));
            }
        }
        shop.store.commit(batch).await.unwrap();
    }
    let open = async || {
        let query = Query::index(differences, "by_open", 1).limit(store::MAX_PAGE);
        let first = shop.store.query(query.clone()).await.unwrap();
        let rest = shop.store.query(query.after(first.next)).await.unwrap();
        first.rows.len() + rest.rows.len()
    };
    assert_eq!(open().await, 1_200);
    // One beat of the periodic work.
    shop.run("", "tick:reconcile").await;
    assert_eq!(open().await, 1_190);
}

#[tokio::test]
async fn money_that_is_taken_long_after_its_order_is_looked_for_too() {
    let shop = shop().await;
    let late = shop.place(lunch("pix")).await;
    shop.run(&late, "validate-order reserve-stock request-payment").await;
    paid(&shop, GOOD).await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    // The older order is paid after the younger one was looked for.
    shop.run(&late, "pix webhook results:ok").await;
    shop.take_out("simulator_movements").await;
    assert_eq!(unmatched(&shop).await, ["missing-at-provider Some(5180) None"]);
    let disputed = paid(&shop, "4000000000000259").await;
    shop.run(&disputed, "timer webhook").await;
    shop.take_out("simulator_movements").await;
    assert_eq!(unmatched(&shop).await.len(), 2, "what a bank took back has its line as well");
}

#[test]
fn payouts_are_due_by_their_schedule() {
    use app::PayoutSchedule::{Daily, Every, Never};
    const DAY: i64 = 86_400_000;
    #[track_caller]
    fn check(schedule: app::PayoutSchedule, since: i64, now: i64, due: bool) {
        let day_of = |at: i64| i32::try_from(at / DAY).unwrap();
        assert_eq!(schedule.is_due(since, now, day_of), due, "{schedule:?} {since} {now}");
    }
    check(Never, 0, 100 * DAY, false);
    check(Daily, DAY, 2 * DAY - 1, false);
    check(Daily, 2 * DAY - 1, 2 * DAY, true);
    check(Every(5_000), DAY, DAY + 4_999, false);
    check(Every(5_000), DAY, DAY + 5_000, true);
}

#[tokio::test]
async fn the_simulator_pays_out_when_it_is_due_and_no_line_twice() {
    let mut settings = settings();
    settings.simulator.payout_delay_ms = 0;
    settings.simulator.payouts = app::PayoutSchedule::Every(0);
    let shop = Shop::with(settings).await;
    shop.drain("tickers", 1).await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    paid(&shop, GOOD).await;
    // However many ask at once, one pays out.
    let asked = futures::future::join_all((0..8).map(|_| shop.simulator.pay_out())).await;
    assert_eq!(asked.into_iter().filter(|payout| matches!(payout, Ok(Some(_)))).count(), 1);
    // Without a delay a payout takes all of its millisecond.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let id = paid(&shop, GOOD).await;
    shop.run(&id, "tick:pay-out tick:pay-out").await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    let payouts = shop.app.payouts(ListPage::default()).await.unwrap().items;
    let books = shop.books().await;
    assert_eq!((payouts.len(), payouts[0].amount), (2, payouts[1].amount));
    let held = (books["assets:payouts-in-transit"], books["assets:provider:simulator"]);
    assert_eq!(held, (2 * payouts[0].amount, 0));
}

#[tokio::test]
async fn a_place_that_the_provider_has_forgotten_does_not_stop_the_reading() {
    let shop = shop().await;
    paid(&shop, GOOD).await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    shop.set("reconciliation_progress", vec![("cursor", "of-another-account".into())]).await;
    paid(&shop, GOOD).await;
    assert_eq!(unmatched(&shop).await, [""; 0]);
    assert_eq!(shop.app.reconciliation(ListPage::default()).await.unwrap().items.len(), 0);
    let table = app::tables().into_iter().find(|table| table.name == "reconciliation_progress").unwrap();
    let row = shop.store.query(Query::table(table)).await.unwrap().rows.remove(0);
    assert_eq!(row.text("cursor"), None, "the account was read anew, to its end");
}
