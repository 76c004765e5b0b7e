//! Stock counters, what orders hold of them, and what people changed.

use std::collections::BTreeMap;

use domain::stock::{self, Move, Needs, ReservationStatus};
use store::{Add, Batch, Column, KeyShape, Op, ReadError, Row, Store, Table, Value};

use super::{damaged, json};

/// The counters of each product. Units on hand are `available` + `reserved`; `available` never falls below zero.
///
/// Invariant: the sum of a product's adjustments is `available` + `reserved` + `sold`.
pub(crate) static STOCK: Table = Table {
    name: "stock",
    key: KeyShape::Text("sku"),
    columns: &[Column::int("available"), Column::int("reserved"), Column::int("sold")],
    indexes: &[],
};

/// What an order holds or has bought; the key is the order's id. Units that a refund put back on the shelf are no longer
/// among its `units`.
pub(crate) static RESERVATIONS: Table = Table {
    name: "reservations",
    key: KeyShape::Int("order_id"),
    columns: &[Column::text("status"), Column::int("revision"), Column::int("expires_at"), Column::text("units")],
    indexes: &[],
};

/// Units that came or went by a person's hand.
pub(crate) static ADJUSTMENTS: Table = Table {
    name: "stock_adjustments",
    key: KeyShape::Int("id"),
    columns: &[Column::text("sku"), Column::int("delta"), Column::int("at"), Column::text("reason")],
    indexes: &[],
};

/// A new reservation.
pub(crate) fn new_reservation(order_id: i64, needs: &Needs, expires_at: i64) -> Row {
    let status = Value::from(ReservationStatus::Held.as_str());
    let values = vec![status, Value::Int(1), Value::Int(expires_at), Value::from(json(needs))];
    Row::new(&RESERVATIONS, order_id, values)
}

/// What an order holds.
pub(crate) struct Reservation {
    pub(crate) order_id: i64,
    pub(crate) status: ReservationStatus,
    revision: i64,
    /// Until when it is set apart; the audit finds what is set apart for longer.
    pub(crate) expires_at: i64,
    pub(crate) needs: Needs,
}

impl Reservation {
    pub(crate) async fn load(store: &dyn Store, order_id: i64) -> Result<Option<Reservation>, ReadError> {
        let row = store.get(&RESERVATIONS, &order_id.into()).await?;
        row.as_ref().map(Reservation::from_row).transpose()
    }

    pub(crate) fn from_row(row: &Row) -> Result<Reservation, ReadError> {
        let status = row.text("status").and_then(ReservationStatus::from_name);
        let needs: Option<BTreeMap<String, i64>> = row.text("units").and_then(|text| serde_json::from_str(text).ok());
        Ok(Reservation {
            order_id: row.key().int().ok_or_else(|| damaged(row, "order_id"))?,
            status: status.ok_or_else(|| damaged(row, "status"))?,
            revision: row.int("revision").ok_or_else(|| damaged(row, "revision"))?,
            expires_at: row.int("expires_at").ok_or_else(|| damaged(row, "expires_at"))?,
            needs: needs.ok_or_else(|| damaged(row, "units"))?,
        })
    }

    /// Moves the counters and the reservation, if nobody else changed it.
    pub(crate) fn become_status(&self, next: ReservationStatus, unit: Move, batch: &mut Batch) {
        move_units(&self.needs, unit, batch);
        self.update(vec![("status", Value::from(next.as_str()))], batch);
    }

    /// Sets the units of a reservation that was given back apart once more, until that time.
    pub(crate) fn reserve_again(&self, expires_at: i64, batch: &mut Batch) {
        move_units(&self.needs, stock::RESERVE, batch);
        let status = Value::from(ReservationStatus::Held.as_str());
        self.update(vec![("status", status), ("expires_at", Value::Int(expires_at))], batch);
    }

    /// Puts sold units back on the shelf; what the order does not hold any more is left out.
    pub(crate) fn restock(&self, back: &Needs, batch: &mut Batch) {
        let (left, moved) = stock::take_out(&self.needs, back);
        if self.status == ReservationStatus::Committed && !moved.is_empty() {
            move_units(&moved, stock::RESTOCK, batch);
            self.update(vec![("units", Value::from(json(&left)))], batch);
        }
    }

    fn update(&self, mut set: Vec<(&'static str, Value)>, batch: &mut Batch) {
        set.push(("revision", Value::Int(self.revision + 1)));
        let when = Some(("revision", Value::Int(self.revision)));
        batch.update(&RESERVATIONS, self.order_id, set, when);
    }
}

/// Moves each product's units between its counters; none may fall below zero.
pub(crate) fn move_units(needs: &Needs, unit: Move, batch: &mut Batch) {
    let counters = [("available", unit.available), ("reserved", unit.reserved), ("sold", unit.sold)];
    for (sku, quantity) in needs {
        let amounts = counters.iter().filter(|(_, sign)| *sign != 0);
        batch.push(Op::Add(Add {
            table: &STOCK,
            key: sku.as_str().into(),
            amounts: amounts.map(|(column, sign)| (*column, sign * quantity)).collect(),
            floor: 0,
        }));
    }
}

/// The products of which less is available than needed.
pub(crate) async fn short(store: &dyn Store, needs: &Needs) -> Result<Vec<String>, ReadError> {
    let mut available = BTreeMap::new();
    for sku in needs.keys() {
        let row = store.get(&STOCK, &sku.as_str().into()).await?;
        available.insert(sku.as_str(), row.and_then(|row| row.int("available")).unwrap_or(0));
    }
    let short = domain::stock::short(needs, |sku| available.get(sku).copied().unwrap_or(0));
    Ok(short.into_iter().map(str::to_owned).collect())
}
