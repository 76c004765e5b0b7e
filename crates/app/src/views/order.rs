//! Orders, and how they go on.

use domain::Currency;
use domain::basket::Line;
use domain::customer::Customer;
use domain::delivery::{Address, DeliveryKind, DeliveryStatus};
use domain::order::{Action, OrderStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::document::ReceiptSummary;
use super::payment::PaymentView;
use crate::Instant;

/// The answer to a placed order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Always CHECKOUT: follow the order for more.
    pub status: OrderStatus,
    /// Minor units.
    pub total: i64,
    /// Of the total.
    pub currency: Currency,
    /// Where the customer follows the order, without host.
    pub tracking_url: String,
    /// Proves that the caller may see this order without signing in.
    pub tracking_token: String,
    /// Until when it must be paid.
    pub expires_at: Instant,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// Grows with every change; the ETag.
    pub revision: i64,
    /// When it was placed.
    pub placed_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// Absent for an anonymous order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// The frozen lines.
    pub lines: Vec<Line>,
    /// For the kitchen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Of the lines, in minor units.
    pub subtotal: i64,
    /// Of the courier.
    pub delivery_fee: i64,
    /// For the service.
    pub service_fee: i64,
    /// For the staff.
    pub tip: i64,
    /// What is charged.
    pub total: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// The payment.
    pub payment: PaymentView,
    /// The delivery.
    pub delivery: DeliveryView,
    /// Once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptSummary>,
    /// What happened so far, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// The workflow that carries the order.
    pub execution_id: String,
    /// What may be done with it now.
    pub actions: Vec<Action>,
    /// Set when a person has to look: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<String>,
    /// Set when cancelling was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
}

/// One step in the life of an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When.
    pub at: Instant,
    /// The status it reached.
    pub status: OrderStatus,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A delivery.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Pickup or courier.
    #[serde(rename = "type")]
    pub kind: DeliveryKind,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// `dlv_...`, once a courier was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<String>,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Who brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub courier: Option<String>,
}

/// A page of orders.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OrderPage {
    /// Newest first.
    pub items: Vec<OrderSummary>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An order in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// The ETag.
    pub revision: i64,
    /// When it was placed.
    pub placed_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// How the customer is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// How many units in all.
    pub items: i64,
    /// Minor units.
    pub total: i64,
    /// Of the total.
    pub currency: Currency,
    /// Pickup or courier.
    pub delivery: DeliveryKind,
    /// Set when a person has to look: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<String>,
}

/// What the kitchen sees: READY, then IN_PREPARATION, then RECEIVED, each oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KitchenList {
    /// At most 300.
    pub items: Vec<KitchenOrder>,
}

/// An order as the kitchen sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KitchenOrder {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// For If-Match.
    pub revision: i64,
    /// When it was placed.
    pub placed_at: Instant,
    /// How the customer is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// What to make.
    pub lines: Vec<Line>,
    /// For the kitchen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Pickup or courier.
    pub delivery: DeliveryKind,
    /// What may be done now.
    pub actions: Vec<Action>,
}

/// One change of one order, for those who follow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderChange {
    /// `ord_...`
    pub order_id: String,
    /// The order's status, when it changed; absent when the payment, the delivery or a detail did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    /// The order's revision, when the order itself changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}
