//! Installations on AWS, from a laptop.

use std::sync::Arc;

use app::{Auditor, Ports, Secrets, Source};
use aws::DynamoStore;
use aws::client::Aws;
use object_store::memory::InMemory;
use store::{Schema, Store, Table};

use crate::config::Config;
use crate::failure::{Failure, Kind};

/// The store that `dynamodb:TABLE` names, with the credentials and the region of the environment.
///
/// # Errors
/// Another kind of store; no region; no credentials.
pub(crate) fn store(named: &str) -> Result<Arc<dyn Store>, Failure> {
    let usage = |problem: String| Failure::new(Kind::Usage, problem);
    let table = named.strip_prefix("dynamodb:").filter(|table| !table.is_empty());
    let table = table.ok_or_else(|| usage(format!("`{named}` is no store; write dynamodb:TABLE")))?;
    let aws = Aws::from_environment().map_err(|error| usage(error.to_string()))?;
    let own: [&'static Table; 1] = [&aws::step::STEPS];
    let tables = app::tables().into_iter().chain(runtime::tables()).chain(own).collect();
    let schema = Schema::new(app::SCHEMA_VERSION, tables).map_err(anyhow::Error::from)?;
    let store = DynamoStore::new(aws, table, &schema, Vec::new()).map_err(anyhow::Error::from)?;
    Ok(Arc::new(store))
}

/// An auditor of an installation on AWS.
///
/// # Errors
/// See [`store`].
pub(crate) fn auditor(config: &Config, named: &str) -> Result<Auditor, Failure> {
    let settings = super::settings::of(config, "");
    // Signs nothing: the audit only reads.
    let secrets = Secrets::new(&[0; 32]);
    let files = Arc::new(InMemory::new());
    Ok(Auditor::new(Source::Live(store(named)?), move |snapshot| {
        Ports::embedded(snapshot, files.clone(), &secrets, &settings).provider
    }))
}
