//! The payment provider: a port shaped after manual-capture payment intents.

pub mod simulator;

use async_trait::async_trait;

pub use simulator::Simulator;

/// What a card is exchanged for. The number is never stored or logged.
#[derive(Clone)]
pub struct Card {
    /// Digits only.
    pub number: String,
    /// 1 to 12.
    pub exp_month: u8,
    /// Four digits.
    pub exp_year: u16,
    /// Three or four digits.
    pub cvc: String,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Card(..)")
    }
}

/// A card that the provider keeps for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The provider's name for it.
    pub id: String,
    /// As `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
}

/// How one attempt pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// With a tokenised card.
    Card {
        /// The provider's token.
        token: String,
    },
    /// By Pix.
    Pix,
}

/// Asks to hold an amount.
#[derive(Debug, Clone)]
pub struct Authorise {
    /// Deterministic per order, step and attempt: the same key and body have one effect and one answer.
    pub key: String,
    /// Our order, `ord_...`; the provider gives it back in its events.
    pub order_id: String,
    /// Which try of the order it is, from 1; given back as well.
    pub attempt: i64,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// How.
    pub method: Method,
    /// When a Pix payload ends, in milliseconds since the epoch.
    pub expires_at: i64,
}

/// Where an intent stands with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentStatus {
    /// The provider works on it, or waits for the customer.
    Pending,
    /// The amount is held (`requires_capture`).
    Held,
    /// The amount is taken.
    Taken,
    /// Refused.
    Refused,
    /// Called off.
    Cancelled,
}

/// A payment as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The provider's id.
    pub id: String,
    /// Our order, as given.
    pub order_id: String,
    /// Which try of the order it is, as given.
    pub attempt: i64,
    /// Where it stands.
    pub status: IntentStatus,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// Why it was refused: the provider's code and words.
    pub failure: Option<(String, String)>,
    /// The Pix payload.
    pub qr: Option<String>,
    /// Where the customer authenticates.
    pub action_url: Option<String>,
    /// Until when a held amount can be taken, in milliseconds since the epoch.
    pub capture_before: Option<i64>,
}

/// What a provider's event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique.
    pub id: String,
    /// The intent as it was at that moment; `None` for a kind of event we do not follow.
    pub intent: Option<Intent>,
}

/// Why the provider did not do it. Refusals are no errors: they are a status of the intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Not now; the same key may be used again.
    #[error("the payment provider is unavailable")]
    Unavailable,
    /// The card data cannot be used: which field, and what to do.
    #[error("{problem}")]
    Card {
        /// The field of the card.
        field: &'static str,
        /// What is wrong and what to do; without the value.
        problem: &'static str,
    },
    /// The request makes no sense to the provider.
    #[error("the payment provider refused the request: {0}")]
    Invalid(String),
}

/// A payment provider. Every call that changes something carries a deterministic idempotency key.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Its name in paths and records, as `simulator`.
    fn name(&self) -> &'static str;

    /// Exchanges a card for a token.
    ///
    /// # Errors
    /// [`ProviderError::Card`] names the wrong field.
    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError>;

    /// Asks to hold an amount; the answer may still be pending.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn authorise(&self, request: Authorise) -> Result<Intent, ProviderError>;

    /// Takes the held amount.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn capture(&self, intent: &str, key: &str) -> Result<Intent, ProviderError>;

    /// Calls off what was not taken. An intent whose amount was taken stays as it is: look at the answer.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn void(&self, intent: &str, key: &str) -> Result<Intent, ProviderError>;

    /// Gives back an amount.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn refund(&self, intent: &str, amount: i64, key: &str) -> Result<Intent, ProviderError>;

    /// The intent as it is now.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError>;

    /// The intent that [`Self::authorise`] made under a key, if it ever did: the answer to a call whose answer was lost.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn find(&self, key: &str) -> Result<Option<Intent>, ProviderError>;

    /// Every intent ever made, page by page: the provider's own books. `None` if it has no such list.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn books(&self, after: Option<String>) -> Result<Option<(Vec<Intent>, Option<String>)>, ProviderError>;

    /// Reads the body of a webhook whose signature was checked.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`].
    fn read_event(&self, body: &[u8]) -> Result<Event, ProviderError>;
}

/// Whether a text is a card's number: 12 to 19 digits whose last is the check digit (ISO/IEC 7812-1, annex B).
pub(crate) fn is_card_number(text: &str) -> bool {
    let is_long_enough = (12..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let digits = text.bytes().rev().map(|b| u32::from(b.wrapping_sub(b'0')));
    let sum = digits.enumerate().map(|(at, digit)| match (at % 2, digit * 2) {
        (0, _) => digit,
        (_, twice) if twice > 9 => twice - 9,
        (_, twice) => twice,
    });
    is_long_enough && sum.sum::<u32>() % 10 == 0
}
