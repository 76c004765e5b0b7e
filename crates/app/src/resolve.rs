//! Saying that a person has looked at an order that needed attention.

use domain::basket;
use store::{Batch, CommitError};

use crate::commands::ResolveOrder;
use crate::error::StoreError;
use crate::records::{Order, order};
use crate::views::OrderView;
use crate::{App, FindError, Kind, Problem};

/// Why an order was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It changed since it was read.
    #[error("the order changed since it was read; read it again and decide anew")]
    Stale,
    /// Nobody has to look.
    #[error("the order needs no attention")]
    Nothing,
    /// Empty, too long, or with control characters.
    #[error("the note must have 1 to 280 characters")]
    Note,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for ResolveError {
    fn kind(&self) -> Kind {
        match self {
            ResolveError::NotFound(_) => Kind::NotFound,
            ResolveError::Stale => Kind::Stale,
            ResolveError::Nothing => Kind::Conflict,
            ResolveError::Note => Kind::Invalid,
            ResolveError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ResolveError::NotFound(_) => "not-found",
            ResolveError::Stale => "stale-revision",
            ResolveError::Nothing => "nothing-to-resolve",
            ResolveError::Note => "invalid-note",
            ResolveError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        matches!(self, ResolveError::Note).then(|| "/note".into())
    }
}

impl App {
    /// Takes an order out of the inbox; what was done about it stands in its timeline. Returns once that is durable.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve(
        &self,
        order_id: &str,
        command: ResolveOrder,
        revision: i64,
    ) -> Result<OrderView, ResolveError> {
        let note = command.note.trim();
        if note.is_empty() || !basket::is_note(note) {
            return Err(ResolveError::Note);
        }
        let not_found = || ResolveError::NotFound(order_id.chars().take(64).collect());
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let order = Order::load(&*self.store, id).await.map_err(StoreError::from)?;
        let order = order.ok_or_else(not_found)?;
        if order.revision != revision {
            return Err(ResolveError::Stale);
        }
        if order.attention().is_none() {
            return Err(ResolveError::Nothing);
        }
        let mut batch = Batch::new();
        order.update(self.now()).note(order.status, Some(note)).resolved().write(&mut batch);
        match self.commit(batch).await {
            Ok(()) => {}
            Err(CommitError::Conflict { .. }) => return Err(ResolveError::Stale),
            Err(error) => return Err(StoreError::from(error).into()),
        }
        self.order(order_id).await.map_err(|error| match error {
            FindError::NotFound { .. } => not_found(),
            FindError::Store(error) => StoreError::from(error).into(),
        })
    }
}
