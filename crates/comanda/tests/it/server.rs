//! The server's life: start, answer, refuse, stop.

use crate::start::{Server, check};

#[tokio::test]
async fn it_starts_on_a_free_port_answers_and_stops() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/healthz").await.status(), 200);
    assert_eq!(server.get("/openapi.json").await.status(), 200);
    let (_, code) = server.signal("-TERM");
    assert_eq!(code, Some(0));
}

#[test]
fn a_busy_port_and_a_bad_folder_are_clear_errors() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let address = server.url.trim_start_matches("http://").to_owned();
    check(folder.path(), &["serve", "--listen", &address], 5, "cannot listen on");
    std::fs::write(folder.path().join("data"), "a file").unwrap();
    check(folder.path(), &["serve", "--listen", "127.0.0.1:0"], 5, "cannot make the folder `data`");
}

#[test]
fn a_server_that_is_not_there_is_code_5() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["order", "list", "--server", "http://127.0.0.1:1"], 5, "is `comanda serve` running?");
}
