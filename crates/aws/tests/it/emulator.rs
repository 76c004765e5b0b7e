//! Emulators of AWS on loopback, one for each test, stopped with it.
//!
//! Found in the variables `DYNOXIDE` and `MINISTACK`, in the repository's `.tools`, or on the path; `scripts/test-aws store` puts them
//! into `.tools`. One that is missing fails the test if `CI` is `true`, and otherwise says so.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::DynamoStore;
use aws::client::Aws;
use aws::layout::Expiry;
use object_store::StaticCredentialProvider;
use object_store::aws::AwsCredential;
use store::Schema;

/// How long an emulator may take to listen.
const START: Duration = Duration::from_secs(30);

/// A running emulator.
pub(crate) struct Emulator {
    child: Child,
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The emulators there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Dynoxide,
    Ministack,
}

impl Kind {
    fn program(self) -> Option<PathBuf> {
        let (variable, name) = match self {
            Kind::Dynoxide => ("DYNOXIDE", "dynoxide"),
            Kind::Ministack => ("MINISTACK", "ministack"),
        };
        let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = [tools.join("aws/bin"), tools.join(name).join("bin"), tools];
        let named = std::env::var_os(variable).map(PathBuf::from);
        let found = places.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
        named.into_iter().chain(found).find(|path| path.is_file())
    }

    /// Starts it; `None` if it is not installed here.
    pub(crate) fn start(self) -> Option<Emulator> {
        let Some(program) = self.program() else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "{self:?} is not installed; run `scripts/test-aws store`"
            );
            eprintln!("skipped: {self:?} is not installed; `scripts/test-aws store` installs it");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        match self {
            Kind::Dynoxide => {
                let file = folder.path().join("store.db");
                command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string(), "--db-path"]).arg(file);
            }
            Kind::Ministack => {
                command.envs([("BIND_HOST", "127.0.0.1"), ("IOT_MTLS_ENABLED", "0")]).env("TMPDIR", folder.path());
                command.env("GATEWAY_PORT", port.to_string());
            }
        }
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let emulator = Emulator { child, url: format!("http://127.0.0.1:{port}"), _folder: folder };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < START, "{self:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(emulator)
    }
}

/// A way to AWS with credentials that emulators take.
pub(crate) fn aws() -> Aws {
    let credential = AwsCredential { key_id: "test".into(), secret_key: "test".into(), token: None };
    Aws::new("us-east-1".into(), Arc::new(StaticCredentialProvider::new(credential))).unwrap()
}

/// A store in a table of its own at that endpoint.
pub(crate) async fn store_at(url: &str, schema: &Schema, expiries: Vec<Expiry>) -> DynamoStore {
    let store = DynamoStore::at(aws(), url.to_owned(), "comanda-test", schema, expiries).unwrap();
    store.create_table().await.unwrap();
    store
}
