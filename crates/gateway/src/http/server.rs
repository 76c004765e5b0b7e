//! The server: connections, limits, headers, shutdown.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

use super::Problem;

/// Connections at once; more wait in the operating system's queue.
const MAX_CONNECTIONS: usize = 8_192;
/// How long a client may take to send the head of a request, and an idle connection stays open.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// The pause after the operating system refused a connection, as a rule for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What clients may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest request body.
    pub body_bytes: usize,
    /// The longest that one request may take.
    pub request_time: Duration,
    /// Requests in work at once; more are answered 503.
    pub requests: usize,
    /// Open event streams; more are answered 503.
    pub streams: usize,
    /// How long a shutdown waits for requests in work.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 256 * 1024,
            request_time: Duration::from_secs(10),
            requests: 1_024,
            streams: 1_024,
            shutdown_time: Duration::from_secs(10),
        }
    }
}

/// What all requests of a server share; each finds it among its extensions.
pub(crate) struct Context {
    pub(crate) limits: Limits,
    places: Semaphore,
    streams: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Context {
    /// A place for an event stream, held as long as it is open.
    pub(crate) fn enter_stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.streams.clone().try_acquire_owned();
        place.map_err(|_| Problem::overloaded("too many event streams are open").retry_after(10))
    }

    /// Returns once the server is about to stop.
    pub(crate) async fn closing(&self) {
        // An error means that the server is gone altogether.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }
}

#[derive(Clone)]
struct Handler {
    router: Router,
    context: Arc<Context>,
}

/// Serves until `shutdown` completes; then takes no new connections, answers what it has begun, and returns.
///
/// # Errors
/// If the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (closing, receiver) = watch::channel(false);
    let context = Arc::new(Context {
        limits,
        places: Semaphore::new(limits.requests),
        streams: Arc::new(Semaphore::new(limits.streams)),
        closing: receiver,
    });
    let handler = Handler { router, context };
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = async {
            let place = connections.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let watcher = graceful.watcher();
                    tokio::spawn(converse(stream, handler.clone(), watcher, place.ok()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    let _ = closing.send(true);
    if tokio::time::timeout(limits.shutdown_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in work when the time for a shutdown was over");
    }
    Ok(())
}

async fn converse(
    stream: TcpStream,
    handler: Handler,
    watcher: hyper_util::server::graceful::Watcher,
    _place: Option<OwnedSemaphorePermit>,
) {
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(handler.answer(request.map(Body::new)).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection ended early");
    }
}

impl Handler {
    async fn answer(mut self, mut request: Request) -> Response {
        let Ok(_place) = self.context.places.try_acquire() else {
            return finish(Problem::overloaded("too many requests are in work").into_response());
        };
        if is_cross_site(&request) {
            let detail = "a page of another site sent this request; only this server's own pages may change anything";
            return finish(Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response());
        }
        request.extensions_mut().insert(self.context.clone());
        // What waits by its nature has a time of its own.
        let time = crate::states::patience(request.headers()).unwrap_or(self.context.limits.request_time);
        let answer = tokio::time::timeout(time, self.router.call(request));
        finish(match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let detail = "the server did not finish in time; a request with an idempotency key can be repeated";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail).retry_after(2).into_response()
            }
        })
    }
}

/// Whether a browser says that another site's page wants to change something here.
fn is_cross_site(request: &Request) -> bool {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let site = request.headers().get("sec-fetch-site");
    !safe && site.is_some_and(|site| site == "cross-site")
}

const SECURITY: &[(HeaderName, &str)] = &[
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// What a page of this server may load and reach.
pub(crate) const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                                 form-action 'self'; frame-ancestors 'none'";

fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // The page's own policy may allow the form of a payment provider.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    response
}
