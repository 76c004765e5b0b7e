//! The counters of each product are what came less what orders hold.

use std::collections::BTreeMap;

use store::ReadError;

use super::{Pages, Run, difference};
use crate::records::stock::{ADJUSTMENTS, STOCK};

impl Run<'_> {
    pub(super) async fn stock(&mut self) -> Result<(), ReadError> {
        let mut received: BTreeMap<String, i64> = BTreeMap::new();
        let mut pages = Pages::open(&*self.view, &ADJUSTMENTS).await?;
        while let Some(row) = pages.next(self, "stock").await? {
            self.count("stock-adjustments");
            let sku = row.text("sku").unwrap_or_default().to_owned();
            *received.entry(sku).or_default() += row.int("delta").unwrap_or(0);
        }
        let mut pages = Pages::open(&*self.view, &STOCK).await?;
        while let Some(row) = pages.next(self, "stock").await? {
            let sku = row.key().text().unwrap_or_default().to_owned();
            self.count("products");
            let read = |column: &str| row.int(column).unwrap_or(0);
            let (available, reserved, sold) = (read("available"), read("reserved"), read("sold"));
            let (held, committed) = self.reserved.remove(&sku).unwrap_or_default();
            let came = received.remove(&sku).unwrap_or(0);
            if available < 0 || reserved < 0 {
                let detail = format!("available {available}, reserved {reserved}");
                self.differ(difference("negative-stock", sku.clone(), detail));
            }
            if reserved != held {
                let detail = format!("the counter says {reserved}, orders hold {held}");
                self.differ(difference("reserved-stock", sku.clone(), detail));
            }
            if sold != committed {
                let detail = format!("the counter says {sold}, orders took {committed}");
                self.differ(difference("sold-stock", sku.clone(), detail));
            }
            if came != available + reserved + sold {
                let detail = format!("{came} came, {available} + {reserved} + {sold} are accounted for");
                self.differ(difference("stock-balance", sku, detail));
            }
        }
        let held = std::mem::take(&mut self.reserved).into_keys();
        let came = received.into_iter().filter(|(_, units)| *units != 0).map(|(sku, _)| sku);
        for sku in held.chain(came) {
            let detail = "units move of a product without counters";
            self.differ(difference("stock-of-unknown-product", sku, detail));
        }
        Ok(())
    }
}
