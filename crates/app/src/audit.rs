//! The audit: orders, payments, stock and receipts agree.
use crate::views::AuditReport;
use crate::{App, FindError};

impl App {
    /// Reads the whole store in pages and names every difference. Exact when nothing moves meanwhile.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn audit(&self) -> Result<AuditReport, FindError> {
        todo!()
    }
}
