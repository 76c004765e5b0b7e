//! Mails.

use domain::money::Locale;
use domain::notification::Notice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// A page of mails.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailPage {
    /// Newest orders first.
    pub items: Vec<MailView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A mail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailView {
    /// `mail_...`
    pub mail_id: String,
    /// About this order.
    pub order_id: String,
    /// What it tells.
    pub event: Notice,
    /// To whom.
    pub to: String,
    /// When it was written.
    pub at: Instant,
    /// In this language.
    pub locale: Locale,
    /// `kept`, `queued`, `sent` or `failed`.
    pub status: String,
    /// Subject.
    pub subject: String,
    /// Plain text; empty in lists.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// HTML; empty in lists.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub html: String,
}
