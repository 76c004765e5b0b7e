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
use store::{Batch, CommitError, Query, Row, Value};

use super::{Environment, metrics};
use crate::delivery::DEAD;
use crate::outbox::MAX_DELAY_MS;

/// What is left of the time of an invocation for the answer, and for a call that began before the time was over.
const RESERVE: Duration = Duration::from_secs(10);
/// What becomes due until then is sent now, so that it leaves on time.
const AHEAD_MS: i64 = 60_000;
/// A message that is due for so long was lost on its way, or its consumer fails.
const LOST_MS: i64 = 120_000;
/// How often a lost message is sent again before it is parked.
const MAX_RESENDS: i64 = 10;
/// The most messages of a queue that one beat sends.
const MAX_MESSAGES: usize = 2_000;
const PAGE: usize = 200;
/// The most orders of the inbox that are counted.
const MAX_INBOX: usize = 200;

/// What one beat did.
#[derive(Default)]
struct Beat {
    sent: usize,
    parked: usize,
    dead: usize,
    oldest_due_ms: i64,
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
    let seal = environment.app.ledger().close_last_day().await;
    let seal = seal.map_err(|error| FunctionError::new("DayNotClosed", error.to_string()))?;
    Ok(json!({ "date": seal.date, "hash": seal.hash }))
}

/// The beat of a minute.
async fn minute(environment: &Environment, time: Duration) -> Result<Json, FunctionError> {
    let (begin, now) = (Instant::now(), store::clock::now_ms());
    let failed = |error: &dyn std::error::Error| FunctionError::new("StoreUnavailable", error.to_string());
    let mut beat = Beat::default();
    match tokio::time::timeout(time / 3, sweep_all(environment, now, &mut beat)).await {
        Ok(swept) => swept.map_err(|error| failed(&*error))?,
        Err(_) => tracing::warn!(sent = beat.sent, "there are more late messages than one beat can send"),
    }
    let list = app::commands::ListOrders { limit: Some(MAX_INBOX), ..Default::default() };
    let inbox = environment.app.inbox(list).await.map_err(|error| failed(&error))?.items.len();
    metrics::tell(
        environment,
        &[
            ("OldestDueMessageSeconds", "Seconds", beat.oldest_due_ms / 1000),
            ("DeadMessages", "Count", count(beat.dead)),
            ("StuckMoney", "Count", count(inbox)),
            ("ResentMessages", "Count", count(beat.sent)),
        ],
        now,
    );
    let left = || time.saturating_sub(begin.elapsed());
    let worked = environment.app.tick_all(now, left() / 2).await;
    let counted = tokio::time::timeout(left(), environment.app.ledger().consolidate()).await;
    worked.map_err(|error| failed(&error))?;
    // What is not counted yet is counted by the next beat.
    let entries = counted.unwrap_or(Ok(0)).map_err(|error| failed(&error))?;
    Ok(json!({ "sent": beat.sent, "parked": beat.parked, "dead": beat.dead, "inbox": inbox, "entries": entries }))
}

/// Sends what is late of every queue, and counts the dead.
async fn sweep_all(environment: &Environment, now: i64, beat: &mut Beat) -> Result<(), store::BoxError> {
    let mut queues = vec![START_FLOW, TASK_RESULT];
    queues.extend(environment.outbox.queues());
    for queue in queues {
        sweep(environment, queue, now, beat).await?;
        let dead = Query::index(&MESSAGES, "by_queue", format!("{queue}{DEAD}")).limit(PAGE);
        beat.dead += environment.store.query(dead).await?.rows.len();
    }
    Ok(())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Sends what of a queue is due or nearly so and is not on its way.
async fn sweep(environment: &Environment, queue: &str, now: i64, beat: &mut Beat) -> Result<(), store::BoxError> {
    let until = Bound::Included(Value::Int(now + AHEAD_MS));
    let due = Query::index(&MESSAGES, "by_queue", queue).range(Bound::Unbounded, until).limit(PAGE);
    let (mut after, mut seen) = (None, 0);
    while seen < MAX_MESSAGES {
        let page = environment.store.query(due.clone().after(after)).await?;
        for row in &page.rows {
            seen += 1;
            let id = row.key().int().unwrap_or(0);
            let created = store::id::time_ms(id);
            let since = row.int("visible_at").unwrap_or(0).max(created);
            beat.oldest_due_ms = beat.oldest_due_ms.max(now - since);
            let lost = now - since > LOST_MS;
            // What the relay could not give to SQS because it was too far ahead.
            let left = since - created > MAX_DELAY_MS && since >= now - LOST_MS;
            if lost {
                resend(environment, queue, row, now, beat).await?;
            } else if left {
                environment.outbox.send(&*environment.store, row, now).await?;
                beat.sent += 1;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

/// Sends a lost message again, and counts it; one that was lost too often is parked.
async fn resend(
    environment: &Environment,
    queue: &str,
    row: &Row,
    now: i64,
    beat: &mut Beat,
) -> Result<(), store::BoxError> {
    let receives = row.int("receives").unwrap_or(0);
    let mut batch = Batch::new();
    let park = receives >= MAX_RESENDS && ![START_FLOW, TASK_RESULT].contains(&queue);
    let set = match park {
        true => vec![
            ("queue", Value::from(format!("{queue}{DEAD}"))),
            ("error", Value::from("NeverAnswered: it was sent again and again, and its consumer never answered")),
        ],
        false => vec![("receives", Value::Int(receives + 1))],
    };
    batch.update(&MESSAGES, row.key().clone(), set, Some(("receives", Value::Int(receives))));
    match environment.store.commit(batch).await {
        Ok(_) if park => beat.parked += 1,
        Ok(_) => {
            environment
                .outbox
                .send(&*environment.store, &row.with(&[("receives", (receives + 1).into())]), now)
                .await?;
            beat.sent += 1;
        }
        // Somebody has handled it.
        Err(CommitError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
