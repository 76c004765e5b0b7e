//! From what a customer asks for to frozen lines and totals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalogue::Product;
use crate::money::MAX_AMOUNT;
use crate::stock::MAX_QUANTITY;

/// The most lines of one order. Each distinct product is one item of the stock transaction.
pub const MAX_LINES: usize = 50;
/// The longest note on a line or an order, in characters.
pub const MAX_NOTE: usize = 280;

/// One line as the customer asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineRequest {
    /// The product.
    pub sku: String,
    /// 1 to 100.
    pub quantity: i64,
    /// Option code -> choice code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Codes of extras, each at most once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<String>,
    /// For the kitchen, at most 280 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// One line with everything frozen: later changes of the catalogue do not touch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The product.
    pub sku: String,
    /// Its name on that day.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// Base price, choices and extras, in minor units.
    pub unit_price: i64,
    /// What was chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Chosen>,
    /// What was added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Added>,
    /// `quantity` times `unitPrice`.
    pub total: i64,
    /// For the kitchen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A choice that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// The option's code.
    pub option: String,
    /// The choice's code.
    pub code: String,
    /// The choice's name on that day.
    pub name: String,
    /// What it added to the unit price, in minor units.
    pub price: i64,
}

/// An extra that was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    /// The extra's code.
    pub code: String,
    /// Its name on that day.
    pub name: String,
    /// What it added to the unit price, in minor units.
    pub price: i64,
}

/// What an order costs, in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The lines.
    pub subtotal: i64,
    /// The courier.
    pub delivery_fee: i64,
    /// For the service, a share of the lines.
    pub service_fee: i64,
    /// For the staff.
    pub tip: i64,
    /// All of it.
    pub total: i64,
}

/// What is charged besides the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charges {
    /// The courier, in minor units.
    pub delivery_fee: i64,
    /// The service, in hundredths of a per cent of the lines.
    pub service_basis_points: i64,
    /// The largest tip, in minor units.
    pub max_tip: i64,
}

/// The highest service fee, in hundredths of a per cent.
pub const MAX_SERVICE_BASIS_POINTS: i64 = 10_000;

impl Charges {
    /// The service fee on an amount, rounded half up.
    #[must_use]
    pub fn service_fee(&self, subtotal: i64) -> i64 {
        let share = i128::from(subtotal) * i128::from(self.service_basis_points);
        i64::try_from((share + 5_000) / 10_000).unwrap_or(i64::MAX)
    }
}

/// Why a basket cannot be ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BasketError {
    /// No line, or too many.
    #[error("an order has 1 to {MAX_LINES} lines")]
    Lines,
    /// No such product, or not for sale now.
    #[error("there is no product `{sku}` for sale; see the catalogue")]
    Product {
        /// Which line.
        line: usize,
        /// What was asked for.
        sku: String,
    },
    /// Outside 1 to 100.
    #[error("the quantity must be 1 to {MAX_QUANTITY}")]
    Quantity {
        /// Which line.
        line: usize,
    },
    /// A required option was not chosen.
    #[error("the option `{option}` must be chosen")]
    OptionMissing {
        /// Which line.
        line: usize,
        /// Which option.
        option: String,
    },
    /// The product has no such option or choice.
    #[error("the product has no choice `{choice}` for an option `{option}`")]
    Option {
        /// Which line.
        line: usize,
        /// Which option.
        option: String,
        /// Which choice.
        choice: String,
    },
    /// The product has no such extra, or it stands twice.
    #[error("the product has no extra `{extra}`, or it stands twice; order two lines for different extras")]
    Extra {
        /// Which line.
        line: usize,
        /// Which extra.
        extra: String,
    },
    /// Too long, or with control characters.
    #[error("a note has at most {MAX_NOTE} characters, none of them control characters")]
    Note {
        /// Which line; `None` for the note of the order.
        line: Option<usize>,
    },
    /// A tip below zero or beyond the limit.
    #[error("the tip must be between 0 and {0} minor units")]
    Tip(i64),
    /// Nothing to pay, or more than the limit.
    #[error("the total must be between 1 and {MAX_AMOUNT} minor units")]
    Total,
}

impl BasketError {
    /// Where in the order it is, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            BasketError::Lines | BasketError::Total => "/lines".into(),
            BasketError::Product { line, .. } => format!("/lines/{line}/sku"),
            BasketError::Quantity { line } => format!("/lines/{line}/quantity"),
            BasketError::OptionMissing { line, option } | BasketError::Option { line, option, .. } => {
                format!("/lines/{line}/options/{}", option.replace('~', "~0").replace('/', "~1"))
            }
            BasketError::Extra { line, .. } => format!("/lines/{line}/extras"),
            BasketError::Note { line: Some(line) } => format!("/lines/{line}/note"),
            BasketError::Note { line: None } => "/note".into(),
            BasketError::Tip(_) => "/tip".into(),
        }
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BasketError::Lines => "lines-out-of-range",
            BasketError::Product { .. } => "unknown-product",
            BasketError::Quantity { .. } => "quantity-out-of-range",
            BasketError::OptionMissing { .. } => "option-missing",
            BasketError::Option { .. } => "unknown-option",
            BasketError::Extra { .. } => "unknown-extra",
            BasketError::Note { .. } => "note-too-long",
            BasketError::Tip(_) => "tip-out-of-range",
            BasketError::Total => "total-out-of-range",
        }
    }
}

/// Whether a text may be a note.
#[must_use]
pub fn is_note(text: &str) -> bool {
    text.chars().count() <= MAX_NOTE && !text.chars().any(|c| c.is_control() && c != '\n')
}

/// Freezes the lines at the prices of the catalogue.
///
/// # Errors
/// The first line that cannot be ordered.
pub fn freeze<'c>(
    requests: &[LineRequest],
    product: impl Fn(&str) -> Option<&'c Product>,
) -> Result<Vec<Line>, BasketError> {
    if requests.is_empty() || requests.len() > MAX_LINES {
        return Err(BasketError::Lines);
    }
    requests
        .iter()
        .enumerate()
        .map(|(at, request)| {
            let product = product(&request.sku).filter(|product| product.active);
            let unknown = || BasketError::Product { line: at, sku: request.sku.chars().take(64).collect() };
            freeze_line(at, request, product.ok_or_else(unknown)?)
        })
        .collect()
}

fn freeze_line(at: usize, request: &LineRequest, product: &Product) -> Result<Line, BasketError> {
    if !(1..=MAX_QUANTITY).contains(&request.quantity) {
        return Err(BasketError::Quantity { line: at });
    }
    if !is_note(&request.note) {
        return Err(BasketError::Note { line: Some(at) });
    }
    let options = choose(at, request, product)?;
    let extras = add(at, request, product)?;
    let added = options.iter().map(|o| o.price).chain(extras.iter().map(|e| e.price));
    // At most 100 amounts of at most MAX_AMOUNT each: no overflow, and so for the quantity.
    let unit_price = product.price + added.sum::<i64>();
    let total = unit_price.checked_mul(request.quantity).filter(|t| *t <= MAX_AMOUNT);
    Ok(Line {
        sku: product.sku.clone(),
        name: product.name.clone(),
        quantity: request.quantity,
        unit_price,
        options,
        extras,
        total: total.ok_or(BasketError::Total)?,
        note: request.note.clone(),
    })
}

fn choose(at: usize, request: &LineRequest, product: &Product) -> Result<Vec<Chosen>, BasketError> {
    let known = |code: &String| product.options.iter().any(|option| option.code == *code);
    if let Some((option, choice)) = request.options.iter().find(|(code, _)| !known(code)) {
        return Err(BasketError::Option {
            line: at,
            option: option.chars().take(64).collect(),
            choice: choice.chars().take(64).collect(),
        });
    }
    let mut chosen = Vec::new();
    for option in &product.options {
        match request.options.get(&option.code) {
            None if option.required => {
                return Err(BasketError::OptionMissing { line: at, option: option.code.clone() });
            }
            None => {}
            Some(code) => {
                let choice = option.choices.iter().find(|choice| choice.code == *code);
                let choice = choice.ok_or_else(|| BasketError::Option {
                    line: at,
                    option: option.code.clone(),
                    choice: code.chars().take(64).collect(),
                })?;
                chosen.push(Chosen {
                    option: option.code.clone(),
                    code: choice.code.clone(),
                    name: choice.name.clone(),
                    price: choice.price,
                });
            }
        }
    }
    Ok(chosen)
}

fn add(at: usize, request: &LineRequest, product: &Product) -> Result<Vec<Added>, BasketError> {
    let mut added: Vec<Added> = Vec::new();
    for code in &request.extras {
        let extra = product.extras.iter().find(|extra| extra.code == *code);
        let twice = added.iter().any(|extra| extra.code == *code);
        let unknown = || BasketError::Extra { line: at, extra: code.chars().take(64).collect() };
        let extra = extra.filter(|_| !twice).ok_or_else(unknown)?;
        added.push(Added { code: extra.code.clone(), name: extra.name.clone(), price: extra.price });
    }
    Ok(added)
}

/// Adds up lines, fees and tip.
///
/// # Errors
/// [`BasketError::Tip`] or [`BasketError::Total`] outside their limits.
pub fn total(lines: &[Line], charges: Charges, tip: i64) -> Result<Totals, BasketError> {
    if !(0..=charges.max_tip).contains(&tip) {
        return Err(BasketError::Tip(charges.max_tip));
    }
    let delivery_fee = charges.delivery_fee;
    // At most 50 lines of at most MAX_AMOUNT each, and what a configuration may add to them: no overflow.
    let subtotal: i64 = lines.iter().map(|line| line.total).sum();
    let service_fee = charges.service_fee(subtotal);
    if [delivery_fee, service_fee, tip].iter().any(|part| !(0..=MAX_AMOUNT).contains(part)) {
        return Err(BasketError::Total);
    }
    let total = subtotal + delivery_fee + service_fee + tip;
    if !(1..=MAX_AMOUNT).contains(&total) {
        return Err(BasketError::Total);
    }
    Ok(Totals { subtotal, delivery_fee, service_fee, tip, total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Category, Choice, Extra, ProductOption};

    fn product() -> Product {
        let choice = |code: &str, price| Choice { code: code.into(), name: code.into(), price };
        let extra = |code: &str, price| Extra { code: code.into(), name: code.into(), price };
        let option =
            |code: &str, required, choices| ProductOption { code: code.into(), name: code.into(), required, choices };
        Product {
            sku: "xis".into(),
            name: "Xis".into(),
            description: String::new(),
            category: Category::Snack,
            price: 2000,
            options: vec![
                option("ponto", true, vec![choice("mal", 0), choice("bem", 0)]),
                option("tamanho", false, vec![choice("grande", 700)]),
            ],
            extras: vec![extra("bacon", 500), extra("ovo", 300)],
            active: true,
        }
    }

    fn request(quantity: i64, options: &[(&str, &str)], extras: &[&str]) -> LineRequest {
        LineRequest {
            sku: "xis".into(),
            quantity,
            options: options.iter().map(|(o, c)| ((*o).into(), (*c).into())).collect(),
            extras: extras.iter().map(|e| (*e).into()).collect(),
            note: String::new(),
        }
    }

    #[test]
    fn lines_freeze_at_the_catalogues_prices() {
        let product = product();
        #[track_caller]
        fn check(product: &Product, request: LineRequest, expected: Result<(i64, i64), (&str, &str)>) {
            let lines = freeze(&[request], |sku| (sku == product.sku).then_some(product));
            let found = lines.map(|lines| (lines[0].unit_price, lines[0].total));
            let found = found.map_err(|e| (e.code(), e.pointer()));
            assert_eq!(found, expected.map_err(|(code, pointer)| (code, pointer.to_owned())));
        }
        let ponto = ("ponto", "mal");
        check(&product, request(1, &[ponto], &[]), Ok((2000, 2000)));
        check(&product, request(2, &[ponto], &["bacon", "ovo"]), Ok((2800, 5600)));
        check(&product, request(3, &[ponto, ("tamanho", "grande")], &[]), Ok((2700, 8100)));
        check(&product, request(1, &[], &[]), Err(("option-missing", "/lines/0/options/ponto")));
        check(&product, request(1, &[("ponto", "cru")], &[]), Err(("unknown-option", "/lines/0/options/ponto")));
        check(&product, request(1, &[ponto, ("a/b", "c")], &[]), Err(("unknown-option", "/lines/0/options/a~1b")));
        check(&product, request(1, &[ponto], &["gold"]), Err(("unknown-extra", "/lines/0/extras")));
        check(&product, request(1, &[ponto], &["ovo", "ovo"]), Err(("unknown-extra", "/lines/0/extras")));
        for quantity in [0, -1, 101, i64::MAX, i64::MIN] {
            check(&product, request(quantity, &[ponto], &[]), Err(("quantity-out-of-range", "/lines/0/quantity")));
        }
        let mut dear = product.clone();
        dear.price = MAX_AMOUNT;
        check(&dear, request(2, &[ponto], &[]), Err(("total-out-of-range", "/lines")));
        let mut off = product.clone();
        off.active = false;
        check(&off, request(1, &[ponto], &[]), Err(("unknown-product", "/lines/0/sku")));
        let mut noted = request(1, &[ponto], &[]);
        noted.note = "x".repeat(281);
        check(&product, noted, Err(("note-too-long", "/lines/0/note")));
        assert_eq!(freeze(&[], |_| None), Err(BasketError::Lines));
    }

    #[test]
    fn totals_stay_within_limits() {
        let product = product();
        let lines = freeze(&[request(2, &[("ponto", "mal")], &[])], |_| Some(&product)).unwrap();
        #[track_caller]
        fn check(lines: &[Line], fees: [i64; 2], tip: i64, expected: Result<[i64; 2], BasketError>) {
            let [delivery_fee, service_basis_points] = fees;
            let charges = Charges { delivery_fee, service_basis_points, max_tip: 1_000 };
            assert_eq!(total(lines, charges, tip).map(|t| [t.service_fee, t.total]), expected);
        }
        check(&lines, [0, 0], 0, Ok([0, 4000]));
        check(&lines, [800, 0], 100, Ok([0, 4900]));
        check(&lines, [800, 1_000], 1_000, Ok([400, 6200]));
        check(&lines, [0, 1], 0, Ok([0, 4000]));
        check(&lines, [0, 2], 0, Ok([1, 4001]));
        check(&lines, [0, 0], -1, Err(BasketError::Tip(1_000)));
        check(&lines, [0, 0], 1_001, Err(BasketError::Tip(1_000)));
        check(&lines, [0, 0], i64::MAX, Err(BasketError::Tip(1_000)));
        check(&lines, [MAX_AMOUNT, 0], 0, Err(BasketError::Total));
        check(&lines, [0, i64::MAX], 0, Err(BasketError::Total));
        check(&[], [0, 1_000], 0, Err(BasketError::Total));
    }
}
