//! Products.

use domain::catalogue::Product;
use store::{Column, KeyShape, ReadError, Row, Table, Value};

use super::{damaged, json};

/// The products; the columns repeat what a person looks for, the body is the whole.
pub(crate) static PRODUCTS: Table = Table {
    name: "products",
    key: KeyShape::Text("sku"),
    columns: &[
        Column::int("revision"),
        Column::text("category"),
        Column::text("name"),
        Column::int("price"),
        Column::int("active"),
        Column::text("body"),
    ],
    indexes: &[],
};

/// The row of a product.
pub(crate) fn row(product: &Product, revision: i64) -> Row {
    let values = vec![
        Value::Int(revision),
        Value::from(product.category.as_str()),
        Value::from(product.name.as_str()),
        Value::Int(product.price),
        Value::Int(i64::from(product.active)),
        Value::from(json(product)),
    ];
    Row::new(&PRODUCTS, product.sku.as_str(), values)
}

/// The product of a row, and its revision.
pub(crate) fn from_row(row: &Row) -> Result<(Product, i64), ReadError> {
    let product = row.text("body").and_then(|text| serde_json::from_str(text).ok());
    let product = product.ok_or_else(|| damaged(row, "body"))?;
    Ok((product, row.int("revision").unwrap_or(0)))
}
