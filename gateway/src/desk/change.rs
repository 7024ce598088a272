//! Take over, assign, hand back, close, reopen, snooze.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Asked, Desk, DeskError, Result};
use crate::domain::{HANDED_BACK, Owner, StreamEvent, StreamKind, Timestamp};
use crate::storage::conversations::{self, Conversation};
use crate::storage::{Tx, timers};

/// What may be done with a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// To a queue, an agent or an outside client: with whoever asks it is a take-over, else an assignment.
    Give {
        to: Owner,
        /// What the receiver should know.
        note: Option<String>,
    },
    /// To the bot.
    HandBack {
        note: Option<String>,
    },
    /// It is done: the bot has it again, and the next message opens it.
    Close,
    Reopen,
    /// Nobody needs to look at it until then, or until the customer writes.
    Snooze {
        until: Timestamp,
    },
    /// The snooze ends now.
    Wake,
}

impl Change {
    /// As the audit log names it.
    fn action(&self) -> &'static str {
        match self {
            Self::Give { .. } => "conversation.assign",
            Self::HandBack { .. } => "conversation.hand_back",
            Self::Close => "conversation.close",
            Self::Reopen => "conversation.reopen",
            Self::Snooze { .. } => "conversation.snooze",
            Self::Wake => "conversation.wake",
        }
    }
}

/// What a change changes.
fn shown(row: &Conversation) -> Value {
    json!({
        "owner": row.owner,
        "owner_version": row.owner_version,
        "closed": row.closed_at.is_some(),
        "snoozed_until": row.snoozed_until,
    })
}

/// Longer is forgotten, not snoozed.
const LONGEST_SNOOZE: Duration = Duration::from_secs(366 * 86_400);
/// Of a queue's, agent's or client's name, in characters.
const LONGEST_NAME: usize = 100;
/// Meta's bound of what a hand-over says (facts §1.5).
const LONGEST_NOTE: usize = 2000;

impl Desk {
    /// Changes a conversation; answers it as it is now. What is so already is no change and no error.
    pub async fn change(&self, asked: &Asked, change: Change) -> Result<Conversation> {
        self.check(&change)?;
        let mut tx = self.db.begin().await?;
        let mut row = self.locked(&mut tx, asked).await?;
        let (action, was) = (change.action(), shown(&row));
        if self.apply(&mut tx, &mut row, asked, change).await? {
            conversations::store_desk(&mut tx, row.tenant, &row).await?;
            let states = (Some(was), shown(&row));
            self.record(&mut tx, asked, action, row.id.to_string(), states)
                .await?;
            asked.ending.commit(tx).await?;
        }
        Ok(row)
    }

    fn check(&self, change: &Change) -> Result<()> {
        let invalid = |field, problem| Err(DeskError::Invalid { field, problem });
        let now = self.clock.now();
        match change {
            Change::Give { to, note } => {
                if !to.is_bot() && !is_name(to.name()) {
                    return invalid("name", "must have 1 to 100 characters on one line");
                }
                check_note(note.as_deref())
            }
            Change::HandBack { note } => check_note(note.as_deref()),
            Change::Snooze { until } if *until <= now => invalid("until", "must be in the future"),
            Change::Snooze { until } if *until > now.plus(LONGEST_SNOOZE) => {
                invalid("until", "must be within a year")
            }
            _ => Ok(()),
        }
    }

    /// `false`: it was so already.
    async fn apply(
        &self,
        tx: &mut Tx,
        row: &mut Conversation,
        asked: &Asked,
        change: Change,
    ) -> Result<bool> {
        let by = asked.by.as_str();
        match change {
            Change::Give { to, note } if to.is_bot() => {
                self.hand_back(tx, row, ("hand_back", by, note), "by_hand")
                    .await
            }
            Change::HandBack { note } => {
                self.hand_back(tx, row, ("hand_back", by, note), "by_hand")
                    .await
            }
            Change::Give { to, .. } if to == row.owner => Ok(false),
            Change::Give { to, note } => {
                let reason = if to.name() == by {
                    "take_over"
                } else {
                    "assigned"
                };
                self.give(tx, row, to, (reason, by, note)).await?;
                Ok(true)
            }
            Change::Close => self.close(tx, row, by).await,
            Change::Reopen if row.closed_at.is_none() => Ok(false),
            Change::Reopen => {
                row.closed_at = None;
                self.tell(tx, row, StreamKind::ConversationReopened, by);
                Ok(true)
            }
            Change::Snooze { until } => {
                row.snoozed_until = Some(until);
                let kind = StreamKind::ConversationSnoozed;
                let event = StreamEvent::new(row.tenant, row.id, kind, self.clock.now());
                tx.tell(event.about(until.millis()).noting(by));
                Ok(true)
            }
            Change::Wake if row.snoozed_until.is_none() => Ok(false),
            Change::Wake => {
                row.snoozed_until = None;
                self.tell(tx, row, StreamKind::ConversationWoke, by);
                Ok(true)
            }
        }
    }

    async fn close(&self, tx: &mut Tx, row: &mut Conversation, by: &str) -> Result<bool> {
        if row.closed_at.is_some() {
            return Ok(false);
        }
        self.hand_back(tx, row, ("closed", by, None), "closed")
            .await?;
        row.closed_at = Some(self.clock.now());
        row.snoozed_until = None;
        timers::end_of(tx, row.tenant, row.id).await?;
        self.tell(tx, row, StreamKind::ConversationClosed, by);
        Ok(true)
    }

    /// The bot has it again, and is told how. `false`: it had it all the time.
    pub(super) async fn hand_back(
        &self,
        tx: &mut Tx,
        row: &mut Conversation,
        why: (&str, &str, Option<String>),
        told: &str,
    ) -> Result<bool> {
        if row.owner.is_bot() {
            return Ok(false);
        }
        self.give(tx, row, Owner::Bot, why).await?;
        row.attributes.insert(HANDED_BACK.to_owned(), told.into());
        Ok(true)
    }

    pub(super) fn tell(&self, tx: &mut Tx, row: &Conversation, kind: StreamKind, by: &str) {
        let event = StreamEvent::new(row.tenant, row.id, kind, self.clock.now());
        tx.tell(event.noting(by));
    }
}

fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control)
}

fn check_note(note: Option<&str>) -> Result<()> {
    if note.is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(DeskError::Invalid {
            field: "note",
            problem: "must have at most 2000 characters",
        });
    }
    Ok(())
}
