//! The `comanda` command.

mod config;
mod key;

fn main() {}
