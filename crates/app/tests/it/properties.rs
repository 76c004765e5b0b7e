//! Money under any order of events: refunds, cancellations, disputes, outages, and news that comes twice, late, in disorder or
//! not at all. The caps hold at every moment, and in the end the audit finds nothing.

use app::commands::{CancelOrder, RequestRefund};
use app::views::Difference;
use domain::order::Party;
use domain::refund::RefundStatus;
use proptest::prelude::*;
use serde_json::json;

use crate::shop::{Mood, Shop, lunch, settings};

/// What can happen next.
#[derive(Debug, Clone)]
enum Event {
    /// The staff gives an amount back, or what a unit costs, or what is left.
    Refund(i64),
    /// A refund that failed is tried again.
    Retry,
    /// The flows of refunds take a step.
    Flows,
    /// The provider decides on what is pending.
    Timers,
    /// Some webhooks come, the newest first, one of them twice.
    Webhooks,
    /// The periodic work of the provider's poller.
    Poll,
    Down,
    Well,
    /// The customer's bank asks for the money back, or decides.
    Dispute(bool),
    Cancel,
    /// The process restarts.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..2_600i64).prop_map(Event::Refund),
        1 => Just(Event::Retry),
        3 => Just(Event::Flows),
        2 => Just(Event::Timers),
        3 => Just(Event::Webhooks),
        1 => Just(Event::Poll),
        1 => Just(Event::Down),
        2 => Just(Event::Well),
        1 => any::<bool>().prop_map(Event::Dispute),
        1 => Just(Event::Cancel),
        1 => Just(Event::Restart),
    ]
}

const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment \
                    send-notification generate-receipt await-preparation";
/// Plain; refunds pending and good; refunds pending and bad; neither void nor refund.
const CARDS: [&str; 4] = ["4242424242424242", "4000000000007726", "4000000000005126", "4000000000100067"];

/// Lets one thing happen; what is refused changes nothing.
async fn happen(shop: &mut Shop, id: &str, event: &Event) {
    match event {
        Event::Refund(amount) => {
            let mut body = json!({ "reason": "quality" });
            match amount % 3 {
                0 => body["lines"] = json!([{ "line": 0, "quantity": 1, "restock": amount % 2 == 0 }]),
                1 => body["amount"] = json!(amount),
                _ => {}
            }
            let command: RequestRefund = serde_json::from_value(body).unwrap();
            drop(shop.app.request_refund(id, command, Some(&format!("key-{}", amount % 7)), None).await);
        }
        Event::Retry => {
            let refunds = shop.app.refunds_of(id).await.unwrap().items;
            if let Some(failed) = refunds.iter().find(|refund| refund.status == RefundStatus::Failed) {
                drop(shop.app.retry_refund(&failed.refund_id, None).await);
            }
        }
        Event::Flows => drop(shop.refunds().await),
        Event::Timers => drop(shop.drain("simulator-timers", 1).await),
        Event::Webhooks => {
            shop.double_newest("simulator-webhooks").await;
            shop.drain_newest_first("simulator-webhooks").await;
        }
        Event::Poll => drop(shop.drain("tickers", 1).await),
        Event::Down => *shop.provider.mood.lock() = Mood::Down,
        Event::Well => *shop.provider.mood.lock() = Mood::Well,
        Event::Dispute(won) => {
            let intent = shop.intent(id).await;
            if shop.simulator.dispute(&intent).await.is_err() {
                drop(shop.simulator.decide_dispute(&intent, *won).await);
            }
        }
        Event::Cancel => {
            let reason = "changed my mind".into();
            if shop.app.cancel(id, CancelOrder { reason }, None, Party::Staff).await.is_ok() {
                // The end of the order's flow; while the provider is away it tries again.
                for word in ["reverse-payment:CANCELLED", "release-stock", "close-order:CANCELLED"] {
                    let (function, outcome) = word.split_once(':').unwrap_or((word, ""));
                    let input = json!({ "orderId": id, "outcome": outcome, "error": { "Error": "OrderCancelled" } });
                    shop.call(function, input).await.unwrap();
                }
            }
        }
        Event::Restart => *shop = Shop::over_again(shop).await,
    }
}

/// Refunded + pending + disputed never exceeds captured, here and in the provider's books.
async fn caps_hold(shop: &Shop, id: &str) {
    let list = shop.app.refunds_of(id).await.unwrap();
    assert!(list.refunded >= 0 && list.pending >= 0 && list.left >= 0, "{list:?}");
    assert!(list.refunded + list.pending <= list.captured, "{list:?}");
    let sum = |status| -> i64 {
        list.items.iter().filter(|refund| refund.status == status).map(|refund| refund.amount).sum()
    };
    assert_eq!((sum(RefundStatus::Succeeded), sum(RefundStatus::Pending)), (list.refunded, list.pending));
    let intent = shop.simulator_intent(id).await;
    assert!(intent.refunded <= intent.captured && intent.captured <= intent.amount, "{intent:?}");
    assert_eq!(shop.books().await.values().sum::<i64>(), 0, "the books balance");
}

/// Everything that can still happen by itself happens.
async fn settle(shop: &Shop) {
    *shop.provider.mood.lock() = Mood::Well;
    for _ in 0..20 {
        let mut moved = shop.refunds().await + shop.drain("simulator-timers", 1).await;
        moved += shop.drain("simulator-webhooks", 1).await;
        // Refunds whose word came by webhook go on with their flow.
        moved += shop.finish_refunds().await;
        if moved == 0 {
            return;
        }
    }
    panic!("it does not come to rest");
}

/// What a person is told to do by hand is no mistake of ours: an order that is over and whose refund the provider refused.
fn is_for_a_person(difference: &Difference) -> bool {
    difference.code == "money-kept"
}

fn cases() -> u32 {
    std::env::var("COMANDA_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn books_balance_and_caps_hold_whatever_happens(
        card in 0..CARDS.len(),
        events in proptest::collection::vec(event(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut settings = settings();
            settings.poll_after_ms = -1_000;
            let mut shop = Shop::with(settings).await;
            let id = shop.place(lunch(CARDS[card])).await;
            shop.run(&id, PAID).await;
            for event in &events {
                happen(&mut shop, &id, event).await;
                caps_hold(&shop, &id).await;
            }
            settle(&shop).await;
            caps_hold(&shop, &id).await;
            let report = shop.audit().await;
            let left: Vec<_> = report.differences.iter().filter(|found| !is_for_a_person(found)).collect();
            assert!(left.is_empty(), "{left:?}");
        });
    }
}
