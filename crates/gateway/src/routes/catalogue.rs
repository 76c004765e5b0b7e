//! The catalogue: products with options, extras, prices and stock.

use app::commands::AdjustStock;
use app::views::{CatalogueView, ProductView, StockView};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use domain::catalogue::Product;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, IdempotencyKey, IfMatch, Json, Problem, Reply, Segment, Wire};

resource![show_catalogue, show_product, put_product, adjust_stock];

/// Show everything that is sold
#[utoipa::path(get, path = "/v1/catalogue", tag = "catalogue", responses(
    (status = 200, description = "the catalogue", body = CatalogueView),
))]
async fn show_catalogue(State(gateway): State<Gateway>) -> Result<Reply, Problem> {
    Ok(Reply::ok(&gateway.app.catalogue().await?))
}

/// Show a product
#[utoipa::path(get, path = "/v1/catalogue/products/{sku}", tag = "catalogue",
    params(("sku" = String, Path, description = "the product", example = "xis-salada")),
    responses(
        (status = 200, description = "the product; `ETag` is its revision", body = ProductView),
        (status = 404, description = "there is no such product", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_product(State(gateway): State<Gateway>, Segment(sku): Segment<String>) -> Result<Reply, Problem> {
    let product = gateway.app.product(&sku).await?;
    Ok(Reply::ok(&product).revision(product.revision))
}

/// Write a product
///
/// `If-Match` changes a product that is there, `If-None-Match: *` makes a new one. Orders keep the prices they were placed
/// with.
#[utoipa::path(put, path = "/v1/catalogue/products/{sku}", tag = "catalogue", request_body = Product,
    params(
        ("sku" = String, Path, description = "the product", example = "xis-salada"),
        ("If-Match" = Option<String>, Header, description = "the revision to change"),
        ("If-None-Match" = Option<String>, Header, description = "`*` for a new product"),
    ),
    responses(
        (status = 200, description = "written; `ETag` is its revision", body = ProductView),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "neither condition is there", body = Wire, content_type = "application/problem+json"),
    ))]
async fn put_product(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(sku): Segment<String>,
    revision: Result<IfMatch, Problem>,
    headers: HeaderMap,
    Json(product): Json<Product>,
) -> Result<Reply, Problem> {
    caller.may(Action::EditCatalogue)?;
    let is_new = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let revision = match is_new {
        true => None,
        false => Some(revision?.0),
    };
    let product = gateway.app.put_product(&sku, product, revision).await?;
    Ok(Reply::json(StatusCode::OK, &product).revision(product.revision))
}

/// Add stock, or take it away
///
/// With an `Idempotency-Key`, the same request changes nothing a second time.
#[utoipa::path(post, path = "/v1/catalogue/products/{sku}/stock", tag = "catalogue", request_body = AdjustStock,
    params(
        ("sku" = String, Path, description = "the product", example = "xis-salada"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
    ),
    responses(
        (status = 200, description = "the stock now", body = StockView),
        (status = 404, description = "there is no such product", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "there is not so much", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
    ))]
async fn adjust_stock(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(sku): Segment<String>,
    key: IdempotencyKey,
    Json(command): Json<AdjustStock>,
) -> Result<Reply, Problem> {
    caller.may(Action::EditCatalogue)?;
    let adjusted = gateway.app.adjust_stock(&sku, command, key.0.as_deref()).await?;
    Ok(Reply::ok(&adjusted.stock).replayed(adjusted.replayed))
}
