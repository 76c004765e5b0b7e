//! Receipts: gapless numbers, documents, links; and the benchmark's job.

use std::sync::Arc;

use app::Problem;
use app::commands::{BenchLine, BenchOrder};
use serde_json::json;
use store::memory::MemoryStore;

use crate::shop::{Shop, lunch, settings};

const GOOD: &str = "4242424242424242";
const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment";

#[tokio::test]
async fn numbers_have_no_holes_under_concurrency_and_after_a_restart() {
    let store = Arc::new(MemoryStore::new());
    let shop = Shop::over(store.clone(), settings()).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        let id = shop.place(lunch(GOOD)).await;
        shop.run(&id, PAID).await;
        ids.push(id);
    }
    let (now, later) = ids.split_at(15);
    let issued = now.iter().map(|id| shop.call("generate-receipt", json!({ "orderId": id })));
    assert!(futures::future::join_all(issued).await.iter().all(Result::is_ok));
    // A step that took a number and whose commit was lost in a crash.
    let lost = shop.app.functions().into_iter().find(|f| f.name() == "generate-receipt").unwrap();
    let call = app::Call {
        input: json!({ "orderId": later[0] }),
        key: "lost".into(),
        attempt: 1,
        now_ms: store::clock::now_ms(),
    };
    drop(lost.call(call).await.unwrap());
    let shop = Shop::over(store, settings()).await;
    for id in later {
        shop.run(id, "generate-receipt").await;
    }
    let report = shop.audit().await;
    assert_eq!(report.differences, []);
    assert_eq!(report.counts["receipts"], 20);
    assert_eq!(shop.messages("tickers").await.len(), 7, "a restart doubles no ticker");
}

#[tokio::test]
async fn a_link_opens_its_receipt_for_a_while() {
    let shop = Shop::open().await;
    let id = shop.place(lunch(GOOD)).await;
    assert_eq!(shop.app.receipt(&id).await.unwrap_err().code(), "not-found");
    shop.run(&id, &format!("{PAID} generate-receipt")).await;
    let link = shop.app.receipt(&id).await.unwrap();
    let (path, query) = link.url.split_once(".pdf?").unwrap();
    let receipt = path.rsplit_once('/').unwrap().1;
    let (expires, signature) = query.split_once("&signature=").unwrap();
    let expires: i64 = expires.strip_prefix("expires=").unwrap().parse().unwrap();
    let file = shop.app.receipt_file(receipt, expires, signature).await.unwrap();
    assert!(file.bytes.starts_with(b"%PDF-"));
    assert_eq!(file.sha256, link.sha256);
    let code = |error: app::DownloadError| error.code();
    let forged = shop.app.receipt_file(receipt, expires + 1, signature).await;
    assert_eq!(forged.map_err(code).unwrap_err(), "invalid-link");
    let mut brief = settings();
    brief.receipt_link_ms = -2_000;
    let late = Shop::with(brief).await;
    let id = late.place(lunch(GOOD)).await;
    late.run(&id, &format!("{PAID} generate-receipt")).await;
    let link = late.app.receipt(&id).await.unwrap();
    let (path, query) = link.url.split_once(".pdf?").unwrap();
    let (expires, signature) = query.split_once("&signature=").unwrap();
    let expires = expires.strip_prefix("expires=").unwrap().parse().unwrap();
    let receipt = path.rsplit_once('/').unwrap().1;
    let expired = late.app.receipt_file(receipt, expires, signature).await;
    assert_eq!(expired.map_err(code).unwrap_err(), "link-expired");
}

#[tokio::test]
async fn a_mail_says_what_happened() {
    let shop = Shop::open().await;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, &format!("{PAID} send-notification")).await;
    let list = app::commands::ListMails { to: Some("ana@example.com".into()), ..app::commands::ListMails::default() };
    let mails = shop.app.mails(list).await.unwrap().items;
    assert_eq!(mails.len(), 2);
    let mail = shop.app.mail(&mails[1].mail_id).await.unwrap();
    assert!(mail.text.contains("Xis salada") && mail.text.contains("R$ 51,80"), "{}", mail.text);
    assert_eq!(shop.app.mail("mail_nonsense-1").await.unwrap_err().code(), "not-found");
}

#[tokio::test]
async fn the_benchmarks_job_is_done_whole() {
    let shop = Shop::open().await;
    shop.app.bench_seed(250, 100).await.unwrap();
    shop.app.bench_seed(250, 100).await.unwrap();
    let order = |sku: i64, qty: i64| BenchOrder {
        customer_id: "c1".into(),
        lines: vec![BenchLine { sku: 1, qty: 1 }, BenchLine { sku, qty }],
    };
    let run = async |order: BenchOrder| {
        let id = shop.app.bench_place(order).await.unwrap().order_id;
        let input = json!({ "orderId": id });
        let Ok(total) = shop.call("bench-validate", input.clone()).await else {
            shop.call("bench-reject", input).await.unwrap();
            return id;
        };
        for step in ["bench-pay", "bench-deduct", "bench-message", "bench-receipt"] {
            shop.call(step, json!({ "orderId": id, "total": total })).await.unwrap();
        }
        id
    };
    let good = run(order(250, 3)).await;
    let same = run(order(1, 2)).await;
    let short = run(order(7, 101)).await;
    let status = async |id: &str| shop.app.bench_status(id).await.unwrap();
    assert_eq!(status(&good).await.status, "CONFIRMED");
    assert_eq!(status(&good).await.total, Some(101 + 3 * 350));
    assert!(status(&good).await.confirmed_at_us.is_some());
    assert_eq!(status(&same).await.total, Some(303));
    assert_eq!(status(&short).await.status, "REJECTED");
    let verdict = shop.app.bench_verify().await.unwrap();
    assert_eq!((verdict.confirmed, verdict.incomplete, verdict.taken_sum), (2, 0, 7));
    assert_eq!(verdict.stock_sum, 250 * 100 - 7);
    assert_eq!(shop.app.bench_confirmed(), 2);
}

/// Downloads the receipt of an order by its link.
async fn download(shop: &Shop, id: &str) -> Result<app::ReceiptFile, app::DownloadError> {
    let link = shop.app.receipt(id).await.unwrap();
    let (path, query) = link.url.split_once(".pdf?").unwrap();
    let (expires, signature) = query.split_once("&signature=").unwrap();
    let expires = expires.strip_prefix("expires=").unwrap().parse().unwrap();
    shop.app.receipt_file(path.rsplit_once('/').unwrap().1, expires, signature).await
}

#[tokio::test]
async fn a_receipt_whose_file_is_lost_is_made_again_as_it_was_or_not_at_all() {
    let store = Arc::new(MemoryStore::new());
    let shop = Shop::over(store.clone(), settings()).await;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, &format!("{PAID} generate-receipt")).await;
    let first = download(&shop, &id).await.unwrap();
    // The shop has moved, and its files are gone.
    let mut moved = settings();
    moved.merchant.name = "Outra Lancheria".into();
    moved.merchant.address = "Rua Nova, 1".into();
    moved.time_zone = "Asia/Tokyo".into();
    let shop = Shop::over(store, moved).await;
    let again = download(&shop, &id).await.unwrap();
    assert_eq!((&again.bytes, &again.sha256), (&first.bytes, &first.sha256));
    let other = shop.place(lunch(GOOD)).await;
    shop.run(&other, &format!("{PAID} generate-receipt")).await;
    // A document that this program would make otherwise.
    let table = app::tables().into_iter().find(|table| table.name == "receipt_issuers").unwrap();
    let issuers = shop.store.query(store::Query::table(table)).await.unwrap().rows;
    assert_eq!(issuers.len(), 2);
    for issuer in &issuers {
        let mut batch = store::Batch::new();
        batch.update(table, issuer.key().clone(), vec![("template", 0.into())], None);
        shop.store.commit(batch).await.unwrap();
    }
    let shop = Shop::over_again(&shop).await;
    assert_eq!(download(&shop, &id).await.map(drop).unwrap_err().code(), "receipt-lost");
    assert!(shop.order(&id).await.needs_attention.unwrap().contains("receipt 1"));
}
