//! The routes, a resource a file.

mod health;

use utoipa_axum::router::OpenApiRouter;

use crate::Gateway;

pub(crate) fn all() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().merge(health::routes())
}
