//! Sends that are claimed in this commit ([`crate::outbox::AtOnce`]): the first one of a turn, where it only answers.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::{ContactId, ConversationId, OutboxId, Timestamp};
use crate::outbox::{AtOnce, Going, Reserved};
use crate::pipeline::turn::Finished;
use crate::storage::buckets::Lease;
use crate::storage::outbox::{NewSend, OutboxRow};
use crate::storage::people::Consents;
use crate::storage::{Result, Tx};

/// What conversations owe Meta's patience after what goes at once.
pub(super) type Debts = HashMap<ConversationId, Timestamp>;

/// What one commit may send at once.
pub(super) struct Sends {
    reserved: Option<Box<dyn Reserved>>,
    debts: Debts,
}

pub(super) async fn reserve(at_once: &dyn AtOnce, group: &[Finished]) -> Sends {
    // Their consent may not be the same when this commit has been written.
    let changes: BTreeSet<ContactId> = group
        .iter()
        .filter(|turn| !turn.caused.consent.is_empty())
        .map(|turn| turn.event.contact)
        .collect();
    let rows: Vec<OutboxRow> = group
        .iter()
        .filter(|turn| !changes.contains(&turn.event.contact))
        .filter_map(answer)
        .map(NewSend::row)
        .collect();
    let reserved = match rows.is_empty() {
        true => None,
        false => Some(at_once.reserve(rows).await),
    };
    Sends {
        reserved,
        debts: Debts::new(),
    }
}

/// The first send of a turn that leaves the conversation with its owner, if it answers and may go now.
fn answer(turn: &Finished) -> Option<&NewSend> {
    let send = turn.sends.first()?;
    let answers =
        !send.draft.class.is_business_initiated() && send.draft.content.template().is_none();
    let now = send.waits.is_none() && send.due_at <= turn.row.at;
    (answers && now && turn.owner_changes.is_empty()).then_some(send)
}

impl Sends {
    pub(super) fn is_empty(&self) -> bool {
        self.reserved
            .as_ref()
            .is_none_or(|reserved| reserved.rows().is_empty())
    }

    pub(super) fn contacts(&self) -> impl Iterator<Item = ContactId> {
        let rows = self.reserved.iter().flat_map(|reserved| reserved.rows());
        rows.map(|row| row.draft.contact)
    }

    pub(super) fn debts(&self) -> &Debts {
        &self.debts
    }

    /// Decides on what is reserved and about to be written. Conversations and consent are locked.
    pub(super) async fn claim(
        &mut self,
        tx: &mut Tx,
        sends: &mut [NewSend],
        under: &[Lease],
        consent: &Consents,
    ) -> Result<()> {
        let Some(reserved) = &mut self.reserved else {
            return Ok(());
        };
        let written: HashSet<OutboxId> = sends.iter().map(|send| send.draft.id).collect();
        let going = reserved.claim(tx, &written, under, consent).await?;
        let going: HashMap<OutboxId, Going> = going.into_iter().map(|one| (one.id, one)).collect();
        for send in sends {
            let Some(one) = going.get(&send.draft.id) else {
                continue;
            };
            send.claimed_at = Some(one.at);
            if let Some(debt) = one.debt {
                self.debts.insert(send.draft.conversation, debt);
            }
        }
        Ok(())
    }

    /// Says that the commit is done; answers the rows that delivery does not know yet.
    pub(super) fn committed(self, mut rows: Vec<OutboxRow>) -> Vec<OutboxRow> {
        let Some(reserved) = self.reserved else {
            return rows;
        };
        let known: HashSet<OutboxId> = reserved.rows().iter().map(|row| row.draft.id).collect();
        rows.retain(|row| !known.contains(&row.draft.id));
        reserved.committed();
        rows
    }
}
