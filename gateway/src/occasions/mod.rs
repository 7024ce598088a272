//! Occasions: what gives a conversation a turn and is no message of its customer. Timers that are due, business events.
//!
//! Each becomes an event of its conversation, with the conversation's next number, and from there it goes the way of a
//! message: one turn, in its order, one commit. Receipts become such events where they are attached
//! (`ingest/attach/receipts.rs`). What a turn does with one is `pipeline`'s.

mod business;
mod held;
mod timers;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::directory::Directory;
use crate::domain::{Clock, EventId, IdGenerator, Occasion, Timestamp};
use crate::ownership::Owned;
use crate::storage::Db;
use crate::storage::conversations::Conversation;
use crate::storage::events::{self, NewEvent, PendingEvent};

pub use business::{NewOccasion, OccasionError, Told, Who};

/// What occasions work with. Cheap to clone.
#[derive(Clone)]
pub struct Occasions {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub directory: Arc<Directory>,
    pub owned: Owned,
    /// The turns' queue on this node. What it does not take, or is another node's, is found in the database.
    pub events: mpsc::Sender<Vec<PendingEvent>>,
}

impl std::fmt::Debug for Occasions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Occasions")
    }
}

impl Occasions {
    /// Gives an occasion the next number of its locked conversation.
    fn place(
        &self,
        conversation: &mut Conversation,
        occasion: Occasion,
        at: Timestamp,
    ) -> (NewEvent, PendingEvent) {
        let id = EventId::from_raw(self.ids.next(self.clock.now()));
        events::place_occasion(id, conversation, occasion, at)
    }

    fn hand_on(&self, events: Vec<PendingEvent>) {
        let owned = self.owned.borrow().clone();
        let ours: Vec<PendingEvent> = events
            .into_iter()
            .filter(|event| owned.owns(event.bucket))
            .collect();
        if !ours.is_empty() {
            // Full, or stopping: they wait in the database.
            let _ = self.events.try_send(ours);
        }
    }
}
