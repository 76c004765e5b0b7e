//! The Amazon States Language: parse, validate, step.
//!
//! A [`Definition`] is a flow; a [`Machine`] runs one execution of it. The machine is pure: it takes an [`Event`] and the
//! [`Moment`] at which the host applies it, and gives [`Command`]s. It has no IO, no clock, no randomness of its own and
//! nothing asynchronous, so the same events at the same moments always give the same machine.
//!
//! ```
//! use asl::{Command, Definition, Event, ExecutionInfo, Machine, Moment, NoHistory, Outcome};
//!
//! let flow = r#"{"StartAt": "Greet", "States": {"Greet": {"Type": "Pass", "End": true,
//!     "Parameters": {"text.$": "States.Format('hello {}', $.name)"}}}}"#;
//! let definition = std::sync::Arc::new(Definition::parse(flow).expect("a valid flow"));
//! let mut machine = Machine::new(definition, ExecutionInfo::default());
//! let mut commands = Vec::new();
//! let moment = Moment { now_ms: 0, task_token: &|task| task.to_string() };
//! let input = serde_json::json!({ "name": "Ana" });
//! machine.apply(Event::Started { input }, &moment, &mut commands, &mut NoHistory);
//! let output = serde_json::json!({ "text": "hello Ana" });
//! assert_eq!(commands, [Command::Finish(Outcome::Succeeded { output })]);
//! ```

pub mod error;
pub mod graph;
pub mod items;
pub mod limits;
pub mod map_runs;
pub mod path;
pub mod rehearsal;
pub mod resource;

mod choice;
mod data;
mod definition;
mod diagnostic;
mod digest;
mod environment;
mod event;
mod finding;
mod formula;
mod history;
mod intrinsic;
pub mod jackson;
mod jsonata;
mod machine;
mod parse;
mod query;
mod reads;
mod substitute;
mod template;
mod test_state;
mod time;
mod validate;
mod variables;

pub use definition::{Definition, QueryLanguage, StateView};
pub use diagnostic::{Diagnostic, Severity};
pub use event::{
    Applied, Command, Event, ExecutionInfo, MapRunUpdate, Moment, Outcome, TaskId, TaskStart, TimerId, Work,
};
pub use finding::Finding;
pub use history::{Details, HistoryEvent, HistorySink, NoHistory, Turn};
pub use machine::Machine;
pub use resource::Resource;
pub use substitute::substitute;
pub use test_state::{Mock, Refused, Tested, test_state};
pub use time::format as timestamp;
