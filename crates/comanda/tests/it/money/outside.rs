//! The world outside the process: it survives crashes. The provider's line is bad at times: calls do not arrive, answers are
//! lost or late, webhooks are lost, late, doubled or refused. What the provider ever told is kept, for those who ask.

use std::sync::Arc;
use std::time::Duration;

use app::CallbackSender;
use app::provider::{
    Authorise, Card, Checkout, Event, Intent, Movement, Movements, Page, PaymentProvider, ProviderError, ReceiveError,
    Refund, RefundRequest, Subject, Token, Webhook,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;
use store::{BoxError, clock};

use super::chance::Chance;
use crate::in_process::{Around, Direct};

/// Events on a page: few, so that there are several pages.
const PAGE: usize = 5;

/// See the module.
pub(super) struct Outside {
    chance: Mutex<Chance>,
    /// How many calls, and how many webhooks, of a hundred go wrong.
    weather: Mutex<(u64, u64)>,
    /// Every event that was ever sent, in order.
    told: Mutex<Vec<Told>>,
}

struct Told {
    id: String,
    at_ms: i64,
    header: String,
    body: String,
}

/// What becomes of a call.
enum Fate {
    Good,
    /// It does not arrive.
    Lost,
    /// It arrives, the answer does not.
    Unanswered,
    /// It arrives late.
    Late(Duration),
    /// The answer comes late.
    AnsweredLate(Duration),
}

impl Outside {
    pub(super) fn new(seed: u64) -> Arc<Outside> {
        Arc::new(Outside { chance: Mutex::new(Chance::new(!seed)), weather: Mutex::default(), told: Mutex::default() })
    }

    pub(super) fn weather(&self, calls: u64, webhooks: u64) {
        *self.weather.lock() = (calls, webhooks);
    }

    fn fate(&self) -> Fate {
        let mut chance = self.chance.lock();
        if !chance.percent(self.weather.lock().0) {
            return Fate::Good;
        }
        let late = Duration::from_millis([50, 4_000, 40_000, 90_000][chance.below(4) as usize]);
        match chance.below(5) {
            0 | 1 => Fate::Lost,
            2 => Fate::Unanswered,
            3 => Fate::Late(late),
            _ => Fate::AnsweredLate(late),
        }
    }

    fn remember(&self, header: &str, body: &str) {
        let event: Value = serde_json::from_str(body).unwrap();
        let id = event["id"].as_str().unwrap().to_owned();
        let mut told = self.told.lock();
        if told.iter().all(|known| known.id != id) {
            told.push(Told { id, at_ms: clock::now_ms(), header: header.to_owned(), body: body.to_owned() });
        }
    }
}

/// The provider behind a line that may be bad, and the way of its webhooks.
pub(super) struct Lines(pub(super) Arc<Outside>);

impl Around for Lines {
    fn provider(&self, simulator: Arc<dyn PaymentProvider>) -> Arc<dyn PaymentProvider> {
        Arc::new(Line { provider: simulator, outside: self.0.clone() })
    }

    fn sender(&self, direct: Arc<Direct>) -> Arc<dyn CallbackSender> {
        Arc::new(Post { direct, outside: self.0.clone() })
    }
}

struct Line {
    provider: Arc<dyn PaymentProvider>,
    outside: Arc<Outside>,
}

impl Line {
    async fn call<T: Send>(
        &self,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        match self.outside.fate() {
            Fate::Good => call.await,
            Fate::Lost => Err(ProviderError::Unavailable),
            Fate::Unanswered => {
                drop(call.await);
                Err(ProviderError::Unavailable)
            }
            Fate::Late(late) => {
                tokio::time::sleep(late).await;
                call.await
            }
            Fate::AnsweredLate(late) => {
                let answer = call.await;
                tokio::time::sleep(late).await;
                answer
            }
        }
    }
}

#[async_trait]
impl PaymentProvider for Line {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn checkout(&self) -> Checkout {
        self.provider.checkout()
    }

    async fn complete(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        self.call(self.provider.complete(intent, key)).await
    }

    async fn look_up(&self, name: &str) -> Result<Subject, ProviderError> {
        self.call(self.provider.look_up(name)).await
    }

    async fn trace(&self, line: Movement) -> Result<Movement, ProviderError> {
        self.call(self.provider.trace(line)).await
    }

    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError> {
        self.call(self.provider.tokenise(card)).await
    }

    async fn authorise(&self, request: &Authorise) -> Result<Intent, ProviderError> {
        self.call(self.provider.authorise(request)).await
    }

    async fn find(&self, request: &Authorise) -> Result<Option<Intent>, ProviderError> {
        self.call(self.provider.find(request)).await
    }

    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        self.call(self.provider.retrieve(intent)).await
    }

    async fn capture(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        self.call(self.provider.capture(intent, key)).await
    }

    async fn void(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        self.call(self.provider.void(intent, key)).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, ProviderError> {
        self.call(self.provider.refund(request)).await
    }

    async fn retrieve_refund(&self, refund: &str) -> Result<Refund, ProviderError> {
        self.call(self.provider.retrieve_refund(refund)).await
    }

    async fn receive(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError> {
        self.provider.receive(webhook).await
    }

    async fn events(&self, since: i64, after: Option<String>) -> Result<Option<Page<Event>>, ProviderError> {
        self.call(async {
            let end: usize = after.map_or(usize::MAX, |text| text.parse().unwrap());
            let told: Vec<(usize, i64, String, String)> = {
                let told = self.outside.told.lock();
                let all = told.iter().enumerate().take(end).filter(|(_, event)| event.at_ms >= since);
                all.rev().take(PAGE).map(|(n, e)| (n, e.at_ms, e.header.clone(), e.body.clone())).collect()
            };
            let mut items = Vec::new();
            for (_, now, header, body) in &told {
                let header = |_: &str| header.clone();
                let webhook = Webhook { header: &header, body: body.as_bytes(), now: *now };
                items.push(self.provider.receive(webhook).await.unwrap());
            }
            let next = (told.len() == PAGE).then(|| told[PAGE - 1].0.to_string());
            Ok(Some(Page { items, next }))
        })
        .await
    }

    async fn books(&self, after: Option<String>) -> Result<Option<Page<Intent>>, ProviderError> {
        self.call(self.provider.books(after)).await
    }

    async fn movements(&self, which: &Movements, after: Option<String>) -> Result<Page<Movement>, ProviderError> {
        self.call(self.provider.movements(which, after)).await
    }
}

struct Post {
    direct: Arc<Direct>,
    outside: Arc<Outside>,
}

#[async_trait]
impl CallbackSender for Post {
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError> {
        if !url.contains("/webhooks/") {
            return self.direct.post(url, header, body).await;
        }
        self.outside.remember(&header.1, &body);
        let (kind, late) = {
            let mut chance = self.outside.chance.lock();
            let bad = chance.percent(self.outside.weather.lock().1);
            (if bad { 1 + chance.below(4) } else { 0 }, Duration::from_millis(chance.below(60_000)))
        };
        let (direct, url_again, again) = (self.direct.clone(), url.to_owned(), (header.clone(), body.clone()));
        let later = async move {
            tokio::time::sleep(late).await;
            drop(direct.post(&url_again, again.0, again.1).await);
        };
        match kind {
            1 => Ok(200),
            2 => Err("the network is away".into()),
            3 => {
                tokio::spawn(later);
                Ok(200)
            }
            4 => {
                tokio::spawn(later);
                self.direct.post(url, header, body).await
            }
            _ => self.direct.post(url, header, body).await,
        }
    }
}
