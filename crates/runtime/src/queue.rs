//! The messages that are due soon, in memory, and which of them may be handled now.
//!
//! The store holds every message. Memory holds those that become visible before the *mark* of their queue; the mark runs
//! ahead of the clock, so a message due in a week costs nothing but its row. A queue that holds too much drops its mark
//! and is loaded again once it has drained.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use store::message::MESSAGES;
use store::{Op, Row};

/// Messages of one queue in memory; more stay in the store until half of these are done.
pub(crate) const MAX_HELD: usize = 50_000;
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
    changed: Vec<i64>,
    gone: Vec<i64>,
}

impl Traffic {
    pub(crate) fn of(ops: &[Op]) -> Traffic {
        let mut traffic = Traffic::default();
        for op in ops {
            match op {
                Op::Insert(row) | Op::Put(row) if *row.table() == MESSAGES => traffic.arrived.push(row.clone()),
                Op::Update(update) if *update.table == MESSAGES => traffic.changed.extend(update.key.int()),
                Op::Delete(table, key) | Op::Take(table, key, ..) if **table == MESSAGES => {
                    traffic.gone.extend(key.int())
                }
                _ => {}
            }
        }
        traffic
    }

    /// The messages of which only some columns were set; their rows are to be given to [`Traffic::arrive`].
    pub(crate) fn changed(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn arrive(&mut self, row: Row) {
        self.arrived.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.gone.is_empty()
    }

    /// Whether something arrived in a queue whose name begins so.
    pub(crate) fn reaches(&self, prefix: &str) -> bool {
        self.arrived.iter().any(|row| row.text("queue").is_some_and(|queue| queue.starts_with(prefix)))
    }
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order of their turn. An id whose message stands elsewhere by now is passed over.
    ready: VecDeque<i64>,
    groups: HashMap<Arc<str>, Group>,
    /// How many of its messages stand in each place.
    counts: [usize; PLACES],
    concurrency: usize,
    /// Messages visible before this are in memory; `i64::MIN` when all are to be loaded anew.
    mark: i64,
    loading: Option<Loading>,
}

/// What happened to a queue while it is being loaded.
#[derive(Debug, Default)]
struct Loading {
    /// What arrived waits here, so that older messages come first.
    arrived: Vec<Row>,
    /// What was deleted: what was read of it is out of date.
    gone: HashSet<i64>,
    /// More arrived than may wait here: then all is to be loaded again.
    missed: bool,
}

/// Messages that are handled one after the other, in order of id.
#[derive(Debug)]
struct Group {
    /// The one that is not [`Place::Behind`].
    head: i64,
    behind: VecDeque<i64>,
}

/// Where a message in memory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// May be handled now.
    Ready,
    /// Waits for its time.
    Delayed,
    /// Is being handled.
    Running,
    /// Waits for another one of its group.
    Behind,
    /// Was handed to an execution or to somebody who received it.
    Away,
}

const PLACES: usize = 5;

#[derive(Debug)]
struct Known {
    queue: Arc<str>,
    item: Item,
    place: Place,
}

impl Queue {
    fn count(&self, place: Place) -> usize {
        self.counts.get(place as usize).copied().unwrap_or(0)
    }

    fn held(&self) -> usize {
        self.counts.iter().sum()
    }

    fn leave(&mut self, place: Place) {
        if let Some(count) = self.counts.get_mut(place as usize) {
            *count = count.saturating_sub(1);
        }
    }

    fn enter(&mut self, place: Place) {
        if let Some(count) = self.counts.get_mut(place as usize) {
            *count += 1;
        }
    }
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

    /// Takes note of a queue that is about to be received from, so that its messages are loaded.
    pub(crate) fn open(&mut self, queue: &str) {
        if !self.queues.contains_key(queue) {
            self.queue(queue);
        }
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
            for loading in self.queues.values_mut().filter_map(|queue| queue.loading.as_mut()) {
                loading.gone.insert(id);
            }
            self.gone(id, now_ms);
        }
        for row in traffic.arrived {
            self.arrived(row, now_ms);
        }
    }

    fn arrived(&mut self, row: Row, now_ms: i64) {
        let Some(item) = Item::of(&row) else { return };
        let name = row.text("queue").unwrap_or_default();
        if let Some(known) = self.known.get_mut(&item.id) {
            if known.queue.as_ref() == name {
                let (id, due) = (item.id, item.visible_at() <= now_ms);
                let place = known.place;
                known.item = item;
                match place {
                    // Who handles it puts it off by itself; who waits for another one goes on waiting.
                    Place::Running | Place::Behind => {}
                    Place::Ready if due => {}
                    _ => self.stand(id, if due { Place::Ready } else { Place::Delayed }),
                }
                return;
            }
            self.gone(item.id, now_ms);
        }
        let visible_at = item.visible_at();
        let queue = self.queue(name);
        if let Some(loading) = &mut queue.loading {
            loading.missed |= loading.arrived.len() >= MAX_HELD;
            if !loading.missed {
                loading.arrived.push(row);
            }
            return;
        }
        if visible_at > queue.mark {
            return;
        }
        if queue.held() >= MAX_HELD {
            queue.mark = i64::MIN;
            return;
        }
        self.admit(item, now_ms);
    }

    /// Takes a message into memory.
    fn admit(&mut self, item: Item, now_ms: i64) {
        let Some(name) = item.row.text("queue") else { return };
        let id = item.id;
        let name: Arc<str> = self.queues.get_key_value(name).map_or_else(|| Arc::from(name), |(name, _)| name.clone());
        let Some(queue) = self.queues.get_mut(&name) else { return };
        let mut place = if item.visible_at() > now_ms { Place::Delayed } else { Place::Ready };
        if let Some(group) = item.group() {
            match queue.groups.get_mut(group) {
                Some(group) => {
                    group.behind.push_back(id);
                    place = Place::Behind;
                }
                None => {
                    queue.groups.insert(Arc::from(group), Group { head: id, behind: VecDeque::new() });
                }
            }
        }
        queue.enter(Place::Away);
        self.known.insert(id, Known { queue: name, item, place: Place::Away });
        self.stand(id, place);
    }

    /// Puts a message in memory to another place.
    fn stand(&mut self, id: i64, place: Place) {
        let Some(known) = self.known.get_mut(&id) else { return };
        let before = std::mem::replace(&mut known.place, place);
        let (name, visible_at) = (known.queue.clone(), known.item.visible_at());
        let Some(queue) = self.queues.get_mut(&name) else { return };
        queue.leave(before);
        queue.enter(place);
        match place {
            Place::Ready => queue.ready.push_back(id),
            Place::Delayed => self.later.push(Reverse((visible_at, id))),
            Place::Running | Place::Behind | Place::Away => {}
        }
        if place == Place::Ready || before == Place::Running {
            self.stir(&name);
        }
    }

    /// Forgets a message that is done or somebody else's, and lets the next of its group come forward.
    fn gone(&mut self, id: i64, now_ms: i64) {
        let Some(known) = self.known.remove(&id) else { return };
        if known.place == Place::Running {
            self.stir(&known.queue);
        }
        let Some(queue) = self.queues.get_mut(&known.queue) else { return };
        queue.leave(known.place);
        if queue.concurrency == 0 && known.place == Place::Ready {
            // Nobody may ever come to pass it over.
            queue.ready.retain(|other| *other != id);
        }
        let Some(name) = known.item.group() else { return };
        let Some(group) = queue.groups.get_mut(name) else { return };
        if group.head != id {
            group.behind.retain(|other| *other != id);
            return;
        }
        match group.behind.pop_front() {
            None => drop(queue.groups.remove(name)),
            Some(next) => {
                group.head = next;
                let due = self.known.get(&next).is_none_or(|known| known.item.visible_at() <= now_ms);
                self.stand(next, if due { Place::Ready } else { Place::Delayed });
            }
        }
    }

    /// Forgets a message that somebody else deleted, moved or received.
    pub(crate) fn forget(&mut self, id: i64) {
        self.gone(id, i64::MAX);
    }

    /// Moves what has become due to the ready; answers when the next is due.
    pub(crate) fn tick(&mut self, now_ms: i64) -> Option<i64> {
        while let Some(Reverse((at, id))) = self.later.peek().copied() {
            if at > now_ms {
                return Some(at);
            }
            self.later.pop();
            let due = |known: &&Known| known.place == Place::Delayed && known.item.visible_at() == at;
            if self.known.get(&id).filter(due).is_some() {
                self.stand(id, Place::Ready);
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
            while queue.count(Place::Running) < queue.concurrency
                && let Some(id) = queue.ready.pop_front()
            {
                if let Some(known) = self.known.get_mut(&id).filter(|known| known.place == Place::Ready) {
                    known.place = Place::Running;
                    queue.leave(Place::Ready);
                    queue.enter(Place::Running);
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
            if let Some(known) = self.known.get_mut(&id).filter(|known| known.place == Place::Ready) {
                known.place = Place::Away;
                queue.leave(Place::Ready);
                queue.enter(Place::Away);
                items.push(known.item.clone());
            }
        }
        items
    }

    /// Puts back what was received and could not be hidden.
    pub(crate) fn put_back(&mut self, id: i64) {
        self.stand(id, Place::Ready);
    }

    /// Frees the place of a running message without ending it: an execution will delete it.
    pub(crate) fn hand_over(&mut self, id: i64) {
        self.stand(id, Place::Away);
    }

    /// Puts a message off until an instant, in memory only.
    pub(crate) fn put_off(&mut self, id: i64, until_ms: i64) {
        let Some(known) = self.known.get_mut(&id) else { return };
        known.item.row = known.item.row.with(&[("visible_at", until_ms.into())]);
        if known.place != Place::Behind {
            self.stand(id, Place::Delayed);
        }
    }

    /// The queues to load now: the mark is no longer far enough ahead, and there is room.
    pub(crate) fn begin_loads(&mut self, now_ms: i64) -> Vec<(Arc<str>, i64, i64)> {
        let mut due = Vec::new();
        for (name, queue) in &mut self.queues {
            let room = queue.held() < MAX_HELD / 2;
            if queue.loading.is_none() && room && queue.mark < now_ms + AHEAD_MS / 2 {
                queue.loading = Some(Loading::default());
                due.push((name.clone(), queue.mark, now_ms + AHEAD_MS));
            }
        }
        due
    }

    pub(crate) fn knows(&self, id: i64) -> bool {
        self.known.contains_key(&id)
    }

    /// Takes in what was loaded; `mark` is how far the load came, `None` if it failed and is to be done again.
    pub(crate) fn loaded(&mut self, name: &str, mut rows: Vec<Row>, mark: Option<i64>, now_ms: i64) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        let loading = queue.loading.take().unwrap_or_default();
        if loading.missed {
            queue.mark = i64::MIN;
        } else if let Some(mark) = mark {
            queue.mark = mark;
        }
        // The order within a group is that of the ids.
        rows.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        for row in rows {
            let new = |item: &Item| !loading.gone.contains(&item.id) && !self.known.contains_key(&item.id);
            if let Some(item) = Item::of(&row).filter(new) {
                self.admit(item, now_ms);
            }
        }
        for row in loading.arrived {
            if !row.key().int().is_some_and(|id| loading.gone.contains(&id)) {
                self.arrived(row, now_ms);
            }
        }
    }

    /// How many messages of a queue are ready or running.
    pub(crate) fn depth(&self, name: &str) -> usize {
        self.queues.get(name).map_or(0, |q| q.count(Place::Ready) + q.count(Place::Running))
    }

    /// Messages being handled, over all queues.
    pub(crate) fn running(&self) -> usize {
        self.queues.values().map(|q| q.count(Place::Running)).sum()
    }

    pub(crate) fn figures(&self) -> Vec<QueueFigures> {
        let figures = |(name, q): (&Arc<str>, &Queue)| QueueFigures {
            queue: name.to_string(),
            ready: q.count(Place::Ready),
            delayed: q.count(Place::Delayed),
            running: q.count(Place::Running),
            overflowing: q.mark == i64::MIN,
        };
        let mut all: Vec<QueueFigures> = self.queues.iter().map(figures).collect();
        all.sort_by(|a, b| a.queue.cmp(&b.queue));
        all
    }
}
