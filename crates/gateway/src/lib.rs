//! The HTTP interface: routes over the use cases of `app` and the engine of `runtime`.
//!
//! Invariant: nothing is decided here. A handler checks shape and permission, calls one use case, and writes its answer.
//! Invariant: every answer that acknowledges something is sent after the commit behind it is durable.

mod docs;
mod follow;
mod http;
mod routes;
mod states;

use std::sync::Arc;

use app::App;
use axum::Router;
use axum::http::HeaderValue;
use axum::routing::post;
use runtime::Runtime;
use utoipa::OpenApi;

use follow::Followers;
use http::Problem;

pub use http::{Group, Limits, SignedIn, serve};
pub use states::AccessKeys;

/// What the routes work on; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    app: App,
    engine: Arc<Runtime>,
    followers: Followers,
    options: Options,
    access_keys: Arc<AccessKeys>,
    /// The policy of the page, if it is not that of every answer.
    page_policy: Option<HeaderValue>,
}

/// How the gateway behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// This program's version.
    pub version: &'static str,
    /// Orders that may wait for the engine; more are answered 503.
    pub backlog: usize,
    /// Whether the routes of the benchmark are there.
    pub bench: bool,
    /// Whether the Step Functions API is there.
    pub states: bool,
}

impl Gateway {
    /// Over the use cases and the engine. Needs a Tokio runtime: one task hears of all changes, until the application is
    /// gone.
    #[must_use]
    pub fn new(app: App, engine: Arc<Runtime>, options: Options) -> Gateway {
        let followers = Followers::default();
        tokio::spawn(followers.clone().run(app.changes()));
        let page_policy = app.hosted_form().and_then(|form| http::policy_with(&form));
        Gateway { app, engine, followers, options, access_keys: Arc::default(), page_policy }
    }

    /// From now on, calls of the Step Functions API have to be signed with one of these keys, unless there are none.
    #[must_use]
    pub fn with_access_keys(self, keys: AccessKeys) -> Gateway {
        Gateway { access_keys: Arc::new(keys), ..self }
    }

    /// Lets one more order in and answers the engine's backlog, or says honestly that it is too far behind.
    fn admit(&self) -> Result<u64, Problem> {
        let backlog = self.engine.backlog();
        match backlog < self.options.backlog {
            true => Ok(backlog as u64),
            false => Err(Problem::overloaded(&format!(
                "{backlog} orders wait for the engine already; try again a little later"
            ))),
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Comanda",
        description = "Orders from checkout to delivery, and their money, as durable workflows.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "orders", description = "Place, follow, pay and cancel orders"),
        (name = "kitchen", description = "Prepare orders and hand them over"),
        (name = "delivery", description = "Callbacks of couriers"),
        (name = "payments", description = "Webhooks of payment providers"),
        (name = "catalogue", description = "Products, options, prices and stock"),
        (name = "receipts", description = "Receipts and their download links"),
        (name = "ledger", description = "Accounts, entries, statements, closing days"),
        (name = "mailbox", description = "The mails that were sent"),
        (name = "engine", description = "Executions, queues and counts"),
        (name = "server", description = "Health"),
    )
)]
struct Document;

/// All routes.
pub fn router(gateway: Gateway) -> Router {
    let (router, document) = described(gateway.options.version);
    let router = match gateway.options.bench {
        true => router.merge(routes::bench::routes()),
        false => router,
    };
    let router = match gateway.options.states {
        true => router.route("/", post(states::answer).get(http::page)),
        false => router,
    };
    router
        .merge(docs::routes(document))
        .fallback(http::page)
        .method_not_allowed_fallback(|| async { http::method_not_allowed() })
        .with_state(gateway)
}

/// The OpenAPI 3.1 document as JSON text.
#[must_use]
pub fn openapi(version: &str) -> String {
    described(version).1
}

fn described(version: &str) -> (Router<Gateway>, String) {
    let mut document = Document::openapi();
    document.info.version = version.into();
    let router = routes::all(&mut document);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    docs::flatten(&mut document);
    (router, document.to_string())
}
