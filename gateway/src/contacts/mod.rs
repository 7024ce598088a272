//! Contacts as tenants keep them: the tenant's own key, a name, typed attributes; put one by one or imported by a job.
//!
//! Who somebody is (phones, BSUIDs, merges) is decided where messages are attached; here a phone only finds a contact, or
//! begins one. Attributes are of defined kinds, so that a plugin or campaign can rely on them.

mod attributes;
mod import;
mod journals;
mod put;

use serde_json::{Value, json};

pub use attributes::{Definitions, Kind};
pub use import::{ImportJob, begin as import};
pub use journals::{EraseJournalsJob, erase_journals, erase_step as erase_journals_step};
pub use put::{ContactError, NewContact, Put, put};

use crate::consent::pseudonym::Pseudonyms;
use crate::domain::{ContactId, TenantId};
use crate::storage::contacts::{self, Contact, Filter};
use crate::storage::people::{self, Consents};
use crate::storage::{changes, races};
use crate::tenants::{Expected, SetupContext, SetupError, check_text, revision};

/// By which somebody who edits says what they have read.
pub fn revision_of(contact: &Contact) -> String {
    revision(
        &json!({"contact": contact.id, "version": contact.version, "name": contact.display_name}),
    )
}

pub async fn get(
    setup: &SetupContext,
    tenant: TenantId,
    id: ContactId,
) -> Result<Contact, SetupError> {
    let mut tx = setup.db.read().await?;
    let found = contacts::find(&mut tx, tenant, id).await?;
    found.ok_or_else(|| unknown(id))
}

pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    filter: &Filter,
    after: i64,
    most: i64,
) -> Result<Vec<Contact>, SetupError> {
    let mut tx = setup.db.read().await?;
    Ok(contacts::page(&mut tx, tenant, filter, after, most).await?)
}

fn unknown(id: ContactId) -> SetupError {
    SetupError::NotFound {
        what: "contact",
        name: id.to_string(),
    }
}

/// A contact that was put.
#[derive(Debug)]
pub struct Upserted {
    pub contact: Contact,
    /// It was not there before.
    pub made: bool,
    /// What the person has said by then. It may be the past of somebody who was erased and came back.
    pub consents: Consents,
}

/// Puts a contact: finds it by the tenant's key or its phone, or makes it. Of several who put the same new one at once,
/// one makes it, and the others change it.
pub async fn upsert(
    setup: &SetupContext,
    tenant: TenantId,
    new: &NewContact,
) -> Result<Upserted, ContactError> {
    races::again(ContactError::is_lost_race, || {
        upsert_once(setup, tenant, new)
    })
    .await
}

async fn upsert_once(
    setup: &SetupContext,
    tenant: TenantId,
    new: &NewContact,
) -> Result<Upserted, ContactError> {
    let mut tx = setup.db.begin().await?;
    let known = Definitions::read(&mut tx, tenant).await?;
    let pseudonyms = Pseudonyms::new(setup.keyring.pseudonym_key());
    let (by, now) = ((&known, &pseudonyms), setup.clock.now());
    let next_id = || setup.next_id();
    let Put { contact, made } = put(&mut tx, tenant, by, new, now, next_id).await?;
    let action = if made {
        "contact.create"
    } else {
        "contact.update"
    };
    // Which fields, not what they say: the log is kept for ever, a person may be erased.
    let became = Some(json!({"fields": new.fields()}));
    setup
        .record(&mut tx, tenant, action, contact.id, None, became)
        .await?;
    let consents = people::read_consent_all_tenants(&mut tx, &[contact.id]).await?;
    setup.commit(tx).await?;
    Ok(Upserted {
        contact,
        made,
        consents,
    })
}

/// Changes a contact as it was read.
pub async fn update(
    setup: &SetupContext,
    tenant: TenantId,
    id: ContactId,
    expected: &Expected,
    change: &NewContact,
) -> Result<Contact, ContactError> {
    races::again(ContactError::is_lost_race, || {
        update_once(setup, tenant, id, expected, change)
    })
    .await
}

async fn update_once(
    setup: &SetupContext,
    tenant: TenantId,
    id: ContactId,
    expected: &Expected,
    change: &NewContact,
) -> Result<Contact, ContactError> {
    let mut tx = setup.db.begin().await?;
    let found = contacts::lock(&mut tx, tenant, id).await?;
    let mut contact = found.ok_or_else(|| unknown(id))?;
    expected.check(&revision_of(&contact))?;
    let known = Definitions::read(&mut tx, tenant).await?;
    put::apply(&mut tx, tenant, &known, change, &mut contact).await?;
    let became = Some(json!({"fields": change.fields()}));
    setup
        .record(&mut tx, tenant, "contact.update", id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(contact)
}

/// Defines an attribute. Its kind never changes: what contacts have would not fit.
pub async fn define(
    setup: &SetupContext,
    tenant: TenantId,
    name: &str,
    kind: Kind,
) -> Result<(), SetupError> {
    check_text("the attribute's name", name, 64)?;
    let mut tx = setup.db.begin().await?;
    if !contacts::define(&mut tx, tenant, name, kind.word(), setup.clock.now()).await? {
        return Err(SetupError::Taken {
            what: "attribute",
            name: name.to_owned(),
        });
    }
    // Turns know the tenant's attributes from the setup in memory.
    changes::bump_setup_all_tenants(&mut tx).await?;
    let became: Option<Value> = Some(json!({"kind": kind.word()}));
    setup
        .record(
            &mut tx,
            tenant,
            "contact_attribute.define",
            name,
            None,
            became,
        )
        .await?;
    setup.commit(tx).await
}

/// The attributes of a tenant.
pub async fn definitions(
    setup: &SetupContext,
    tenant: TenantId,
) -> Result<Vec<(String, Kind)>, SetupError> {
    let mut tx = setup.db.read().await?;
    Ok(Definitions::read(&mut tx, tenant).await?.list())
}
