//! A proxy before an emulator that throttles, fails and loses requests and answers, and the store behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use store::conformance::{self, STOCK};
use store::{Add, Batch, CommitError, Op, Row, Store, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::emulator::{Kind, store_at};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Throttle,
    Fail,
    Busy,
    /// The connection ends before the request arrives.
    LoseRequest,
    /// The request takes effect, the connection ends before the answer.
    LoseAnswer,
    /// A transaction stays without effect and without an answer.
    StallBefore,
    /// A transaction takes effect and stays without an answer.
    StallAfter,
}

/// Decides about the requests in turn: a plan first, then by chance.
pub(crate) struct Chaos {
    pub(crate) plan: Mutex<Vec<Fault>>,
    /// Of 100 requests, how many go wrong after the plan.
    percent: u64,
    state: AtomicU64,
    requests: AtomicUsize,
    faults: AtomicUsize,
}

impl Chaos {
    fn next(&self, operation: &str) -> Fault {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if operation == "CreateTable" {
            return Fault::None;
        }
        let stalls = |fault: &Fault| matches!(fault, Fault::StallBefore | Fault::StallAfter);
        let waits = operation != "TransactWriteItems" && self.plan.lock().last().is_some_and(stalls);
        let planned = if waits { None } else { self.plan.lock().pop() };
        let fault = planned.unwrap_or_else(|| {
            // Weyl's sequence through a multiplicative hash: the seed replays the faults.
            let n = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let hash = (n ^ (n >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
            let all = [Fault::Throttle, Fault::Fail, Fault::Busy, Fault::LoseRequest, Fault::LoseAnswer];
            if hash % 100 < self.percent { all[(hash >> 8) as usize % all.len()] } else { Fault::None }
        });
        // Only transactions are refused like that.
        let fault = if fault == Fault::Busy && operation != "TransactWriteItems" { Fault::Throttle } else { fault };
        self.faults.fetch_add(usize::from(fault != Fault::None), Ordering::Relaxed);
        fault
    }
}

/// One HTTP message: its head and its body.
pub(crate) async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0_usize) {
                return Some(bytes);
            }
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

fn operation(request: &[u8]) -> String {
    let head = String::from_utf8_lossy(request);
    let target = head.lines().find(|line| line.to_lowercase().starts_with("x-amz-target:"));
    target.and_then(|line| line.rsplit('.').next()).unwrap_or_default().trim().to_owned()
}

fn refusal(status: &str, code: &str) -> Vec<u8> {
    let reasons = r#""CancellationReasons":[{"Code":"TransactionConflict"}]"#;
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"injected",{reasons}}}"#);
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

/// Starts the proxy; its address.
pub(crate) async fn proxy(target: &str, chaos: Arc<Chaos>) -> String {
    let target = target.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (target, chaos) = (target.clone(), chaos.clone());
            tokio::spawn(async move {
                let mut server = TcpStream::connect(&target).await.unwrap();
                while let Some(request) = read_message(&mut client).await {
                    let fault = chaos.next(&operation(&request));
                    let answer = match fault {
                        Fault::Throttle => refusal("400 Bad Request", "ProvisionedThroughputExceededException"),
                        Fault::Fail => refusal("500 Internal Server Error", "InternalServerError"),
                        Fault::Busy => refusal("400 Bad Request", "TransactionCanceledException"),
                        Fault::LoseRequest => return,
                        Fault::StallBefore => return std::future::pending().await,
                        Fault::None | Fault::LoseAnswer | Fault::StallAfter => {
                            server.write_all(&request).await.unwrap();
                            match read_message(&mut server).await {
                                Some(answer) => answer,
                                None => return,
                            }
                        }
                    };
                    if fault == Fault::StallAfter {
                        std::future::pending::<()>().await;
                    }
                    if fault == Fault::LoseAnswer || client.write_all(&answer).await.is_err() {
                        return;
                    }
                    if !matches!(fault, Fault::None) {
                        return;
                    }
                }
            });
        }
    });
    address
}

pub(crate) fn chaos(plan: &[Fault], percent: u64, seed: u64) -> Arc<Chaos> {
    Arc::new(Chaos {
        plan: Mutex::new(plan.iter().rev().copied().collect()),
        percent,
        state: AtomicU64::new(seed),
        requests: AtomicUsize::new(0),
        faults: AtomicUsize::new(0),
    })
}

/// The whole suite, which counts effects, with a tenth of all requests going wrong.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_while_requests_fail() {
    let Some(emulator) = Kind::Dynoxide.start() else { return };
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| std::process::id().into());
    println!("SEED={seed}");
    let chaos = chaos(&[], 10, seed);
    let url = proxy(&emulator.url, chaos.clone()).await;
    let store = store_at(&url, &conformance::schema(), Vec::new()).await;
    conformance::check_all(Arc::new(store)).await;
    let faults = chaos.faults.load(Ordering::Relaxed);
    println!("{faults} of {} requests went wrong", chaos.requests.load(Ordering::Relaxed));
    assert!(faults > 50, "only {faults} faults");
}

/// Each kind of write takes effect once though its answer is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_doubles_nothing_and_hides_nothing() {
    let Some(emulator) = Kind::Dynoxide.start() else { return };
    let tea = || Row::new(&STOCK, "tea", vec![Value::Int(5), Value::Int(0)]);
    let add = || Op::Add(Add { table: &STOCK, key: "tea".into(), amounts: vec![("on_hand", -1)], floor: 0 });
    let when = Some(("on_hand", Value::Int(4)));
    let set = vec![("on_hand", Value::Int(2))];
    let update = Op::Update(store::Update { table: &STOCK, key: "tea".into(), set, when });
    let other = Row::new(&STOCK, "cake", vec![Value::Int(1), Value::Int(0)]);
    let batches = [vec![Op::Insert(tea())], vec![add()], vec![update], vec![add(), Op::Insert(other)]];
    let chaos = chaos(&[], 0, 0);
    let url = proxy(&emulator.url, chaos.clone()).await;
    let store = store_at(&url, &conformance::schema(), Vec::new()).await;
    for ops in batches {
        *chaos.plan.lock() = vec![Fault::LoseAnswer, Fault::LoseAnswer];
        let mut batch = Batch::new();
        for op in ops {
            batch.push(op);
        }
        store.commit(batch).await.unwrap();
        assert!(chaos.plan.lock().is_empty(), "no answer was lost");
    }
    let row = store.get(&STOCK, &"tea".into()).await.unwrap().unwrap();
    assert_eq!(row.int("on_hand"), Some(1));
}

/// What lasts longer than the patience of the client is told as what it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_told_apart() {
    let Some(emulator) = Kind::Dynoxide.start() else { return };
    let chaos = chaos(&[], 0, 0);
    let url = proxy(&emulator.url, chaos.clone()).await;
    let store = store_at(&url, &conformance::schema(), Vec::new()).await;
    let commit = async |fault| {
        *chaos.plan.lock() = vec![fault; 8];
        let mut batch = Batch::new();
        batch.insert(Row::new(&STOCK, "tea", vec![Value::Int(5), Value::Int(0)]));
        store.commit(batch).await.map(drop)
    };
    assert!(matches!(commit(Fault::Throttle).await, Err(CommitError::Unavailable(_))));
    assert!(matches!(commit(Fault::Fail).await, Err(CommitError::Unavailable(_))));
    assert!(matches!(commit(Fault::LoseRequest).await, Err(CommitError::Unavailable(_))));
    assert!(matches!(commit(Fault::Busy).await, Err(CommitError::Conflict { table: "conformance_stock", .. })));
    assert_eq!(store.get(&STOCK, &"tea".into()).await.unwrap(), None);
}
