//! What comes after the capture: refunds that take a while or fail, disputes, the provider's account.

use app::WebhookOutcome;
use app::provider::{Movement, MovementKind, Movements, PaymentProvider};

use serde_json::Value as Json;

use crate::shop::{Shop, lunch};

const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment";

async fn paid(shop: &Shop, number: &str) -> String {
    let id = shop.place(lunch(number)).await;
    shop.run(&id, PAID).await;
    id
}

async fn status(shop: &Shop, id: &str) -> &'static str {
    shop.order(id).await.payment.status.as_str()
}

#[tokio::test]
async fn disputes_are_listed_by_their_status() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = paid(&shop, "4000000000000259").await;
        shop.run(&id, "timer webhook").await;
        ids.push(id);
    }
    shop.run(&ids[0], "dispute:lost webhook").await;
    let list = async |status: Option<domain::dispute::DisputeStatus>| {
        let list = app::commands::ListDisputes { status, ..app::commands::ListDisputes::default() };
        let page = shop.app.disputes(list).await.unwrap();
        let mut orders: Vec<String> = page.items.into_iter().map(|dispute| dispute.order_id).collect();
        orders.sort();
        orders
    };
    assert_eq!(list(None).await, ids);
    assert_eq!(list(Some(domain::dispute::DisputeStatus::Open)).await, ids[1..]);
    assert_eq!(list(Some(domain::dispute::DisputeStatus::Lost)).await, ids[..1]);
}

async fn lines(shop: &Shop, which: Movements) -> Vec<Movement> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = shop.provider.movements(&which, cursor).await.unwrap();
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_refund_may_take_a_while_and_fail() {
    let shop = Shop::open().await;
    for (number, asks, end) in [("4000000000007726", false, "REFUNDED"), ("4000000000005126", true, "CONFIRMED")] {
        let id = paid(&shop, number).await;
        shop.run(&id, "cancel reverse-payment:CANCELLED timer webhook").await;
        assert_eq!(status(&shop, &id).await, end);
        assert_eq!(shop.order(&id).await.needs_attention.is_some(), asks, "{number}");
    }
}

#[tokio::test]
async fn a_dispute_is_heard_once_and_ends() {
    let shop = Shop::open().await;
    for (answer, end) in [("won", "CONFIRMED"), ("lost", "DISPUTED")] {
        let id = paid(&shop, "4000000000000259").await;
        shop.run(&id, "timer webhook").await;
        assert_eq!(status(&shop, &id).await, "DISPUTED");
        let attention = shop.order(&id).await.needs_attention.unwrap();
        assert!(attention.contains("disputed (fraudulent)"), "{attention}");
        // What the bank has taken back is not given back once more.
        shop.run(&id, &format!("cancel reverse-payment:CANCELLED dispute:{answer} webhook")).await;
        assert_eq!(status(&shop, &id).await, end);
    }
    let books = shop.books().await;
    let fees = 2 * (shop.app.settings().simulator.fee(5180) + shop.app.settings().simulator.dispute_fee);
    let expected = [
        ("assets:disputes", 0),
        ("assets:provider:simulator", 5180 - fees),
        ("expenses:disputes", 5180),
        ("expenses:provider-fees", fees),
        ("income:sales", -2 * 5180),
    ];
    assert_eq!(books, expected.map(|(account, sum)| (account.to_owned(), sum)).into());
}

#[tokio::test]
async fn the_parts_of_an_order_go_to_their_accounts() {
    let mut settings = crate::shop::settings();
    settings.charges.service_basis_points = 1_000;
    let shop = Shop::with(settings).await;
    let mut order = crate::shop::brought("4242424242424242");
    order["tip"] = 300.into();
    let id = shop.place(order).await;
    shop.run(&id, PAID).await;
    let view = shop.order(&id).await;
    assert_eq!([view.subtotal, view.delivery_fee, view.service_fee, view.tip, view.total], [5180, 800, 518, 300, 6798]);
    let fee = shop.app.settings().simulator.fee(6798);
    let expected = [
        ("assets:provider:simulator", 6798 - fee),
        ("expenses:provider-fees", fee),
        ("income:delivery", -800),
        ("income:sales", -5180),
        ("income:service-fees", -518),
        ("liabilities:tips", -300),
    ];
    assert_eq!(shop.books().await, expected.map(|(account, sum)| (account.to_owned(), sum)).into());
}

#[tokio::test]
async fn the_account_adds_up_and_is_paid_out() {
    let mut settings = crate::shop::settings();
    settings.simulator.payout_delay_ms = 0;
    let shop = Shop::with(settings).await;
    let id = paid(&shop, "4242424242424242").await;
    shop.run(&id, "cancel reverse-payment:CANCELLED").await;
    paid(&shop, "4242424242424242").await;
    let since = Movements::Since(0);
    let all = lines(&shop, since.clone()).await;
    let sum: i64 = all.iter().map(|line| line.amount - line.fee).sum();
    let fee = shop.app.settings().simulator.fee(5180);
    assert_eq!((all.len(), sum), (3, 5180 - 2 * fee));
    let refund = all.iter().find(|line| line.kind == MovementKind::Refund).unwrap();
    assert_eq!((refund.amount, refund.fee, refund.order_id.as_deref()), (-5180, 0, Some(id.as_str())));
    let payout = shop.simulator.pay_out().await.unwrap().unwrap();
    assert_eq!(shop.simulator.pay_out().await.unwrap(), None, "there is nothing left");
    let paid_out = lines(&shop, Movements::Payout(payout.clone())).await;
    assert_eq!(paid_out, all);
    let all = lines(&shop, since).await;
    assert_eq!((all[0].kind, all[0].source.as_ref()), (MovementKind::Payout, Some(&payout)));
    assert_eq!(all.iter().map(|line| line.amount - line.fee).sum::<i64>(), 0);
    assert!(lines(&shop, Movements::Since(store::clock::now_ms() + 60_000)).await.is_empty());
}

/// The newest news of a dispute, with another fee and another moment; each under an id of its own, so that only what it says
/// can be known already.
async fn news(shop: &Shop) -> impl Fn(&str, i64, i64) -> Json {
    let (_, event) = shop.messages("simulator-webhooks").await.pop().unwrap();
    let begin = event["created"].as_i64().unwrap();
    move |status, fee, seconds| {
        let mut event = event.clone();
        event["id"] = format!("evt_{}", store::id::encode(store::id::next())).into();
        event["created"] = (begin + seconds).into();
        event["data"]["object"]["status"] = status.into();
        event["data"]["object"]["balance_transactions"][0]["fee"] = fee.into();
        event
    }
}

#[tokio::test]
async fn a_disputes_fee_that_is_told_later_is_booked_once() {
    use WebhookOutcome::{Applied, Ignored};
    let shop = Shop::open().await;
    for (end, lost, fee) in [("lost", 5180, 2_000), ("won", 0, 0)] {
        let id = paid(&shop, "4000000000000259").await;
        let before = shop.books().await;
        let before = |account: &str| before.get(account).copied().unwrap_or(0);
        shop.run(&id, "timer").await;
        let news = news(&shop).await;
        for (event, outcome) in [
            (news("needs_response", 0, 0), Applied),
            (news("needs_response", 1_500, 0), Applied),
            (news("needs_response", 1_500, 1), Ignored),
            (news("needs_response", 0, 0), Ignored),
            (news(end, 1_500, 10), Applied),
            (news(end, fee, 11), Applied),
            (news(end, fee, 12), Ignored),
            // It happened before what is known.
            (news(end, 1_500, 9), Ignored),
        ] {
            assert_eq!(crate::webhooks::post(&shop, &event).await, Ok(outcome), "{event}");
        }
        let books = shop.books().await;
        let moved = |account: &str| books.get(account).copied().unwrap_or(0) - before(account);
        assert_eq!(moved("expenses:provider-fees"), fee, "{end}");
        assert_eq!((moved("assets:disputes"), moved("expenses:disputes")), (0, lost), "{end}");
        assert_eq!(moved("assets:provider:simulator"), -lost - fee, "{end}");
        for (message, _) in shop.messages("simulator-webhooks").await {
            shop.delete(message).await;
        }
    }
}
