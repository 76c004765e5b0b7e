//! What every route shares: problems, bodies, conditions, cursors, the server itself.

mod assets;
mod body;
mod caller;
mod condition;
mod cursor;
mod problem;
mod reply;
mod server;
mod stream;
mod work;

pub(crate) use assets::{page, policy_with};
pub(crate) use body::{Json, LargeJson, Params, Segment, header_text, read, read_up_to};
pub(crate) use caller::{Action, Caller};
pub use caller::{Group, SignedIn};
pub(crate) use condition::{IdempotencyKey, IfMatch, IfMatchOrAny, if_none_match};
pub(crate) use cursor::Cursor;
pub(crate) use problem::{CATALOGUE, Problem, Wire, method_not_allowed};
pub(crate) use reply::Reply;
pub(crate) use server::Context;
pub use server::{Limits, serve};
pub(crate) use stream::{Event, Opening, Sink, events};
pub(crate) use work::{Patience, Reporter};
