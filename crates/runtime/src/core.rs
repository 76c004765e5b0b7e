//! What the runtime is made of.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;
use store::Store;
use tokio::sync::{Notify, Semaphore};

use crate::execution::{Live, Mailbox};
use crate::flow::Flows;
use crate::queue::{Queues, Traffic};
use crate::services::Services;
use crate::task::{QueueHandler, TaskHandler};
use crate::token::Tokens;

/// Bounds of the runtime; what is beyond them waits in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Executions that work at the same time.
    pub concurrency: usize,
    /// Waiting executions whose state is kept in memory, so that waking them needs no reading.
    pub resting: usize,
    /// The account in ARNs, 12 digits.
    pub account: String,
    /// The region in ARNs.
    pub region: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { concurrency: 512, resting: 1024, account: "000000000000".into(), region: "us-east-1".into() }
    }
}

pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) flows: Flows,
    pub(crate) tokens: Tokens,
    pub(crate) services: Services,
    pub(crate) functions: HashMap<String, Arc<dyn TaskHandler>>,
    pub(crate) consumers: HashMap<String, Arc<dyn QueueHandler>>,
    pub(crate) queues: Mutex<Queues>,
    /// Executions at work, and what has arrived for them meanwhile.
    pub(crate) active: Mutex<AHashMap<i64, Arc<Mailbox>>>,
    /// Invariant: an execution is in here only while it is not in `active`.
    pub(crate) resting: Mutex<Resting>,
    pub(crate) places: Semaphore,
    /// Wakes the clock: something is due earlier than it sleeps.
    pub(crate) wake: Notify,
    pub(crate) sleeps_until: AtomicI64,
    /// Wakes the workers that wait for tasks of activities.
    pub(crate) fetchers: Notify,
    pub(crate) started: AtomicU64,
    pub(crate) finished: AtomicU64,
}

/// How often a change is decided anew because another writer was faster: a task's, a message's, or that of an
/// operation of the API.
pub(crate) const MAX_CONFLICTS: u32 = 20;

impl Core {
    /// Hears of what a commit did to messages, and sets to work what may be done now.
    pub(crate) fn note(self: &Arc<Core>, traffic: Traffic) {
        let now_ms = store::clock::now_ms();
        let for_workers = traffic.reaches(crate::activities::QUEUE);
        let (work, next) = {
            let mut queues = self.queues.lock();
            queues.note(traffic, now_ms);
            (queues.work(), queues.next_due())
        };
        if next.is_some_and(|at| at < self.sleeps_until.load(Ordering::Relaxed)) {
            self.wake.notify_one();
        }
        if for_workers {
            self.fetchers.notify_waiters();
        }
        self.set_to(work);
    }
}

/// Executions that wait, most of them soon to be woken: a bounded memory of their state.
#[derive(Default)]
pub(crate) struct Resting {
    lives: AHashMap<i64, Live>,
    order: std::collections::VecDeque<i64>,
}

impl Resting {
    pub(crate) fn take(&mut self, id: i64) -> Option<Live> {
        self.lives.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.lives.len()
    }

    pub(crate) fn put(&mut self, live: Live, most: usize) {
        self.order.push_back(live.id);
        self.lives.insert(live.id, live);
        while self.lives.len() > most || self.order.len() > most.saturating_mul(4) {
            let Some(oldest) = self.order.pop_front() else { break };
            // The same execution may stand in the order again, further back; then this only makes it cold too early.
            self.lives.remove(&oldest);
        }
    }
}
