//! Whole orders through the binary with Stripe as the provider, against a Stripe of our own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fake_stripe::{FakeStripe, Fault, Posting, SECRET_KEY, WEBHOOK_SECRET};
use crate::start::Server;

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    server: Server,
    fake: FakeStripe,
    client: reqwest::Client,
}

impl World {
    async fn open(posting: Posting) -> World {
        let fake = FakeStripe::start().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stripe-key"), format!("{SECRET_KEY}\n")).unwrap();
        let url = format!("stripe.url={}", fake.url);
        let webhooks = format!("stripe.webhook_secrets=whsec_next,{WEBHOOK_SECRET}");
        let all = [
            ("payment.provider=stripe", "stripe.secret_key_file=stripe-key"),
            (url.as_str(), webhooks.as_str()),
            ("payment.poll_after=1s", "order.service_fee_basis_points=1000"),
        ];
        let flags: Vec<&str> = all.iter().flat_map(|(a, b)| ["--set", a, "--set", b]).collect();
        let server = Server::on(folder, &flags);
        fake.post_to(&format!("{}/v1/webhooks/stripe", server.url), posting);
        World { server, fake, client: reqwest::Client::new() }
    }

    async fn place(&self, payment: Value) -> String {
        let order = json!({
            "customer": { "name": "Ana", "email": "ana@example.com" },
            "lines": [{ "sku": "xis-calabresa", "quantity": 1 }],
            "payment": payment,
        });
        let answer = self.client.post(format!("{}/v1/orders", self.server.url)).json(&order).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, 201, "{body}");
        body["orderId"].as_str().unwrap().to_owned()
    }

    async fn order(&self, id: &str) -> Value {
        self.server.get(&format!("/v1/orders/{id}")).await.json().await.unwrap()
    }

    /// The order as soon as order and payment stand so.
    async fn becomes(&self, id: &str, status: &str, payment: &str) -> Value {
        let begin = Instant::now();
        loop {
            let order = self.order(id).await;
            if order["status"] == status && order["payment"]["status"] == payment {
                return order;
            }
            assert!(begin.elapsed() < PATIENCE, "waited in vain for {status} {payment}: {order}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn intent(&self, id: &str) -> String {
        self.fake.act(|books| books.intent_of(id).unwrap().id.clone())
    }

    /// The books of the shop, the provider and the audit agree.
    async fn agrees(&self) {
        let audit: Value = self.server.get("/v1/audit").await.json().await.unwrap();
        assert_eq!((&audit["differences"], &audit["booksCompared"]), (&json!([]), &json!(true)), "{audit}");
    }
}

fn token(token: &str) -> Value {
    json!({ "type": "token", "token": token })
}

#[tokio::test]
async fn orders_are_paid_refused_and_authenticated() {
    let world = World::open(Posting::Twice).await;
    let paid = world.place(token("pm_card_visa")).await;
    let refused = world.place(token("pm_card_visa_chargeDeclined")).await;
    let authenticated = world.place(token("pm_card_authenticationRequired")).await;
    let pix = world.place(json!({ "type": "pix" })).await;
    let order = world.becomes(&paid, "RECEIVED", "CONFIRMED").await;
    assert_eq!(order["total"], order["payment"]["captured"]);
    assert_eq!(order["serviceFee"].as_i64().unwrap() * 10, order["subtotal"].as_i64().unwrap());
    world.becomes(&refused, "PAYMENT_PENDING", "REJECTED").await;
    let pay = format!("{}/v1/orders/{refused}/payments", world.server.url);
    let again = world.client.post(pay).json(&json!({ "method": token("pm_card_visa") })).send().await.unwrap();
    assert_eq!(again.status(), 202);
    world.becomes(&refused, "RECEIVED", "CONFIRMED").await;
    let order = world.becomes(&authenticated, "PAYMENT_PENDING", "PENDING").await;
    let begin = Instant::now();
    while world.order(&authenticated).await["payment"]["actionUrl"].is_null() {
        assert!(begin.elapsed() < PATIENCE, "{order}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.fake.act(|books| books.authenticate(&books.intent_of(&authenticated).unwrap().id.clone(), true));
    world.becomes(&authenticated, "RECEIVED", "CONFIRMED").await;
    let begin = Instant::now();
    while world.order(&pix).await["payment"]["qr"].is_null() {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let intent = world.intent(&pix);
    world.fake.act(|books| books.pay_pix(&intent));
    world.becomes(&pix, "RECEIVED", "CONFIRMED").await;
    world.agrees().await;
}

#[tokio::test]
async fn lost_late_reordered_and_forged_webhooks_change_nothing() {
    let world = World::open(Posting::Held).await;
    let pix = world.place(json!({ "type": "pix" })).await;
    let begin = Instant::now();
    while world.order(&pix).await["payment"]["qr"].is_null() {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let intent = world.intent(&pix);
    world.fake.held();
    world.fake.act(|books| books.pay_pix(&intent));
    let event = world.fake.held().pop().unwrap();
    let now = store::clock::now_ms();
    assert_eq!(world.fake.post(&event, "whsec_guess", now).await, 401);
    assert_eq!(world.fake.post(&event, WEBHOOK_SECRET, now - 301_000).await, 401);
    // Its webhook never comes: polling finds it.
    world.becomes(&pix, "RECEIVED", "CONFIRMED").await;
    // Then it comes late, twice.
    for _ in 0..2 {
        assert_eq!(world.fake.post(&event, WEBHOOK_SECRET, store::clock::now_ms()).await, 200);
    }
    let card = world.place(token("pm_card_visa")).await;
    world.becomes(&card, "RECEIVED", "CONFIRMED").await;
    let mut events = world.fake.held();
    events.reverse();
    for event in &events {
        assert_eq!(world.fake.post(event, WEBHOOK_SECRET, store::clock::now_ms()).await, 200);
    }
    world.becomes(&card, "RECEIVED", "CONFIRMED").await;
    world.agrees().await;
}

#[tokio::test]
async fn stripe_may_stumble_and_the_server_may_be_killed() {
    let World { server, fake, client } = World::open(Posting::Once).await;
    fake.fail(&[Fault::BreaksAfter, Fault::TooMany, Fault::FailsAfterwards, Fault::BreaksBefore, Fault::Fails]);
    let world = World { server, fake, client };
    let id = world.place(token("pm_card_visa")).await;
    world.becomes(&id, "RECEIVED", "CONFIRMED").await;
    world.fake.posting(Posting::Lost);
    let pix = world.place(json!({ "type": "pix" })).await;
    let begin = Instant::now();
    while world.order(&pix).await["payment"]["qr"].is_null() {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let World { server, fake, client } = world;
    let (folder, _) = server.signal("-KILL");
    fake.act(|books| books.pay_pix(&books.intent_of(&pix).unwrap().id.clone()));
    let url = format!("stripe.url={}", fake.url);
    let flags = [
        "--set",
        "payment.provider=stripe",
        "--set",
        "stripe.secret_key_file=stripe-key",
        "--set",
        &url,
        "--set",
        &format!("stripe.webhook_secrets={WEBHOOK_SECRET}"),
        "--set",
        "payment.poll_after=1s",
    ];
    let world = World { server: Server::on(folder, &flags), fake, client };
    world.becomes(&pix, "RECEIVED", "CONFIRMED").await;
    let holds = world.fake.act(|books| books.intents.iter().filter(|intent| intent.status != "canceled").count());
    assert!(holds >= 2);
    world.agrees().await;
}

#[tokio::test]
async fn the_money_may_be_taken_when_the_order_leaves() {
    let fake = FakeStripe::start().await;
    let (url, webhooks) = (format!("stripe.url={}", fake.url), format!("stripe.webhook_secrets={WEBHOOK_SECRET}"));
    let key = format!("stripe.secret_key={SECRET_KEY}");
    let all = ["payment.provider=stripe", "payment.capture=dispatch", &url, &webhooks, &key];
    let flags: Vec<&str> = all.iter().flat_map(|pair| ["--set", pair]).collect();
    let world = World { server: Server::start(&flags), fake, client: reqwest::Client::new() };
    let id = world.place(token("pm_card_visa")).await;
    let mut order = world.becomes(&id, "RECEIVED", "AUTHORIZED").await;
    for step in ["start", "ready"] {
        let url = format!("{}/v1/kitchen/orders/{id}/{step}", world.server.url);
        let seen = format!("\"{}\"", order["revision"]);
        let answer = world.client.post(url).header("if-match", seen).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        order = world.order(&id).await;
    }
    world.becomes(&id, "READY", "CONFIRMED").await;
    let begin = Instant::now();
    while world.order(&id).await["receipt"].is_null() {
        assert!(begin.elapsed() < PATIENCE, "no receipt");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.agrees().await;
}

#[test]
fn a_configuration_without_secrets_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let start = ["serve", "--listen", "127.0.0.1:0", "--set", "payment.provider=stripe"];
    crate::start::check(folder.path(), &start, 2, "set `stripe.secret_key` and `stripe.webhook_secrets`");
    let shown = crate::start::run(folder.path(), &["config", "--set", "stripe.secret_key=sk_test_hidden"]);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("stripe.secret_key") && !text.contains("sk_test_hidden"), "{text}");
}

#[tokio::test]
async fn the_page_may_show_stripes_form_with_its_key_and_only_then() {
    let key = format!("stripe.secret_key={SECRET_KEY}");
    let webhooks = format!("stripe.webhook_secrets={WEBHOOK_SECRET}");
    let stripe = ["payment.provider=stripe", &key, &webhooks];
    for (more, hosts) in [(Some("stripe.publishable_key=pk_test_page"), true), (None, false)] {
        let flags: Vec<&str> = stripe.into_iter().chain(more).flat_map(|pair| ["--set", pair]).collect();
        let server = Server::start(&flags);
        let page = server.get("/").await;
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let needed =
            ["script-src 'self' https://js.stripe.com", "frame-src https://js.stripe.com", "https://api.stripe.com"];
        assert!(needed.iter().all(|part| policy.contains(part) == hosts), "{policy}");
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let other = server.get("/v1/catalogue").await;
        assert!(!other.headers()["content-security-policy"].to_str().unwrap().contains("stripe"));
        let checkout = &other.json::<Value>().await.unwrap()["checkout"];
        assert_eq!(checkout["types"].as_array().unwrap().contains(&json!("hosted")), hosts);
        assert_eq!(checkout["form"]["publishableKey"] == "pk_test_page", hosts);
    }
}
