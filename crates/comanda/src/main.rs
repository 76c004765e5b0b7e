//! The `comanda` command.

fn main() {}
