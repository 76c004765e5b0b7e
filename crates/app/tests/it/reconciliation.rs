//! The provider's account against our records.

use app::commands::{ListPage, RequestRefund};
use serde_json::json;
use store::Value;

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
    // What was paid out is in the bank, and the provider holds nothing more of ours.
    let books = shop.books().await;
    assert_eq!((books["assets:bank"], books["assets:provider:simulator"]), (payouts[0].amount, 0));
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
