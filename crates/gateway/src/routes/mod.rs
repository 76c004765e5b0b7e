//! The routes, a resource a file.

pub(crate) mod bench;
mod catalogue;
mod credit_notes;
mod deliveries;
mod engine;
mod executions;
mod health;
mod kitchen;
mod ledger;
mod mailbox;
mod orders;
mod payments;
mod receipts;
mod reconciliation;
mod refunds;
mod simulator;
mod stats;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use utoipa::openapi::{OpenApi, PathItem};

use crate::Gateway;

/// Handlers with their paths and methods, described.
pub(crate) struct Resource {
    router: Router<Gateway>,
    document: OpenApi,
}

/// Mounts handlers where their `#[utoipa::path]` says, so that router and document cannot differ.
macro_rules! resource {
    ($($handler:ident),+ $(,)?) => {
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($handler),+))]
        struct Described;

        pub(crate) fn resource() -> crate::routes::Resource {
            crate::routes::Resource::new(<Described as utoipa::OpenApi>::openapi())
                $(.mount(stringify!($handler), $handler))+
        }
    };
}
use resource;

impl Resource {
    fn new(document: OpenApi) -> Resource {
        Resource { router: Router::new(), document }
    }

    fn mount<H: Handler<T, Gateway>, T: 'static>(mut self, name: &str, handler: H) -> Resource {
        let found = self.document.paths.paths.iter().find_map(|(path, item)| Some((path, method(item, name)?)));
        if let Some((path, method)) = found {
            self.router = self.router.route(path, on(method, handler));
        }
        self
    }
}

/// The method of the operation of that name.
fn method(item: &PathItem, name: &str) -> Option<MethodFilter> {
    let all = [
        (&item.get, MethodFilter::GET),
        (&item.put, MethodFilter::PUT),
        (&item.post, MethodFilter::POST),
        (&item.delete, MethodFilter::DELETE),
        (&item.patch, MethodFilter::PATCH),
    ];
    let is_it = |operation: &Option<utoipa::openapi::path::Operation>| {
        operation.as_ref().is_some_and(|o| o.operation_id.as_deref() == Some(name))
    };
    all.into_iter().find_map(|(operation, method)| is_it(operation).then_some(method))
}

/// All resources in one router, and their description added to the document.
pub(crate) fn all(document: &mut OpenApi) -> Router<Gateway> {
    let resources = [
        orders::resource(),
        payments::resource(),
        refunds::resource(),
        credit_notes::resource(),
        reconciliation::resource(),
        kitchen::resource(),
        deliveries::resource(),
        catalogue::resource(),
        receipts::resource(),
        ledger::accounts::resource(),
        ledger::entries::resource(),
        ledger::files::resource(),
        ledger::statements::resource(),
        ledger::days::resource(),
        ledger::projection::resource(),
        simulator::resource(),
        mailbox::resource(),
        engine::resource(),
        executions::resource(),
        stats::resource(),
        health::resource(),
    ];
    resources.into_iter().fold(Router::new(), |router, resource| {
        document.merge(resource.document);
        router.merge(resource.router)
    })
}
