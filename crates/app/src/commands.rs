//! What callers ask for: the bodies of the API.

use std::fmt;

use domain::basket::LineRequest;
use domain::customer::Customer;
use domain::delivery::{Address, CourierEvent};
use domain::dispute::DisputeStatus;
use domain::payment::PaymentStatus;
use domain::refund::{RefundLine, RefundReason, RefundStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Places an order. Amounts are minor units of the merchant's currency.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaceOrder {
    /// Absent for an anonymous order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// 1 to 50 lines.
    #[schema(min_items = 1, max_items = 50)]
    pub lines: Vec<LineRequest>,
    /// How it is paid.
    pub payment: PaymentMethod,
    /// How it reaches the customer.
    #[serde(default)]
    pub delivery: DeliveryRequest,
    /// For the staff, in minor units.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub tip: i64,
    /// For the kitchen, at most 280 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 280)]
    pub note: String,
    /// What the customer saw; the order is refused (`price-changed`) when the total differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_total: Option<i64>,
}

/// How an order is paid.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PaymentMethod {
    /// A card. The number goes to the provider and nowhere else.
    #[serde(rename_all = "camelCase")]
    Card {
        /// Digits; spaces and hyphens are fine.
        number: String,
        /// 1 to 12.
        #[schema(minimum = 1, maximum = 12)]
        exp_month: u8,
        /// Four digits.
        #[schema(minimum = 2000, maximum = 2100)]
        exp_year: u16,
        /// Three or four digits.
        cvc: String,
    },
    /// A card that the browser has exchanged with the provider already.
    #[serde(rename_all = "camelCase")]
    Token {
        /// The provider's token.
        token: String,
    },
    /// Pix: the answer carries a QR payload to pay by phone.
    Pix {},
    /// With the provider: in its form on the page (`clientSecret`), or on its own page (`actionUrl`). The catalogue's
    /// `checkout` tells whether this shop takes it.
    Hosted {},
}

impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PaymentMethod::Card { .. } => "Card(..)",
            PaymentMethod::Token { .. } => "Token(..)",
            PaymentMethod::Pix {} => "Pix",
            PaymentMethod::Hosted {} => "Hosted",
        })
    }
}

/// How an order reaches the customer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DeliveryRequest {
    /// The customer comes.
    #[default]
    Pickup,
    /// A courier goes.
    Courier {
        /// Where to.
        address: Address,
    },
}

/// Pays an order again after a refusal.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayOrder {
    /// How, this time.
    pub method: PaymentMethod,
}

/// Calls an order off.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelOrder {
    /// Shown in the order's timeline, at most 280 characters.
    #[schema(max_length = 280)]
    pub reason: String,
}

/// Says that a person has looked at an order that needed attention.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveOrder {
    /// What was done about it, for the order's timeline; at most 280 characters.
    #[schema(max_length = 280)]
    pub note: String,
}

/// Settles a difference between the provider's account and our records.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainDifference {
    /// The `id` of the difference.
    #[schema(max_length = 500)]
    pub id: String,
    /// Why it is right all the same; at most 280 characters.
    #[schema(max_length = 280)]
    pub reason: String,
    /// Who says so; at most 120 characters.
    #[schema(max_length = 120)]
    pub by: String,
    /// The entry that books it, `ent_...`: what it posts to the provider's account must be the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

/// Gives money back. Without an amount, what the lines cost; without lines, all that is left.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestRefund {
    /// Minor units; at most captured - refunded - pending - disputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub amount: Option<i64>,
    /// Why.
    pub reason: RefundReason,
    /// More about it, for the staff; at most 280 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 280)]
    pub note: String,
    /// Which units of which lines, and whether they go back to the shelf; empty for a refund of an amount only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub lines: Vec<RefundLine>,
}

/// Which payments to list, those of the newest orders first.
#[derive(Debug, Clone, Default)]
pub struct ListPayments {
    /// Only these.
    pub status: Option<PaymentStatus>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 by default.
    pub limit: Option<usize>,
}

/// Which disputes to list.
#[derive(Debug, Clone, Default)]
pub struct ListDisputes {
    /// Only these, the newest first; without it all, in the order of their ids.
    pub status: Option<DisputeStatus>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 by default.
    pub limit: Option<usize>,
}

/// Which refunds to list.
#[derive(Debug, Clone, Default)]
pub struct ListRefunds {
    /// Only these.
    pub status: Option<RefundStatus>,
    /// Only those that are not done and that no flow carries on, the latest first; the status is not looked at then.
    pub halted: bool,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 by default.
    pub limit: Option<usize>,
}

/// Which page of a list.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 by default.
    pub limit: Option<usize>,
}

/// Which orders to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ListOrders {
    /// Only these.
    pub status: Option<domain::order::OrderStatus>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 by default.
    pub limit: Option<usize>,
}

/// Which mails to list, newest orders first.
#[derive(Debug, Clone, Default)]
pub struct ListMails {
    /// Only to this address.
    pub to: Option<String>,
    /// Only of this order.
    pub order: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 by default.
    pub limit: Option<usize>,
}

/// Changes the stock of a product.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdjustStock {
    /// Units that come (positive) or go (negative); never more than are available.
    pub delta: i64,
    /// Why, at most 280 characters.
    #[schema(max_length = 280)]
    pub reason: String,
}

/// What the courier sends to the callback endpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CourierCallback {
    /// Unique; a repeated one changes nothing.
    pub id: String,
    /// Which delivery, `dlv_...`.
    pub delivery_id: String,
    /// What happened.
    pub event: CourierEvent,
    /// The courier's name for the customer to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub courier: Option<String>,
}

/// An order of the benchmark: two or more products, an id of the caller's or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BenchOrder {
    /// The customer.
    pub customer_id: String,
    /// At most 50.
    pub lines: Vec<BenchLine>,
}

/// A line of a benchmark order.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct BenchLine {
    /// 1 to the number of SKUs.
    pub sku: i64,
    /// At least 1.
    pub qty: i64,
}
