//! Erasing a person: their data goes, the ledger's chain holds, and what they had stopped is honoured if they come back.
//!
//! What hangs on the contact goes in the transaction of the request, the record of the erasure with it. What lies in tables
//! that grow with traffic goes by a job that walks through them, and then once more through what turns wrote meanwhile.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::pseudonym::Pseudonyms;
use super::record::{self, Evidence, Statement};
use crate::audit::{self, Actor, Record};
use crate::domain::id::first_id_at;
use crate::domain::{
    AuditId, ConsentChannel, ConsentScope, ConsentStatus, ContactId, ConversationId, TenantId,
    Timestamp,
};
use crate::jobs::{self, JobKind, Step, StepError};
use crate::replay::words;
use crate::storage::jobs::{Job, JobState};
use crate::storage::people::Consents;
use crate::storage::person::{self, Grown, Person};
use crate::storage::{
    Result as Stored, StorageError, Tx, consent_imports as kept, consents, contacts, people, races,
};
use crate::tenants::{SetupContext, SetupError};

/// Erases a person, as often as somebody else's change comes before, as when two become one meanwhile. Answers the job that
/// walks through what grows with traffic.
pub async fn begin(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Job, SetupError> {
    races::again(SetupError::is_lost_race, || {
        begin_once(setup, tenant, contact)
    })
    .await
}

async fn begin_once(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Job, SetupError> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let unknown = || SetupError::not_found("contact", &contact.to_string());
    contacts::find(&mut tx, tenant, contact)
        .await?
        .ok_or_else(unknown)?;
    let all = person::all_of(&mut tx, tenant, contact).await?;
    let consents_of = lock(&mut tx, tenant, &all).await?;
    let row = consents_of.of(contact).ok_or_else(unknown)?;
    let mut whom = Person {
        numbers: person::numbers(&mut tx, tenant).await?,
        ..Person::default()
    };
    let pseudonyms = Pseudonyms::new(setup.keyring.pseudonym_key());
    for one in &all {
        whom.contacts.push(one.raw());
        for key in person::identities(&mut tx, tenant, *one).await? {
            if row.state.stops_anything() {
                let (name, stops) = (pseudonyms.of(&key), row.state.only_stops());
                person::keep_stops(&mut tx, tenant, &name, &stops, now).await?;
            }
            whom.known_as.push(key.value);
        }
        whom.conversations
            .extend(person::conversations(&mut tx, tenant, *one).await?);
    }
    // In the order in which a turn's commit locks them.
    whom.conversations.sort_unstable();
    let erasures: Vec<Statement> = all
        .iter()
        .map(|one| erasure(tenant, *one, now, setup.by.label()))
        .collect();
    for one in &all {
        consents::erase(&mut tx, tenant, *one).await?;
    }
    record::append(&mut tx, &erasures, now, || setup.next_id()).await?;
    blank(&mut tx, tenant, &whom).await?;
    person::forget_rejects(&mut tx, tenant, &whom).await?;
    // By what the person was known is needed until the job is over, and is in no row that stays.
    let keep = setup.next_id();
    let text = serde_json::to_string(&whom).unwrap_or_default();
    kept::add_pieces(&mut tx, tenant, (keep, 0), &[text]).await?;
    setup
        .record(&mut tx, tenant, "contact.erase", contact, None, None)
        .await?;
    let params = json!({"whom": keep});
    let job = jobs::queue(setup, &mut tx, tenant, EraseJob::NAME, &params, None).await?;
    setup.commit(tx).await?;
    Ok(job)
}

/// Locks a person's contacts and then their consent, each by their ids: so does everybody. An error is a lost race: they have
/// become one with somebody meanwhile.
async fn lock(tx: &mut Tx, tenant: TenantId, all: &[ContactId]) -> Stored<Consents> {
    for contact in all {
        contacts::lock(tx, tenant, *contact).await?;
    }
    let rows = people::lock_consent_all_tenants(tx, all).await?;
    let mut whole = rows.missing().is_empty();
    if let Some(contact) = all.first() {
        whole &= person::all_of(tx, tenant, *contact).await? == all;
    }
    match whole {
        true => Ok(rows),
        false => Err(StorageError::Raced),
    }
}

fn erasure(tenant: TenantId, contact: ContactId, now: Timestamp, by: String) -> Statement {
    Statement {
        tenant,
        contact,
        scope: ConsentScope::All,
        status: ConsentStatus::Erased,
        channel: ConsentChannel::Api,
        at: now,
        wording: Vec::new(),
        evidence: Evidence::default(),
        by,
    }
}

/// Lets go of what hangs on the person's contacts and conversations.
async fn blank(tx: &mut Tx, tenant: TenantId, whom: &Person) -> Stored<()> {
    for contact in &whom.contacts {
        person::blank_contact(tx, tenant, ContactId::from_raw(*contact)).await?;
    }
    for conversation in &whom.conversations {
        person::blank_conversation(tx, tenant, *conversation).await?;
    }
    person::forget_memory(tx, tenant, whom).await
}

/// Walks through events and bodies again before it is said that something stands still. A guess.
const WALKS: i64 = 5;
/// Where events stand in [`Grown::ALL`]: what comes before them never waits.
const EVENTS: i64 = 3;
/// Where the audit log stands there: no turn writes it, so it is not swept.
const AUDIT: i64 = 5;
/// Where everything stands that comes behind them.
const BEHIND: i64 = Grown::ALL.len() as i64;
/// How far clocks of nodes may be apart: ids are in the order of time. A guess, and a large one.
const LEEWAY: Duration = Duration::from_hours(1);

/// Walks through what grows with traffic.
#[derive(Debug)]
pub struct EraseJob {
    pub setup: SetupContext,
}

impl EraseJob {
    pub const NAME: &'static str = "consent.erase";

    async fn step(&self, tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let params: Value = serde_json::from_str(&job.params).unwrap_or_default();
        let keep = params["whom"].as_i64().unwrap_or_default();
        let text = kept::pieces(tx, job.tenant, (keep, 0), 1).await?.pop();
        let whom: Option<Person> = text.and_then(|text| serde_json::from_str(&text).ok());
        let Some(whom) = whom else {
            let gone = "whom it is about is not known any more".to_owned();
            return Err(StepError::Refused(gone));
        };
        let mut progress: Value = serde_json::from_str(&job.progress).unwrap_or_default();
        if job.state == JobState::Queued {
            // Whoever resumes the job has looked at what stood still.
            progress["walks"] = 0.into();
        }
        let number = |name: &str| progress[name].as_i64().unwrap_or(0);
        let (mut table, mut after) = (number("table"), number("after"));
        let (mut rows, mut waiting) = (number("rows"), number("waiting"));
        let is_swept = progress["swept"] == true;
        let grown = usize::try_from(table)
            .ok()
            .and_then(|at| Grown::ALL.get(at));
        let Some(grown) = grown.copied() else {
            return Self::behind(tx, job, (keep, &whom), &progress).await;
        };
        match person::end_of_step_all_tenants(tx, grown, after).await? {
            Some(end) => {
                let range = (after, end);
                let (gone, wait) = match grown {
                    Grown::Audit => (self.silence(tx, job.tenant, range, &whom).await?, 0),
                    _ => person::forget_step(tx, job.tenant, grown, range, &whom).await?,
                };
                // It came after the last walk. Its turn may have written what this walk was past by then.
                let late = match grown {
                    Grown::Events if is_swept => gone,
                    _ => 0,
                };
                rows += i64::try_from(gone).unwrap_or(i64::MAX);
                waiting += i64::try_from(wait + late).unwrap_or(i64::MAX);
                after = end;
            }
            None if !is_swept => (table, after) = (table + 1, 0),
            None if table + 1 < AUDIT => (table, after) = (table + 1, since(job)),
            None => (table, after) = (BEHIND, 0),
        }
        for (name, value) in [
            ("table", table),
            ("after", after),
            ("rows", rows),
            ("waiting", waiting),
        ] {
            progress[name] = value.into();
        }
        Ok(Step {
            done: 1,
            progress,
            ..Step::default()
        })
    }

    /// What comes behind the tables.
    async fn behind(
        tx: &mut Tx,
        job: &Job,
        (keep, whom): (i64, &Person),
        progress: &Value,
    ) -> Result<Step, StepError> {
        let number = |name: &str| progress[name].as_i64().unwrap_or(0);
        let (rows, waiting) = (number("rows"), number("waiting"));
        if waiting > 0 {
            return Self::look_again(rows, waiting, number("walks"));
        }
        if progress["swept"] != true {
            return Self::sweep(tx, job, whom, progress).await;
        }
        if progress["reports_done"] != true {
            return Self::reports(tx, job, whom, progress).await;
        }
        kept::drop(tx, job.tenant, keep).await?;
        Ok(Step {
            progress: Value::Null,
            result: Some(json!({"rows": rows})),
            ..Step::default()
        })
    }

    /// What still waited when the walk came by is looked at again, and swept again: a turn takes a moment. What waits longer
    /// stands still.
    fn look_again(rows: i64, waiting: i64, walks: i64) -> Result<Step, StepError> {
        if walks < WALKS {
            return Ok(Step {
                progress: json!({"table": EVENTS, "rows": rows, "walks": walks + 1}),
                ..Step::default()
            });
        }
        let what = format!(
            "{waiting} messages or bodies of the person still wait for their turn, or had it just now: resume the job when all had it"
        );
        Err(StepError::Refused(what))
    }

    /// Turns that the person had after the erasure began have answered, remembered and written journals, where the walk may have
    /// been by then: once more. A timer that such a turn set goes here. One that rang since the events were walked through is an
    /// event, which this walk finds; it is the last one if it finds none.
    async fn sweep(
        tx: &mut Tx,
        job: &Job,
        whom: &Person,
        progress: &Value,
    ) -> Result<Step, StepError> {
        blank(tx, job.tenant, whom).await?;
        Ok(Step {
            progress: json!({
                "table": 0, "after": since(job), "rows": progress["rows"], "walks": progress["walks"], "swept": true,
            }),
            ..Step::default()
        })
    }

    /// Takes the person out of reports of replays. They come last: a replay that ends meanwhile finds the turns gone.
    async fn reports(
        tx: &mut Tx,
        job: &Job,
        whom: &Person,
        progress: &Value,
    ) -> Result<Step, StepError> {
        let whose = whom.conversations.iter().copied();
        let whose: Vec<_> = whose.map(ConversationId::from_raw).collect();
        let after = progress["after"].as_i64().unwrap_or(0);
        let erased = words::erase_step(tx, job.tenant, &whose, after).await?;
        let rows = progress["rows"].as_i64().unwrap_or(0) + erased.reports;
        let mut progress = progress.clone();
        progress["after"] = erased.next.into();
        progress["rows"] = rows.into();
        progress["reports_done"] = erased.next.is_none().into();
        Ok(Step {
            done: 1,
            progress,
            ..Step::default()
        })
    }

    /// Takes away what the audit log says of the person, and says there which entries that were.
    async fn silence(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        range: (i64, i64),
        whom: &Person,
    ) -> Result<u64, StepError> {
        let now = self.setup.clock.now();
        let by = AuditId::from_raw(self.setup.next_id());
        let gone = audit::erase::step(tx, tenant, range, whom, by).await;
        let gone = gone.map_err(StorageError::from)?;
        if gone.is_empty() {
            return Ok(0);
        }
        let contact = whom.contacts.first().copied().map(ContactId::from_raw);
        let record = Record {
            tenant,
            action: audit::erase::ACTION,
            object: contact.map_or_else(String::new, |contact| contact.to_string()),
            was: None,
            became: Some(audit::erase::named(&gone)),
            by: &Actor::gateway(),
        };
        let told = audit::append(tx, by, now, record).await;
        told.map_err(StorageError::from)?;
        Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
    }
}

/// Before every id that was made after the erasure began.
fn since(job: &Job) -> i64 {
    first_id_at(job.created_at.minus(LEEWAY))
}

impl JobKind for EraseJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        self.step(tx, job).boxed()
    }

    fn ended<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Stored<()>> {
        match job.state {
            JobState::Done => self.setup.db.empty_log().boxed(),
            _ => std::future::ready(Ok(())).boxed(),
        }
    }
}
