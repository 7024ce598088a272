//! Importing consent: a list is kept in pieces as it comes, then a job records it, a few pieces a step.
//!
//! A step's records, contacts and its place in the list are one transaction: however often the job is cut, no row is
//! recorded twice and none is left out. Rows that cannot be taken are the job's rejects, each with all that is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::pseudonym::{Pseudonyms, restore};
use super::record::{self, Evidence, Statement, digest_of};
use super::rows::{Format, ListError, Row, Rows, of_piece};
use super::tell::{Told, problems, topics};
use crate::domain::{
    Clock, ConsentScope, ConsentStatus, ContactId, IdGenerator, IdentityKind, Phone, TenantId,
    Timestamp, Topics, id,
};
use crate::jobs::{self, JobKind, Pace, Step, StepError, Traffic};
use crate::policy::Purpose;
use crate::storage::consents::Wording;
use crate::storage::jobs::{Job, Reject};
use crate::storage::people::{self, Consent, ContactRow, IdentityKey};
use crate::storage::{
    Result as Stored, StorageError, Tx, consent_imports as kept, consents, contacts,
};
use crate::tenants::{SetupContext, SetupError};

/// What was begun and never finished is let go of after so long, and so is a cut job that nobody resumed.
const KEPT: Duration = Duration::from_secs(14 * 86_400);

/// Pieces of a step. On SQLite a step holds the one writer; on PostgreSQL it costs nobody but the cores, and most of it
/// are the ways to the server and back, which are as many for four pieces as for one.
const PIECES_SQLITE: i64 = 1;
const PIECES_POSTGRES: i64 = 4;

/// Bytes of a list that are read and kept in one go: some half a millisecond, as long as a core is kept from those who
/// write to a business.
const SLICE: usize = 16 << 10;

/// A list on its way in.
#[derive(Debug)]
pub struct Importing {
    setup: SetupContext,
    tenant: TenantId,
    import: i64,
    pieces: i64,
    rows: Rows,
    pace: Pace,
    /// What reading took since the last rest.
    read: Duration,
}

/// Why a list was not taken: nothing of it was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl From<StorageError> for ImportError {
    fn from(error: StorageError) -> Self {
        Self::Setup(error.into())
    }
}

impl Importing {
    pub async fn begin(
        setup: &SetupContext,
        tenant: TenantId,
        format: Format,
        traffic: &Traffic,
    ) -> Result<Self, ImportError> {
        let old = id::first_id_at(setup.clock.now().minus(KEPT));
        let mut tx = setup.db.begin().await?;
        // Before somebody sends half a gigabyte for nothing.
        jobs::check_room(&mut tx, tenant, ImportJob::NAME).await?;
        kept::drop_old(&mut tx, tenant, old).await?;
        tx.commit().await?;
        Ok(Self {
            setup: setup.clone(),
            tenant,
            import: setup.next_id(),
            pieces: 0,
            rows: Rows::new(format),
            pace: Pace::beside(traffic),
            read: Duration::ZERO,
        })
    }

    /// Takes a chunk of the list.
    pub async fn take(&mut self, chunk: &[u8]) -> Result<(), ImportError> {
        for slice in chunk.chunks(SLICE) {
            self.take_slice(slice).await?;
        }
        Ok(())
    }

    async fn take_slice(&mut self, slice: &[u8]) -> Result<(), ImportError> {
        let began = self.setup.clock.now();
        let full = match self.rows.take(slice) {
            Ok(full) => full,
            Err(error) => return Err(self.refuse(error.into()).await),
        };
        if full.is_empty() {
            self.read += self.setup.clock.now().since(began);
            return Ok(());
        }
        // On disk with the commit that queues the job, which counts them first.
        let mut tx = self.setup.db.begin_unflushed().await?;
        self.keep(&mut tx, &full).await?;
        tx.commit().await?;
        // Whoever brings the list waits, and nobody else does. To have waited for SQLite's writer counts: it is how busy others
        // are (docs/performance.md).
        let took = self.setup.clock.now().since(began);
        let read = std::mem::take(&mut self.read);
        self.pace.rest(read + took).await;
        Ok(())
    }

    /// The list is whole: queues the job that records it, or with `dry_run` only says what would become of it.
    pub async fn finish(mut self, dry_run: bool) -> Result<Job, ImportError> {
        let last = match self.rows.end() {
            Ok(last) => last,
            Err(error) => return Err(self.refuse(error.into()).await),
        };
        let setup = self.setup.clone();
        let mut tx = setup.db.begin().await?;
        self.keep(&mut tx, last.as_slice()).await?;
        if kept::count(&mut tx, self.tenant, self.import).await? != self.pieces {
            drop(tx);
            let lost = "the database came back without a part of the list: send it again";
            let lost = SetupError::State(lost.to_owned());
            return Err(self.refuse(lost.into()).await);
        }
        let params = json!({"import": self.import, "pieces": self.pieces, "dry_run": dry_run,
            "by": setup.by.label()});
        let (kind, total) = (ImportJob::NAME, Some(self.rows.count));
        match jobs::queue(&setup, &mut tx, self.tenant, kind, &params, total).await {
            Ok(job) => {
                setup.commit(tx).await?;
                Ok(job)
            }
            Err(error) => {
                drop(tx);
                Err(self.refuse(error.into()).await)
            }
        }
    }

    async fn keep(&mut self, tx: &mut Tx, pieces: &[String]) -> Stored<()> {
        kept::add_pieces(tx, self.tenant, (self.import, self.pieces), pieces).await?;
        self.pieces += i64::try_from(pieces.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Lets go of what came before.
    async fn refuse(&self, error: ImportError) -> ImportError {
        let gone = async {
            let mut tx = self.setup.db.begin().await?;
            kept::drop(&mut tx, self.tenant, self.import).await?;
            tx.commit().await
        };
        match gone.await {
            Ok(()) => error,
            Err(error) => error.into(),
        }
    }
}

/// The kind of job.
#[derive(Debug)]
pub struct ImportJob {
    pub ids: Arc<IdGenerator>,
    pub clock: Arc<dyn Clock>,
    pub pseudonyms: Pseudonyms,
}

/// A row that reads, and whose it is.
struct Line {
    ordinal: i64,
    contact: ContactId,
    subject: String,
    told: Told,
}

/// What one step finds out.
#[derive(Default)]
struct Found {
    statements: Vec<Line>,
    rejects: Vec<Reject>,
    /// Contacts that have to be made, by phone.
    new: BTreeMap<String, ContactId>,
}

impl ImportJob {
    pub const NAME: &'static str = "consents.import";

    async fn step(&self, tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let params: Value = serde_json::from_str(&job.params).unwrap_or_default();
        let progress: Value = serde_json::from_str(&job.progress).unwrap_or_default();
        let count = |from: &Value, name: &str| from[name].as_i64().unwrap_or(0);
        let (import, at) = (count(&params, "import"), count(&progress, "piece"));
        let dry_run = params["dry_run"].as_bool().unwrap_or(false);
        let by = params["by"].as_str().unwrap_or_default();
        let (mut recorded, mut made) = (count(&progress, "recorded"), count(&progress, "made"));
        let mut step = Step::default();
        let most = match tx.is_postgres() {
            true => PIECES_POSTGRES,
            false => PIECES_SQLITE,
        };
        let pieces = kept::pieces(tx, job.tenant, (import, at), most).await?;
        let read = i64::try_from(pieces.len()).unwrap_or(i64::MAX);
        if read > 0 {
            let rows: Vec<(i64, &str)> = pieces.iter().flat_map(|piece| of_piece(piece)).collect();
            let topics = topics(tx, job.tenant).await?;
            let found = self.find(tx, job.tenant, &topics, &rows).await?;
            step.done = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            recorded += i64::try_from(found.statements.len()).unwrap_or(i64::MAX);
            made += i64::try_from(found.new.len()).unwrap_or(i64::MAX);
            if !dry_run {
                self.make(tx, job.tenant, &found.new).await?;
                self.record(tx, job.tenant, &topics, &found.statements, by)
                    .await?;
            }
            step.rejects = found.rejects;
            kept::drop_pieces(tx, job.tenant, (import, at), read).await?;
        } else if at < count(&params, "pieces") {
            let gone = format!("what was to be read from row {} on is gone", job.done + 1);
            return Err(StepError::Refused(gone));
        }
        if at + read >= count(&params, "pieces") {
            let names = match dry_run {
                true => ["would_record", "contacts_would_be_made"],
                false => ["recorded", "contacts_made"],
            };
            step.result = Some(json!({names[0]: recorded, names[1]: made, "dry_run": dry_run}));
        }
        step.progress = json!({"piece": at + read, "recorded": recorded, "made": made});
        Ok(step)
    }

    /// Reads rows and finds whose they are. Nothing is written.
    async fn find(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        topics: &Topics,
        rows: &[(i64, &str)],
    ) -> Stored<Found> {
        let now = self.clock.now();
        let mut found = Found::default();
        let mut read = Vec::with_capacity(rows.len());
        for (ordinal, item) in rows {
            match read_row(item, topics, now) {
                Ok((row, told, phone)) => read.push((*ordinal, *item, row, told, phone)),
                Err(reason) => found.rejects.push(reject(*ordinal, item, reason)),
            }
        }
        let phones: BTreeSet<&Phone> = read.iter().filter_map(|row| row.4.as_ref()).collect();
        let keys: Vec<IdentityKey> = phones
            .iter()
            .map(|phone| phone_key(tenant, phone))
            .collect();
        let known: HashMap<String, ContactId> = people::find_identities_all_tenants(tx, &keys)
            .await?
            .into_iter()
            // A phone whose person is known by something else now is nobody's until somebody writes from it.
            .filter(|(_, identity)| identity.superseded_at.is_none())
            .map(|(key, identity)| (key.value, identity.contact))
            .collect();
        for (ordinal, item, row, told, phone) in read {
            let digits = phone.as_ref().map(|phone| phone.digits().to_owned());
            let named = named(tx, tenant, &row).await?;
            let by_phone = digits.as_ref().map(|digits| {
                known.get(digits).copied().unwrap_or_else(|| {
                    let made = found.new.entry(digits.clone());
                    *made.or_insert_with(|| ContactId::from_raw(self.ids.next(now)))
                })
            });
            match (named, by_phone) {
                (Err(reason), _) => found.rejects.push(reject(ordinal, item, reason)),
                (Ok(None), None) => found.rejects.push(reject(
                    ordinal,
                    item,
                    "one of phone, external_id and contact must be given".to_owned(),
                )),
                (Ok(Some(contact)), _) | (Ok(None), Some(contact)) => {
                    found.statements.push(Line {
                        ordinal,
                        contact,
                        subject: digits.unwrap_or_default(),
                        told,
                    });
                }
            }
        }
        // Whom only rows name that go by another key need not be made.
        let used: BTreeSet<ContactId> = found.statements.iter().map(|row| row.contact).collect();
        found.new.retain(|_, contact| used.contains(contact));
        Ok(found)
    }

    async fn make(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        new: &BTreeMap<String, ContactId>,
    ) -> Stored<()> {
        let now = self.clock.now();
        let contact = |(phone, id): (&String, &ContactId)| ContactRow {
            phone: phone.clone(),
            ..ContactRow::blank(tenant, *id)
        };
        let rows: Vec<ContactRow> = new.iter().map(contact).collect();
        people::add_contacts_all_tenants(tx, &rows, now).await?;
        let identity = |(phone, id): (&String, &ContactId)| (key_of(tenant, phone), *id);
        let keys: Vec<(IdentityKey, ContactId)> = new.iter().map(identity).collect();
        if people::add_identities_all_tenants(tx, &keys, now).await? < keys.len() {
            // Somebody with one of these phones has just written: found again, they are known.
            return Err(StorageError::Raced);
        }
        restore(tx, &self.pseudonyms, &keys, now, || self.ids.next(now)).await
    }

    /// Records rows in their order; each contact's row is written once.
    async fn record(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        topics: &Topics,
        rows: &[Line],
        by: &str,
    ) -> Stored<()> {
        let now = self.clock.now();
        let contacts: Vec<ContactId> = rows.iter().map(|row| row.contact).collect();
        let with = people::read_consent_all_tenants(tx, &contacts).await?;
        let all: Vec<ContactId> = with.rows().map(|row| row.contact).collect();
        let locked = people::lock_consent_all_tenants(tx, &all).await?;
        if !locked.missing().is_empty() {
            return Err(StorageError::Raced);
        }
        let mut changed: BTreeMap<ContactId, Consent> = BTreeMap::new();
        let mut wordings: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut statements = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(own) = locked.of(row.contact).copied() else {
                return Err(StorageError::Corrupt(
                    "a contact without consent".to_owned(),
                ));
            };
            let wording = wording_of(&row.told);
            if let Some((digest, wording)) = &wording
                && wordings.insert(digest.clone())
            {
                let created_at = now.millis();
                let wording = Wording {
                    created_at,
                    ..wording.clone()
                };
                consents::keep_wording(tx, tenant, &wording).await?;
            }
            let consent = changed.entry(own.contact).or_insert(own);
            let statement = statement(tenant, consent.contact, row, wording, by, now);
            let news = is_news(tx, &statement, &statements).await?;
            if let Some(purpose) = Purpose::of(&statement.scope, topics).filter(|_| news) {
                consent.state = match statement.status {
                    ConsentStatus::Withdrawn => {
                        consent.state.after_withdrawn(purpose, statement.at)
                    }
                    _ => consent.state.after_given(purpose, statement.at, false),
                };
            }
            statements.push(statement);
        }
        let moved: Vec<Consent> = changed
            .into_iter()
            .filter(|(contact, consent)| {
                locked.of(*contact).map(|row| row.state) != Some(consent.state)
            })
            .map(|(_, consent)| consent)
            .collect();
        if people::set_consents(tx, tenant, &moved).await? < moved.len() {
            return Err(StorageError::Raced);
        }
        record::append(tx, &statements, now, || self.ids.next(now)).await
    }
}

/// A topic that was withdrawn later than this was given stays withdrawn: its bit has no time, so records say so.
async fn is_news(tx: &mut Tx, one: &Statement, before: &[Statement]) -> Stored<bool> {
    if !matches!(one.scope, ConsentScope::Topic(_)) || one.status != ConsentStatus::Given {
        return Ok(true);
    }
    let withdrawn_since = |other: &Statement| {
        (other.contact, &other.scope) == (one.contact, &one.scope)
            && other.status == ConsentStatus::Withdrawn
            && one.at <= other.at
    };
    if before.iter().any(withdrawn_since) {
        return Ok(false);
    }
    let latest = consents::latest(tx, one.tenant, one.contact, &one.scope).await?;
    Ok(!latest.is_some_and(|record| {
        record.status == ConsentStatus::Withdrawn && one.at <= record.said_at
    }))
}

fn statement(
    tenant: TenantId,
    contact: ContactId,
    row: &Line,
    wording: Option<(Vec<u8>, Wording)>,
    by: &str,
    now: Timestamp,
) -> Statement {
    let told = &row.told;
    Statement {
        tenant,
        contact,
        scope: told.scope.clone(),
        status: told.status,
        channel: told.channel,
        at: told.at.unwrap_or(now),
        wording: wording.map(|(digest, _)| digest).unwrap_or_default(),
        evidence: Evidence {
            subject: row.subject.clone(),
            source: told.source.clone(),
            address: told.address.clone(),
            proof: json!({"row": row.ordinal, "proof": told.proof}),
        },
        by: by.to_owned(),
    }
}

fn wording_of(told: &Told) -> Option<(Vec<u8>, Wording)> {
    let shown = told.wording.as_ref()?;
    let digest = digest_of(&shown.version, &shown.language, &shown.text);
    let wording = Wording {
        digest: digest.clone(),
        version: shown.version.clone(),
        language: shown.language.clone(),
        body: shown.text.clone(),
        created_at: 0,
    };
    Some((digest, wording))
}

type Read = (Row, Told, Option<Phone>);

fn read_row(item: &str, topics: &Topics, now: Timestamp) -> Result<Read, String> {
    let row: Row = serde_json::from_str(item).map_err(|error| error.to_string())?;
    let told = row.told()?;
    let mut wrong: Vec<String> = problems(&told, topics, now)
        .into_iter()
        .map(|(field, what)| format!("{field} {what}"))
        .collect();
    let phone = row.phone.as_deref().map(Phone::parse);
    if phone == Some(None) {
        wrong.push("phone must be a phone number with its country code".to_owned());
    }
    match wrong.is_empty() {
        true => Ok((row, told, phone.flatten())),
        false => Err(wrong.join("; ")),
    }
}

/// Whom a row names by our id or the tenant's own.
async fn named(
    tx: &mut Tx,
    tenant: TenantId,
    row: &Row,
) -> Stored<Result<Option<ContactId>, String>> {
    let found = match (&row.contact, &row.external_id) {
        (None, None) => return Ok(Ok(None)),
        (Some(id), _) => match id.parse() {
            Ok(id) => contacts::find(tx, tenant, id).await?,
            Err(_) => None,
        },
        (None, Some(key)) => contacts::lock_external(tx, tenant, key).await?,
    };
    let unknown = "there is no such contact".to_owned();
    Ok(found.map(|contact| Some(contact.id)).ok_or(unknown))
}

fn phone_key(tenant: TenantId, phone: &Phone) -> IdentityKey {
    key_of(tenant, phone.digits())
}

fn key_of(tenant: TenantId, digits: &str) -> IdentityKey {
    IdentityKey {
        tenant,
        scope: String::new(),
        kind: IdentityKind::Phone,
        value: digits.to_owned(),
    }
}

fn reject(ordinal: i64, item: &str, reason: String) -> Reject {
    Reject {
        ordinal,
        reason,
        item: item.to_owned(),
    }
}

impl JobKind for ImportJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        self.step(tx, job).boxed()
    }
}
