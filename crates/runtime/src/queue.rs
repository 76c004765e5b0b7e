//! The messages that are due soon, in memory, and which of them may be handled now.
//!
//! The store holds every message. Memory holds those that become visible before the *mark* of their queue; the mark runs
//! ahead of the clock, so a message due in a week costs nothing but its row. A queue that holds too much drops its mark
//! and is loaded again once it has drained.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use store::message::MESSAGES;
use store::{Op, Row};

/// Ready messages of one queue in memory; more stay in the store until these are done.
pub(crate) const MAX_READY: usize = 50_000;
/// The most messages of one queue loaded ahead of their time.
pub(crate) const MAX_AHEAD: usize = 50_000;
/// How far the mark runs ahead of the clock.
pub(crate) const AHEAD_MS: i64 = 60_000;

/// A message in memory.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) row: Row,
}

impl Item {
    pub(crate) fn of(row: &Row) -> Option<Item> {
        Some(Item { id: row.key().int()?, row: row.clone() })
    }

    fn group(&self) -> Option<&str> {
        self.row.text("group_id")
    }

    pub(crate) fn body(&self) -> &str {
        self.row.text("body").unwrap_or("null")
    }

    pub(crate) fn receives(&self) -> u32 {
        self.row.int("receives").and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }

    pub(crate) fn visible_at(&self) -> i64 {
        self.row.int("visible_at").unwrap_or(0)
    }
}

/// What a batch did to messages.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    arrived: Vec<Row>,
    gone: Vec<i64>,
}

impl Traffic {
    pub(crate) fn of(ops: &[Op]) -> Traffic {
        let mut traffic = Traffic::default();
        for op in ops {
            match op {
                Op::Insert(row) | Op::Put(row) if *row.table() == MESSAGES => traffic.arrived.push(row.clone()),
                Op::Delete(table, key) if **table == MESSAGES => traffic.gone.extend(key.int()),
                _ => {}
            }
        }
        traffic
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.gone.is_empty()
    }
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<i64>,
    /// By group: the messages behind the one that is ready, running or delayed.
    behind: HashMap<Arc<str>, VecDeque<i64>>,
    ahead: usize,
    running: usize,
    concurrency: usize,
    /// Messages visible before this are in memory; `i64::MIN` when all are to be loaded anew.
    mark: i64,
    /// Set while the queue is being loaded: what arrives waits here, so that older messages come first.
    loading: Option<Vec<Row>>,
}

#[derive(Debug)]
struct Known {
    queue: Arc<str>,
    item: Item,
    running: bool,
    /// In the heap, waiting for its time.
    delayed: bool,
}

/// All queues. Not a store: what it forgets is still in the table.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    queues: HashMap<Arc<str>, Queue>,
    known: ahash::AHashMap<i64, Known>,
    later: BinaryHeap<Reverse<(i64, i64)>>,
    /// Queues in which something may have become ready since [`Queues::work`] last looked.
    stirred: Vec<Arc<str>>,
    stopped: bool,
}

/// A message to handle now.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) queue: Arc<str>,
    pub(crate) item: Item,
}

/// Figures of one queue.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueFigures {
    /// Its name.
    pub queue: String,
    /// Messages that may be handled now.
    pub ready: usize,
    /// Messages in memory that become visible soon.
    pub delayed: usize,
    /// Messages being handled.
    pub running: usize,
    /// Whether more wait in the store than memory takes.
    pub overflowing: bool,
}

impl Queues {
    /// Declares a queue with a consumer. Undeclared queues hold messages that someone receives.
    pub(crate) fn declare(&mut self, queue: &str, concurrency: usize) {
        let queue = self.queue(queue);
        queue.concurrency = concurrency.max(1);
    }

    fn queue(&mut self, name: &str) -> &mut Queue {
        if !self.queues.contains_key(name) {
            let queue = Queue { mark: i64::MIN, ..Queue::default() };
            self.queues.insert(Arc::from(name), queue);
        }
        // The entry was made above if it was not there.
        self.queues.entry(Arc::from(name)).or_default()
    }

    /// Hands out no more work.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Hands out work.
    pub(crate) fn go(&mut self) {
        self.stopped = false;
        self.stirred = self.queues.keys().cloned().collect();
    }

    /// Takes note of a commit: messages that are gone, then those that are new or changed.
    pub(crate) fn note(&mut self, traffic: Traffic, now_ms: i64) {
        for id in traffic.gone {
            self.gone(id);
        }
        for row in traffic.arrived {
            self.arrived(row, now_ms);
        }
    }

    fn arrived(&mut self, row: Row, now_ms: i64) {
        let Some(item) = Item::of(&row) else { return };
        if let Some(known) = self.known.get_mut(&item.id) {
            if known.queue.as_ref() == row.text("queue").unwrap_or_default() {
                // Received, or put off by who received it; who handles it puts it off by itself.
                let visible_at = item.visible_at();
                known.item = item;
                if !known.running && (visible_at > now_ms || known.delayed) {
                    let (id, newly) = (known.item.id, !std::mem::replace(&mut known.delayed, true));
                    if let Some(queue) = self.queues.get_mut(&known.queue) {
                        queue.ahead += usize::from(newly);
                    }
                    self.later.push(Reverse((visible_at, id)));
                }
                return;
            }
            self.gone(item.id);
        }
        let name = row.text("queue").unwrap_or_default();
        let visible_at = item.visible_at();
        let queue = self.queue(name);
        if let Some(waiting) = &mut queue.loading {
            waiting.push(row);
            return;
        }
        if visible_at > queue.mark {
            return;
        }
        if queue.ready.len() >= MAX_READY {
            queue.mark = i64::MIN;
            return;
        }
        if visible_at > now_ms && queue.ahead >= MAX_AHEAD {
            queue.mark = queue.mark.min(now_ms);
            return;
        }
        self.admit(item, now_ms);
    }

    /// Puts a message among the ready, the delayed, or behind its group.
    fn admit(&mut self, item: Item, now_ms: i64) {
        let Some(name) = item.row.text("queue") else { return };
        let id = item.id;
        let name: Arc<str> = self.queues.get_key_value(name).map_or_else(|| Arc::from(name), |(name, _)| name.clone());
        let Some(queue) = self.queues.get_mut(&name) else { return };
        let delayed = item.visible_at() > now_ms;
        let mut waits_behind = false;
        if let Some(group) = item.group() {
            match queue.behind.get_mut(group) {
                Some(behind) => {
                    behind.push_back(id);
                    waits_behind = true;
                }
                None => {
                    queue.behind.insert(Arc::from(group), VecDeque::new());
                }
            }
        }
        if !waits_behind {
            if delayed {
                queue.ahead += 1;
                self.later.push(Reverse((item.visible_at(), id)));
            } else {
                queue.ready.push_back(id);
            }
        }
        self.stir(&name);
        let known = Known { queue: name, item, running: false, delayed: delayed && !waits_behind };
        self.known.insert(id, known);
    }

    /// Forgets a message that is done, and lets the next of its group come forward.
    fn gone(&mut self, id: i64) {
        let Some(known) = self.known.remove(&id) else { return };
        self.stir(&known.queue);
        let Some(queue) = self.queues.get_mut(&known.queue) else { return };
        if known.running {
            queue.running = queue.running.saturating_sub(1);
        }
        if known.delayed {
            queue.ahead = queue.ahead.saturating_sub(1);
        }
        if let Some(group) = known.item.group() {
            let Some(behind) = queue.behind.get_mut(group) else { return };
            if let Some(at) = behind.iter().position(|other| *other == id) {
                behind.remove(at);
                return;
            }
            match behind.pop_front() {
                None => {
                    queue.behind.remove(group);
                }
                Some(next) => {
                    let at = self.known.get(&next).map_or(0, |k| k.item.visible_at());
                    if at > 0 {
                        // The heap's owner moves it on at once if it is due.
                        queue.ahead += 1;
                        if let Some(k) = self.known.get_mut(&next) {
                            k.delayed = true;
                        }
                        self.later.push(Reverse((at, next)));
                    } else {
                        queue.ready.push_back(next);
                    }
                }
            }
        }
    }

    /// Moves what has become due to the ready; answers when the next is due.
    pub(crate) fn tick(&mut self, now_ms: i64) -> Option<i64> {
        while let Some(Reverse((at, id))) = self.later.peek().copied() {
            if at > now_ms {
                return Some(at);
            }
            self.later.pop();
            if let Some(known) = self.known.get_mut(&id).filter(|k| k.delayed && k.item.visible_at() == at) {
                known.delayed = false;
                let name = known.queue.clone();
                if let Some(queue) = self.queues.get_mut(&name) {
                    queue.ahead = queue.ahead.saturating_sub(1);
                    queue.ready.push_back(id);
                }
                self.stir(&name);
            }
        }
        None
    }

    fn stir(&mut self, queue: &Arc<str>) {
        if !self.stirred.iter().any(|name| Arc::ptr_eq(name, queue)) {
            self.stirred.push(queue.clone());
        }
    }

    /// When the first delayed message in memory is due.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes all messages that may be handled now.
    pub(crate) fn work(&mut self) -> Vec<Work> {
        let mut work = Vec::new();
        if self.stopped {
            self.stirred.clear();
            return work;
        }
        for name in std::mem::take(&mut self.stirred) {
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            while queue.running < queue.concurrency
                && let Some(id) = queue.ready.pop_front()
            {
                if let Some(known) = self.known.get_mut(&id).filter(|k| !k.running && !k.delayed) {
                    known.running = true;
                    queue.running += 1;
                    work.push(Work { queue: name.clone(), item: known.item.clone() });
                }
            }
        }
        work
    }

    /// Takes ready messages of a queue without a consumer, for someone who receives them.
    pub(crate) fn receive(&mut self, name: &str, most: usize) -> Vec<Item> {
        let Some(queue) = self.queues.get_mut(name).filter(|q| q.concurrency == 0) else { return Vec::new() };
        let mut items = Vec::new();
        while items.len() < most
            && let Some(id) = queue.ready.pop_front()
        {
            items.extend(self.known.get(&id).filter(|k| !k.delayed).map(|k| k.item.clone()));
        }
        items
    }

    /// Frees the place of a running message without ending it: someone else will delete it.
    pub(crate) fn hand_over(&mut self, id: i64) {
        let Some(known) = self.known.get_mut(&id).filter(|k| k.running) else { return };
        known.running = false;
        let name = known.queue.clone();
        if let Some(queue) = self.queues.get_mut(&name) {
            queue.running = queue.running.saturating_sub(1);
        }
        self.stir(&name);
    }

    /// Puts a running message off until an instant, in memory only.
    pub(crate) fn put_off(&mut self, id: i64, until_ms: i64) {
        let Some(known) = self.known.get_mut(&id).filter(|k| !k.delayed) else { return };
        let name = known.queue.clone();
        let Some(queue) = self.queues.get_mut(&name) else { return };
        if known.running {
            queue.running = queue.running.saturating_sub(1);
        }
        known.running = false;
        known.delayed = true;
        known.item.row = known.item.row.with(&[("visible_at", until_ms.into())]);
        queue.ahead += 1;
        self.later.push(Reverse((until_ms, id)));
        self.stir(&name);
    }

    /// The queues to load now: the mark is no longer far enough ahead, and there is room.
    pub(crate) fn begin_loads(&mut self, now_ms: i64) -> Vec<(Arc<str>, i64, i64)> {
        let mut due = Vec::new();
        for (name, queue) in &mut self.queues {
            let room = queue.ready.len() < MAX_READY / 2 && queue.ahead < MAX_AHEAD;
            if queue.loading.is_none() && room && queue.mark < now_ms + AHEAD_MS / 2 {
                queue.loading = Some(Vec::new());
                due.push((name.clone(), queue.mark, now_ms + AHEAD_MS));
            }
        }
        due
    }

    pub(crate) fn knows(&self, id: i64) -> bool {
        self.known.contains_key(&id)
    }

    /// Takes in what was loaded; `mark` is how far the load came, `None` if it failed and is to be done again.
    pub(crate) fn loaded(&mut self, name: &str, rows: &[Row], mark: Option<i64>, now_ms: i64) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        let waiting = queue.loading.take().unwrap_or_default();
        if let Some(mark) = mark {
            queue.mark = mark;
        }
        for row in rows {
            if let Some(item) = Item::of(row).filter(|item| !self.known.contains_key(&item.id)) {
                self.admit(item, now_ms);
            }
        }
        for row in waiting {
            self.arrived(row, now_ms);
        }
    }

    /// How many messages of a queue are ready or running.
    pub(crate) fn depth(&self, name: &str) -> usize {
        self.queues.get(name).map_or(0, |q| q.ready.len() + q.running)
    }

    /// Messages being handled, over all queues.
    pub(crate) fn running(&self) -> usize {
        self.queues.values().map(|q| q.running).sum()
    }

    pub(crate) fn figures(&self) -> Vec<QueueFigures> {
        let figures = |(name, q): (&Arc<str>, &Queue)| QueueFigures {
            queue: name.to_string(),
            ready: q.ready.len(),
            delayed: q.ahead,
            running: q.running,
            overflowing: q.mark == i64::MIN,
        };
        let mut all: Vec<QueueFigures> = self.queues.iter().map(figures).collect();
        all.sort_by(|a, b| a.queue.cmp(&b.queue));
        all
    }
}
