//! The desk: what people and outside clients do with conversations. Each is one commit.
//!
//! Whoever takes a conversation over ends in the same commit what the bot had queued there, and its timers; a turn that began before
//! finds the version moved and commits nothing. Hand-backs tell the bot, by an attribute that its next turn sees
//! ([`HANDED_BACK`]). Neighbours: `policy::ownership` says who may speak, `pipeline` hands over from the bot's side.

mod change;
pub mod permission;
mod say;
mod timers;

use std::sync::Arc;

use serde_json::Value;

use crate::audit::{self, Actor, AuditError, Record};
use crate::directory::Directory;
use crate::domain::{AuditId, Clock, ConversationId, IdGenerator, Owner, OwnerChange, TenantId};
use crate::ownership::{Owned, Wakeups};
use crate::storage::conversations::{self, Conversation};
use crate::storage::outbox::{self, OutboxRow};
use crate::storage::refusals::Refused;
use crate::storage::{Db, Ending, StorageError, Tx, timers as set_timers};

pub use change::Change;
pub use say::{Said, Speaker, Words};

/// What the desk works with. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub directory: Arc<Directory>,
    pub owned: Owned,
    pub wakeups: Arc<Wakeups>,
    /// Told of committed sends of buckets that this node owns.
    pub sends: Arc<dyn Fn(Vec<OutboxRow>) + Send + Sync>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The tenant has no such conversation.
    #[error("there is no such conversation")]
    NotFound,
    /// Somebody else changed its owner since it was looked at.
    #[error("the conversation has changed: its owner version is {owner_version}")]
    Moved { owner_version: i64 },
    #[error("{field} {problem}")]
    Invalid {
        field: &'static str,
        problem: &'static str,
    },
    /// Policy says no. Nobody took the conversation over, and nothing was written but why
    /// (`storage::refusals`).
    #[error("the message may not be sent: {}", .0.ruling.reason)]
    Refused(Box<Refused>),
    #[error("the number of the conversation is not known here")]
    NoNumber,
    #[error("the contact has no address to write to")]
    NoAddress,
    #[error("the database failed")]
    Storage(#[from] StorageError),
    #[error("the audit log could not be written")]
    Audit(#[from] AuditError),
}

type Result<T, E = DeskError> = std::result::Result<T, E>;

/// Which conversation, as whom, and as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Asked {
    pub tenant: TenantId,
    pub conversation: ConversationId,
    /// Who asks: an agent's or client's name. Kept in the log.
    pub by: String,
    /// For the audit log, when it is somebody from outside.
    pub actor: Option<Actor>,
    /// When the change is committed.
    pub ending: Ending,
    /// The change is refused when the owner has changed since this version.
    pub owner_version: Option<i64>,
}

impl Desk {
    async fn locked(&self, tx: &mut Tx, asked: &Asked) -> Result<Conversation> {
        let rows = conversations::lock_all_tenants(tx, &[asked.conversation]).await?;
        let row = rows.into_iter().find(|row| row.tenant == asked.tenant);
        let row = row.ok_or(DeskError::NotFound)?;
        match asked.owner_version {
            Some(seen) if seen != row.owner_version => Err(DeskError::Moved {
                owner_version: row.owner_version,
            }),
            _ => Ok(row),
        }
    }

    /// Writes down who did it and from where, in the commit of what they did.
    async fn record(
        &self,
        tx: &mut Tx,
        asked: &Asked,
        action: &'static str,
        object: String,
        (was, became): (Option<Value>, Value),
    ) -> Result<()> {
        let Some(by) = &asked.actor else {
            return Ok(());
        };
        let now = self.clock.now();
        let record = Record {
            tenant: asked.tenant,
            action,
            object,
            was,
            became: Some(became),
            by,
        };
        let id = AuditId::from_raw(self.ids.next(now));
        Ok(audit::append(tx, id, now, record).await?)
    }

    /// Gives the locked conversation to somebody, and withdraws what may not be said under them any more.
    async fn give(
        &self,
        tx: &mut Tx,
        row: &mut Conversation,
        to: Owner,
        (reason, by, note): (&str, &str, Option<String>),
    ) -> Result<()> {
        let now = self.clock.now();
        let settings = self.directory.snapshot();
        let hand_back_at = settings
            .number(row.number)
            .and_then(|entry| entry.tenant.settings.hand_back_at(now));
        let from = row.give_to(to.clone(), hand_back_at);
        let change = OwnerChange {
            from,
            to,
            reason: reason.to_owned(),
            by: by.to_owned(),
            note,
        };
        let log = self.ids.next(now);
        let entry = (log, std::mem::replace(&mut row.last_entry, log));
        conversations::change_owner(tx, row.tenant, row.id, &change, entry, now).await?;
        outbox::cancel_bot(tx, row.tenant, row.number, row.id, &change.to, now).await?;
        if !change.to.is_bot() {
            set_timers::end_of(tx, row.tenant, row.id).await?;
        }
        Ok(())
    }
}
