//! Once a minute: messages whose time has come or that were lost on their way, periodic work, and figures for the alarms.
//! Once a day: the day before is closed.
//!
//! All of it may be cut off anywhere and is gone on with by the next beat, so each part gets a share of the time that Lambda
//! gives, and no part keeps the others from theirs.

use std::ops::Bound;
use std::time::{Duration, Instant};

use app::FunctionError;
use serde_json::{Value as Json, json};
use store::message::{MESSAGES, START_FLOW, TASK_RESULT};
use store::{Batch, CommitError, Query, ReadError, Row, Value};

use super::{Environment, metrics};
use crate::delivery::DEAD;
use crate::outbox::MAX_DELAY_MS;

/// What is left of the time of an invocation for the answer, and for a call that began before the time was over.
const RESERVE: Duration = Duration::from_secs(10);
/// What becomes due until then is sent now, so that it leaves on time.
const AHEAD_MS: i64 = 60_000;
/// A start or an answer that is due for so long was lost on its way; in a queue of SQS, one that is due for so long beyond all
/// the time that SQS may take for it.
const LOST_MS: i64 = 120_000;
/// The most messages of a queue that one beat sends.
const MAX_MESSAGES: usize = 2_000;
const PAGE: usize = 200;
/// The most orders of the inbox that are counted.
const MAX_INBOX: usize = 200;

/// What one beat did.
#[derive(Default)]
struct Beat {
    sent: usize,
    dead: usize,
    oldest_due_ms: i64,
    /// What could not be read, so that the figures are not whole.
    unread: usize,
    unsent: usize,
    /// The first of what went wrong.
    error: Option<FunctionError>,
}

impl Beat {
    /// Notes what went wrong; the rest of the beat goes on, and its end says so.
    fn fail(&mut self, name: &'static str, doing: &str, error: &dyn std::error::Error) {
        let source = error.source().map(ToString::to_string);
        tracing::warn!(doing, %error, source, "a part of the beat failed");
        self.error.get_or_insert_with(|| FunctionError::new(name, format!("{doing}: {error}")));
    }

    fn unread(&mut self, what: &str, error: &dyn std::error::Error) {
        self.unread += 1;
        self.fail("StoreUnavailable", what, error);
    }

    fn unsent(&mut self, queue: &str, error: &dyn std::error::Error) {
        self.unsent += 1;
        self.fail("MessageNotSent", queue, error);
    }
}

/// What the schedules ask for: `{"beat": "minute"}` or `{"beat": "day-close"}`, within `time`.
///
/// # Errors
/// The store cannot be used now; the next beat does it, and the schedule repeats that of a day. `UnknownBeat`.
pub(super) async fn tick(environment: &Environment, event: &Json, time: Duration) -> Result<Json, FunctionError> {
    let time = time.saturating_sub(RESERVE);
    match event.get("beat").and_then(Json::as_str) {
        Some("minute") => minute(environment, time).await,
        Some("day-close") => close_day(environment).await,
        _ => Err(FunctionError::new("UnknownBeat", "`beat` must be `minute` or `day-close`")),
    }
}

/// Seals the last day of the merchant that is over. Sealed days stay as they are, so it may run any number of times.
async fn close_day(environment: &Environment) -> Result<Json, FunctionError> {
    let ledger = environment.app.ledger();
    let seal = async {
        ledger.recover().await?;
        ledger.close_last_day().await
    };
    let seal = seal.await;
    let seal = seal.map_err(|error| FunctionError::new("DayNotClosed", error.to_string()))?;
    Ok(json!({ "date": seal.date, "hash": seal.hash }))
}

/// The beat of a minute. One part that fails keeps no other from its work; the first failure is the beat's, in the end.
async fn minute(environment: &Environment, time: Duration) -> Result<Json, FunctionError> {
    let (begin, now) = (Instant::now(), store::clock::now_ms());
    let mut beat = Beat::default();
    if tokio::time::timeout(time / 3, sweep_all(environment, now, &mut beat)).await.is_err() {
        tracing::warn!(sent = beat.sent, "there are more late messages than one beat can send");
    }
    let mut figures =
        vec![("ResentMessages", "Count", count(beat.sent)), ("UnsentMessages", "Count", count(beat.unsent))];
    // A figure that is not whole is not told: its alarm takes silence for danger.
    if beat.unread == 0 {
        figures.push(("OldestDueMessageSeconds", "Seconds", beat.oldest_due_ms / 1000));
        figures.push(("DeadMessages", "Count", count(beat.dead)));
    }
    let list = app::commands::ListOrders { limit: Some(MAX_INBOX), ..Default::default() };
    let inbox = match environment.app.inbox(list).await {
        Ok(inbox) => Some(inbox.items.len()),
        Err(error) => {
            beat.unread("the inbox", &error);
            None
        }
    };
    figures.extend(inbox.map(|inbox| ("StuckMoney", "Count", count(inbox))));
    metrics::tell(environment, &figures, now);
    let left = || time.saturating_sub(begin.elapsed());
    if let Err(error) = environment.app.tick_all(now, left() / 2).await {
        beat.fail("StoreUnavailable", "the periodic work", &error);
    }
    let count_entries = async {
        let ledger = environment.app.ledger();
        // No other function does: none waits for it at its start.
        ledger.recover().await?;
        ledger.consolidate().await
    };
    // What is not counted yet is counted by the next beat.
    let entries = match tokio::time::timeout(left(), count_entries).await {
        Ok(Err(error)) => {
            beat.fail("StoreUnavailable", "the ledger's balances", &error);
            0
        }
        Ok(Ok(entries)) => entries,
        Err(_) => 0,
    };
    match beat.error {
        Some(error) => Err(error),
        None => Ok(json!({ "sent": beat.sent, "dead": beat.dead, "inbox": inbox, "entries": entries })),
    }
}

/// Counts the dead of every queue, then sends what is late.
async fn sweep_all(environment: &Environment, now: i64, beat: &mut Beat) {
    let mut queues = vec![START_FLOW, TASK_RESULT];
    queues.extend(environment.outbox.queues());
    for queue in &queues {
        let dead = Query::index(&MESSAGES, "by_queue", format!("{queue}{DEAD}")).limit(PAGE);
        match environment.store.query(dead).await {
            Ok(page) => beat.dead += page.rows.len(),
            Err(error) => beat.unread(queue, &error),
        }
    }
    for queue in queues {
        if let Err(error) = sweep(environment, queue, now, beat).await {
            beat.unread(queue, &error);
        }
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Sends what of a queue is due or nearly so and is not on its way.
async fn sweep(environment: &Environment, queue: &str, now: i64, beat: &mut Beat) -> Result<(), ReadError> {
    let until = Bound::Included(Value::Int(now + AHEAD_MS));
    let due = Query::index(&MESSAGES, "by_queue", queue).range(Bound::Unbounded, until).limit(PAGE);
    let (mut after, mut seen, mut patience) = (None, 0, None);
    while seen < MAX_MESSAGES {
        let page = environment.store.query(due.clone().after(after)).await?;
        for row in &page.rows {
            seen += 1;
            let due = Due::of(row);
            let age = now - due.since;
            if age > LOST_MS {
                let patience = match patience {
                    Some(patience) => patience,
                    None => *patience.insert(patience_of(environment, queue, beat).await),
                };
                beat.oldest_due_ms = beat.oldest_due_ms.max(due.at_least(age, patience));
                if patience.is_some_and(|patience| age > patience) {
                    resend(environment, queue, row, now, beat).await;
                }
            } else {
                beat.oldest_due_ms = beat.oldest_due_ms.max(age);
                // What the relay could not give to SQS because it was too far ahead.
                if due.resends == 0 && due.since - due.created > MAX_DELAY_MS {
                    send(environment, queue, row, now, beat).await;
                }
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

/// Since when a message is due, in milliseconds since the epoch.
struct Due {
    created: i64,
    /// Its time, or when it was last sent again.
    since: i64,
    resends: i64,
}

impl Due {
    fn of(row: &Row) -> Due {
        let created = store::id::time_ms(row.key().int().unwrap_or(0));
        let since = row.int("visible_at").unwrap_or(0).max(created);
        Due { created, since, resends: row.int("receives").unwrap_or(0) }
    }

    /// For how long it is due at least: each time it was sent again it had been for the queue's patience.
    fn at_least(&self, age: i64, patience: Option<i64>) -> i64 {
        age.saturating_add(self.resends.saturating_mul(patience.unwrap_or(0)))
    }
}

/// After how long a due message of a queue is sent again, in milliseconds; `None` if it is not now.
///
/// A row stands until its consumer is done, so age alone does not tell a lost message from one that waits behind others or is
/// tried again. As long as messages wait in the queue, those that are due are taken to be among them: sending them again
/// would only lengthen it. Otherwise SQS has had the time for every receive. Nothing is ever parked for its age.
async fn patience_of(environment: &Environment, queue: &str, beat: &mut Beat) -> Option<i64> {
    if [START_FLOW, TASK_RESULT].contains(&queue) {
        return Some(LOST_MS);
    }
    match environment.outbox.look(queue).await {
        Ok(state) => state.filter(|state| state.waiting == 0).map(|state| state.attempts_ms + LOST_MS),
        Err(error) => {
            beat.fail("MessageNotSent", queue, &error);
            None
        }
    }
}

async fn send(environment: &Environment, queue: &str, row: &Row, now: i64, beat: &mut Beat) {
    match environment.outbox.send(&*environment.store, row, now).await {
        Ok(_) => beat.sent += 1,
        Err(error) => beat.unsent(queue, &error),
    }
}

/// Sends a lost message again. One of SQS is due from now on, so that the next beats give SQS its time again; starts and
/// answers need no such note, for they go directly and their repetition changes nothing.
async fn resend(environment: &Environment, queue: &str, row: &Row, now: i64, beat: &mut Beat) {
    if [START_FLOW, TASK_RESULT].contains(&queue) {
        return send(environment, queue, row, now, beat).await;
    }
    let receives = row.int("receives").unwrap_or(0);
    let set = vec![("receives", Value::Int(receives + 1)), ("visible_at", Value::Int(now))];
    let mut batch = Batch::new();
    batch.update(&MESSAGES, row.key().clone(), set.clone(), Some(("receives", Value::Int(receives))));
    match environment.store.commit(batch).await {
        Ok(_) => send(environment, queue, &row.with(&set), now, beat).await,
        // Somebody has handled it.
        Err(CommitError::Conflict { .. }) => {}
        Err(error) => beat.unsent(queue, &error),
    }
}
