//! Placing: what is refused and where, frozen prices, and idempotency as Stripe does it.

use app::Problem;
use app::commands::PlaceOrder;
use serde_json::{Value as Json, json};

use crate::shop::{Shop, brought, lunch, settings};

const GOOD: &str = "4242424242424242";

async fn refused(shop: &Shop, order: Json) -> (String, Option<String>) {
    let command: PlaceOrder = serde_json::from_value(order).unwrap();
    let error = shop.app.place_order(command, None).await.unwrap_err();
    (error.code().to_owned(), error.pointer())
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let shop = Shop::open().await;
    for (pointer, value, code, at) in [
        ("/lines", json!([]), "lines-out-of-range", "/lines"),
        ("/lines/0/sku", json!("gold"), "unknown-product", "/lines/0/sku"),
        ("/lines/0/quantity", json!(0), "quantity-out-of-range", "/lines/0/quantity"),
        ("/lines/0/options", json!({}), "option-missing", "/lines/0/options/ponto"),
        ("/lines/0/options/ponto", json!("cru"), "unknown-option", "/lines/0/options/ponto"),
        ("/customer/email", json!("ana"), "invalid-customer", "/customer/email"),
        ("/customer/name", json!(""), "invalid-customer", "/customer/name"),
        ("/payment/number", json!("4242424242424241"), "invalid-card", "/payment/number"),
        ("/payment/expYear", json!(2001), "invalid-card", "/payment/expYear"),
        ("/payment/cvc", json!("1"), "invalid-card", "/payment/cvc"),
        ("/delivery/address/city", json!(""), "invalid-address", "/delivery/address/city"),
    ] {
        let mut order = brought(GOOD);
        *order.pointer_mut(pointer).unwrap() = value;
        assert_eq!(refused(&shop, order).await, (code.to_owned(), Some(at.to_owned())));
    }
    for (field, value, code) in [
        ("tip", json!(-1), "tip-out-of-range"),
        ("note", json!("x".repeat(281)), "note-too-long"),
        ("expectedTotal", json!(1), "price-changed"),
    ] {
        let mut order = lunch(GOOD);
        order[field] = value;
        assert_eq!(refused(&shop, order).await, (code.to_owned(), Some(format!("/{field}"))));
    }
    assert_eq!(shop.app.stats().placed, 0);
    // A float is no amount, an unknown field no field.
    for (field, value) in [("tip", json!(1.5)), ("expectedTotal", json!(1e3)), ("total", json!(1))] {
        let mut order = lunch(GOOD);
        order[field] = value;
        assert!(serde_json::from_value::<PlaceOrder>(order).is_err(), "{field}");
    }
}

#[tokio::test]
async fn prices_are_frozen() {
    let shop = Shop::open().await;
    let before = shop.place(lunch(GOOD)).await;
    let view = shop.app.product("xis-salada").await.unwrap();
    let mut product = view.product;
    product.price += 500;
    let put = shop.app.put_product("xis-salada", product.clone(), Some(view.revision)).await.unwrap();
    assert_eq!(put.revision, view.revision + 1);
    let stale = shop.app.put_product("xis-salada", product.clone(), Some(view.revision)).await.unwrap_err();
    assert_eq!(stale.code(), "stale-revision");
    let there = shop.app.put_product("xis-salada", product, None).await.unwrap_err();
    assert_eq!(there.code(), "stale-revision");
    let after = shop.place(lunch(GOOD)).await;
    assert_eq!(shop.order(&before).await.total, 5180);
    assert_eq!(shop.order(&after).await.total, 6180);
    shop.run(&before, "validate-order reserve-stock").await;
    assert_eq!(shop.order(&before).await.payment.amount, 5180);
}

#[tokio::test]
async fn a_key_places_once() {
    let shop = Shop::open().await;
    let command = |note: &str| {
        let mut order = lunch(GOOD);
        order["note"] = note.into();
        serde_json::from_value::<PlaceOrder>(order).unwrap()
    };
    let all = (0..16).map(|_| shop.app.place_order(command("a"), Some("key-1")));
    let all = futures::future::join_all(all).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().filter(|placed| !placed.replayed).count(), 1);
    let text = |placed: &app::Placed| serde_json::to_string(&placed.order).unwrap();
    assert!(all.iter().all(|placed| text(placed) == text(&all[0])));
    let other = shop.app.place_order(command("b"), Some("key-1")).await.unwrap_err();
    assert_eq!(other.code(), "idempotency-key-reused");
    let another = shop.app.place_order(command("a"), Some("key-2")).await.unwrap();
    assert_ne!(another.order.order_id, all[0].order.order_id);
    for key in ["", &"x".repeat(256), "a\u{e9}"] {
        let error = shop.app.place_order(command("a"), Some(key)).await.unwrap_err();
        assert_eq!(error.code(), "invalid-idempotency-key");
    }
    assert_eq!(shop.app.stats().placed, 2);
    assert_eq!(shop.messages("start-flow").await.len(), 2);
}

#[tokio::test]
async fn a_card_number_reaches_no_row() {
    let shop = Shop::open().await;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "validate-order reserve-stock request-payment").await;
    for table in app::tables().into_iter().chain([&store::message::MESSAGES]) {
        let page = shop.store.query(store::Query::table(table)).await.unwrap();
        assert!(!format!("{:?}", page.rows).contains(GOOD), "{}", table.name);
    }
}

#[tokio::test]
async fn tracking_tokens_are_of_one_order() {
    let shop = Shop::open().await;
    let (a, b) = (shop.place(lunch(GOOD)).await, shop.place(lunch(GOOD)).await);
    let token = shop.app.tracking_token(&a);
    assert!(shop.app.is_tracking_token(&a, &token));
    assert!(!shop.app.is_tracking_token(&b, &token));
    assert!(!shop.app.is_tracking_token(&a, ""));
}

#[tokio::test]
async fn followers_hear_of_every_change() {
    let shop = Shop::open().await;
    let mut changes = shop.app.changes();
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "validate-order reserve-stock request-payment webhook").await;
    let mut heard = Vec::new();
    while let Ok(change) = changes.try_recv() {
        assert_eq!(change.order_id, id);
        heard.push(change.status.map_or("-", domain::order::OrderStatus::as_str));
    }
    assert_eq!(heard, ["CHECKOUT", "PAYMENT_PENDING", "-", "-"]);
}

#[tokio::test]
async fn keys_are_forgotten_after_their_days_only() {
    let shop = Shop::open().await;
    let table = app::tables().into_iter().find(|table| table.name == "idempotency_keys").unwrap();
    let today = store::clock::now_ms() / 86_400_000;
    let mut batch = store::Batch::new();
    for (key, age) in [("new", 0), ("yesterday", 1), ("kept", 2), ("old", 3), ("ancient", 4_000)] {
        let values = vec!["f".into(), 1.into(), 1.into(), (today - age).into()];
        batch.insert(store::Row::new(table, key, values));
    }
    shop.store.commit(batch).await.unwrap();
    shop.drain("tickers", 1).await;
    let left = shop.store.query(store::Query::table(table)).await.unwrap().rows;
    let left: Vec<&str> = left.iter().map(|row| row.key().text().unwrap()).collect();
    assert_eq!(left, ["kept", "new", "yesterday"]);
}

#[tokio::test]
async fn a_card_number_is_no_token() {
    let shop = Shop::open().await;
    for (token, good) in [("pm_card_visa", true), (GOOD, false), ("4242424242424241", true), ("378282246310005", false)]
    {
        let mut order = lunch(GOOD);
        order["payment"] = json!({ "type": "token", "token": token });
        let command: PlaceOrder = serde_json::from_value(order).unwrap();
        let placed = shop.app.place_order(command, None).await;
        let refused = placed.map(drop).map_err(|error| (error.code(), error.pointer().unwrap()));
        assert_eq!(refused, if good { Ok(()) } else { Err(("invalid-card", "/payment/token".into())) }, "{token}");
    }
}

#[tokio::test]
async fn pix_pays_in_brl_only() {
    let shop = Shop::with(app::Settings { currency: domain::Currency::EUR, ..settings() }).await;
    let wrong = ("invalid-card".to_owned(), Some("/payment/type".to_owned()));
    assert_eq!(refused(&shop, lunch("pix")).await, wrong);
    shop.place(lunch(GOOD)).await;
}

#[tokio::test]
async fn a_replay_answers_as_the_first_time_whatever_was_configured_since() {
    let store = std::sync::Arc::new(store::memory::MemoryStore::new());
    let command = || serde_json::from_value::<PlaceOrder>(lunch(GOOD)).unwrap();
    let shop = Shop::over(store.clone(), settings()).await;
    let first = shop.app.place_order(command(), Some("key")).await.unwrap();
    let shop = Shop::over(store, app::Settings { currency: domain::Currency::EUR, ..settings() }).await;
    let again = shop.app.placed_before(&command(), "key").await.unwrap().unwrap();
    assert!(again.replayed);
    let text = |placed: &app::Placed| serde_json::to_string(&placed.order).unwrap();
    assert_eq!(text(&first), text(&again));
    assert!(shop.app.placed_before(&command(), "another").await.unwrap().is_none());
}

#[tokio::test]
async fn stock_is_adjusted_once_under_a_key() {
    let shop = Shop::open().await;
    let adjust = |delta: i64, key: &'static str| {
        let command = app::commands::AdjustStock { delta, reason: "delivery".into() };
        shop.app.adjust_stock("xis-salada", command, Some(key))
    };
    let all = futures::future::join_all((0..8).map(|_| adjust(5, "key-1"))).await;
    let all: Vec<app::Adjusted> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().filter(|adjusted| !adjusted.replayed).count(), 1);
    assert!(all.iter().all(|adjusted| adjusted.stock.available == 305));
    assert_eq!(adjust(6, "key-1").await.unwrap_err().code(), "idempotency-key-reused");
    assert_eq!(adjust(1, "").await.unwrap_err().code(), "invalid-idempotency-key");
    assert_eq!(adjust(-305, "key-2").await.unwrap().stock.available, 0);
    assert_eq!(adjust(-1, "key-3").await.unwrap_err().code(), "not-enough-stock");
    let nowhere = app::commands::AdjustStock { delta: 1, reason: "delivery".into() };
    assert_eq!(shop.app.adjust_stock("nowhere", nowhere, Some("key-4")).await.unwrap_err().code(), "not-found");
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_written_product_is_seen_even_if_its_writer_went_away() {
    let shop = Shop::open().await;
    let view = shop.app.product("xis-salada").await.unwrap();
    shop.place(lunch(GOOD)).await;
    // What the use case commits, without the rest of it.
    let table = app::tables().into_iter().find(|table| table.name == "products").unwrap();
    let mut product = serde_json::to_value(&view.product).unwrap();
    product["price"] = 9_900.into();
    let mut batch = store::Batch::new();
    let set = vec![("body", product.to_string().as_str().into()), ("revision", 2.into())];
    batch.update(table, "xis-salada", set, None);
    shop.store.commit(batch).await.unwrap();
    let id = shop.place(lunch(GOOD)).await;
    assert_eq!(shop.order(&id).await.total, 2 * 9_900);
}

#[tokio::test]
async fn pages_of_a_final_status_lose_no_order() {
    let shop = Shop::open().await;
    let mut rejected = Vec::new();
    for n in 0..30 {
        let id = shop.place(lunch(GOOD)).await;
        if n % 3 == 0 {
            shop.run(&id, "reverse-payment:REJECTED release-stock close-order:REJECTED").await;
            rejected.push(id);
        }
    }
    rejected.reverse();
    for limit in [1, 3, 10, 200] {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let status = Some(domain::order::OrderStatus::Rejected);
            let list = app::commands::ListOrders { status, cursor, limit: Some(limit) };
            let page = shop.app.orders(list).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.into_iter().map(|order| order.order_id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, rejected, "by {limit}");
    }
}
