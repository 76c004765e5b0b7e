//! The engine: how busy it is, its queues, and the messages that could not be handled.

use app::Instant;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Cursor, Params, Problem, Reply, Segment, Wire};

resource![show_engine, list_queues, list_messages, list_dead, redrive];

/// Messages of one page.
const PAGE: usize = 50;

/// How the engine is doing.
#[derive(Serialize, ToSchema)]
struct Engine {
    /// Flow starts that wait for their turn.
    backlog: usize,
    /// Executions at work.
    active: usize,
    /// Waiting executions whose state is in memory.
    resting: usize,
    /// Executions started since the process began.
    started: u64,
    /// Executions ended since the process began.
    finished: u64,
    queues: Vec<Queue>,
}

/// A queue.
#[derive(Serialize, ToSchema)]
struct Queue {
    queue: String,
    /// Messages that may be handled now.
    ready: usize,
    /// Messages that become visible soon.
    delayed: usize,
    /// Messages being handled.
    running: usize,
    /// Whether more wait in the store than memory takes.
    overflowing: bool,
}

/// The queues.
#[derive(Serialize, ToSchema)]
struct Queues {
    items: Vec<Queue>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
struct Messages {
    items: Vec<Message>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    queue: String,
    /// Messages of one group are handled one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    body: Value,
    /// How often it was received.
    receives: i64,
    sent_at: Instant,
    /// Not before this instant.
    visible_at: Instant,
    /// Why the last receive failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Place {
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// How many messages were moved back.
#[derive(Serialize, ToSchema)]
struct Redriven {
    /// At most 100; call again while it is not 0.
    moved: usize,
}

fn queues(gateway: &Gateway) -> Vec<Queue> {
    let queue = |figures: runtime::QueueFigures| Queue {
        queue: figures.queue,
        ready: figures.ready,
        delayed: figures.delayed,
        running: figures.running,
        overflowing: figures.overflowing,
    };
    gateway.engine.stats().queues.into_iter().map(queue).collect()
}

/// Show how busy the engine is
#[utoipa::path(get, path = "/v1/engine", tag = "engine", responses(
    (status = 200, description = "its figures", body = Engine),
))]
async fn show_engine(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    let stats = gateway.engine.stats();
    Ok(Reply::ok(&Engine {
        backlog: stats.backlog,
        active: stats.active,
        resting: stats.resting,
        started: stats.started,
        finished: stats.finished,
        queues: queues(&gateway),
    }))
}

/// List the queues
#[utoipa::path(get, path = "/v1/queues", tag = "engine", responses(
    (status = 200, description = "those used since the start", body = Queues),
))]
async fn list_queues(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    Ok(Reply::ok(&Queues { items: queues(&gateway) }))
}

/// List the messages of a queue, the next first
#[utoipa::path(get, path = "/v1/queues/{queue}/messages", tag = "engine",
    params(("queue" = String, Path, description = "the queue"), Place),
    responses(
        (status = 200, description = "a page", body = Messages),
        (status = 400, description = "the cursor is not one of ours", body = Wire, content_type = "application/problem+json"),
    ))]
async fn list_messages(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(queue): Segment<String>,
    Params(place): Params<Place>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    messages(&gateway, &queue, &place).await
}

/// List the messages of a queue that could not be handled
#[utoipa::path(get, path = "/v1/queues/{queue}/dead", tag = "engine",
    params(("queue" = String, Path, description = "the queue"), Place),
    responses(
        (status = 200, description = "a page", body = Messages),
        (status = 400, description = "the cursor is not one of ours", body = Wire, content_type = "application/problem+json"),
    ))]
async fn list_dead(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(queue): Segment<String>,
    Params(place): Params<Place>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    messages(&gateway, &format!("{queue}{}", runtime::DEAD), &place).await
}

/// Put the dead messages of a queue back into it
#[utoipa::path(post, path = "/v1/queues/{queue}/redrive", tag = "engine",
    params(("queue" = String, Path, description = "the queue")),
    responses((status = 200, description = "done", body = Redriven)))]
async fn redrive(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(queue): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    let moved = gateway.engine.redrive(&queue).await.map_err(|e| Problem::unavailable(&*e))?;
    Ok(Reply::ok(&Redriven { moved }))
}

async fn messages(gateway: &Gateway, queue: &str, place: &Place) -> Result<Reply, Problem> {
    let cursor = Cursor::open(place.cursor.as_deref())?;
    let is_first = cursor.is_none();
    let page = gateway.engine.messages(queue, cursor, PAGE).await.map_err(|error| match is_first {
        true => Problem::unavailable(&*error),
        false => Problem::new(StatusCode::BAD_REQUEST, "invalid-cursor", "the cursor is not one of this queue"),
    })?;
    let message = |m: runtime::MessageView| Message {
        message_id: store::id::encode(m.id),
        queue: m.queue,
        group: m.group,
        body: m.body,
        receives: m.receives,
        sent_at: Instant(m.sent_at),
        visible_at: Instant(m.visible_at),
        error: m.error,
    };
    Ok(Reply::ok(&Messages { items: page.items.into_iter().map(message).collect(), next: Cursor::seal(page.next) }))
}
