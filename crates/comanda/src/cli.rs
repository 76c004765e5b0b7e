//! The command line.

pub(crate) mod ledger;

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand};

use crate::config::{Duration, Flags};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
  3  there is no such thing
  4  refused: the server, a check or an audit says no
  5  the server or the store cannot be reached or used now";

/// Comanda takes orders from checkout to delivery, and their money, as durable workflows.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration file [default: comanda.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a configuration key; `comanda config` lists them
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// The data folder
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// What to log: a level or a filter
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// Answers for programs: JSON, one value a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Global {
    /// What these flags say about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        let set = self.set.iter().map(|(key, value)| (key.clone(), value.clone(), "--set".into()));
        let data = self.data.iter().map(|data| ("data".into(), data.display().to_string(), "--data".into()));
        let log = self.log.iter().map(|log| ("log".into(), log.clone(), "--log".into()));
        Flags { file: self.config.clone(), values: set.chain(data).chain(log).collect() }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, for example order.payment_deadline=5m")?;
    Ok((key.trim().into(), value.into()))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Watch simulated customers order from a server of their own
    Demo(Demo),
    /// Place, follow, pay and cancel orders
    #[command(subcommand)]
    Order(Order),
    /// Refund, void and reconcile payments
    #[command(subcommand)]
    Payment(Payment),
    /// Work with flow files
    #[command(subcommand)]
    Flow(Flow),
    /// Keep the books: entries, statements, closing days
    Ledger(ledger::Ledger),
    /// Prove that orders, payments, refunds, ledger, stock, receipts, credit notes and the provider agree
    Audit(Audit),
    /// Show the messages that nobody could handle, and put them back
    DeadLetters(DeadLetters),
    /// Look at executions of flows, stop them, let failed ones go on
    #[command(subcommand)]
    Execution(Execution),
    /// Copy the store to a file, also while the server runs
    Backup {
        /// The copy; it must not exist
        file: PathBuf,
    },
    /// Measure complete orders per second against a server of its own, or the engine alone
    Bench(Bench),
    /// Print what a benchmark left in the data folder
    #[command(hide = true)]
    BenchVerify(Audit),
    /// Estimate what an installation on AWS costs
    Cost(Cost),
    /// Ask a server whether it can take orders; the exit code is the answer
    Health(Server),
    /// Show the configuration in force, and where each value came from
    Config,
    /// Print the OpenAPI document
    Openapi,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Put the sample catalogue into an empty store
    #[arg(long)]
    pub(crate) sample: bool,
    /// Serve the routes and the flow of the benchmark in bench/
    #[arg(long)]
    pub(crate) bench: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How long customers come
    #[arg(long = "for", value_name = "TIME", default_value = "20s")]
    pub(crate) time: Duration,
    /// Orders per second
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rate: u32,
    /// Replays the same customers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keep serving afterwards, until interrupted
    #[arg(long)]
    pub(crate) stay: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The server's address [default: the `listen` of the configuration]
    #[arg(long, env = "COMANDA_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
}

/// A server, or an installation on AWS.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The server's address [default: the `listen` of the configuration]
    #[arg(long, env = "COMANDA_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// An installation on AWS, by its table, such as dynamodb:comanda-prod-Table-1ABC
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "dynamodb:TABLE", conflicts_with = "server")]
    pub(crate) store: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Execution {
    /// List executions, newest first
    List {
        /// Only those of this flow, such as order
        #[arg(long)]
        flow: Option<String>,
        /// Only those that are RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED
        #[arg(long)]
        status: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        at: At,
    },
    /// Show an execution
    Show {
        /// Its name or ARN, the `executionId` of an order, or the order
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Show the events of an execution
    History {
        /// Its name or ARN
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Stop an execution; the order that it carried then waits for a person
    Stop {
        /// Its name or ARN
        id: String,
        /// The error it ends with
        #[arg(long, default_value = "Stopped")]
        error: String,
        /// Why
        #[arg(long, default_value = "stopped by hand")]
        cause: String,
        #[command(flatten)]
        at: At,
    },
    /// Let an execution that failed go on from the state that failed
    Redrive {
        /// Its name or ARN
        id: String,
        #[command(flatten)]
        at: At,
    },
}

/// Whose messages, and of which queue.
#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(flatten)]
    pub(crate) at: At,
    /// The queue [default: all that there are]
    pub(crate) queue: Option<String>,
    /// Put them back into the queue
    #[arg(long, requires = "queue")]
    pub(crate) redrive: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Place an order
    Place(Place),
    /// Show an order
    Show {
        /// The order, such as ord_01h…
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Watch an order until it reaches its end
    Follow {
        /// The order
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Pay an order, or pay again after a refusal
    Pay {
        /// The order
        id: String,
        /// The card's number, or `pix`
        #[arg(long, value_name = "CARD|pix", default_value = "4242424242424242")]
        method: String,
        #[command(flatten)]
        server: Server,
    },
    /// Cancel an order
    Cancel {
        /// The order
        id: String,
        /// Why
        #[arg(long, default_value = "cancelled at the counter")]
        reason: String,
        #[command(flatten)]
        server: Server,
    },
    /// List orders, newest first
    List {
        /// Only those in this status
        #[arg(long)]
        status: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// What to order, such as guarana=2 or xis-salada,ponto=ao-ponto,+bacon
    #[arg(required = true, value_name = "SKU[=QUANTITY][,OPTION=CHOICE][,+EXTRA]")]
    pub(crate) lines: Vec<String>,
    /// The customer's name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where the mails go
    #[arg(long, requires = "name")]
    pub(crate) email: Option<String>,
    /// The card's number, or `pix`
    #[arg(long, value_name = "CARD|pix", default_value = "4242424242424242")]
    pub(crate) pay: String,
    /// Deliver to the sample address instead of pick-up
    #[arg(long)]
    pub(crate) courier: bool,
    /// Repeating a key repeats no order
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Watch it until it reaches its end
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Payment {
    /// List payments, those of the newest orders first
    List {
        /// Only those in this status, such as AUTHORIZED
        #[arg(long)]
        status: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        server: Server,
    },
    /// Show the payment of an order: what it is made of, what was taken, what can still go back
    Show {
        /// The order
        order: String,
        #[command(flatten)]
        server: Server,
    },
    /// Take what is held for an order that the shop works on, before its flow does
    Capture {
        /// The order
        order: String,
        #[command(flatten)]
        server: Server,
    },
    /// Give money back: an amount, units of lines, or all that is left
    Refund(Refund),
    /// List refunds: of one order, or the newest
    Refunds {
        /// The order
        order: Option<String>,
        /// Only those that are PENDING, SUCCEEDED or FAILED
        #[arg(long, conflicts_with = "order")]
        status: Option<String>,
        /// Only those that are not done and that no flow carries on: try them again
        #[arg(long, conflicts_with_all = ["order", "status"])]
        halted: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Try a refund again that failed, or whose flow gave up before it was done
    Retry {
        /// The refund, such as rfd_01h…-1
        refund: String,
        #[command(flatten)]
        server: Server,
    },
    /// Call off what is held for an order that is over
    Void {
        /// The order
        order: String,
        /// The provider's payment, if it is one of an earlier try that the order does not count with
        #[arg(long, value_name = "PAYMENT")]
        intent: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// List disputes: the customers' banks ask for money back
    Disputes {
        /// Only those in this status: INQUIRY, OPEN, WON or LOST
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// List what the provider paid out
    Payouts {
        #[command(flatten)]
        server: Server,
    },
    /// List the provider's events that could not be taken, however often they were tried
    Events {
        /// Have this one tried again, such as evt_1N…
        #[arg(long, value_name = "EVENT")]
        retry: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Settle what does not fit and is right all the same, such as a correction made at the provider
    Explain {
        /// The difference, as `comanda payment reconcile` names it
        difference: String,
        /// Why it is right all the same
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
        /// The entry that books it; what it posts to the provider's account must be the difference
        #[arg(long, value_name = "ENTRY")]
        entry: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Match the provider's account to our records, and say what does not fit
    Reconcile {
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Refund {
    /// The order
    pub(crate) order: String,
    /// How much, in minor units (cents, centavos) [default: what the lines cost, else all that is left]
    #[arg(long, value_name = "MINOR")]
    pub(crate) amount: Option<i64>,
    /// Why, such as quality, item-missing, wrong-item, late-delivery, requested-by-customer
    #[arg(long, default_value = "requested-by-customer")]
    pub(crate) reason: String,
    /// More about it, for the staff
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    /// Units of a line of the order, by its place from 0; may be given several times
    #[arg(long, value_name = "LINE=QUANTITY")]
    pub(crate) line: Vec<String>,
    /// The units are whole and go back to the shelf
    #[arg(long, requires = "line")]
    pub(crate) restock: bool,
    /// Repeating a key gives nothing back twice
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Ask this server instead of reading the data folder; both work while a server runs
    #[arg(long, env = "COMANDA_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Read an installation on AWS, such as dynamodb:comanda-prod-Table-1ABC
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "dynamodb:TABLE", conflicts_with = "server")]
    pub(crate) store: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Flow {
    /// Check flow files and say what is wrong, where, and how to cure it
    Check {
        /// Files, such as flows/order.asl.json, or folders of *.asl.json
        #[arg(required = true, value_name = "FILE|FOLDER")]
        paths: Vec<PathBuf>,
    },
    /// Run the cases beside flow files (*.cases.json) in virtual time; docs/flow-tests.md explains them
    Test(FlowTest),
    /// Draw a flow as SVG
    Graph {
        /// The flow's file
        file: PathBuf,
        /// Where to write it [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Run a flow at once, in memory, on the real engine
    Run(FlowRun),
}

#[derive(Debug, Args)]
pub(crate) struct FlowTest {
    /// Flows, their cases, or folders of them
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Say of every case which way it went and what its tasks were called with
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Say which states, retries, catches and choices no case has seen
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Write the results as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FlowRun {
    /// The flow's file
    pub(crate) file: PathBuf,
    /// The input: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    pub(crate) input: String,
    /// Answer tasks as this file of cases says: its `mocks`, or with #NAME those of a case, too
    #[arg(long, value_name = "FILE[#CASE]")]
    pub(crate) mock: Option<String>,
    /// A function that is called by HTTP: a POST of its input, answered with its result
    #[arg(long, value_name = "NAME=URL", value_parser = key_value)]
    pub(crate) function: Vec<(String, String)>,
    /// Print the events of the history as they happen
    #[arg(long)]
    pub(crate) events: bool,
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) limit: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// Orders of an ordinary day
    #[arg(long, value_name = "N")]
    pub(crate) orders_per_day: u64,
    /// Whose prices
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) region: String,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// `steps`: the five steps that all peers do; `order`: the order flow up to its confirmation; `ledger`: entries,
    /// statements and the daily consolidation; `engine`: state transitions of the engine alone; `waiting`: the memory of
    /// executions that only wait, as many as `--stored` says
    #[arg(long, default_value = "steps", value_parser = jobs())]
    pub(crate) job: String,
    /// Orders or executions in flight
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) in_flight: u32,
    /// How long to measure
    #[arg(long = "for", value_name = "TIME", default_value = "10s")]
    pub(crate) time: Duration,
    /// Orders to store before anything is measured; executions that wait
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stored: u64,
    /// Replays the same orders
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The jobs of the benchmark; the hidden ones are the parts of `waiting`, which run in processes of their own.
fn jobs() -> Vec<PossibleValue> {
    let shown = ["steps", "order", "ledger", "engine", "waiting"].map(PossibleValue::new);
    let parts = ["waiting-wait", "waiting-token", "waiting-open"].map(|part| PossibleValue::new(part).hide(true));
    shown.into_iter().chain(parts).collect()
}
