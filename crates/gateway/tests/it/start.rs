//! A server on a free port, over a store in memory.

use std::net::SocketAddr;
use std::sync::Arc;

use app::{App, Ports, Secrets, Settings};
use gateway::{Gateway, Limits, Options};
use object_store::memory::InMemory;
use reqwest::{Client, Method, RequestBuilder, Response};
use runtime::Builder;
use store::memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An order that goes through.
pub(crate) const ORDER: &str = r#"{"customer":{"name":"Ana","email":"ana@example.com"},"lines":[{"sku":"xis-calabresa","quantity":1}],"payment":{"type":"card","number":"4242424242424242","expMonth":12,"expYear":2034,"cvc":"123"}}"#;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Arc::new(MemoryStore::new());
        let builder = Builder::new(store, [7; 32], runtime::Config::default());
        let (settings, secrets) = (Settings::default(), Secrets::new(b"only for tests, 16+"));
        let ports = Ports::embedded(builder.store(), Arc::new(InMemory::new()), &secrets, &settings);
        let app = App::open(ports, secrets, settings).await.unwrap();
        app.seed_catalogue().await.unwrap();
        let options = Options { version: "0.0.0", backlog: 1000, bench: false, states: true };
        let gateway = Gateway::new(app, Arc::new(builder.build()), options);
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = gateway::serve(listener, gateway::router(gateway), limits, async {
            let _ = stopped.await;
        });
        Server { address, client: Client::new(), stop: Some(stop), serving: tokio::spawn(serving) }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// A request that places an order.
    pub(crate) fn order(&self) -> RequestBuilder {
        self.request(Method::POST, "/place-order").header("content-type", "application/json").body(ORDER)
    }

    /// Stops it, and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.serving.await.unwrap().unwrap();
    }
}
