//! The commands, one a file.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod cost;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod execution;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod ledger;
pub(crate) mod openapi;
pub(crate) mod order;
pub(crate) mod payment;
mod progress;
pub(crate) mod serve;
