//! What is sold: products with options, extras and prices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::money::MAX_AMOUNT;

/// The most options, choices of one option, or extras of a product.
pub const MAX_VARIANTS: usize = 50;

/// The part of the menu a product stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// A main dish: sandwich, burger, portion.
    Snack,
    /// What goes with it.
    Side,
    /// Something to drink.
    Drink,
    /// Something sweet.
    Dessert,
}

impl Category {
    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Snack => "snack",
            Category::Side => "side",
            Category::Drink => "drink",
            Category::Dessert => "dessert",
        }
    }
}

/// A product. Amounts are minor units of the merchant's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Product {
    /// Lower-case letters, digits and hyphens, at most 64.
    pub sku: String,
    /// What the customer reads, at most 120 characters.
    pub name: String,
    /// Two lines about it, at most 500 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it stands in the menu.
    pub category: Category,
    /// Minor units.
    pub price: i64,
    /// What the customer chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<ProductOption>,
    /// What the customer may add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Extra>,
    /// Whether it can be ordered at all.
    #[serde(default = "yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

/// Something to choose, one of its choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProductOption {
    /// Its code, unique in the product.
    pub code: String,
    /// What the customer reads.
    pub name: String,
    /// Whether an order must choose.
    #[serde(default)]
    pub required: bool,
    /// What there is to choose from.
    pub choices: Vec<Choice>,
}

/// One choice of an option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// Its code, unique in the option.
    pub code: String,
    /// What the customer reads.
    pub name: String,
    /// What it adds to the unit price, in minor units.
    #[serde(default)]
    pub price: i64,
}

/// Something added to a product for a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extra {
    /// Its code, unique in the product.
    pub code: String,
    /// What the customer reads.
    pub name: String,
    /// What it adds to the unit price, in minor units.
    #[serde(default)]
    pub price: i64,
}

/// Why a product cannot stand in the catalogue: the place in it, and the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ProductError {
    /// A JSON pointer into the product.
    pub pointer: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Whether a text may be a code: lower-case letters, digits and hyphens, 1 to 64.
#[must_use]
pub fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl Product {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn check(&self) -> Result<(), ProductError> {
        code("/sku", &self.sku)?;
        name("/name", &self.name)?;
        if self.description.chars().count() > 500 {
            return wrong("/description", "is longer than 500 characters; shorten it");
        }
        price("/price", self.price)?;
        count("/options", self.options.len())?;
        count("/extras", self.extras.len())?;
        for (at, option) in self.options.iter().enumerate() {
            let here = format!("/options/{at}");
            code(&format!("{here}/code"), &option.code)?;
            name(&format!("{here}/name"), &option.name)?;
            count(&format!("{here}/choices"), option.choices.len())?;
            if option.choices.is_empty() {
                return wrong(&format!("{here}/choices"), "is empty; give at least one choice");
            }
            for (at, choice) in option.choices.iter().enumerate() {
                let here = format!("{here}/choices/{at}");
                code(&format!("{here}/code"), &choice.code)?;
                name(&format!("{here}/name"), &choice.name)?;
                price(&format!("{here}/price"), choice.price)?;
            }
            unique(&format!("{here}/choices"), option.choices.iter().map(|c| &c.code))?;
        }
        for (at, extra) in self.extras.iter().enumerate() {
            code(&format!("/extras/{at}/code"), &extra.code)?;
            name(&format!("/extras/{at}/name"), &extra.name)?;
            price(&format!("/extras/{at}/price"), extra.price)?;
        }
        unique("/options", self.options.iter().map(|o| &o.code))?;
        unique("/extras", self.extras.iter().map(|e| &e.code))
    }
}

fn wrong<T>(pointer: &str, problem: &str) -> Result<T, ProductError> {
    Err(ProductError { pointer: pointer.into(), problem: format!("`{pointer}` {problem}") })
}

fn code(pointer: &str, text: &str) -> Result<(), ProductError> {
    if is_code(text) {
        return Ok(());
    }
    wrong(pointer, "must be 1 to 64 lower-case letters, digits and hyphens")
}

fn name(pointer: &str, text: &str) -> Result<(), ProductError> {
    if !text.trim().is_empty() && text.chars().count() <= 120 {
        return Ok(());
    }
    wrong(pointer, "must have 1 to 120 characters")
}

fn price(pointer: &str, minor: i64) -> Result<(), ProductError> {
    if (0..=MAX_AMOUNT).contains(&minor) {
        return Ok(());
    }
    wrong(pointer, "must be between 0 and 1000000000 minor units")
}

fn count(pointer: &str, count: usize) -> Result<(), ProductError> {
    if count <= MAX_VARIANTS {
        return Ok(());
    }
    wrong(pointer, "has more than 50 entries; leave some out")
}

fn unique<'a>(pointer: &str, codes: impl Iterator<Item = &'a String>) -> Result<(), ProductError> {
    let mut seen = Vec::new();
    for code in codes {
        if seen.contains(&code) {
            return wrong(pointer, &format!("has the code `{code}` twice; codes are unique"));
        }
        seen.push(code);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_checked_field_by_field() {
        #[track_caller]
        fn check(change: impl FnOnce(&mut Product), pointer: Option<&str>) {
            let extra = |code: &str| Extra { code: code.into(), name: "Bacon".into(), price: 500 };
            let mut product = Product {
                sku: "xis-salada".into(),
                name: "Xis salada".into(),
                description: String::new(),
                category: Category::Snack,
                price: 2590,
                options: vec![ProductOption {
                    code: "ponto".into(),
                    name: "Ponto".into(),
                    required: true,
                    choices: vec![Choice { code: "mal-passado".into(), name: "Mal passado".into(), price: 0 }],
                }],
                extras: vec![extra("bacon"), extra("ovo")],
                active: true,
            };
            change(&mut product);
            assert_eq!(product.check().err().map(|e| e.pointer).as_deref(), pointer);
        }
        check(|_| {}, None);
        check(|p| p.sku = "Xis".into(), Some("/sku"));
        check(|p| p.sku = String::new(), Some("/sku"));
        check(|p| p.name = "  ".into(), Some("/name"));
        check(|p| p.price = -1, Some("/price"));
        check(|p| p.price = i64::MAX, Some("/price"));
        check(|p| p.extras[1].code = "bacon".into(), Some("/extras"));
        check(|p| p.extras[0].price = -5, Some("/extras/0/price"));
        check(|p| p.options[0].choices.clear(), Some("/options/0/choices"));
        check(|p| p.options[0].choices[0].code = "é".into(), Some("/options/0/choices/0/code"));
    }
}
