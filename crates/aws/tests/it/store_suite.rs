//! The suite that every adapter passes, on two independent emulators.

use std::sync::Arc;

use store::conformance;

use crate::emulator::{Kind, store_at};

async fn check(kind: Kind) {
    let Some(emulator) = kind.start() else { return };
    let store = store_at(&emulator.url, &conformance::schema(), Vec::new()).await;
    conformance::check_all(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_on_dynoxide() {
    check(Kind::Dynoxide).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_on_ministack() {
    check(Kind::Ministack).await;
}
