//! A person's file: their records with evidence and wordings, for clients; and whole, with every message, for a regulator.
//!
//! The whole file is made part by part, each of a bounded size, so that somebody with a million messages costs no more memory
//! than somebody with ten.

mod messages;
mod sheet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use sheet::escape;

use super::record::Evidence;
use crate::domain::{ContactId, TenantId};
use crate::storage::consents::{self, ConsentRecord, Wording};
use crate::storage::{Result as Stored, Tx, contacts, people, person};
use crate::tenants::{SetupContext, SetupError};

/// A record with what it points at.
#[derive(Debug, Clone)]
pub struct Entry {
    pub record: ConsentRecord,
    /// `None`: the person was erased.
    pub evidence: Option<Evidence>,
    pub wording: Option<Wording>,
}

/// A person's records before an id, newest first, whichever of their contacts they name.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
    before: i64,
    most: i64,
) -> Result<Vec<Entry>, SetupError> {
    let mut tx = setup.db.read().await?;
    let known = contacts::find(&mut tx, tenant, contact).await?;
    known.ok_or_else(|| SetupError::not_found("contact", &contact.to_string()))?;
    Ok(entries(&mut tx, tenant, contact, before, most).await?)
}

async fn entries(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    before: i64,
    most: i64,
) -> Stored<Vec<Entry>> {
    let mut records = Vec::new();
    for one in person::all_of(tx, tenant, contact).await? {
        records.extend(consents::of_contact(tx, tenant, one, before, most).await?);
    }
    records.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
    records.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let mut entries = Vec::with_capacity(records.len());
    for record in records {
        let wording = match record.wording.is_empty() {
            true => None,
            false => consents::wording(tx, tenant, &record.wording).await?,
        };
        entries.push(Entry {
            evidence: serde_json::from_str(&record.value).ok(),
            wording,
            record,
        });
    }
    Ok(entries)
}

/// Records and messages of one part.
const STEP: i64 = 200;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Json,
    /// One page for people to read, without a script.
    Html,
}

/// Where the next part begins. `some`: the list has entries before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Who they are here, and what stands now.
    #[default]
    Head,
    /// Before this id, newest first.
    Records { before: i64, some: bool },
    /// Of the conversation of this id or the next one, from this entry backwards; 0: from its newest.
    Messages { talk: i64, entry: i64, some: bool },
}

/// One part of a person's whole file, and where the next one begins. Parts that are written one behind the other are the
/// file. The audit log says with the first that it was asked for.
pub async fn part(
    setup: &SetupContext,
    (tenant, contact): (TenantId, ContactId),
    format: Format,
    place: Place,
) -> Result<(String, Option<Place>), SetupError> {
    match place {
        Place::Head => {
            let file = head(setup, tenant, contact).await?;
            let next = Place::Records {
                before: i64::MAX,
                some: false,
            };
            Ok((format.begin(&file), Some(next)))
        }
        Place::Records { before, some } => {
            let mut tx = setup.db.read().await?;
            let found = entries(&mut tx, tenant, contact, before, STEP).await?;
            let last = found.last().map(|entry| entry.record.id.raw());
            let records: Vec<Value> = found.iter().map(shown).collect();
            let mut text = format.records(&records, some);
            let full = found.len() as i64 == STEP;
            let next = match last.filter(|_| full) {
                Some(before) => Place::Records { before, some: true },
                None => {
                    text += format.between();
                    Place::Messages {
                        talk: 0,
                        entry: 0,
                        some: false,
                    }
                }
            };
            Ok((text, Some(next)))
        }
        Place::Messages { talk, entry, some } => {
            let mut tx = setup.db.read().await?;
            let page = messages::page(&mut tx, tenant, contact, (talk, entry), STEP).await?;
            let mut text = format.messages(&page.messages, some);
            let some = some || !page.messages.is_empty();
            let next = page
                .next
                .map(|(talk, entry)| Place::Messages { talk, entry, some });
            if next.is_none() {
                text += format.end();
            }
            Ok((text, next))
        }
    }
}

/// Who they are here, and what stands now.
async fn head(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Value, SetupError> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let unknown = || SetupError::not_found("contact", &contact.to_string());
    let known = contacts::find(&mut tx, tenant, contact)
        .await?
        .ok_or_else(unknown)?;
    let mut identities = Vec::new();
    for one in person::all_of(&mut tx, tenant, contact).await? {
        identities.extend(person::identities(&mut tx, tenant, one).await?);
    }
    let rows = people::read_consent_all_tenants(&mut tx, &[contact]).await?;
    let state = rows.of(contact).map(|row| row.state).unwrap_or_default();
    setup
        .record(&mut tx, tenant, "consent.export", contact, None, None)
        .await?;
    setup.commit(tx).await?;
    let named = identities
        .iter()
        .map(|key| json!({"kind": format!("{:?}", key.kind).to_lowercase(), "value": key.value}));
    let moment = |at: Option<crate::domain::Timestamp>| at.map(|at| at.to_string());
    Ok(json!({
        "made_at": now.to_string(),
        "contact": {
            "id": contact, "name": known.display_name, "external_id": known.external_id,
            "attributes": serde_json::from_str::<Value>(&known.attributes).ok(),
            "known_by": named.collect::<Vec<_>>(),
            "since": known.created_at.to_string(),
        },
        "consent": {
            "opted_out": state.opt_out.word(), "since": moment(state.since),
            "marketing_stopped_in_whatsapp_at": moment(state.meta_stopped_at),
            "marketing_given_at": moment(state.marketing_given_at),
            "utility_given_at": moment(state.utility_given_at),
            "utility_withdrawn_at": moment(state.utility_stopped_at),
        },
    }))
}

fn shown(entry: &Entry) -> Value {
    let record = &entry.record;
    json!({
        "id": record.id, "contact": record.contact, "scope": record.scope.to_string(),
        "status": record.status.word(), "channel": record.channel.word(),
        "said_at": record.said_at.to_string(), "recorded_at": record.recorded_at.to_string(),
        "recorded_by": record.recorded_by,
        "wording": entry.wording.as_ref().map(|wording| json!({
            "text": wording.body, "version": wording.version, "language": wording.language,
        })),
        "evidence": entry.evidence,
        "seal": (record.seq != 0).then(|| json!({"place": record.seq, "hash": hex::encode(&record.mac)})),
    })
}
