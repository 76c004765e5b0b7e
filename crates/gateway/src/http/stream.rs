//! Server-sent events with bounded buffers: a client that does not keep up is dropped, never waited for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::Response;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Context, Problem};

/// Events that may wait for one client.
const BUFFER: usize = 64;
/// The pause after which a comment shows that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event: its id, its name, and its data as one line of JSON.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: Option<i64>,
    pub(crate) name: &'static str,
    pub(crate) data: Bytes,
}

impl Event {
    pub(crate) fn encode(&self) -> Bytes {
        let id = self.id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        let mut text = format!("{id}event: {}\ndata: ", self.name).into_bytes();
        text.extend_from_slice(&self.data);
        text.extend_from_slice(b"\n\n");
        text.into()
    }
}

/// Where a producer puts events. [`Sink::send`] fails once the client is gone or does not keep up: then stop.
#[derive(Debug)]
pub(crate) struct Sink(mpsc::Sender<Bytes>);

/// The client is gone or too slow.
#[derive(Debug)]
pub(crate) struct Gone;

impl Sink {
    pub(crate) fn send(&self, events: Bytes) -> Result<(), Gone> {
        self.0.try_send(events).map_err(|_| Gone)
    }

    /// Returns once the client is gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// What a request needs to become a stream: a place among the streams, and the news that the server stops.
pub(crate) struct Opening {
    place: OwnedSemaphorePermit,
    context: Arc<Context>,
    /// The id of the last event that the client has seen, when it comes back.
    pub(crate) last_event_id: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Opening {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Opening, Problem> {
        let last = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let last_event_id = last.and_then(|id| id.parse().ok());
        match parts.extensions.get::<Arc<Context>>() {
            Some(context) => Ok(Opening { place: context.enter_stream()?, context: context.clone(), last_event_id }),
            // Behind API Gateway an answer is whole or none. Not a failure, and nothing to come back for.
            None => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no-streams",
                "events are not streamed here; ask again from time to time",
            )),
        }
    }
}

/// An answer that streams what `produce` sends, until it ends or the server closes.
pub(crate) fn events<F: Future<Output = ()> + Send + 'static>(
    opening: Opening,
    produce: impl FnOnce(Sink) -> F,
) -> Response {
    let (sender, receiver) = mpsc::channel(BUFFER);
    let produce = produce(Sink(sender));
    let Opening { place, context, .. } = opening;
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            () = produce => {}
            () = context.closing() => {}
        }
    });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        match tokio::time::timeout(KEEP_ALIVE, receiver.recv()).await {
            Ok(Some(chunk)) => Some((Ok::<_, Infallible>(chunk), receiver)),
            Ok(None) => None,
            Err(_) => Some((Ok(Bytes::from_static(b": still here\n\n")), receiver)),
        }
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
