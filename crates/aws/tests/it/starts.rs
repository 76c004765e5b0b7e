//! Cold starts: from the start of the process to its first answer, and the memory it took. `BOOTSTRAP` names another binary
//! than the development build, `COLD_STARTS` how often it is started.

use std::time::Duration;

use serde_json::json;

use crate::lambda::{Cloud, http};

/// What no function may need: the least that Lambda gives.
const MOST_KIB: u64 = 128 * 1024;
/// What a start may take here, an emulator in Python's answers among it.
const LONGEST: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_function_starts_small() {
    let Some(cloud) = Cloud::new().await else { return };
    cloud.function("seed").await.answer(&json!({})).await;
    let starts = std::env::var("COLD_STARTS").ok().and_then(|starts| starts.parse().ok()).unwrap_or(3);
    let health = http("GET", "/healthz", None, false);
    let missing = json!({ "orderId": "ord_0000000000000", "step": "x" });
    for (handler, event) in [("api", health), ("fn.ReserveStock", missing), ("relay", json!({ "Records": [] }))] {
        let (mut times, mut most) = (Vec::new(), 0);
        for _ in 0..starts {
            let function = cloud.function(handler).await;
            function.invoke(&event).await;
            times.push(function.begin.elapsed());
            most = most.max(function.peak_kib());
        }
        times.sort_unstable();
        let median = times[times.len() / 2];
        println!(
            "{handler}: median of {starts} starts {median:?}, longest {:?}, most memory {most} KiB",
            times[times.len() - 1]
        );
        assert!(median < LONGEST, "{handler} starts in {median:?}");
        assert!(most > 0 && most < MOST_KIB, "{handler} takes {most} KiB");
    }
}
