//! Placing: what is refused and where, frozen prices, and idempotency as Stripe does it.

use app::Problem;
use app::commands::PlaceOrder;
use serde_json::{Value as Json, json};

use crate::shop::{Shop, brought, lunch};

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
