//! The application over the store in memory, its functions called step by step, without a runtime.

mod flows;
mod orders;
mod placing;
mod receipts;
mod shop;
mod webhooks;
