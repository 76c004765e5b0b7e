//! The server put together: store, engine, use cases, HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use gateway::{Gateway, Limits};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::key::{MasterKey, Purpose};

/// The store's file in the data folder.
pub(crate) fn store_path(config: &Config) -> PathBuf {
    config.data.join("comanda.db")
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Opens the store, starts the engine, listens.
    pub(crate) async fn start(config: &Config, _: &cli::Serve) -> Result<Server, Failure> {
        refuse_public(config.listen)?;
        let listener = TcpListener::bind(config.listen).await.map_err(|e| {
            let problem = format!(
                "cannot listen on {}: {e}; `--listen 127.0.0.1:0` picks a free port",
                config.listen
            );
            Failure::new(Kind::Unavailable, problem)
        })?;
        std::fs::create_dir_all(&config.data).map_err(|e| {
            let problem = format!("cannot make the data folder `{}`: {e}", config.data.display());
            Failure::new(Kind::Unavailable, problem)
        })?;
        let key = MasterKey::open(&config.keys.file, &config.data)?;
        let _ = key.derive(Purpose::Tracking);
        let address = listener.local_addr()?;
        let gateway = Gateway {
            version: env!("CARGO_PKG_VERSION"),
        };
        let (shutdown, stopped) = oneshot::channel::<()>();
        let serving = gateway::serve(listener, gateway::router(gateway), limits(config), async {
            // An error means that the handle was dropped: then stop as well.
            let _ = stopped.await;
        });
        Ok(Server {
            address,
            shutdown,
            serving: tokio::spawn(serving),
        })
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns only if the server cannot go on, with the reason.
    pub(crate) async fn failed(&self) -> String {
        std::future::pending().await
    }

    /// Takes no new requests, finishes those in work, makes everything durable.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        // An error means that it has stopped already.
        let _ = self.shutdown.send(());
        self.serving.await.map_err(anyhow::Error::from)??;
        Ok(())
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

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        body_bytes: limits.body_bytes,
        request_time: limits.request_time.std(),
        requests: limits.requests,
        streams: limits.streams,
        shutdown_time: limits.shutdown_time.std(),
    }
}
