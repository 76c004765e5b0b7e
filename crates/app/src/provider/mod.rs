//! The payment provider: a port shaped after manual-capture payment intents.

mod http;
mod objects;
pub mod paypal;
mod secret;
pub mod simulator;
pub mod stripe;

use async_trait::async_trait;
use domain::dispute::DisputeStatus;
use domain::payment::CaptureOn;

pub use paypal::PayPal;
pub use secret::Secret;
pub use simulator::Simulator;
pub use stripe::Stripe;

use crate::SignatureError;

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
    /// With the provider: in its form on our page, or on a page of its own, as [`Checkout::hosted`] says.
    Hosted,
}

/// How customers can pay with a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// By a card whose number our page asks for.
    pub card: bool,
    /// By a token that was made in the browser.
    pub token: bool,
    /// By Pix.
    pub pix: bool,
    /// With the provider itself.
    pub hosted: Option<Hosted>,
}

/// Where a customer pays with the provider itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosted {
    /// What the payment is called then, as `paypal`.
    pub method: &'static str,
    /// The form that the provider shows on our page; `None` if the customer goes to a page of its own, the intent's
    /// `action_url`.
    pub form: Option<HostedForm>,
}

/// A form that the provider shows on our page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedForm {
    /// The script that shows it.
    pub script: String,
    /// The key that the script is given; everybody may see it.
    pub publishable_key: String,
    /// What the page's content security policy has to allow besides, as `script-src https://js.example.com`; with
    /// semicolons between.
    pub policy: &'static str,
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
    /// When our shop takes the amount. A provider whose holds end early, or cost, may take it at once for
    /// [`CaptureOn::Acceptance`]; a Pix is always taken when it is paid.
    pub capture_on: CaptureOn,
    /// Where the customer comes back to after authenticating with the bank.
    pub return_url: Option<String>,
}

/// Where an intent stands with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentStatus {
    /// The provider works on it, or waits for the customer.
    Pending,
    /// The customer agreed, and nothing is held before [`PaymentProvider::complete`] asks for it.
    Approved,
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
    /// Where the customer authenticates, or pays.
    pub action_url: Option<String>,
    /// What the provider's form on our page needs; for this customer only.
    pub client_secret: Option<String>,
    /// Until when a held amount can be taken, in milliseconds since the epoch.
    pub capture_before: Option<i64>,
    /// What the provider keeps of the captured amount; `None` as long as it does not say.
    pub fee: Option<i64>,
    /// Brand and last four digits of the card, as `visa 4242`.
    pub card: Option<String>,
}

/// Asks to give back an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// Deterministic, one per refund: the same key and body have one effect, however late it is repeated. Given back in
    /// the provider's events.
    pub key: String,
    /// The provider's id of the payment.
    pub intent: String,
    /// Minor units.
    pub amount: i64,
    /// For the customer to read beside it, where the provider shows such a note; may be empty.
    pub note: String,
}

/// Where a refund stands with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// Accepted; the money is on its way, or waits for the provider's balance.
    Pending,
    /// The money is on its way for good. A bank may still return it: then it becomes failed.
    Succeeded,
    /// The money did not reach the customer and is the shop's again.
    Failed,
}

/// A refund as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The provider's id.
    pub id: String,
    /// The provider's id of the payment.
    pub intent: String,
    /// The key of the [`RefundRequest`]; `None` for one that was made in the provider's own console.
    pub key: Option<String>,
    /// Where it stands.
    pub status: RefundStatus,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Why it failed: the provider's code.
    pub failure: Option<String>,
}

/// A dispute as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The provider's id.
    pub id: String,
    /// The provider's id of the payment.
    pub intent: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What the provider takes for it so far, minor units.
    pub fee: i64,
    /// The provider's code for the customer's reason, as `fraudulent`.
    pub reason: String,
    /// Until when the shop can answer, in milliseconds since the epoch.
    pub respond_by: Option<i64>,
}

/// What a provider's event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique.
    pub id: String,
    /// When it happened, in milliseconds since the epoch.
    pub at: i64,
    /// What it is about, as it was at that moment.
    pub subject: Subject,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A payment.
    Intent(Intent),
    /// A refund.
    Refund(Refund),
    /// A dispute.
    Dispute(Dispute),
    /// One of these that the event only names: [`PaymentProvider::look_up`] tells how it stands now.
    Named(String),
    /// A kind of event that we do not follow.
    Other,
}

/// A webhook as it came in.
#[derive(Clone, Copy)]
pub struct Webhook<'a> {
    /// The value of a header by its lower-case name; empty if it is absent.
    pub header: &'a (dyn Fn(&str) -> String + Send + Sync),
    /// The raw bytes, which the signature covers.
    pub body: &'a [u8],
    /// When it came, in milliseconds since the epoch.
    pub now: i64,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body is not an event.
    #[error("the body is not an event of this provider")]
    Malformed,
    /// The provider has to be asked whether it is genuine, and does not answer: it may be sent again.
    #[error("the payment provider is unavailable")]
    Unavailable,
}

/// One line of the provider's account with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The provider's id of the line; unique.
    pub id: String,
    /// What moved the money.
    pub kind: MovementKind,
    /// What the balance gained (or, below zero, lost) before the fee, in minor units.
    pub amount: i64,
    /// What the provider kept besides, zero or more; below zero if it gave a fee back.
    pub fee: i64,
    /// ISO 4217.
    pub currency: String,
    /// The provider's id of what it stems from: a charge, refund, dispute or payout.
    pub source: Option<String>,
    /// The provider's id of the payment.
    pub intent: Option<String>,
    /// Our order, as given with the payment, if the provider says it here.
    pub order_id: Option<String>,
    /// When, in milliseconds since the epoch.
    pub at: i64,
}

/// What moved money on the provider's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MovementKind {
    /// A payment was captured.
    Capture,
    /// A refund left.
    Refund,
    /// A refund came back.
    RefundFailure,
    /// A dispute took money.
    Dispute,
    /// A dispute was won.
    DisputeReversal,
    /// The provider's own fee, apart from a payment.
    Fee,
    /// Money left for the shop's bank account: below zero.
    Payout,
    /// A payout came back.
    PayoutFailure,
    /// Anything else.
    Other,
}

/// Which lines of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Movements {
    /// Those since that time, in milliseconds since the epoch.
    Since(i64),
    /// Those that a payout is made of; the payout's own line may be among them.
    Payout(String),
}

/// A page of a list of the provider, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// Asks for the next page; `None` at the end.
    pub next: Option<String>,
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
    /// The money is with another provider than the one that this shop asks now.
    #[error(
        "the money is with `{theirs}`, and payments go through `{ours}` now: do it at `{theirs}`, or set `payment.provider` back"
    )]
    Elsewhere {
        /// The provider that has it.
        theirs: String,
        /// The provider that is asked now.
        ours: &'static str,
    },
}

/// A payment provider. Every call that changes something carries a deterministic idempotency key.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Its name in paths and records, as `simulator`.
    fn name(&self) -> &'static str;

    /// How customers can pay.
    fn checkout(&self) -> Checkout;

    /// Exchanges a card for a token.
    ///
    /// # Errors
    /// [`ProviderError::Card`] names the wrong field.
    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError>;

    /// Asks to hold an amount; the answer may still be pending.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn authorise(&self, request: &Authorise) -> Result<Intent, ProviderError>;

    /// Holds, or takes, the amount of an intent that the customer approved. A refusal is a status of the answer.
    ///
    /// # Errors
    /// [`ProviderError`]. A provider whose intents are never [`IntentStatus::Approved`] has nothing to do here.
    async fn complete(&self, intent: &str, _key: &str) -> Result<Intent, ProviderError> {
        self.retrieve(intent).await
    }

    /// The intent that [`Self::authorise`] made for a request, if it ever did: the answer to a call whose answer was lost.
    /// It may answer with an intent that was never confirmed; nothing is held or taken by that.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn find(&self, request: &Authorise) -> Result<Option<Intent>, ProviderError>;

    /// The intent as it is now.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError>;

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

    /// Gives back an amount. What becomes of a pending refund comes by webhook, or by [`Self::retrieve_refund`].
    ///
    /// # Errors
    /// [`ProviderError`]; after [`ProviderError::Unavailable`] the refund may exist: repeat the request.
    async fn refund(&self, request: &RefundRequest) -> Result<Refund, ProviderError>;

    /// The refund as it is now.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn retrieve_refund(&self, refund: &str) -> Result<Refund, ProviderError>;

    /// Checks the signature of a webhook over its raw bytes, and reads it.
    ///
    /// # Errors
    /// [`ReceiveError`].
    async fn receive(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError>;

    /// The events since a time, for webhooks that never came; `None` if the provider keeps no such list: then the payments
    /// are asked about one by one.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn events(&self, since: i64, after: Option<String>) -> Result<Option<Page<Event>>, ProviderError>;

    /// What an event names, as it is now.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::Invalid`] if there is no such thing.
    async fn look_up(&self, name: &str) -> Result<Subject, ProviderError> {
        let name: String = name.chars().take(64).collect();
        Err(ProviderError::Invalid(format!("this provider names nothing like `{name}`")))
    }

    /// Every intent ever made, page by page: the provider's own books. `None` if it has no such list.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn books(&self, after: Option<String>) -> Result<Option<Page<Intent>>, ProviderError>;

    /// The lines of the provider's account with us: captures, refunds, disputes, fees, payouts.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn movements(&self, which: &Movements, after: Option<String>) -> Result<Page<Movement>, ProviderError>;

    /// A line of the account with what the list leaves out: its payment, its dispute. Asked once for each line.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn trace(&self, line: Movement) -> Result<Movement, ProviderError> {
        Ok(line)
    }
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
