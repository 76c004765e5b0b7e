//! What is sold, and how much of it there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Moment};

use domain::Currency;
use domain::basket;
use domain::catalogue::{Product, ProductError, is_code};
use parking_lot::RwLock;
use store::{Add, Batch, CommitError, Op, Query, ReadError, Row, Store, Value};

use crate::commands::AdjustStock;
use crate::error::StoreError;
use crate::idempotency::{Before, IdempotencyKey};
use crate::provider::HostedForm;
use crate::records::product::{self, PRODUCTS};
use crate::records::stock::{ADJUSTMENTS, STOCK};
use crate::views::{CatalogueView, CheckoutForm, CheckoutView, ProductView, StockView};
use crate::{App, FindError, Kind, Problem};

/// The most products of a catalogue.
const MAX_PRODUCTS: usize = 10_000;
/// How old the products in memory may be where processes share the store.
const MENU_AGE: Duration = Duration::from_secs(30);
/// The largest change of stock at once.
const MAX_DELTA: i64 = 1_000_000_000;

/// The products in memory, so that an order costs no read for its prices.
///
/// Invariant: what it holds was durable when it was read. A write of the catalogue empties it once it is durable, whoever
/// wrote it and whether or not they still wait; a load that began before the write does not fill it again.
///
/// Where processes share the store, each hears only of its own writes; so it reads anew after [`MENU_AGE`].
pub(crate) struct Menu {
    loaded: RwLock<Option<(Moment, Arc<Products>)>>,
    writes: AtomicU64,
    shared: bool,
}

/// The products by SKU, each with its revision.
pub(crate) struct Products(BTreeMap<String, (Product, i64)>);

impl Products {
    pub(crate) fn product(&self, sku: &str) -> Option<&Product> {
        self.0.get(sku).map(|(product, _)| product)
    }
}

impl Menu {
    pub(crate) fn new(shared: bool) -> Menu {
        Menu { loaded: RwLock::default(), writes: AtomicU64::default(), shared }
    }

    pub(crate) async fn load(&self, store: &dyn Store) -> Result<Arc<Products>, ReadError> {
        if let Some((since, products)) = &*self.loaded.read()
            && (!self.shared || since.elapsed() < MENU_AGE)
        {
            return Ok(products.clone());
        }
        let writes = self.writes.load(Ordering::Acquire);
        let mut products = BTreeMap::new();
        let mut cursor = None;
        while products.len() < MAX_PRODUCTS {
            let page = store.query(Query::table(&PRODUCTS).limit(store::MAX_PAGE).after(cursor)).await?;
            for row in &page.rows {
                let (product, revision) = product::from_row(row)?;
                products.insert(product.sku.clone(), (product, revision));
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let products = Arc::new(Products(products));
        let mut loaded = self.loaded.write();
        if self.writes.load(Ordering::Acquire) == writes {
            *loaded = Some((Moment::now(), products.clone()));
        }
        Ok(products)
    }

    pub(crate) fn forget(&self) {
        let mut loaded = self.loaded.write();
        self.writes.fetch_add(1, Ordering::AcqRel);
        *loaded = None;
    }
}

/// Why a product was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// A field breaks a rule.
    #[error(transparent)]
    Invalid(#[from] ProductError),
    /// The body names another product than the path.
    #[error("the body's `sku` differs from the path's; make them equal")]
    OtherSku,
    /// It changed since it was read, or is there although it was to be new.
    #[error("the product changed since it was read; read it again and decide anew")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for PutError {
    fn kind(&self) -> Kind {
        match self {
            PutError::Invalid(_) | PutError::OtherSku => Kind::Invalid,
            PutError::Stale => Kind::Stale,
            PutError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PutError::Invalid(_) | PutError::OtherSku => "invalid-product",
            PutError::Stale => "stale-revision",
            PutError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PutError::Invalid(error) => Some(error.pointer.clone()),
            PutError::OtherSku => Some("/sku".into()),
            _ => None,
        }
    }
}

/// Stock that was changed.
#[derive(Debug, Clone, Copy)]
pub struct Adjusted {
    /// The stock now.
    pub stock: StockView,
    /// Whether the same request had changed it before.
    pub replayed: bool,
}

/// Why stock was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// There is no such product.
    #[error("there is no product `{0}`")]
    NotFound(String),
    /// Zero, or absurd.
    #[error("the delta must be between -1000000000 and 1000000000, and not 0")]
    Delta,
    /// Empty, too long, or with control characters.
    #[error("the reason must have 1 to 280 characters")]
    Reason,
    /// Longer than 255 characters, or empty.
    #[error("the idempotency key must have 1 to 255 visible ASCII characters")]
    Key,
    /// The key was used for another body.
    #[error("the idempotency key was used for another change; use a new key")]
    KeyReused,
    /// More than is available.
    #[error("only `{0}` units are available; take away at most that many")]
    Short(i64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for AdjustError {
    fn kind(&self) -> Kind {
        match self {
            AdjustError::NotFound(_) => Kind::NotFound,
            AdjustError::Delta | AdjustError::Reason | AdjustError::Key | AdjustError::KeyReused => Kind::Invalid,
            AdjustError::Short(_) => Kind::Conflict,
            AdjustError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            AdjustError::NotFound(_) => "not-found",
            AdjustError::Delta => "invalid-delta",
            AdjustError::Reason => "invalid-reason",
            AdjustError::Key => "invalid-idempotency-key",
            AdjustError::KeyReused => "idempotency-key-reused",
            AdjustError::Short(_) => "not-enough-stock",
            AdjustError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            AdjustError::Delta | AdjustError::Short(_) => Some("/delta".into()),
            AdjustError::Reason => Some("/reason".into()),
            _ => None,
        }
    }
}

impl App {
    /// The form that the provider shows on the page, if it shows one.
    #[must_use]
    pub fn hosted_form(&self) -> Option<HostedForm> {
        self.provider.checkout().hosted?.form
    }

    fn checkout_view(&self) -> CheckoutView {
        let checkout = self.provider.checkout();
        let pix = checkout.pix && self.settings.currency == Currency::BRL;
        let all =
            [("card", checkout.card), ("token", checkout.token), ("pix", pix), ("hosted", checkout.hosted.is_some())];
        let form = checkout.hosted.and_then(|hosted| hosted.form);
        CheckoutView {
            provider: self.provider.name().to_owned(),
            types: all.into_iter().filter(|(_, taken)| *taken).map(|(name, _)| name.to_owned()).collect(),
            form: form.map(|form| CheckoutForm { script: form.script, publishable_key: form.publishable_key }),
        }
    }

    /// Everything that is sold, with its stock.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn catalogue(&self) -> Result<CatalogueView, FindError> {
        let menu = self.menu.load(&*self.store).await?;
        let mut products = Vec::with_capacity(menu.0.len());
        for (product, revision) in menu.0.values() {
            products.push(self.product_view(product.clone(), *revision).await?);
        }
        products.sort_by(|a, b| {
            let order = |view: &ProductView| (view.product.category as u8, view.product.name.clone());
            order(a).cmp(&order(b))
        });
        Ok(CatalogueView {
            currency: self.settings.currency,
            merchant: self.settings.merchant.name.clone(),
            delivery_fee: self.settings.charges.delivery_fee,
            service_fee_basis_points: self.settings.charges.service_basis_points,
            max_tip: self.settings.charges.max_tip,
            checkout: self.checkout_view(),
            products,
        })
    }

    /// One product.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn product(&self, sku: &str) -> Result<ProductView, FindError> {
        let not_found = || FindError::not_found("product", sku);
        if !is_code(sku) {
            return Err(not_found());
        }
        let row = self.store.get(&PRODUCTS, &sku.into()).await?.ok_or_else(not_found)?;
        let (product, revision) = product::from_row(&row)?;
        Ok(self.product_view(product, revision).await?)
    }

    async fn product_view(&self, product: Product, revision: i64) -> Result<ProductView, ReadError> {
        let stock = self.store.get(&STOCK, &product.sku.as_str().into()).await?;
        Ok(ProductView { product, revision, stock: stock_view(stock.as_ref()) })
    }

    /// Writes a product: a new one without `revision`, a known one only at that revision. Orders placed before keep their
    /// prices. Returns once that is durable.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn put_product(
        &self,
        sku: &str,
        product: Product,
        revision: Option<i64>,
    ) -> Result<ProductView, PutError> {
        if product.sku != sku {
            return Err(PutError::OtherSku);
        }
        product.check()?;
        let mut batch = Batch::new();
        let next = revision.unwrap_or(0) + 1;
        let row = product::row(&product, next);
        match revision {
            None => {
                batch.insert(row);
                batch.insert(Row::new(&STOCK, sku, stock_values(0)));
            }
            Some(revision) => {
                let columns = PRODUCTS.columns.iter().map(|column| column.name);
                let set = columns.zip(row.values().iter().cloned()).collect();
                batch.update(&PRODUCTS, sku, set, Some(("revision", Value::Int(revision))));
            }
        }
        match self.commit(batch).await {
            Ok(()) => {}
            Err(CommitError::Conflict { .. }) => return Err(PutError::Stale),
            Err(error) => return Err(StoreError::from(error).into()),
        }
        self.menu.forget();
        let view = self.product_view(product, next).await;
        Ok(view.map_err(StoreError::from)?)
    }

    /// Adds or takes away stock. Returns once that is durable. The same `key` with the same body changes nothing a second
    /// time, and answers the stock as it is then.
    ///
    /// # Errors
    /// [`AdjustError`].
    pub async fn adjust_stock(
        &self,
        sku: &str,
        command: AdjustStock,
        key: Option<&str>,
    ) -> Result<Adjusted, AdjustError> {
        let reason = command.reason.trim();
        if reason.is_empty() || !basket::is_note(reason) {
            return Err(AdjustError::Reason);
        }
        if command.delta == 0 || command.delta.unsigned_abs() > MAX_DELTA.unsigned_abs() {
            return Err(AdjustError::Delta);
        }
        let not_found = || AdjustError::NotFound(sku.chars().take(64).collect());
        if !is_code(sku) {
            return Err(not_found());
        }
        let key = match key {
            Some(key) => {
                let key = IdempotencyKey::new(&self.secrets, "stock", key, &(sku, &command));
                Some(key.ok_or(AdjustError::Key)?)
            }
            None => None,
        };
        if self.was_adjusted(key.as_ref()).await? {
            return self.adjusted(sku, true).await;
        }
        let mut batch = Batch::new();
        batch.push(Op::Add(Add {
            table: &STOCK,
            key: sku.into(),
            amounts: vec![("available", command.delta)],
            floor: 0,
        }));
        let now = self.now();
        let adjustment = adjustment(sku, command.delta, now, reason);
        if let Some(key) = &key {
            batch.insert(key.row(adjustment.key().int().unwrap_or(0), now));
        }
        batch.insert(adjustment);
        match self.commit(batch).await {
            Ok(()) => self.adjusted(sku, false).await,
            // The product is not there, or its twin under the same key was faster.
            Err(CommitError::Conflict { .. }) => match self.was_adjusted(key.as_ref()).await? {
                true => self.adjusted(sku, true).await,
                false => Err(not_found()),
            },
            Err(CommitError::BelowFloor { .. }) => {
                let adjusted = self.adjusted(sku, false).await?;
                Err(AdjustError::Short(adjusted.stock.available))
            }
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    /// Whether the same change was made under that key.
    async fn was_adjusted(&self, key: Option<&IdempotencyKey>) -> Result<bool, AdjustError> {
        let Some(key) = key else { return Ok(false) };
        match key.before(&*self.store).await? {
            Before::Fresh => Ok(false),
            Before::Same(_) => Ok(true),
            Before::Other => Err(AdjustError::KeyReused),
        }
    }

    async fn adjusted(&self, sku: &str, replayed: bool) -> Result<Adjusted, AdjustError> {
        let stock = self.store.get(&STOCK, &sku.into()).await.map_err(StoreError::from)?;
        Ok(Adjusted { stock: stock_view(stock.as_ref()), replayed })
    }

    /// Fills an empty catalogue with the sample; answers how many products came. A catalogue with products stays as it is.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn seed_catalogue(&self) -> Result<usize, PutError> {
        let there = self.store.query(Query::table(&PRODUCTS).limit(1)).await;
        if !there.map_err(StoreError::from)?.rows.is_empty() {
            return Ok(0);
        }
        let sample: Vec<Sample> = serde_json::from_str(SAMPLE).map_err(|error| StoreError::Internal(error.into()))?;
        // One batch: a crash leaves either no product or all of them.
        let mut batch = Batch::new();
        for Sample { product, stock } in &sample {
            let sku = product.sku.as_str();
            batch.insert(product::row(product, 1));
            batch.insert(Row::new(&STOCK, sku, stock_values(*stock)));
            batch.insert(adjustment(sku, *stock, self.now(), "sample catalogue"));
        }
        match self.commit(batch).await {
            Ok(()) => {
                self.menu.forget();
                Ok(sample.len())
            }
            Err(CommitError::Conflict { .. }) => Ok(0),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }
}

/// The columns of [`STOCK`] for a product that nobody has ordered.
fn stock_values(available: i64) -> Vec<Value> {
    vec![Value::Int(available), Value::Int(0), Value::Int(0)]
}

fn adjustment(sku: &str, delta: i64, now_ms: i64, reason: &str) -> Row {
    let values = vec![Value::from(sku), Value::Int(delta), Value::Int(now_ms), Value::from(reason)];
    Row::new(&ADJUSTMENTS, store::id::next(), values)
}

/// The sample catalogue: what a lancheria in Porto Alegre sells.
const SAMPLE: &str = include_str!("../catalogue.json");

#[derive(serde::Deserialize)]
struct Sample {
    product: Product,
    stock: i64,
}

fn stock_view(row: Option<&Row>) -> StockView {
    let read = |column: &str| row.and_then(|row| row.int(column)).unwrap_or(0);
    StockView {
        on_hand: read("available") + read("reserved"),
        reserved: read("reserved"),
        available: read("available"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_catalogue_is_sound() {
        let sample: Vec<Sample> = serde_json::from_str(SAMPLE).unwrap();
        assert!(sample.len() >= 12);
        for Sample { product, stock } in &sample {
            assert_eq!(product.check(), Ok(()), "{}", product.sku);
            assert!(*stock > 0);
        }
    }
}
