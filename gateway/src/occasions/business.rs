//! Business events: told by the tenant's systems, known by their own ids, attached under the conversation of the contact
//! that they name.

use serde_json::{Map, Value, json};

use super::Occasions;
use crate::audit::{self, Actor, AuditError, Record};
use crate::contacts::{self, ContactError, Definitions, NewContact};
use crate::directory::NumberEntry;
use crate::domain::attribute::{self, AttributeValue, FIELDS_MOST, Fields};
use crate::domain::occasion::is_event_name;
use crate::domain::{
    AuditId, ContactId, ConversationId, EventId, IdentityKind, NumberId, Occasion, TenantId,
    Timestamp,
};
use crate::storage::business_events;
use crate::storage::conversations::{self, Conversation};
use crate::storage::people::{self, IdentityKey};
use crate::storage::{Ending, StorageError, Tx, contacts as rows, events};

/// What somebody tells of.
#[derive(Debug, Clone)]
pub struct NewOccasion {
    /// The sender's own id: told again, it is the same event.
    pub id: String,
    pub name: String,
    pub number: NumberId,
    pub who: Who,
    /// When it happened; none: now.
    pub at: Option<Timestamp>,
    /// Typed values, as JSON has them.
    pub fields: Map<String, Value>,
}

/// Whom it is about.
#[derive(Debug, Clone)]
pub enum Who {
    Contact(ContactId),
    ExternalId(String),
    /// Begins a contact when nobody has it.
    Phone(String),
    /// Within the number's portfolio.
    Bsuid(String),
}

/// Where an event went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub event: EventId,
    pub conversation: ConversationId,
    /// It was told before, and nothing happened now.
    pub again: bool,
}

/// Why nothing was told.
#[derive(Debug, thiserror::Error)]
pub enum OccasionError {
    /// Where, and what is wrong there.
    #[error("{}", .0.iter().map(|(place, what)| format!("{place} {what}")).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<(String, String)>),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error(transparent)]
    Contact(#[from] ContactError),
    #[error("the database failed")]
    Storage(#[from] StorageError),
    #[error("the audit log could not be written")]
    Audit(#[from] AuditError),
}

type Result<T, E = OccasionError> = std::result::Result<T, E>;

const ID_MOST: usize = 200;
/// All fields together. The same as plugins may put into a timer.
const BYTES_MOST: usize = 8 << 10;

impl Occasions {
    /// Tells of an event: it has its turn, unless it was told before. `ending`: when that is committed.
    pub async fn tell(
        &self,
        tenant: TenantId,
        new: NewOccasion,
        by: &Actor,
        ending: &Ending,
    ) -> Result<Told> {
        let fields = check(&new)?;
        let snapshot = self.directory.snapshot();
        let entry = snapshot
            .number(new.number)
            .filter(|n| n.tenant.id == tenant);
        let entry = entry.ok_or(OccasionError::NotFound("number"))?;
        let mut tx = self.db.begin().await?;
        if let Some(told) = business_events::known(&mut tx, tenant, &new.id).await? {
            return Ok(before(told));
        }
        let now = self.clock.now();
        let contact = self.find(&mut tx, tenant, entry, &new.who, now).await?;
        let mut conversation = self.conversation(&mut tx, entry, contact, now).await?;
        let occasion = Occasion::Event {
            id: new.id.clone(),
            name: new.name.clone(),
            fields,
        };
        let (event, pending) = self.place(&mut conversation, occasion, new.at.unwrap_or(now));
        let told = business_events::Told {
            event: event.id,
            conversation: conversation.id,
        };
        if !business_events::note(&mut tx, tenant, &new.id, told, now).await? {
            // Somebody else told it in this moment: what is written here goes with the transaction.
            let known = business_events::known(&mut tx, tenant, &new.id).await?;
            return known.map(before).ok_or(OccasionError::NotFound("event"));
        }
        events::append_all_tenants(&mut tx, &[event]).await?;
        conversations::advance_all_tenants(&mut tx, &[&conversation]).await?;
        self.record(&mut tx, tenant, &new, told, by).await?;
        ending.commit(tx).await?;
        let this = self.clone();
        ending.then(move || this.hand_on(vec![pending]));
        Ok(Told {
            event: told.event,
            conversation: told.conversation,
            again: false,
        })
    }

    async fn find(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        entry: &NumberEntry,
        who: &Who,
        now: Timestamp,
    ) -> Result<ContactId> {
        let none = || OccasionError::NotFound("contact");
        match who {
            Who::Contact(id) => {
                let found = rows::find(tx, tenant, *id).await?;
                found.map(|contact| contact.id).ok_or_else(none)
            }
            Who::ExternalId(key) => {
                let found = rows::lock_external(tx, tenant, key).await?;
                found.map(|contact| contact.id).ok_or_else(none)
            }
            Who::Phone(phone) => {
                let known = Definitions::read(tx, tenant).await?;
                let new = NewContact {
                    phone: Some(phone.clone()),
                    ..NewContact::default()
                };
                let pseudonyms = self.directory.pseudonyms();
                let (by, next_id) = ((&known, &pseudonyms), || self.ids.next(now));
                let put = contacts::put(tx, tenant, by, &new, now, next_id).await?;
                Ok(put.contact.id)
            }
            Who::Bsuid(bsuid) => {
                let key = IdentityKey {
                    tenant,
                    scope: entry.number.portfolio.clone(),
                    kind: IdentityKind::Bsuid,
                    value: bsuid.clone(),
                };
                let found = people::find_identities_all_tenants(tx, &[key]).await?;
                let current = found.into_iter().map(|(_, known)| known).next();
                let current = current.filter(|known| known.superseded_at.is_none());
                current.map(|known| known.contact).ok_or_else(none)
            }
        }
    }

    /// The contact's conversation with the number, locked; begun when there is none.
    async fn conversation(
        &self,
        tx: &mut Tx,
        entry: &NumberEntry,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<Conversation> {
        let pair = (entry.number.id, contact);
        let mut found = conversations::find_all_tenants(tx, &[pair]).await?;
        if found.is_empty() {
            let id = ConversationId::from_raw(self.ids.next(now));
            let tenant = entry.tenant.id;
            conversations::begin(tx, tenant, &entry.number, contact, id, now).await?;
            found = conversations::find_all_tenants(tx, &[pair]).await?;
        }
        let mut rows = conversations::lock_all_tenants(tx, &found).await?;
        rows.pop().ok_or(OccasionError::NotFound("conversation"))
    }

    async fn record(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        new: &NewOccasion,
        told: business_events::Told,
        by: &Actor,
    ) -> Result<()> {
        let now = self.clock.now();
        let became = json!({"name": new.name, "conversation": told.conversation});
        let record = Record {
            tenant,
            action: "event.tell",
            object: told.event.to_string(),
            was: None,
            became: Some(became),
            by,
        };
        let id = AuditId::from_raw(self.ids.next(now));
        Ok(audit::append(tx, id, now, record).await?)
    }
}

fn before(told: business_events::Told) -> Told {
    Told {
        event: told.event,
        conversation: told.conversation,
        again: true,
    }
}

/// Everything that is wrong at once; else the fields.
fn check(new: &NewOccasion) -> Result<Fields> {
    let mut problems = Vec::new();
    let mut wrong = |place: &str, what: String| problems.push((place.to_owned(), what));
    let length = new.id.chars().count();
    if !(1..=ID_MOST).contains(&length) || new.id.chars().any(char::is_control) {
        wrong(
            "/id",
            format!("must have 1 to {ID_MOST} characters on one line"),
        );
    }
    if !is_event_name(&new.name) {
        let what = "must be 1 to 64 letters, digits, dots, dashes and underscores";
        wrong("/name", what.to_owned());
    }
    if new.fields.len() > FIELDS_MOST {
        wrong("/fields", format!("must be at most {FIELDS_MOST}"));
    }
    let mut fields = Fields::new();
    for (name, value) in new.fields.iter().take(FIELDS_MOST) {
        match field(name, value) {
            Ok(value) => drop(fields.insert(name.clone(), value)),
            Err(what) => {
                let name = name.replace('~', "~0").replace('/', "~1");
                wrong(&format!("/fields/{name}"), what);
            }
        }
    }
    let bytes: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.bytes())
        .sum();
    if bytes > BYTES_MOST {
        wrong(
            "/fields",
            format!("must have at most {BYTES_MOST} bytes in all"),
        );
    }
    match problems.is_empty() {
        true => Ok(fields),
        false => Err(OccasionError::Invalid(problems)),
    }
}

fn field(name: &str, value: &Value) -> Result<AttributeValue, String> {
    if let Some(wanted) = attribute::name_problem(name) {
        return Err(format!("must have {wanted}"));
    }
    let read: AttributeValue = serde_json::from_value(value.clone()).map_err(|_| {
        "must be text, a number, true or false, a list of texts or {\"date\": \"2026-11-25\"}"
            .to_owned()
    })?;
    match read.problem() {
        Some(wanted) => Err(format!("must be {wanted}")),
        None => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(fields: Value) -> NewOccasion {
        NewOccasion {
            id: "order-1/paid".to_owned(),
            name: "payment.succeeded".to_owned(),
            number: NumberId::from_raw(1),
            who: Who::ExternalId("k".to_owned()),
            at: None,
            fields: fields.as_object().cloned().expect("an object"),
        }
    }

    fn places(new: &NewOccasion) -> Vec<String> {
        match check(new) {
            Err(OccasionError::Invalid(problems)) => problems.into_iter().map(|p| p.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_are_typed_and_everything_that_is_wrong_is_told_at_once() {
        let fine = new(json!({"amount": 49.9, "items": ["tea"], "on": {"date": "2026-11-25"}}));
        assert_eq!(check(&fine).expect("fine").len(), 3);
        let mut bad = new(json!({"nested": {"a": 1}, "none": null, "a/b": "x".repeat(2000)}));
        bad.id = String::new();
        bad.name = "a b".to_owned();
        let expected = [
            "/id",
            "/name",
            "/fields/a~1b",
            "/fields/nested",
            "/fields/none",
        ];
        assert_eq!(places(&bad), expected);
    }

    #[test]
    fn fields_have_bounds() {
        let many: Map<String, Value> = (0..33).map(|n| (format!("f{n}"), json!(n))).collect();
        assert_eq!(places(&new(Value::Object(many))), ["/fields"]);
        let heavy: Map<String, Value> = (0..9)
            .map(|n| (format!("f{n}"), json!("x".repeat(1000))))
            .collect();
        assert_eq!(places(&new(Value::Object(heavy))), ["/fields"]);
    }
}
