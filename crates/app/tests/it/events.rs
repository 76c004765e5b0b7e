//! The provider's list of events: what cannot be taken holds up nothing else, and is not lost.

use app::commands::ListPage;
use app::provider::{Dispute, Event, PaymentProvider, Subject};
use domain::dispute::DisputeStatus;

use crate::shop::{Shop, lunch};

const HELD: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock";

fn event(id: &str, at: i64, subject: Subject) -> Event {
    Event { id: id.into(), at, subject }
}

fn dispute(intent: &str) -> Subject {
    Subject::Dispute(Dispute {
        id: "dp_1".into(),
        intent: intent.into(),
        status: DisputeStatus::Open,
        amount: 5180,
        currency: "BRL".into(),
        fee: 1_500,
        reason: "fraudulent".into(),
        respond_by: None,
    })
}

/// Lets passes begin; answers from when on the last one read.
async fn passes(shop: &Shop, n: usize) -> i64 {
    for _ in 0..n {
        shop.run("", "tick:poll-events").await;
    }
    *shop.provider.asked_since.lock().last().unwrap()
}

async fn status(shop: &Shop, id: &str) -> &'static str {
    shop.order(id).await.payment.status.as_str()
}

#[tokio::test]
async fn an_event_that_comes_before_its_time_is_tried_until_it_can_be_taken() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    shop.run(&id, HELD).await;
    let intent = shop.intent(&id).await;
    // An hour ago: far before the margin of a pass.
    let at = store::clock::now_ms() - 3_600_000;
    *shop.provider.told.lock() = Some(vec![event("evt_1", at, dispute(&intent))]);
    // Nothing was taken that could be disputed: the news of that is still on its way.
    assert!(passes(&shop, 5).await <= at, "the pass begins before what could not be taken");
    shop.run(&id, "capture-payment").await;
    assert!(passes(&shop, 1).await <= at);
    assert_eq!(status(&shop, &id).await, "DISPUTED");
    assert!(passes(&shop, 2).await > at, "nothing is left behind");
    assert_eq!(shop.app.events_set_aside(ListPage::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn an_event_that_can_never_be_taken_is_set_aside() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = shop.place(lunch("4242424242424242")).await;
        shop.run(&id, "validate-order reserve-stock request-payment").await;
        ids.push(id);
    }
    for (message, _) in shop.messages("simulator-webhooks").await {
        shop.delete(message).await;
    }
    let (bad, good) = (shop.intent(&ids[0]).await, shop.intent(&ids[1]).await);
    let at = store::clock::now_ms() - 3_600_000;
    let paid = Subject::Intent(shop.simulator.retrieve(&good).await.unwrap());
    // Newest first.
    *shop.provider.told.lock() = Some(vec![event("evt_2", at + 1, paid), event("evt_1", at, dispute(&bad))]);
    shop.provider.silent.lock().insert(bad.clone());
    passes(&shop, 1).await;
    assert_eq!(status(&shop, &ids[1]).await, "AUTHORIZED", "one that fails holds up no other");
    assert!(passes(&shop, 29).await <= at);
    assert!(passes(&shop, 2).await > at, "it is not waited for any longer");
    let aside = shop.app.events_set_aside(ListPage::default()).await.unwrap().items;
    assert_eq!((aside[0].event_id.as_str(), aside[0].about.as_str(), aside[0].tries), ("evt_1", "dp_1", 30));
    assert!(aside[0].problem.contains("unavailable"), "{}", aside[0].problem);
    let named: Vec<_> = shop.audit().await.differences.into_iter().map(|found| (found.code, found.subject)).collect();
    assert!(named.contains(&("event-set-aside".into(), "simulator/evt_1".into())), "{named:?}");
    // A person has looked.
    assert!(shop.app.retry_event("evt_2").await.is_err());
    shop.app.retry_event("evt_1").await.unwrap();
    shop.provider.silent.lock().clear();
    shop.run(&ids[0], "tick:poll-payments").await;
    shop.due_now(&ids[0]).await;
    shop.run(&ids[0], "tick:poll-payments results:ok,ok commit-stock capture-payment tick:poll-events").await;
    assert_eq!(status(&shop, &ids[0]).await, "DISPUTED");
    assert_eq!(shop.app.events_set_aside(ListPage::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn an_event_that_the_provider_no_longer_lists_is_set_aside() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    shop.run(&id, HELD).await;
    let at = store::clock::now_ms() - 3_600_000;
    *shop.provider.told.lock() = Some(vec![event("evt_1", at, dispute(&shop.intent(&id).await))]);
    passes(&shop, 2).await;
    *shop.provider.told.lock() = Some(Vec::new());
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    assert!(passes(&shop, 2).await > at);
    assert_eq!(shop.app.events_set_aside(ListPage::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_failure_that_is_written_after_the_webhook_was_taken_is_none() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    shop.run(&id, HELD).await;
    let at = store::clock::now_ms() - 3_600_000;
    *shop.provider.told.lock() = Some(vec![event("evt_1", at, dispute(&shop.intent(&id).await))]);
    passes(&shop, 1).await;
    // The pass whose question failed writes that down only after the same event came another way.
    let late = shop.take_out("failed_events").await;
    shop.run(&id, "capture-payment").await;
    passes(&shop, 1).await;
    assert_eq!(status(&shop, &id).await, "DISPUTED");
    shop.put_back(&late).await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    assert!(passes(&shop, 2).await > at, "nothing is left behind");
    assert_eq!(shop.app.events_set_aside(ListPage::default()).await.unwrap().items.len(), 0);
}
