//! Placing an order.

use domain::Currency;
use domain::basket::{self, BasketError, Charges, Totals};
use domain::catalogue::Product;
use domain::customer::{Customer, CustomerError};
use domain::delivery::DeliveryKind;
use domain::order::OrderStatus;
use domain::payment::CaptureOn;
use store::{Batch, CommitError};

use crate::app::MAX_TRIES;
use crate::commands::{DeliveryRequest, PaymentMethod, PlaceOrder};
use crate::error::StoreError;
use crate::idempotency::{Before, IdempotencyKey};
use crate::provider::{Card, ProviderError, is_card_number};
use crate::records::order::{self, Body, NewOrder};
use crate::records::payment::{NewPayment, PIX};
use crate::records::{Order, Payment};
use crate::views::PlacedOrder;
use crate::{App, Instant, Kind, Problem};

/// An order that is durable and whose flow is started.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The answer.
    pub order: PlacedOrder,
    /// Whether the same request had been answered before.
    pub replayed: bool,
}

/// Why an order was not placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Something about the lines.
    #[error(transparent)]
    Basket(#[from] BasketError),
    /// Something about the customer.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// Something about the address.
    #[error("the address needs a `{0}` of 1 to 120 characters")]
    Address(&'static str),
    /// Something about the card.
    #[error("{problem}")]
    Card {
        /// The field of the payment.
        field: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The customer saw another total.
    #[error("the total is `{total}`, not `{expected}`; show the customer the new total and place the order again")]
    PriceChanged {
        /// What it costs now.
        total: i64,
        /// What the customer saw.
        expected: i64,
    },
    /// Longer than 255 characters, or empty.
    #[error("the idempotency key must have 1 to 255 visible ASCII characters")]
    Key,
    /// The key was used for another body.
    #[error("the idempotency key was used for another order; use a new key")]
    KeyReused,
    /// The provider cannot be reached.
    #[error("the payment provider is unavailable; try again")]
    Provider,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for PlaceError {
    fn kind(&self) -> Kind {
        match self {
            PlaceError::PriceChanged { .. } => Kind::Conflict,
            PlaceError::Provider => Kind::Unavailable,
            PlaceError::Store(error) => error.kind(),
            _ => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PlaceError::Basket(error) => error.code(),
            PlaceError::Customer(_) => "invalid-customer",
            PlaceError::Address(_) => "invalid-address",
            PlaceError::Card { .. } => "invalid-card",
            PlaceError::PriceChanged { .. } => "price-changed",
            PlaceError::Key => "invalid-idempotency-key",
            PlaceError::KeyReused => "idempotency-key-reused",
            PlaceError::Provider => "provider-unavailable",
            PlaceError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PlaceError::Basket(error) => Some(error.pointer()),
            PlaceError::Customer(error) => Some(format!("/customer/{}", error.field())),
            PlaceError::Address(field) => Some(format!("/delivery/address/{field}")),
            PlaceError::Card { field, .. } => Some(format!("/payment/{field}")),
            PlaceError::PriceChanged { .. } => Some("/expectedTotal".into()),
            _ => None,
        }
    }
}

impl App {
    /// Places an order: checks it, freezes its prices and commits order, payment, idempotency key and flow start in one
    /// batch. Returns once that is durable.
    ///
    /// The same `key` with the same body answers the same again; it is kept for at least a day. Requests that were refused
    /// are not kept, as with Stripe: correct the body and use the same key.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing was placed.
    pub async fn place_order(&self, command: PlaceOrder, key: Option<&str>) -> Result<Placed, PlaceError> {
        let key = match key {
            Some(key) => {
                let key = IdempotencyKey::new(&self.secrets, "place", key, &command);
                Some(key.ok_or(PlaceError::Key)?)
            }
            None => None,
        };
        if let Some(placed) = self.replay(key.as_ref()).await? {
            return Ok(placed);
        }
        let menu = self.menu.load(&*self.store).await.map_err(StoreError::from)?;
        let order = Checked::new(command, |sku| menu.product(sku), self.settings.charges)?;
        let (method, card, token) = self.tokenise(order.payment).await.map_err(PlaceError::from)?;
        for _ in 0..MAX_TRIES {
            let now = self.now();
            let id = store::id::next();
            let expires_at = now + self.settings.payment_window_ms;
            let number = self.order_numbers.take(&*self.store).await?;
            let mut batch = Batch::new();
            let input = serde_json::json!({ "orderId": order::public_id(id) });
            let execution_id = batch.start_flow_telling(
                crate::ORDER_FLOW_NAME,
                &order::public_id(id),
                input,
                crate::ENDED_FLOWS_QUEUE,
            );
            batch.insert(
                NewOrder {
                    id,
                    number,
                    total: order.totals.total,
                    currency: self.settings.currency,
                    delivery: order.delivery,
                    execution_id,
                    customer: order.customer.as_ref(),
                    body: &order.body,
                    now,
                }
                .row(),
            );
            batch.insert(
                NewPayment {
                    order_id: id,
                    method,
                    card: card.clone(),
                    token: token.clone(),
                    totals: order.totals,
                    currency: self.settings.currency.code(),
                    expires_at,
                    provider: self.provider.name(),
                    // A Pix is taken when it is paid.
                    capture_on: if method == PIX { CaptureOn::Acceptance } else { self.settings.capture_on },
                }
                .row(),
            );
            if let Some(key) = &key {
                batch.insert(key.row(id, now));
            }
            match self.commit(batch).await {
                Ok(()) => {
                    let order = self.placed(id, number, order.totals.total, self.settings.currency, expires_at);
                    return Ok(Placed { order, replayed: false });
                }
                // The only row that another request can have written is the key's.
                Err(CommitError::Conflict { .. }) => {
                    if let Some(placed) = self.replay(key.as_ref()).await? {
                        return Ok(placed);
                    }
                }
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    fn placed(&self, id: i64, number: i64, total: i64, currency: Currency, expires_at: i64) -> PlacedOrder {
        let order_id = order::public_id(id);
        let tracking_token = self.tracking_token(&order_id);
        PlacedOrder {
            tracking_url: format!("/orders/{order_id}?t={tracking_token}"),
            order_id,
            number,
            status: OrderStatus::Checkout,
            total,
            currency,
            tracking_token,
            expires_at: Instant(expires_at),
        }
    }

    /// The answer that the same request under that key had before, if it had one.
    ///
    /// # Errors
    /// [`PlaceError::Key`] and [`PlaceError::KeyReused`] among them.
    pub async fn placed_before(&self, command: &PlaceOrder, key: &str) -> Result<Option<Placed>, PlaceError> {
        let key = IdempotencyKey::new(&self.secrets, "place", key, command).ok_or(PlaceError::Key)?;
        self.replay(Some(&key)).await
    }

    /// The answer that this key had before, once that answer is durable.
    async fn replay(&self, key: Option<&IdempotencyKey>) -> Result<Option<Placed>, PlaceError> {
        let Some(key) = key else { return Ok(None) };
        let id = match key.before(&*self.store).await? {
            Before::Fresh => return Ok(None),
            Before::Same(id) => id,
            Before::Other => return Err(PlaceError::KeyReused),
        };
        let order = Order::load(&*self.store, id).await.map_err(StoreError::from)?;
        let payment = Payment::load(&*self.store, id).await.map_err(StoreError::from)?;
        let (Some(order), Some(payment)) = (order, payment) else {
            return Ok(None);
        };
        // Out of the rows that were frozen then, not out of the settings of today.
        let order = self.placed(id, order.number(), order.total(), order.currency(), payment.expires_at);
        Ok(Some(Placed { order, replayed: true }))
    }

    /// Exchanges the way to pay: its name, the card's brand and last digits, the provider's token.
    pub(crate) async fn tokenise(
        &self,
        method: PaymentMethod,
    ) -> Result<(&'static str, Option<String>, Option<String>), ProviderError> {
        let checkout = self.provider.checkout();
        let wrong = |field, problem| Err(ProviderError::Card { field, problem });
        match method {
            PaymentMethod::Hosted {} => match checkout.hosted {
                Some(hosted) => Ok((hosted.method, None, None)),
                None => wrong("type", "this shop's provider has no page of its own; pay by card, by token or by Pix"),
            },
            PaymentMethod::Pix {} if !checkout.pix => {
                wrong("type", "this shop takes no Pix; see the catalogue's `checkout`")
            }
            PaymentMethod::Pix {} if self.settings.currency == Currency::BRL => Ok((PIX, None, None)),
            PaymentMethod::Pix {} => {
                Err(ProviderError::Card { field: "type", problem: "Pix pays in BRL only; pay by card" })
            }
            PaymentMethod::Token { token } if is_card_number(&token) => Err(ProviderError::Card {
                field: "token",
                problem: "the token is a card number; send it as a card, or exchange it with the provider",
            }),
            PaymentMethod::Token { .. } if !checkout.token => {
                wrong("type", "this shop takes no tokens; see the catalogue's `checkout`")
            }
            PaymentMethod::Token { token } if is_token(&token) => Ok(("card", None, Some(token))),
            PaymentMethod::Token { .. } => Err(ProviderError::Card {
                field: "token",
                problem: "the token must have 1 to 255 letters, digits, `_` and `-`",
            }),
            PaymentMethod::Card { number, exp_month, exp_year, cvc } => {
                let card = Card {
                    number: number.chars().filter(|c| !matches!(c, ' ' | '-')).collect(),
                    exp_month,
                    exp_year,
                    cvc,
                };
                let token = self.provider.tokenise(card).await?;
                let shown = format!("{} {}", token.brand, token.last4);
                Ok(("card", Some(shown), Some(token.id)))
            }
        }
    }
}

fn is_token(token: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=255).contains(&token.len()) && token.bytes().all(good)
}

impl From<ProviderError> for PlaceError {
    fn from(error: ProviderError) -> PlaceError {
        match error {
            ProviderError::Card { field, problem } => PlaceError::Card { field, problem },
            ProviderError::Unavailable | ProviderError::Invalid(_) | ProviderError::Elsewhere { .. } => {
                PlaceError::Provider
            }
        }
    }
}

/// A request that can be placed: frozen and added up.
struct Checked {
    customer: Option<Customer>,
    body: Body,
    totals: Totals,
    delivery: DeliveryKind,
    payment: PaymentMethod,
}

impl Checked {
    fn new<'c>(
        command: PlaceOrder,
        product: impl Fn(&str) -> Option<&'c Product>,
        charges: Charges,
    ) -> Result<Checked, PlaceError> {
        let customer = command.customer.map(Customer::checked).transpose()?;
        let lines = basket::freeze(&command.lines, product)?;
        if !basket::is_note(&command.note) {
            return Err(BasketError::Note { line: None }.into());
        }
        let (delivery, delivery_fee, address) = match command.delivery {
            DeliveryRequest::Pickup => (DeliveryKind::Pickup, 0, None),
            DeliveryRequest::Courier { address } => {
                address.check().map_err(PlaceError::Address)?;
                (DeliveryKind::Courier, charges.delivery_fee, Some(address))
            }
        };
        let totals = basket::total(&lines, Charges { delivery_fee, ..charges }, command.tip)?;
        match command.expected_total {
            Some(expected) if expected != totals.total => {
                Err(PlaceError::PriceChanged { total: totals.total, expected })
            }
            _ => Ok(Checked {
                customer,
                body: Body {
                    lines,
                    subtotal: totals.subtotal,
                    delivery_fee: totals.delivery_fee,
                    service_fee: totals.service_fee,
                    tip: totals.tip,
                    note: command.note,
                    address,
                },
                totals,
                delivery,
                payment: command.payment,
            }),
        }
    }
}
