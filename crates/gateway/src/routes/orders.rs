//! Orders: place, look, follow, cancel.

use app::commands::{CancelOrder, ListOrders, PlaceOrder, ResolveOrder};
use app::views::{OrderPage, OrderView, PlacedOrder};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::order::{OrderStatus, Party};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::resource;
use crate::Gateway;
use crate::follow;
use crate::http::{
    Action, Caller, Cursor, IdempotencyKey, IfMatch, Json, Opening, Params, Problem, Reply, Segment, Wire, events,
};

resource![
    place_order,
    create_order,
    list_orders,
    list_inbox,
    show_order,
    follow_order,
    cancel_order,
    resolve_order,
    follow_orders
];

/// The answer to a placed order.
#[derive(Serialize, ToSchema)]
struct Accepted {
    #[serde(flatten)]
    order: PlacedOrder,
    /// How busy the engine is; absent when the answer is a repeated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<Load>,
}

/// How busy the engine is: with a backlog, the order waits before its next step.
#[derive(Serialize, ToSchema)]
struct Load {
    /// Steps that wait for a free place.
    #[schema(minimum = 0)]
    backlog: u64,
}

/// Place an order
///
/// Answers once the order is durable and its workflow is started. With an `Idempotency-Key`, the same request answers the
/// same again for at least a day, and another body under that key is refused. A key may be any text of yours: an answer is
/// repeated only to whoever sends the whole body again, the card included.
#[utoipa::path(post, path = "/place-order", tag = "orders", request_body = PlaceOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "placed; `Location` is the order", body = Accepted),
        (status = 409, description = "the price changed, or the same request is in work", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
        (status = 503, description = "too much to do", body = Wire, content_type = "application/problem+json"),
    ))]
async fn place_order(
    State(gateway): State<Gateway>,
    caller: Caller,
    key: IdempotencyKey,
    Json(command): Json<PlaceOrder>,
) -> Result<Reply, Problem> {
    caller.may(Action::Order)?;
    let key = key.0.as_deref();
    let (placed, engine) = match (gateway.admit(), key) {
        (Ok(backlog), _) => (gateway.app.place_order(command, key).await?, Some(Load { backlog })),
        // What was answered before is answered again, however much there is to do.
        (Err(problem), Some(key)) => (gateway.app.placed_before(&command, key).await?.ok_or(problem)?, None),
        (Err(problem), None) => return Err(problem),
    };
    let location = format!("/v1/orders/{}", placed.order.order_id);
    // The load is of the moment: it is no part of an answer that is given again.
    let accepted = Accepted { order: placed.order, engine: engine.filter(|_| !placed.replayed) };
    let reply = Reply::json(StatusCode::CREATED, &accepted).header(header::LOCATION, &location);
    Ok(reply.replayed(placed.replayed))
}

/// Place an order (the same as /place-order)
#[utoipa::path(post, path = "/v1/orders", tag = "orders", request_body = PlaceOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "placed; `Location` is the order", body = Accepted),
        (status = 409, description = "the price changed, or the same request is in work", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
        (status = 503, description = "too much to do", body = Wire, content_type = "application/problem+json"),
    ))]
async fn create_order(
    state: State<Gateway>,
    caller: Caller,
    key: IdempotencyKey,
    command: Json<PlaceOrder>,
) -> Result<Reply, Problem> {
    place_order(state, caller, key, command).await
}

/// Which orders.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// Only those in this status.
    status: Option<OrderStatus>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

impl Listing {
    fn open(self) -> Result<ListOrders, Problem> {
        Ok(ListOrders { status: self.status, cursor: Cursor::open(self.cursor.as_deref())?, limit: self.limit })
    }
}

/// List orders, newest first
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(Listing), responses(
    (status = 200, description = "a page", body = OrderPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_orders(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    Ok(page(gateway.app.orders(listing.open()?).await?))
}

/// List orders that wait for a person, newest first
#[utoipa::path(get, path = "/v1/inbox", tag = "orders", params(Listing), responses(
    (status = 200, description = "a page", body = OrderPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_inbox(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    Ok(page(gateway.app.inbox(listing.open()?).await?))
}

fn page(mut page: OrderPage) -> Reply {
    page.next = Cursor::seal(page.next);
    Reply::ok(&page)
}

/// How an anonymous customer proves that an order is theirs. Whoever comes with it sees and does what a customer may.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Tracking {
    /// The order's tracking token.
    t: Option<String>,
}

impl Tracking {
    /// Staff see every order, customers theirs. A token that is there must be right.
    pub(crate) fn check(&self, gateway: &Gateway, caller: Caller, order_id: &str) -> Result<Party, Problem> {
        self.check_for(gateway, caller, order_id, Action::ViewOrders)
    }

    /// The same for something that a customer may do with an order, and of the staff whoever may do that.
    pub(crate) fn check_for(
        &self,
        gateway: &Gateway,
        caller: Caller,
        order_id: &str,
        action: Action,
    ) -> Result<Party, Problem> {
        match &self.t {
            Some(token) if gateway.app.is_tracking_token(order_id, token) => Ok(Party::Customer),
            Some(_) => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "the tracking link is not that of this order; open the link as it was sent",
            )),
            None => caller.may(action).map(|()| Party::Staff),
        }
    }
}

/// Show an order
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders",
    params(("id" = String, Path, description = "`ord_...`"), Tracking),
    responses(
        (status = 200, description = "the order; `ETag` is its revision", body = OrderView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_order(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Params(tracking): Params<Tracking>,
) -> Result<Reply, Problem> {
    let by = tracking.check(&gateway, caller, &id)?;
    let order = gateway.app.order_for(&id, by).await?;
    Ok(Reply::ok(&order).revision(order.revision))
}

/// Follow an order
///
/// Server-sent events named `order`: the whole order on every change, the first one at once. The stream ends with the
/// order; a client that comes back with `Last-Event-ID` hears only what is new.
#[utoipa::path(get, path = "/v1/orders/{id}/events", tag = "orders",
    params(("id" = String, Path, description = "`ord_...`"), Tracking),
    responses(
        (status = 200, description = "a stream", content_type = "text/event-stream", body = String),
        (status = 204, description = "nothing more will come"),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
    ))]
async fn follow_order(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Params(tracking): Params<Tracking>,
    opening: Opening,
) -> Result<Response, Problem> {
    let by = tracking.check(&gateway, caller, &id)?;
    let follower = gateway.followers.follow(&id);
    let order = gateway.app.order_for(&id, by).await?;
    let seen = opening.last_event_id.unwrap_or(0);
    if follow::is_over(&order) && order.revision <= seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(events(opening, |sink| follow::order(gateway.app, order, by, follower, sink)))
}

/// Follow all orders
///
/// Server-sent events named `order`: which order changed, its status and revision. Changes that follow each other within
/// a tenth of a second are one event.
#[utoipa::path(get, path = "/v1/events", tag = "orders", responses(
    (status = 200, description = "a stream", content_type = "text/event-stream", body = String),
))]
async fn follow_orders(State(gateway): State<Gateway>, caller: Caller, opening: Opening) -> Result<Response, Problem> {
    caller.may(Action::ViewOrders)?;
    let changes = gateway.followers.watch();
    Ok(events(opening, |sink| follow::all(changes, sink)))
}

/// Cancel an order
///
/// With a tracking link it is the customer who cancels: until the kitchen begins. The staff can until the courier has it.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "orders", request_body = CancelOrder,
    params(
        ("id" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision to cancel", example = "\"1\""),
        Tracking,
    ),
    responses(
        (status = 200, description = "being cancelled: money and stock go back", body = OrderView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it is too late", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn cancel_order(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Params(tracking): Params<Tracking>,
    IfMatch(revision): IfMatch,
    Json(command): Json<CancelOrder>,
) -> Result<Reply, Problem> {
    let by = tracking.check_for(&gateway, caller, &id, Action::Cancel)?;
    let order = gateway.app.cancel(&id, command, Some(revision), by).await?;
    Ok(Reply::ok(&order).revision(order.revision))
}

/// Say that a person has looked at an order
///
/// Takes it out of the inbox; the note stands in its timeline.
#[utoipa::path(post, path = "/v1/orders/{id}/resolve", tag = "orders", request_body = ResolveOrder,
    params(
        ("id" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision that was seen", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "it is out of the inbox", body = OrderView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it needs no attention", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn resolve_order(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    IfMatch(revision): IfMatch,
    Json(command): Json<ResolveOrder>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    let order = gateway.app.resolve(&id, command, revision).await?;
    Ok(Reply::ok(&order).revision(order.revision))
}
