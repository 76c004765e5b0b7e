//! Whether the server lives, and whether it can work.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::resource;
use crate::Gateway;
use crate::http::{Problem, Reply, Wire};

resource![healthz, readyz];

/// The server's state.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
    /// The program's version.
    version: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, description = "it does", body = Health)))]
async fn healthz(State(gateway): State<Gateway>) -> Reply {
    Reply::ok(&Health { status: "ok", version: gateway.options.version })
}

/// Whether the server can take orders
#[utoipa::path(get, path = "/readyz", tag = "server", responses(
    (status = 200, description = "it can", body = Health),
    (status = 503, description = "it cannot now", body = Wire, content_type = "application/problem+json"),
))]
async fn readyz(state: State<Gateway>) -> Result<Reply, Problem> {
    state.app.store().flush().await.map_err(|e| Problem::unavailable(&e))?;
    Ok(healthz(state).await)
}
