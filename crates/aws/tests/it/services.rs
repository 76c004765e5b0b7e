//! Mails by SES, documents in S3 and links to them, on an emulator.

use std::time::Duration;

use app::{Links, Mailer, OutgoingMail};
use aws::client::Request;
use aws::documents::Documents;
use aws::mail::SesMailer;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::{Value as Json, json};

use crate::emulator::{Kind, aws};

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_out() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let aws = aws().at(&emulator.url);
    let identity = Request {
        service: "ses",
        method: "POST",
        url: format!("{}/v2/email/identities", emulator.url),
        headers: vec![("content-type", "application/json".into())],
        body: json!({ "EmailIdentity": "shop@shop.example" }).to_string(),
    };
    aws.send(&identity).await.unwrap();
    let mailer = SesMailer::new(aws, None);
    let mail = OutgoingMail {
        message_id: "<mail_1@shop.example>".into(),
        from: "Shop <shop@shop.example>".into(),
        to: "ana@example.com".into(),
        subject: "Pedido recebido ✓".into(),
        text: "Olá".into(),
        html: "<p>Olá</p>".into(),
    };
    mailer.send(mail).await.unwrap();
    let outbox = reqwest::get(format!("{}/_ministack/ses/messages", emulator.url)).await.unwrap();
    let sent: Json = outbox.json().await.unwrap();
    let sent = sent.to_string();
    assert!(sent.contains("ana@example.com") && sent.contains("Pedido recebido"), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_read_by_its_link_and_by_nobody_else() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let aws = aws().at(&emulator.url);
    let bucket = reqwest::Client::new().put(format!("{}/receipts-test", emulator.url)).send().await.unwrap();
    assert!(bucket.status().is_success());
    let documents = Documents::new(&aws, "receipts-test").unwrap();
    let path = Path::from("2026/receipt 1.pdf");
    documents.objects().put(&path, b"%PDF-1.7".to_vec().into()).await.unwrap();
    let link = documents.link(&path, Duration::from_secs(900)).await.unwrap();
    for part in ["/receipts/2026/", "X-Amz-Expires=900", "X-Amz-Signature="] {
        assert!(link.contains(part), "{link}");
    }
    let found = reqwest::get(&link).await.unwrap();
    assert_eq!((found.status().as_u16(), &found.bytes().await.unwrap()[..]), (200, &b"%PDF-1.7"[..]));
    // The emulator verifies presigned links only in part; that a wrong signature is refused is S3's own affair.
    let missing = documents.objects().head(&Path::from("none.pdf")).await.unwrap_err();
    assert!(matches!(missing, object_store::Error::NotFound { .. }), "{missing}");
}
