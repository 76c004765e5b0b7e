//! Work that may take longer than a request: followed as events, or left to go on behind the answer.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use app::Progress;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use parking_lot::Mutex;
use serde::Serialize;

use super::{Context, Event, Problem, Sink};

/// How much of the work is done between two events.
const STEP: f64 = 0.01;

/// What a work tells on the way.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told<'a, T> {
    Progress { what: &'a str, part: f64 },
    Report(&'a T),
    Problem { detail: String },
}

/// Tells a client how far a work is, and how it ended.
pub(crate) struct Reporter {
    name: &'static str,
    sink: Sink,
    told: Mutex<f64>,
}

impl Reporter {
    /// Its events have that name.
    pub(crate) fn new(name: &'static str, sink: Sink) -> Reporter {
        Reporter { name, sink, told: Mutex::new(-STEP) }
    }

    pub(crate) fn progress(&self, progress: Progress) {
        let mut told = self.told.lock();
        if progress.part - *told >= STEP {
            *told = progress.part;
            self.tell::<()>(&Told::Progress { what: progress.what, part: progress.part });
        }
    }

    pub(crate) fn end<T: Serialize>(&self, report: Result<T, impl Display>) {
        match &report {
            Ok(report) => self.tell(&Told::Report(report)),
            Err(error) => self.tell::<T>(&Told::Problem { detail: error.to_string() }),
        }
    }

    /// A client that is gone is noticed at the end.
    fn tell<T: Serialize>(&self, told: &Told<'_, T>) {
        // It is made of texts and numbers: it can be written.
        let data = serde_json::to_vec(told).unwrap_or_default().into();
        drop(self.sink.send(Event { id: None, name: self.name, data }.encode()));
    }
}

/// How long an answer waits for a work that goes on without it.
pub(crate) struct Patience(Duration);

impl<S: Send + Sync> FromRequestParts<S> for Patience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Patience, Infallible> {
        let context = parts.extensions.get::<Arc<Context>>();
        let limits = context.map(|context| context.limits).unwrap_or_default();
        Ok(Patience(limits.request_time / 2))
    }
}

impl Patience {
    /// Does a work as a task of its own, so that a client that gives up does not end it; `None` if it still goes on.
    pub(crate) async fn wait<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<Option<T>, Problem> {
        match tokio::time::timeout(self.0, tokio::spawn(work)).await {
            Ok(Ok(done)) => Ok(Some(done)),
            Ok(Err(error)) => Err(Problem::internal(&error)),
            Err(_) => Ok(None),
        }
    }
}
