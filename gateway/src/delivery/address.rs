//! To whom a claimed row goes: by what the person is known today, whatever they were known by when it was written.
//!
//! The person may have changed number meanwhile, and the old one may be a stranger's by now (facts §2.3).

use std::collections::HashMap;

use crate::domain::{ContactId, ConversationId, Draft, Recipient};
use crate::storage::addresses::{Addresses, addresses_all_tenants};
use crate::storage::claims::ConversationFacts;
use crate::storage::outbox::OutboxRow;
use crate::storage::people::Consents;
use crate::storage::{Result, Tx};

use super::world::World;

/// By what the people of one claim are reached, for those who are not reached by what their row says.
#[derive(Debug, Default)]
pub(super) struct AddressBook(HashMap<ContactId, Addresses>);

impl AddressBook {
    /// Reads nothing as a rule: hardly anybody changes number while a message waits.
    pub(super) async fn load(
        tx: &mut Tx,
        rows: &[OutboxRow],
        conversations: &HashMap<ConversationId, ConversationFacts>,
        consent: &Consents,
    ) -> Result<Self> {
        let moved: Vec<ContactId> = rows
            .iter()
            .filter_map(|row| {
                let draft = &row.draft;
                let facts = conversations.get(&draft.conversation)?;
                let now = consent.of(draft.contact)?.contact;
                let stands = now == facts.contact && facts.is_reached_by(&draft.recipient);
                (!stands).then_some(now)
            })
            .collect();
        addresses_all_tenants(tx, &moved).await.map(Self)
    }

    /// The recipient of a draft as of now; `None`: there is none that we know.
    pub(super) fn recipient(
        &self,
        world: &World,
        draft: &Draft,
        facts: &ConversationFacts,
        consent: &Consents,
    ) -> Option<Recipient> {
        let now = consent.of(draft.contact)?.contact;
        if now == facts.contact && facts.is_reached_by(&draft.recipient) {
            return Some(draft.recipient.clone());
        }
        let number = world.directory.number(draft.number)?;
        self.0.get(&now)?.reach(&draft.recipient, &number.portfolio)
    }
}
