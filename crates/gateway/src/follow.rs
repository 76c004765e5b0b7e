//! Those who follow orders. One task hears of all changes and wakes only the followers of the order that changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::views::{OrderChange, OrderView};
use axum::body::Bytes;
use domain::order::Party;
use parking_lot::Mutex;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Notify, mpsc};

use crate::http::{Event, Sink};

/// Changes of all orders are told in portions, one a tick: a person sees no difference, and a browser keeps up.
const TICK: Duration = Duration::from_millis(100);
/// Portions that may wait for one client.
const BUFFER: usize = 16;

/// The followers of single orders and of all.
#[derive(Clone, Default)]
pub(crate) struct Followers(Arc<State>);

#[derive(Default)]
struct State {
    orders: Mutex<HashMap<String, Vec<Arc<Notify>>>>,
    watchers: Mutex<Vec<mpsc::Sender<Bytes>>>,
}

/// A follower of one order; it stops following when dropped.
pub(crate) struct Follower {
    state: Arc<State>,
    order_id: String,
    changed: Arc<Notify>,
}

impl Followers {
    /// Follows one order.
    pub(crate) fn follow(&self, order_id: &str) -> Follower {
        let changed = Arc::new(Notify::new());
        let mut orders = self.0.orders.lock();
        orders.entry(order_id.to_owned()).or_default().push(changed.clone());
        Follower { state: self.0.clone(), order_id: order_id.to_owned(), changed }
    }

    /// Watches all orders, in portions of encoded events.
    pub(crate) fn watch(&self) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(BUFFER);
        self.0.watchers.lock().push(sender);
        receiver
    }

    /// Hears of all changes until there are no more.
    pub(crate) async fn run(self, mut changes: broadcast::Receiver<OrderChange>) {
        let mut news: HashMap<String, OrderChange> = HashMap::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(change) => {
                        self.0.wake(&change.order_id);
                        if !self.0.watchers.lock().is_empty() {
                            add(&mut news, change);
                        }
                    }
                    Err(RecvError::Lagged(_)) => self.0.wake_all(),
                    Err(RecvError::Closed) => return,
                },
                _ = tick.tick(), if !news.is_empty() => {
                    let portion = news.drain().fold(Vec::new(), |mut portion, (_, change)| {
                        portion.extend_from_slice(&encode(&change));
                        portion
                    });
                    self.0.tell(portion.into());
                }
            }
        }
    }
}

/// The newest of each order; a change around an order leaves its status as it was told last.
fn add(news: &mut HashMap<String, OrderChange>, change: OrderChange) {
    match news.get_mut(&change.order_id) {
        Some(known) => {
            known.status = change.status.or(known.status);
            known.revision = change.revision.or(known.revision);
        }
        None => {
            news.insert(change.order_id.clone(), change);
        }
    }
}

fn encode(change: &OrderChange) -> Bytes {
    let data = serde_json::to_vec(change).unwrap_or_default().into();
    Event { id: change.revision, name: "order", data }.encode()
}

impl State {
    fn wake(&self, order_id: &str) {
        let orders = self.orders.lock();
        for follower in orders.get(order_id).into_iter().flatten() {
            follower.notify_one();
        }
    }

    /// Some changes were missed: everyone looks again.
    fn wake_all(&self) {
        for follower in self.orders.lock().values().flatten() {
            follower.notify_one();
        }
    }

    /// Watchers that are gone or do not keep up are dropped.
    fn tell(&self, portion: Bytes) {
        self.watchers.lock().retain(|watcher| watcher.try_send(portion.clone()).is_ok());
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut orders = self.state.orders.lock();
        if let Some(followers) = orders.get_mut(&self.order_id) {
            followers.retain(|other| !Arc::ptr_eq(other, &self.changed));
            if followers.is_empty() {
                orders.remove(&self.order_id);
            }
        }
    }
}

/// Whether nothing more will happen to an order.
pub(crate) fn is_over(order: &OrderView) -> bool {
    order.status.is_final()
}

/// Sends an order on every change, until its end. Its payment and its delivery change without a new revision.
pub(crate) async fn order(app: App, first: OrderView, by: Party, follower: Follower, sink: Sink) {
    let mut order = first;
    let mut sent = Bytes::new();
    loop {
        let data = Bytes::from(serde_json::to_vec(&order).unwrap_or_default());
        if data != sent {
            let event = Event { id: Some(order.revision), name: "order", data: data.clone() };
            if sink.send(event.encode()).is_err() {
                return;
            }
            sent = data;
        }
        if is_over(&order) {
            return;
        }
        tokio::select! {
            () = follower.changed.notified() => {}
            () = sink.closed() => return,
        }
        match app.order_for(&order.order_id, by).await {
            Ok(next) => order = next,
            // The client comes back and asks again.
            Err(_) => return,
        }
    }
}

/// Passes on the portions of changes of all orders.
pub(crate) async fn all(mut portions: mpsc::Receiver<Bytes>, sink: Sink) {
    loop {
        tokio::select! {
            portion = portions.recv() => match portion {
                Some(portion) => {
                    if sink.send(portion).is_err() {
                        return;
                    }
                }
                None => return,
            },
            () = sink.closed() => return,
        }
    }
}
