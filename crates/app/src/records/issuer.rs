//! Who issued receipts, as it was printed then: a receipt that has to be made again does not follow the settings of today.

use domain::receipt::Merchant;
use sha2::{Digest, Sha256};
use store::{Batch, Column, CommitError, KeyShape, ReadError, Row, Store, Table, Value};

use super::damaged;
use crate::error::StoreError;
use crate::receipts::TEMPLATE;

/// The issuers, one row for each that there ever was; the key is made of the rest. `template` is the version of the document.
pub(crate) static ISSUERS: Table = Table {
    name: "receipt_issuers",
    key: KeyShape::Int("id"),
    columns: &[Column::int("template"), Column::text("name"), Column::text("tax_id"), Column::text("address")],
    indexes: &[],
};

/// An issuer.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) id: i64,
    pub(crate) template: i64,
    pub(crate) merchant: Merchant,
}

impl Issuer {
    /// The issuer by the settings and the template of today.
    pub(crate) fn current(merchant: &Merchant) -> Issuer {
        let text = super::json(&(TEMPLATE, &merchant.name, &merchant.tax_id, &merchant.address));
        let hash = Sha256::digest(text);
        let first: [u8; 8] = std::array::from_fn(|at| hash.get(at).copied().unwrap_or(0));
        Issuer { id: i64::from_be_bytes(first) & i64::MAX, template: TEMPLATE, merchant: merchant.clone() }
    }

    pub(crate) async fn load(store: &dyn Store, id: i64) -> Result<Option<Issuer>, ReadError> {
        let Some(row) = store.get(&ISSUERS, &id.into()).await? else { return Ok(None) };
        let text = |column: &str| row.text(column).map(str::to_owned).ok_or_else(|| damaged(&row, column));
        Ok(Some(Issuer {
            id,
            template: row.int("template").ok_or_else(|| damaged(&row, "template"))?,
            merchant: Merchant { name: text("name")?, tax_id: text("tax_id")?, address: text("address")? },
        }))
    }

    /// Writes it down, unless it is there.
    pub(crate) async fn write(&self, store: &dyn Store) -> Result<(), StoreError> {
        if store.get(&ISSUERS, &self.id.into()).await?.is_some() {
            return Ok(());
        }
        let Merchant { name, tax_id, address } = &self.merchant;
        let values = vec![
            Value::Int(self.template),
            Value::from(name.as_str()),
            Value::from(tax_id.as_str()),
            Value::from(address.as_str()),
        ];
        let mut batch = Batch::new();
        batch.insert(Row::new(&ISSUERS, self.id, values));
        match store.commit(batch).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
