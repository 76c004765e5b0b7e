//! The kitchen: what to make next, and its three actions.

use app::KitchenError;
use app::views::{KitchenList, OrderView};
use axum::extract::State;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, IfMatch, Problem, Reply, Segment, Wire};

resource![list_kitchen, start_preparation, finish_preparation, hand_over];

/// List what the kitchen has to do: READY, IN_PREPARATION, RECEIVED, each oldest first
#[utoipa::path(get, path = "/v1/kitchen/orders", tag = "kitchen", responses(
    (status = 200, description = "at most 300 orders", body = KitchenList),
))]
async fn list_kitchen(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::Prepare)?;
    Ok(Reply::ok(&gateway.app.kitchen().await?))
}

/// Start to prepare an order
#[utoipa::path(post, path = "/v1/kitchen/orders/{id}/start", tag = "kitchen",
    params(
        ("id" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision that was seen", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "it is IN_PREPARATION", body = OrderView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it is not RECEIVED", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn start_preparation(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    IfMatch(revision): IfMatch,
) -> Result<Reply, Problem> {
    caller.may(Action::Prepare)?;
    answer(gateway.app.kitchen_start(&id, revision).await)
}

/// Say that an order is ready
#[utoipa::path(post, path = "/v1/kitchen/orders/{id}/ready", tag = "kitchen",
    params(
        ("id" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision that was seen", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "it is READY", body = OrderView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it is not IN_PREPARATION", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn finish_preparation(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    IfMatch(revision): IfMatch,
) -> Result<Reply, Problem> {
    caller.may(Action::Prepare)?;
    answer(gateway.app.kitchen_ready(&id, revision).await)
}

/// Hand an order to its customer
#[utoipa::path(post, path = "/v1/kitchen/orders/{id}/handover", tag = "kitchen",
    params(
        ("id" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision that was seen", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "the customer has it", body = OrderView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it is not READY for pick-up", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn hand_over(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    IfMatch(revision): IfMatch,
) -> Result<Reply, Problem> {
    caller.may(Action::HandOver)?;
    answer(gateway.app.kitchen_handover(&id, revision).await)
}

fn answer(order: Result<OrderView, KitchenError>) -> Result<Reply, Problem> {
    let order = order?;
    Ok(Reply::ok(&order).revision(order.revision))
}
