//! The provider's books: what it took and gave back for each order, over all its tries, is what we say.

use std::collections::BTreeSet;

use domain::refund::RefundStatus;
use store::{ReadError, Store};

use super::order::error_text;
use super::{Pages, Run, difference, unavailable};
use crate::FindError;
use crate::provider::{Intent, IntentStatus, PaymentProvider, ProviderError};
use crate::records::payment::PAYMENTS;
use crate::records::{Order, Payment, order};
use crate::refunds;
use crate::views::Difference;

impl Run<'_> {
    pub(super) async fn books(&mut self) -> Result<(), FindError> {
        let mut cursor = None;
        // What our payments say of the intents that they count with: less than all of it means that books are missing.
        let mut seen = 0;
        loop {
            let page = self.provider.books(cursor).await.map_err(unavailable)?;
            let Some(page) = page else { break };
            self.report.books_compared = true;
            for intent in page.items {
                self.count("provider-payments");
                self.report.money.provider_captured += intent.captured;
                self.report.money.provider_refunded += intent.refunded;
                let (captured, found) = compare(&*self.view, &intent).await?;
                seen += captured;
                // The books are newer than the snapshot: an order may be younger than it.
                match (found, order::private_id(&intent.order_id)) {
                    (Some(_), Some(id)) => self.suspect(id, Some(intent.id)),
                    (Some(found), None) => self.differ(found),
                    (None, _) => {}
                }
            }
            self.tell("provider-payments", 0.5);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let elsewhere: i64 = self.elsewhere.values().map(|(_, captured)| captured).sum();
        if self.report.books_compared && seen != self.report.money.captured - elsewhere {
            self.missing_books().await?;
        }
        self.not_compared();
        Ok(())
    }

    /// Names the providers whose books cannot be compared, because payments go through another one now.
    fn not_compared(&mut self) {
        for (provider, (payments, captured)) in std::mem::take(&mut self.elsewhere) {
            let detail =
                format!("the books of {payments} payments with {captured} taken are with `{provider}`: not compared");
            self.warn(difference("provider-not-checked", provider, detail));
        }
    }

    /// Money that we say was taken and that stands in no book.
    async fn missing_books(&mut self) -> Result<(), FindError> {
        let mut pages = Pages::open(&*self.view, &PAYMENTS).await?;
        while let Some(row) = pages.next(self, "provider-payments").await? {
            let Ok(payment) = Payment::from_row(row) else { continue };
            let own = payment.provider() == self.provider.name();
            if own && payment.captured > 0 && missing(&*self.provider, &payment).await?.is_some() {
                self.suspect(payment.order_id, None);
            }
        }
        Ok(())
    }
}

/// What is different between an order and the provider's books, asked for anew.
pub(super) async fn check(
    view: &dyn Store,
    provider: &dyn PaymentProvider,
    order_id: i64,
    intents: &BTreeSet<String>,
) -> Result<Vec<Difference>, FindError> {
    let mut found = Vec::new();
    let mut all = intents.clone();
    let payment = Payment::load(view, order_id).await.ok().flatten();
    if let Some(payment) = payment.filter(|payment| payment.provider() == provider.name()) {
        if payment.captured > 0 {
            found.extend(missing(provider, &payment).await?);
        }
        all.extend(payment.intent().map(str::to_owned));
    }
    for id in all {
        match provider.retrieve(&id).await {
            Ok(intent) => found.extend(compare(view, &intent).await?.1),
            Err(ProviderError::Unavailable) => return Err(unavailable(ProviderError::Unavailable)),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// One intent of the provider's books against our record: what we say was taken by it, and the difference.
async fn compare(view: &dyn Store, intent: &Intent) -> Result<(i64, Option<Difference>), ReadError> {
    let kept = intent.captured - intent.refunded;
    let held = intent.status == IntentStatus::Held;
    let stray = |code: &str| {
        let what = if held { "holds" } else { "keeps" };
        let detail = format!("the provider {what} {} of {}", if held { intent.amount } else { kept }, intent.id);
        (held || kept != 0).then(|| difference(code, intent.order_id.clone(), detail))
    };
    let records = match order::private_id(&intent.order_id) {
        Some(id) => match (Order::load(view, id).await, Payment::load(view, id).await) {
            (Ok(order), Ok(payment)) => order.zip(payment),
            // A row that cannot be read is named elsewhere.
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(order = intent.order_id, problem = error_text(&error), "an order cannot be compared");
                return Ok((0, None));
            }
        },
        None => None,
    };
    let Some((order, payment)) = records else {
        return Ok((0, stray("money-unknown-to-us")));
    };
    if payment.intent() != Some(intent.id.as_str()) {
        // While the order is under way an older try may be about to go back; one whose refund is under way goes back.
        let all = refunds::all(view, &payment).await.unwrap_or_default();
        let leaving = all.iter().any(|refund| {
            refund.status == RefundStatus::Pending && refund.intent() == intent.id && refund.amount == kept
        });
        let over = (order.status.is_final() || kept != 0) && !leaving;
        return Ok((0, stray("money-of-another-try").filter(|_| over)));
    }
    let ours = payment.captured - payment.refunded;
    // A refund under way is about to leave, or has left and we do not know it yet.
    let found = if !(ours - payment.refund_pending..=ours).contains(&kept) {
        let detail = format!(
            "we took {} and gave back {}, the provider {} and {}",
            payment.captured, payment.refunded, intent.captured, intent.refunded
        );
        Some(difference("money-against-provider", intent.order_id.clone(), detail))
    } else if held && order.status.is_final() {
        stray("hold-kept")
    } else {
        None
    };
    Ok((payment.captured, found))
}

async fn missing(provider: &dyn PaymentProvider, payment: &Payment) -> Result<Option<Difference>, FindError> {
    let found = match payment.intent() {
        Some(intent) => match provider.retrieve(intent).await {
            Ok(_) => true,
            Err(ProviderError::Unavailable) => return Err(unavailable(ProviderError::Unavailable)),
            Err(_) => false,
        },
        None => false,
    };
    let detail = || format!("we took {}, the provider knows of nothing", payment.captured);
    Ok((!found).then(|| difference("money-unknown-to-the-provider", order::public_id(payment.order_id), detail())))
}
