//! The server's parts in this process, as `serve` puts them together: the application and the engine over a store that crashes.

use std::sync::Arc;

use app::provider::{PaymentProvider, Simulator};
use app::{App, CallbackSender, Function, Ports, Secrets, Settings};
use async_trait::async_trait;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use runtime::{Builder, Runtime};
use store::crash::CrashStore;
use store::{BoxError, Store};

#[path = "../../src/serve/adapter.rs"]
mod adapter;

/// Posts to our own endpoints without a network.
#[derive(Default)]
pub(crate) struct Direct(Mutex<Option<App>>);

impl Direct {
    /// From here on this application is the one that is reached.
    pub(crate) fn reach(&self, app: &App) {
        *self.0.lock() = Some(app.clone());
    }
}

#[async_trait]
impl CallbackSender for Direct {
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError> {
        let app = self.0.lock().clone().ok_or("the server is not up")?;
        let done = if url.contains("/webhooks/") {
            app.provider_webhook("simulator", &|_: &str| header.1.clone(), body.as_bytes())
                .await
                .map(drop)
                .map_err(|e| e.to_string())
        } else {
            app.delivery_callback(&header.1, body.as_bytes()).await.map(drop).map_err(|e| e.to_string())
        };
        done.map(|()| 200).map_err(Into::into)
    }
}

/// What stands around the server's parts; the default changes nothing.
pub(crate) trait Around {
    /// The provider that the application uses, in place of the simulator itself.
    fn provider(&self, simulator: Arc<dyn PaymentProvider>) -> Arc<dyn PaymentProvider> {
        simulator
    }

    /// How the simulators reach our endpoints.
    fn sender(&self, direct: Arc<Direct>) -> Arc<dyn CallbackSender> {
        direct
    }

    /// What the flows call in place of a function.
    fn function(&self, function: Arc<dyn Function>) -> Arc<dyn Function> {
        function
    }
}

/// The server's parts at work.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) engine: Runtime,
    pub(crate) simulator: Arc<Simulator>,
}

/// Opens them over this store. Receipts outlive the process, as files do.
pub(crate) async fn open(
    store: Arc<CrashStore>,
    receipts: Arc<InMemory>,
    settings: Settings,
    around: &(dyn Around + Sync),
) -> World {
    let builder = Builder::new(store, [1; 32], runtime::Config::default());
    let secrets = Secrets::new(&[2; 32]);
    let mut ports = Ports::embedded(builder.store(), receipts, &secrets, &settings);
    let simulator = ports.simulator.clone().unwrap();
    let direct = Arc::new(Direct::default());
    ports.sender = around.sender(direct.clone());
    ports.provider = around.provider(ports.provider);
    let app = App::open(ports, secrets, settings).await.unwrap();
    direct.reach(&app);
    let functions = app.functions().into_iter().map(|function| around.function(function)).collect();
    let builder = adapter::functions(builder.through(app.store()), functions);
    let engine = adapter::consumers(builder, app.consumers()).build();
    let pascal = |name: &str| {
        let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        words.collect::<String>()
    };
    let arn = |name: &str| format!("arn:aws:lambda:local:000000000000:function:{name}");
    let names = app.functions().iter().map(|f| (pascal(f.name()), arn(f.name()))).collect();
    for (name, flow) in app::FLOWS {
        engine.register_flow(name, &asl::substitute(flow, &names).unwrap()).await.unwrap();
    }
    app.seed_catalogue().await.unwrap();
    engine.start().await.unwrap();
    app.set_callback_base("http://in-process");
    World { app, engine, simulator }
}

/// A row of a table of the application, by the table's name.
pub(crate) async fn rows(store: &dyn Store, table: &str) -> Vec<store::Row> {
    let tables = app::tables().into_iter().chain(runtime::tables());
    let table = tables.into_iter().find(|known| known.name == table).unwrap();
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.query(store::Query::table(table).after(cursor)).await.unwrap();
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return rows;
        }
    }
}

/// The provider's payment of an order.
pub(crate) async fn intent(app: &App, order_id: &str) -> Option<String> {
    let table = app::tables().into_iter().find(|table| table.name == "payments")?;
    let key = store::id::decode(&order_id[4..])?;
    let row = app.store().get(table, &key.into()).await.ok()??;
    row.text("intent").map(str::to_owned)
}
