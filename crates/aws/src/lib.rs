//! Comanda on AWS: the store on DynamoDB, and what runs the functions on Lambda.
//!
//! Why no AWS SDK: one signed JSON call serves DynamoDB, SQS, Step Functions, KMS and Secrets Manager; see DESIGN.md.
//!
//! The mapping ([`layout`], [`item`], [`operation`]) and what makes effects happen once ([`step`], [`delivery`]) are always built;
//! what talks to AWS needs the feature `cloud`.

pub mod delivery;
pub mod item;
pub mod layout;
pub mod operation;
pub mod seal;
pub mod step;

#[cfg(feature = "cloud")]
pub mod client;
#[cfg(feature = "cloud")]
pub mod credentials;
#[cfg(feature = "cloud")]
pub mod documents;
#[cfg(feature = "cloud")]
mod dynamo;
#[cfg(feature = "cloud")]
pub mod keys;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "cloud")]
pub mod mail;
#[cfg(feature = "cloud")]
pub mod outbox;
#[cfg(feature = "cloud")]
pub mod queues;
#[cfg(feature = "cloud")]
pub mod trace;

#[cfg(feature = "cloud")]
pub use dynamo::{DynamoStore, definition};
