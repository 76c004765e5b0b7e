//! Whether a payout is what it is made of.

use super::matching::{Finding, Reason};
use crate::App;
use crate::error::StoreError;
use crate::provider::{Movement, MovementKind, Movements, ProviderError};

/// How many pages of the lines of one payout are read. What has more is taken as the provider says it.
const MAX_PAGES: usize = 200;

impl App {
    /// Finds our record of a line; a payout is compared with its lines as well.
    pub(super) async fn find(&self, movement: &Movement) -> Result<Finding, StoreError> {
        let finding = self.find_record(movement).await?;
        if movement.kind != MovementKind::Payout || finding.reason.is_some() {
            return Ok(finding);
        }
        let Some(made_of) = self.made_of(movement).await? else { return Ok(finding) };
        let differs = made_of != -movement.amount;
        let reason = differs.then_some(Reason::PayoutDiffers);
        Ok(Finding { reason, ours: differs.then_some(-made_of), ..finding })
    }

    /// The sum of a payout's lines less their fees, in minor units; `None` where the provider does not tell them: not every
    /// payout has such a list (at Stripe, one that was made by hand has none).
    async fn made_of(&self, payout: &Movement) -> Result<Option<i64>, StoreError> {
        let Some(source) = payout.source.clone() else { return Ok(None) };
        let which = Movements::Payout(source);
        let (mut sum, mut lines, mut cursor) = (0_i64, 0, None);
        for _ in 0..MAX_PAGES {
            let page = match self.provider.movements(&which, cursor).await {
                Ok(page) => page,
                // Left to the next beat.
                Err(ProviderError::Unavailable) => {
                    return Err(StoreError::Unavailable(ProviderError::Unavailable.into()));
                }
                Err(_) => return Ok(None),
            };
            let is_own = |line: &&Movement| line.kind != MovementKind::Payout && line.currency == payout.currency;
            for line in page.items.iter().filter(is_own) {
                lines += 1;
                sum = sum.saturating_add(line.amount).saturating_sub(line.fee);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok((lines > 0).then_some(sum));
            }
        }
        tracing::warn!(pages = MAX_PAGES, "a payout has too many lines to be compared with them");
        Ok(None)
    }
}
