//! The configuration from outside: messages and exit codes.

use crate::start::{check, comanda, run};

#[test]
fn the_configuration_in_force_is_shown_with_its_sources() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("comanda.toml"), "[merchant]\nname = \"Lanche da Ana\"\n").unwrap();
    check(folder.path(), &["config"], 0, "merchant.name = \"Lanche da Ana\"");
    check(folder.path(), &["config"], 0, "# comanda.toml:2");
    check(folder.path(), &["config", "--set", "engine.concurrency=3"], 0, "# --set");
    let output = comanda(folder.path(), &["config", "--json"]).env("COMANDA_SMTP_URL", "secret").output().unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["smtp.url"]["value"], "(hidden)");
    assert_eq!(all["smtp.url"]["source"], "COMANDA_SMTP_URL");
}

#[test]
fn mistakes_end_with_code_2_and_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(folder, &["config", "--set", "order.payment_dedline=5m"], 2, "did you mean `order.payment_deadline`?");
    check(folder, &["config", "--set", "order.delivery_fee=-1"], 2, "out of range; use 0 to 100000000");
    check(folder, &["config", "--set", "listen"], 2, "write KEY=VALUE");
    check(folder, &["config", "--config", "absent.toml"], 2, "cannot read `absent.toml`");
    check(folder, &["serve", "--listen", "0.0.0.0:0"], 2, "only loopback");
    check(folder, &["serve", "--log", "a=b=c"], 2, "is no filter");
    check(folder, &["ordr"], 2, "order");
    assert_eq!(run(folder, &["--help"]).status.code(), Some(0));
}
