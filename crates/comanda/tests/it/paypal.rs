//! Whole orders through the binary with PayPal as the provider, against a PayPal of our own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fake_paypal::{CLIENT_ID, CLIENT_SECRET, FakePayPal, Funding, WEBHOOK_ID};
use crate::fake_stripe::{Fault, Posting};
use crate::start::Server;

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    server: Server,
    fake: FakePayPal,
    client: reqwest::Client,
}

impl World {
    async fn open(posting: Posting, more: &[&str]) -> World {
        let fake = FakePayPal::start().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), format!("{CLIENT_SECRET}\n")).unwrap();
        let (url, id) = (format!("paypal.url={}", fake.url), format!("paypal.client_id={CLIENT_ID}"));
        let webhook = format!("paypal.webhook_id={WEBHOOK_ID}");
        let own = ["payment.provider=paypal", "paypal.client_secret_file=secret", &url, &id, &webhook];
        let flags: Vec<&str> = own.iter().chain(more).flat_map(|pair| ["--set", pair]).collect();
        let server = Server::on(folder, &flags);
        fake.post_to(&format!("{}/v1/webhooks/paypal", server.url), posting);
        World { server, fake, client: reqwest::Client::new() }
    }

    /// An order that waits for the buyer, and the order of PayPal's.
    async fn placed(&self) -> (String, String) {
        let order = json!({
            "customer": { "name": "Ana", "email": "ana@example.com" },
            "lines": [{ "sku": "xis-calabresa", "quantity": 1 }],
            "payment": { "type": "hosted" },
        });
        let answer = self.client.post(format!("{}/v1/orders", self.server.url)).json(&order).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, 201, "{body}");
        let id = body["orderId"].as_str().unwrap().to_owned();
        let waits = self.when(&id, |order| order["payment"]["actionUrl"].is_string()).await;
        let url = waits["payment"]["actionUrl"].as_str().unwrap().to_owned();
        (id, url.rsplit('=').next().unwrap().to_owned())
    }

    async fn order(&self, id: &str) -> Value {
        self.server.get(&format!("/v1/orders/{id}")).await.json().await.unwrap()
    }

    /// The order as soon as it is so.
    async fn when(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let order = self.order(id).await;
            if is_so(&order) {
                return order;
            }
            assert!(begin.elapsed() < PATIENCE, "waited in vain: {order}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn becomes(&self, id: &str, status: &str, payment: &str) -> Value {
        self.when(id, |order| order["status"] == status && order["payment"]["status"] == payment).await
    }

    async fn post(&self, path: &str, revision: &Value, body: Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.server.url)).json(&body);
        let answer = request.header("if-match", format!("\"{revision}\"")).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json().await.unwrap_or_default());
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Neither orders, payments, ledger nor receipts differ.
    async fn agrees(&self) {
        let audit: Value = self.server.get("/v1/audit").await.json().await.unwrap();
        assert_eq!(audit["differences"], json!([]), "{audit}");
    }
}

#[tokio::test]
async fn an_approved_order_is_held_taken_when_it_leaves_and_given_back() {
    let world = World::open(Posting::Twice, &["payment.capture=dispatch"]).await;
    let (id, paypal) = world.placed().await;
    let back = world.fake.act(|books| books.order(&paypal).unwrap().return_url().to_owned());
    assert!(back.starts_with(&format!("{}/orders/{id}?t=", world.server.url)), "{back}");
    world.fake.act(|books| books.approve(&paypal, Funding::Good));
    let mut order = world.becomes(&id, "RECEIVED", "AUTHORIZED").await;
    assert_eq!((&order["payment"]["method"], &order["payment"]["actionUrl"]), (&json!("paypal"), &Value::Null));
    for step in ["start", "ready"] {
        world.post(&format!("/v1/kitchen/orders/{id}/{step}"), &order["revision"], json!({})).await;
        order = world.order(&id).await;
    }
    let order = world.becomes(&id, "READY", "CONFIRMED").await;
    assert_eq!(order["payment"]["captured"], order["total"]);
    world.agrees().await;
    let refund = json!({ "reason": "quality", "amount": 500 });
    let refunds = world.client.post(format!("{}/v1/payments/{id}/refunds", world.server.url)).json(&refund);
    assert_eq!(refunds.header("if-match", "*").send().await.unwrap().status(), 201);
    world.when(&id, |order| order["payment"]["status"] == "PARTIALLY_REFUNDED").await;
    world.when(&id, |order| order["receipt"].is_object()).await;
    let given = world.fake.act(|books| books.order(&paypal).unwrap().refunds.clone());
    assert_eq!((given.len(), given[0].amount, given[0].note.as_str()), (1, 500, "qualidade"));
    world.agrees().await;
}

#[tokio::test]
async fn a_declined_order_is_paid_again_though_paypal_stumbles() {
    let world = World::open(Posting::Once, &["payment.poll_after=1s"]).await;
    let (id, paypal) = world.placed().await;
    world.fake.act(|books| books.approve(&paypal, Funding::Declined));
    let refused = world.becomes(&id, "PAYMENT_PENDING", "REJECTED").await;
    assert_eq!(refused["payment"]["failure"]["code"], "instrument_declined");
    world.fake.fail(&[Fault::BreaksAfter, Fault::TooMany, Fault::Fails]);
    let pay = format!("{}/v1/orders/{id}/payments", world.server.url);
    let again = world.client.post(pay).json(&json!({ "method": { "type": "hosted" } })).send().await.unwrap();
    assert_eq!(again.status(), 202);
    world.when(&id, |order| order["payment"]["actionUrl"].is_string()).await;
    let second = world.fake.act(|books| books.order_of(&id).unwrap().id.clone());
    assert_ne!(second, paypal);
    // Its webhooks never come: asking finds that the buyer approved.
    world.fake.posting(Posting::Lost);
    world.fake.fail(&[Fault::FailsAfterwards, Fault::BreaksAfter]);
    world.fake.act(|books| books.approve(&second, Funding::Good));
    world.becomes(&id, "RECEIVED", "CONFIRMED").await;
    world.agrees().await;
}

#[test]
fn a_configuration_without_credentials_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let start = ["serve", "--listen", "127.0.0.1:0", "--set", "payment.provider=paypal"];
    crate::start::check(folder.path(), &start, 2, "set `paypal.client_id`");
    let shown = crate::start::run(folder.path(), &["config", "--set", "paypal.client_secret=hidden-secret"]);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("paypal.client_secret") && !text.contains("hidden-secret"), "{text}");
}
