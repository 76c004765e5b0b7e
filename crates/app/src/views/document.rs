//! Receipts and credit notes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// A credit note.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreditNoteSummary {
    /// Gapless.
    pub number: i64,
    /// `rfd_...`
    pub refund_id: String,
    /// `ord_...`
    pub order_id: String,
    /// The number of the receipt that it corrects; absent if the money went back before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<i64>,
    /// Minor units.
    pub amount: i64,
    /// When it was issued.
    pub issued_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// A page of credit notes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditNotePage {
    /// Newest first.
    pub items: Vec<CreditNoteSummary>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where to download a credit note.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreditNoteLink {
    /// Gapless.
    pub number: i64,
    /// `rfd_...`
    pub refund_id: String,
    /// The number of the receipt that it corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<i64>,
    /// Path and query, signed.
    pub url: String,
    /// Until when the link works.
    pub expires_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// That there is a receipt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptSummary {
    /// Gapless.
    pub number: i64,
    /// When it was issued.
    pub issued_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// Where to download a receipt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptLink {
    /// Gapless.
    pub number: i64,
    /// Path and query, signed.
    pub url: String,
    /// Until when the link works.
    pub expires_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}
