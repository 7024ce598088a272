//! What may be sent to a person now: the facts of one moment, and policy asked with probes.

use super::{Desk, DeskError, Result};
use crate::directory::NumberEntry;
use crate::domain::{
    ContactId, ConversationId, Draft, DraftClass, NumberId, OutboundContent, OutboxId, Sender,
    TenantId, Timestamp,
};
use crate::policy::{BacklogFact, Permission, permission};
use crate::storage::contacts::{self, Contact};
use crate::storage::conversations::{self, Conversation};
use crate::storage::{Tx, entry_points, people, raw};

impl Desk {
    /// For a conversation of the tenant.
    pub async fn permission(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
    ) -> Result<Permission> {
        let mut tx = self.db.read().await?;
        let rows = conversations::load_all_tenants(&mut tx, &[conversation]).await?;
        let row = rows.into_iter().find(|row| row.tenant == tenant);
        let row = row.ok_or(DeskError::NotFound)?;
        self.ask(&mut tx, &row).await
    }

    /// For a number and a contact of the tenant, who need never have written to each other.
    pub async fn permission_between(
        &self,
        tenant: TenantId,
        number: NumberId,
        contact: ContactId,
    ) -> Result<Permission> {
        let mut tx = self.db.read().await?;
        let row = between(&mut tx, tenant, number, contact).await?;
        self.ask(&mut tx, &row.ok_or(DeskError::NotFound)?).await
    }

    async fn ask(&self, tx: &mut Tx, row: &Conversation) -> Result<Permission> {
        let snapshot = self.directory.snapshot();
        let entry = snapshot.number(row.number).ok_or(DeskError::NoNumber)?;
        ask(tx, entry, row, self.clock.now()).await
    }
}

/// The conversation of a number and a contact; one in which nothing was said yet, if there is none. `None`: the tenant has
/// no such contact.
pub async fn between(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    contact: ContactId,
) -> Result<Option<Conversation>> {
    let found = conversations::find_all_tenants(tx, &[(number, contact)]).await?;
    let rows = conversations::load_all_tenants(tx, &found).await?;
    if let Some(row) = rows.into_iter().find(|row| row.tenant == tenant) {
        return Ok(Some(row));
    }
    let contact = contacts::find(tx, tenant, contact).await?;
    Ok(contact.map(|contact| unsaid(tenant, number, contact)))
}

/// Policy's answer for a conversation, as its owner's people would send in it.
pub async fn ask(
    tx: &mut Tx,
    entry: &NumberEntry,
    row: &Conversation,
    now: Timestamp,
) -> Result<Permission> {
    let consents = people::read_consent_all_tenants(tx, &[row.contact]).await?;
    let consent = consents.of(row.contact);
    let person = consent.map_or(row.contact, |consent| consent.contact);
    let content = OutboundContent::Text {
        body: String::new(),
        preview_url: false,
    };
    let sample = Draft {
        id: OutboxId::from_raw(0),
        tenant: row.tenant,
        number: row.number,
        conversation: row.id,
        contact: row.contact,
        recipient: row.recipient().ok_or(DeskError::NoAddress)?,
        content,
        reply_to: None,
        class: DraftClass::Reply,
        sender: Sender::Agent {
            name: String::new(),
        },
        owner_version: row.owner_version,
        created_at: now,
    };
    let oldest = raw::oldest_unattached_of_all_tenants(tx, row.number).await?;
    let backlog = BacklogFact {
        oldest_unsplit_raw_at: oldest,
    };
    let state = consent.map(|consent| consent.state).unwrap_or_default();
    let mut facts = entry.facts(row, state, backlog, &sample.content, now);
    facts.limits = entry.counted_limits(tx, row, person, now).await?;
    let points = entry_points::of_conversations(tx, row.tenant, &[row.id]).await?;
    let free_until = points.get(&row.id).and_then(|point| point.free_until);
    Ok(permission(&facts, &sample, free_until, now))
}

fn unsaid(tenant: TenantId, number: NumberId, contact: Contact) -> Conversation {
    let none = ConversationId::from_raw(0);
    Conversation {
        display_name: contact.display_name,
        username: contact.username,
        contact_attributes: contact.attributes,
        phone: contact.phone,
        bsuid: contact.bsuid,
        ..Conversation::begun(none, tenant, number, contact.id)
    }
}
