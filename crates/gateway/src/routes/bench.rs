//! The benchmark's routes, served with `comanda serve --bench` only; bench/README.md says what they are for.

use app::commands::BenchOrder;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Serialize;

use crate::Gateway;
use crate::http::{Json, Problem, Reply, Segment};

pub(crate) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/bench/orders", post(place))
        .route("/bench/orders/{id}", get(show))
        .route("/bench/stats", get(stats))
        .route("/bench/verify", get(verify))
}

async fn place(State(gateway): State<Gateway>, Json(order): Json<BenchOrder>) -> Result<Reply, Problem> {
    gateway.admit()?;
    let placed = gateway.app.bench_place(order).await?;
    Ok(Reply::json(StatusCode::CREATED, &placed))
}

async fn show(State(gateway): State<Gateway>, Segment(id): Segment<String>) -> Result<Reply, Problem> {
    Ok(Reply::ok(&gateway.app.bench_status(&id).await?))
}

#[derive(Serialize)]
struct Stats {
    confirmed: u64,
}

async fn stats(State(gateway): State<Gateway>) -> Reply {
    Reply::ok(&Stats { confirmed: gateway.app.bench_confirmed() })
}

async fn verify(State(gateway): State<Gateway>) -> Result<Reply, Problem> {
    Ok(Reply::ok(&gateway.app.bench_verify().await?))
}
