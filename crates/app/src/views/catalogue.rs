//! Products and their stock.

use domain::Currency;
use domain::catalogue::Product;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything that is sold.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueView {
    /// Of all prices.
    pub currency: Currency,
    /// The merchant's name.
    pub merchant: String,
    /// What a courier costs, in minor units.
    pub delivery_fee: i64,
    /// What the service costs, in hundredths of a per cent of the lines, rounded half up.
    pub service_fee_basis_points: i64,
    /// The largest tip, in minor units.
    pub max_tip: i64,
    /// How it can be paid.
    pub checkout: CheckoutView,
    /// By category, then name.
    pub products: Vec<ProductView>,
}

/// How orders can be paid.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutView {
    /// Who takes the money, as `stripe`.
    pub provider: String,
    /// The types of `payment` that can be sent: `card`, `token`, `pix`, `hosted`.
    pub types: Vec<String>,
    /// The provider's form for `hosted`; without it the customer goes to the payment's `actionUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<CheckoutForm>,
}

/// A form that the provider shows on the page, given a payment's `clientSecret`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutForm {
    /// The address of the script that shows it.
    pub script: String,
    /// The key that the script is given; everybody may see it.
    pub publishable_key: String,
}

/// A product with its stock.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// For If-Match.
    pub revision: i64,
    /// Its stock.
    pub stock: StockView,
}

/// The counters of a product.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// Available and reserved.
    pub on_hand: i64,
    /// Set apart for orders that are not paid yet.
    pub reserved: i64,
    /// What can still be ordered.
    pub available: i64,
}
