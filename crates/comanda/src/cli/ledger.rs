//! `comanda ledger`: its part of the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Server;

/// Keep the books
#[derive(Debug, Args)]
pub(crate) struct Ledger {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List, open and close accounts
    #[command(subcommand)]
    Account(Account),
    /// Post an entry: `--debit assets:cash=25.90 --credit income:sales=25.90`
    Post(Post),
    /// Undo an entry
    Reverse {
        /// The entry, such as ent_01h…
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// When the undoing counts, as 2026-03-01T10:00:00-03:00 [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// List entries, or show one
    Entries {
        /// Only this entry
        id: Option<String>,
        /// Only those that touch this account
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// Show the daily statement of an account
    Statement {
        /// The account, such as assets:bank
        account: String,
        /// The first merchant day [default: the last]
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The last merchant day [default: today]
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        /// BRL, USD or EUR
        #[arg(long)]
        currency: Option<String>,
        /// Also the days on which nothing moved
        #[arg(long)]
        all: bool,
    },
    /// Show the balance of an account at an instant, or of all accounts for a period
    Balance {
        /// The account; without one, all
        account: Option<String>,
        /// The instant [default: now]
        #[arg(long, value_name = "TIME", requires = "account")]
        at: Option<String>,
        /// By when entries count, or by when they were accepted
        #[arg(long, value_parser = ["effective", "recorded"], default_value = "effective")]
        by: String,
        /// The first merchant day of all accounts' balances
        #[arg(long, value_name = "DATE", conflicts_with = "account")]
        from: Option<String>,
        /// The last one
        #[arg(long, value_name = "DATE", conflicts_with = "account")]
        to: Option<String>,
        /// BRL, USD or EUR
        #[arg(long, requires = "account")]
        currency: Option<String>,
    },
    /// Import a bank statement, CSV or OFX
    Import(Import),
    /// Write entries to standard output
    Export {
        /// How
        #[arg(long, value_parser = ["csv", "json", "hledger"], default_value = "csv")]
        format: String,
        /// The first merchant day
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The last merchant day
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
    },
    /// Seal every merchant day up to this one
    Close {
        /// The day, as 2026-03-01
        date: String,
    },
    /// Prove that entries, balances and sealed days agree
    Verify,
    /// Build the daily consolidation anew
    Rebuild,
    /// Show where the daily consolidation stands, stop it or let it go on
    Status {
        /// Stop it; entries are accepted all the same
        #[arg(long, conflicts_with = "resume")]
        stop: bool,
        /// Let it go on
        #[arg(long)]
        resume: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// List the chart of accounts
    List,
    /// Open an account
    Open {
        /// Its code, such as expenses:rent
        code: String,
        /// What people read
        name: String,
        /// The one currency that it takes
        #[arg(long)]
        currency: Option<String>,
    },
    /// Close an account
    Close {
        /// Its code
        code: String,
    },
    /// Open a closed account again
    Reopen {
        /// Its code
        code: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Post {
    /// What people read
    pub(crate) description: String,
    /// A debit, in whole units and cents: assets:cash=25.90
    #[arg(long, required = true, value_name = "ACCOUNT=AMOUNT")]
    pub(crate) debit: Vec<String>,
    /// A credit
    #[arg(long, required = true, value_name = "ACCOUNT=AMOUNT")]
    pub(crate) credit: Vec<String>,
    /// BRL, USD or EUR [default: the merchant's]
    #[arg(long)]
    pub(crate) currency: Option<String>,
    /// When it counts, as 2026-03-01T10:00:00-03:00 [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Something to find again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) metadata: Vec<String>,
    /// Repeating a key posts nothing again
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file
    pub(crate) file: PathBuf,
    /// csv or ofx [default: by the file's name]
    #[arg(long, value_parser = ["csv", "ofx"])]
    pub(crate) format: Option<String>,
    /// The account whose statement it is [default: assets:bank]
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// BRL, USD or EUR
    #[arg(long)]
    pub(crate) currency: Option<String>,
    /// Only say what would happen, and name every line that is rejected
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where deposits come from [default: income:unknown]
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) deposits: Option<String>,
    /// Where withdrawals go [default: expenses:unknown]
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) withdrawals: Option<String>,
    /// CSV: what separates columns
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    /// CSV: what separates cents
    #[arg(long, value_parser = ["point", "comma"])]
    pub(crate) decimal: Option<String>,
    /// CSV: the order of day and month
    #[arg(long, value_parser = ["dmy", "mdy"])]
    pub(crate) dates: Option<String>,
    /// CSV: the column of the date
    #[arg(long, value_name = "NAME")]
    pub(crate) date_column: Option<String>,
    /// CSV: the column of the amount
    #[arg(long, value_name = "NAME")]
    pub(crate) amount_column: Option<String>,
    /// CSV: the column of the text
    #[arg(long, value_name = "NAME")]
    pub(crate) description_column: Option<String>,
    /// CSV: the column of the bank's id
    #[arg(long, value_name = "NAME")]
    pub(crate) id_column: Option<String>,
}
