//! The server put together: store, engine, use cases, HTTP.

mod adapter;
#[cfg(feature = "aws")]
pub(crate) mod cloud;
mod provider;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::{App, Auditor, Ports, Secrets, SmtpMailer, Source};
use gateway::Gateway;
use object_store::local::LocalFileSystem;
use runtime::{Builder, Runtime};
use store::sqlite::{SqliteSnapshot, SqliteStore};
use store::{Schema, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::flows;
use crate::key::{MasterKey, Purpose};

/// The store's file in the data folder.
pub(crate) fn store_path(config: &Config) -> PathBuf {
    config.data.join("comanda.db")
}

/// Products of the benchmark.
pub(crate) const BENCH_SKUS: i64 = 1000;
/// Units of each at the start.
pub(crate) const BENCH_STOCK: i64 = 10_000_000;

/// What a server does beyond its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extras {
    /// Put the sample catalogue into an empty store.
    pub(crate) sample: bool,
    /// Serve the routes and the flow of the benchmark.
    pub(crate) bench: bool,
}

/// The parts behind HTTP: store, use cases, engine.
pub(crate) struct Backend {
    pub(crate) app: App,
    pub(crate) engine: Arc<Runtime>,
    pub(crate) store: Arc<SqliteStore>,
}

impl Backend {
    /// Opens the store and puts the parts over it together. The engine does not work yet.
    ///
    /// `url` is where people and the simulators reach this server.
    pub(crate) async fn open(config: &Config, url: &str) -> Result<Backend, Failure> {
        make_folder(&config.data)?;
        let key = MasterKey::open(&config.keys.file, &config.data)?;
        let store = Arc::new(SqliteStore::open(&store_path(config), &schema()?)?);
        let engine = runtime::Config { concurrency: config.engine.concurrency as usize, ..runtime::Config::default() };
        let builder = Builder::new(store.clone(), key.derive(Purpose::TaskTokens), engine);
        let settings = settings::of(config, url);
        let secrets = Secrets::new(&key.derive(Purpose::Application));
        let mut ports = Ports::embedded(builder.store(), object_folder(&config.data, "receipts")?, &secrets, &settings);
        if let Some(real) = provider::real(config)? {
            ports.provider = real;
            ports.simulator = None;
        }
        if !config.smtp.url.is_empty() {
            let mailer = SmtpMailer::new(&config.smtp.url).map_err(|error| {
                Failure::new(
                    Kind::Usage,
                    format!("`smtp.url` cannot be used: {error}; write for example `smtp://localhost:25`"),
                )
            })?;
            ports.mailer = Some(Arc::new(mailer));
        }
        let app = App::open(ports, secrets, settings).await?;
        let builder = adapter::functions(builder.through(app.store()), app.functions());
        let builder = adapter::consumers(builder, app.consumers());
        let builder =
            builder.resources(resources(&config.engine.resources)?).objects(object_folder(&config.data, "objects")?);
        let engine = Arc::new(builder.build());
        Ok(Backend { app, engine, store })
    }

    /// Gives the engine its flows, and lets it work.
    async fn start(&self, config: &Config, extras: Extras) -> Result<(), Failure> {
        let mut all: Vec<_> = app::FLOWS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        if extras.bench {
            all.push((app::BENCH_FLOW_NAME.to_owned(), app::BENCH_FLOW.to_owned()));
        }
        if !config.flows.as_os_str().is_empty() {
            all.extend(flows::read(&config.flows)?);
        }
        for (name, text) in all {
            let text = flows::fill(&name, &text, &self.app)?;
            self.engine.register_flow(&name, &text).await.map_err(|error| {
                let error = anyhow::Error::from(error).context(format!("the flow `{name}` cannot be used"));
                Failure { kind: Kind::Usage, error }
            })?;
        }
        if extras.bench {
            let seeded = self.app.bench_seed(BENCH_SKUS, BENCH_STOCK).await;
            seeded.map_err(anyhow::Error::from)?;
        }
        if extras.sample {
            self.app.seed_catalogue().await.map_err(anyhow::Error::from)?;
        }
        if config.ledger.consolidate {
            self.app.ledger().start();
        }
        self.engine.start().await.map_err(|error| Failure::new(Kind::Unavailable, error.to_string()))
    }
}

/// An auditor of the store's file, also while a server uses it. It writes nothing.
///
/// # Errors
/// There is no store, or it is of another version.
pub(crate) fn auditor(config: &Config) -> Result<Auditor, Failure> {
    let path = store_path(config);
    let folder = config.data.display();
    if !path.exists() {
        let problem = format!("there is no store in `{folder}`; name the folder with --data");
        return Err(Failure::new(Kind::NotFound, problem));
    }
    let unreadable = |error: store::ReadError| Failure::new(Kind::Unavailable, format!("`{folder}`: {error}"));
    let version = SqliteSnapshot::take(&path).and_then(|snapshot| snapshot.version()).map_err(unreadable)?;
    if version != app::SCHEMA_VERSION {
        let known = app::SCHEMA_VERSION;
        let problem = format!("`{folder}` has schema version {version}, not {known}: start this version's server once");
        return Err(Failure::new(Kind::Usage, problem));
    }
    let key = MasterKey::open(&config.keys.file, &config.data)?;
    let secrets = Secrets::new(&key.derive(Purpose::Application));
    let (settings, files) = (settings::of(config, ""), object_folder(&config.data, "receipts")?);
    let used = in_use(&path);
    let real = provider::real(config)?;
    let auditor = Auditor::new(Source::File(path), move |snapshot| match &real {
        Some(provider) => provider.clone(),
        None => Ports::embedded(snapshot, files.clone(), &secrets, &settings).provider,
    });
    // Where nothing moves, there is nothing to wait for.
    Ok(if used { auditor } else { auditor.again_after([std::time::Duration::ZERO; 3]) })
}

/// Whether a server has the store open.
fn in_use(path: &Path) -> bool {
    let lock = std::fs::File::open(path.with_extension("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

/// A running server.
pub(crate) struct Server {
    pub(crate) backend: Backend,
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    grace: std::time::Duration,
}

impl Server {
    /// Listens, opens the store, starts the engine, answers.
    pub(crate) async fn start(config: &Config, extras: Extras) -> Result<Server, Failure> {
        refuse_public(config.listen)?;
        let listener = TcpListener::bind(config.listen).await.map_err(|e| {
            let problem = format!("cannot listen on {}: {e}; `--listen 127.0.0.1:0` picks a free port", config.listen);
            Failure::new(Kind::Unavailable, problem)
        })?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let backend = Backend::open(config, &url).await?;
        backend.start(config, extras).await?;
        backend.app.set_callback_base(&url);
        let options = gateway::Options {
            version: env!("CARGO_PKG_VERSION"),
            backlog: config.engine.backlog as usize,
            bench: extras.bench,
            states: config.engine.states_api,
        };
        let access_keys = config.access_keys().map_err(|problem| Failure::new(Kind::Usage, problem))?;
        let gateway = Gateway::new(backend.app.clone(), backend.engine.clone(), options)
            .with_access_keys(gateway::AccessKeys::new(access_keys));
        let (shutdown, stopped) = oneshot::channel::<()>();
        let serving = gateway::serve(listener, gateway::router(gateway), settings::limits(config), async {
            // An error means that the handle was dropped: then stop as well.
            let _ = stopped.await;
        });
        Ok(Server {
            backend,
            address,
            shutdown,
            serving: tokio::spawn(serving),
            grace: config.limits.shutdown_time.std(),
        })
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Resolves only if the store gives up, with the reason: then the process must end; a restart recovers.
    pub(crate) fn failed(&self) -> impl Future<Output = Arc<str>> + 'static {
        let store = self.backend.store.clone();
        async move { store.failed().await }
    }

    /// Takes no new requests, finishes those in work, lets the engine come to rest, makes everything durable.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        // An error means that it has stopped already.
        let _ = self.shutdown.send(());
        self.serving.await.map_err(anyhow::Error::from)??;
        let stopped = self.backend.engine.stop(self.grace).await;
        stopped.map_err(|error| Failure::new(Kind::Unavailable, error.to_string()))?;
        self.backend.app.ledger().halt().await;
        Ok(self.backend.store.flush().await?)
    }
}

/// Without sign-in, whoever reaches the server may do everything.
fn refuse_public(listen: SocketAddr) -> Result<(), Failure> {
    match listen.ip().is_loopback() {
        true => Ok(()),
        false => Err(Failure::new(
            Kind::Usage,
            format!("will not listen on {listen}: there is no sign-in yet, so only loopback addresses are safe"),
        )),
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::new(Kind::Unavailable, format!("cannot make the folder `{}`: {e}", folder.display())))
}

/// What flows may use, as the file declares it; secrets come from the variables that it names.
fn resources(file: &Path) -> Result<runtime::Resources, Failure> {
    if file.as_os_str().is_empty() {
        return Ok(runtime::Resources::default());
    }
    let wrong = |problem: String| {
        Failure::new(Kind::Usage, format!("`engine.resources`: `{}`: {}", file.display(), problem.trim_end()))
    };
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let declared: runtime::Resources = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    declared.resolve(&|name| std::env::var(name).ok()).map_err(wrong)
}

/// A folder of the data folder as an object store.
fn object_folder(data: &Path, name: &str) -> Result<Arc<LocalFileSystem>, Failure> {
    let folder = data.join(name);
    make_folder(&folder)?;
    let files = LocalFileSystem::new_with_prefix(&folder).map_err(anyhow::Error::from)?;
    Ok(Arc::new(files.with_fsync(true)))
}

fn schema() -> Result<Schema, Failure> {
    let tables = app::tables().into_iter().chain(runtime::tables()).collect();
    Ok(Schema::new(app::SCHEMA_VERSION, tables).map_err(anyhow::Error::from)?.with_views(app::views()))
}
