//! Statements that clients, staff and lists make about a person's consent, with their evidence.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::{self, Evidence, Statement, digest_of};
use crate::domain::{
    ConsentChannel, ConsentId, ConsentScope, ConsentStatus, ContactId, TenantId, Timestamp, Topics,
};
use crate::policy::{ConsentState, Purpose};
use crate::storage::consents::{self, Pending, Wording};
use crate::storage::contacts;
use crate::storage::people::{self, Consent};
use crate::storage::{Result as Stored, StorageError, Tx, races};
use crate::tenants::{SetupContext, SetupError};

/// A clock that is ahead of ours by more than this is wrong.
const AHEAD: Duration = Duration::from_secs(300);
/// How long a request waits for the person's digit.
const WAITS: Duration = Duration::from_secs(7 * 86_400);
/// Bounds of a statement, in characters. Guesses: a wording is a sentence or a few; a proof names things.
pub const WORDING_MOST: usize = 4_000;
const SOURCE_MOST: usize = 500;
const PROOF_BYTES: usize = 8_192;

/// What a person was shown, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    pub text: String,
    /// The tenant's own name for this state of the text.
    #[serde(default)]
    pub version: String,
    /// BCP 47.
    #[serde(default)]
    pub language: String,
}

impl Shown {
    fn wording(&self, now: Timestamp) -> Wording {
        Wording {
            digest: digest_of(&self.version, &self.language, &self.text),
            version: self.version.clone(),
            language: self.language.clone(),
            body: self.text.clone(),
            created_at: now.millis(),
        }
    }
}

/// A statement as it is told.
#[derive(Debug, Clone)]
pub struct Told {
    pub scope: ConsentScope,
    /// Given, withdrawn, or pending: then the person's own digit confirms it.
    pub status: ConsentStatus,
    pub channel: ConsentChannel,
    /// When the person said so; `None`: now.
    pub at: Option<Timestamp>,
    pub wording: Option<Shown>,
    pub source: String,
    pub address: String,
    pub proof: Value,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub id: ConsentId,
    /// Whose record it is: the contact's, or that of whom it has become one with.
    pub contact: ContactId,
    pub state: ConsentState,
    /// For a pending one: the digit that confirms it.
    pub confirm_with: Option<String>,
}

/// Why a statement is not taken: fields, and what is wrong with them.
pub type Problems = Vec<(&'static str, String)>;

/// Everything that is wrong with a statement.
pub fn problems(told: &Told, topics: &Topics, now: Timestamp) -> Problems {
    let mut problems = Vec::new();
    let mut wrong = |field, what: &str| problems.push((field, what.to_owned()));
    if Purpose::of(&told.scope, topics).is_none() {
        match &told.scope {
            ConsentScope::Topic(_) => wrong("scope", "names a topic that the tenant does not have"),
            _ => wrong("scope", "must be all, marketing, utility or topic:NAME"),
        }
    }
    if told.status == ConsentStatus::Erased {
        wrong("status", "must be given, withdrawn or pending");
    }
    if !told.channel.is_told() {
        wrong(
            "channel",
            "must be form, checkout, agent, import, api or block_list",
        );
    }
    let gives = told.status != ConsentStatus::Withdrawn;
    if gives && told.channel == ConsentChannel::BlockList {
        wrong("channel", "nobody agrees to anything by being blocked");
    }
    if told.at.is_some_and(|at| at > now.plus(AHEAD)) {
        wrong("at", "lies in the future");
    }
    if told.at.is_some_and(|at| at.millis() <= 0) {
        wrong("at", "must be a moment after 1970");
    }
    let shows = matches!(
        told.channel,
        ConsentChannel::Form | ConsentChannel::Checkout
    );
    match &told.wording {
        Some(shown) => wording_problems(shown, &mut wrong),
        None if gives && (shows || told.status == ConsentStatus::Pending) => {
            wrong(
                "wording",
                "must say what the person was shown: it is the proof",
            );
        }
        None => {}
    }
    for (field, text, most) in [
        ("source", &told.source, SOURCE_MOST),
        ("address", &told.address, 64),
    ] {
        if text.chars().count() > most || text.chars().any(char::is_control) {
            wrong(
                field,
                &format!("must have at most {most} characters on one line"),
            );
        }
    }
    if !(told.proof.is_null() || told.proof.is_object()) {
        wrong("proof", "must be an object");
    } else if told.proof.to_string().len() > PROOF_BYTES {
        wrong("proof", &format!("must have at most {PROOF_BYTES} bytes"));
    }
    problems
}

fn wording_problems(shown: &Shown, wrong: &mut impl FnMut(&'static str, &str)) {
    let long = |text: &str, most| text.chars().count() > most;
    if shown.text.trim().is_empty() || long(&shown.text, WORDING_MOST) {
        wrong(
            "wording/text",
            &format!("must have 1 to {WORDING_MOST} characters"),
        );
    }
    if long(&shown.version, 60) || shown.version.chars().any(char::is_control) {
        wrong(
            "wording/version",
            "must have at most 60 characters on one line",
        );
    }
    if long(&shown.language, 20) || shown.language.chars().any(char::is_control) {
        wrong(
            "wording/language",
            "must have at most 20 characters on one line",
        );
    }
}

/// Records one statement. `Err` inside: what is wrong with it; nothing was written then.
pub async fn tell(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
    told: &Told,
) -> Result<Result<Kept, Problems>, SetupError> {
    // The person may become one with another at this moment: asked again, it is found who speaks for both.
    races::again(SetupError::is_lost_race, || {
        tell_once(setup, tenant, contact, told)
    })
    .await
}

async fn tell_once(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
    told: &Told,
) -> Result<Result<Kept, Problems>, SetupError> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let topics = topics(&mut tx, tenant).await?;
    let problems = problems(told, &topics, now);
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let known = contacts::find(&mut tx, tenant, contact).await?;
    let row = lock(&mut tx, contact).await?;
    let Some(row) = row.filter(|_| known.is_some()) else {
        return Err(SetupError::not_found("contact", &contact.to_string()));
    };
    let by = setup.by.label();
    let next_id = || setup.next_id();
    let kept = keep(&mut tx, tenant, (row, &topics), told, (now, &by), next_id).await?;
    let became = json!({
        "scope": told.scope.to_string(), "status": told.status.word(), "channel": told.channel.word(),
        "record": kept.id,
    });
    let object = kept.contact;
    setup
        .record(
            &mut tx,
            tenant,
            "consent.record",
            object,
            None,
            Some(became),
        )
        .await?;
    setup.commit(tx).await?;
    Ok(Ok(kept))
}

/// The tenant's topics.
pub async fn topics(tx: &mut Tx, tenant: TenantId) -> Stored<Topics> {
    let rows = consents::topics(tx, tenant).await?;
    let known = |row: consents::Topic| Some((row.name, u8::try_from(row.bit).ok()?));
    Ok(Topics::new(rows.into_iter().filter_map(known)))
}

/// The consent row that speaks for a contact, locked. `None`: there is no such contact.
pub async fn lock(tx: &mut Tx, contact: ContactId) -> Stored<Option<Consent>> {
    let with = people::read_consent_all_tenants(tx, &[contact]).await?;
    let all: Vec<ContactId> = with.rows().map(|row| row.contact).collect();
    let rows = people::lock_consent_all_tenants(tx, &all).await?;
    // It has become one with a third at this moment: asked again, it is found there.
    match rows.missing().is_empty() {
        true => Ok(rows.of(contact).copied()),
        false => Err(StorageError::Raced),
    }
}

/// By what a contact is known best: its phone, else a user id, else nothing.
async fn known_as(tx: &mut Tx, tenant: TenantId, contact: ContactId) -> Stored<String> {
    let known = contacts::find(tx, tenant, contact).await?;
    let by = known.map(|known| [known.phone, known.bsuid, known.parent_bsuid]);
    let mut by = by.into_iter().flatten();
    Ok(by.find(|one| !one.is_empty()).unwrap_or_default())
}

/// Writes a statement that has no problem, upon a locked row.
pub async fn keep(
    tx: &mut Tx,
    tenant: TenantId,
    (row, topics): (Consent, &Topics),
    told: &Told,
    (now, by): (Timestamp, &str),
    mut next_id: impl FnMut() -> i64,
) -> Stored<Kept> {
    let at = told.at.unwrap_or(now);
    let wording = match &told.wording {
        Some(shown) => {
            let wording = shown.wording(now);
            consents::keep_wording(tx, tenant, &wording).await?;
            wording.digest
        }
        None => Vec::new(),
    };
    let evidence = Evidence {
        subject: known_as(tx, tenant, row.contact).await?,
        source: told.source.clone(),
        address: told.address.clone(),
        proof: told.proof.clone(),
    };
    let state = after(tx, tenant, &row, topics, told, at).await?;
    let id = ConsentId::from_raw(next_id());
    let confirm_with = match told.status {
        ConsentStatus::Pending => {
            Some(wait(tx, tenant, &row, told, (id, now), (&wording, &evidence)).await?)
        }
        _ => None,
    };
    if state != row.state && !people::set_consent(tx, tenant, &Consent { state, ..row }).await? {
        return Err(StorageError::Raced);
    }
    let statement = Statement {
        tenant,
        contact: row.contact,
        scope: told.scope.clone(),
        status: told.status,
        channel: told.channel,
        at,
        wording,
        evidence,
        by: by.to_owned(),
    };
    record::append(tx, &[statement], now, || id.raw()).await?;
    Ok(Kept {
        id,
        contact: row.contact,
        state,
        confirm_with,
    })
}

/// The state after the statement. Of a topic the row knows no time: the ledger says whether it is news.
async fn after(
    tx: &mut Tx,
    tenant: TenantId,
    row: &Consent,
    topics: &Topics,
    told: &Told,
    at: Timestamp,
) -> Stored<ConsentState> {
    let Some(purpose) = Purpose::of(&told.scope, topics) else {
        return Ok(row.state);
    };
    if matches!(purpose, Purpose::Topic(_)) && told.status == ConsentStatus::Given {
        let latest = consents::latest(tx, tenant, row.contact, &told.scope).await?;
        let withdrawn = latest.filter(|record| record.status == ConsentStatus::Withdrawn);
        if withdrawn.is_some_and(|record| at <= record.said_at) {
            return Ok(row.state);
        }
    }
    Ok(match told.status {
        ConsentStatus::Given => row
            .state
            .after_given(purpose, at, told.channel.is_own_act()),
        ConsentStatus::Withdrawn => row.state.after_withdrawn(purpose, at),
        ConsentStatus::Pending | ConsentStatus::Erased => row.state,
    })
}

/// Lets a request wait for the person's digit; answers which.
async fn wait(
    tx: &mut Tx,
    tenant: TenantId,
    row: &Consent,
    told: &Told,
    (id, now): (ConsentId, Timestamp),
    (wording, evidence): (&[u8], &Evidence),
) -> Stored<String> {
    consents::drop_over_all_tenants(tx, now, 100).await?;
    let used = consents::pending_codes(tx, tenant, row.contact).await?;
    let free = ('1'..='9')
        .map(String::from)
        .find(|digit| !used.contains(digit));
    // Ten questions at once are asked of nobody in earnest: the oldest meaning of 9 goes.
    let code = match free {
        Some(code) => code,
        None => {
            consents::take_pending(tx, tenant, row.contact.raw(), "9").await?;
            "9".to_owned()
        }
    };
    let pending = Pending {
        id: id.raw(),
        contact: row.contact.raw(),
        code: code.clone(),
        scope: told.scope.to_string(),
        wording: wording.to_vec(),
        value: serde_json::to_string(evidence)
            .map_err(|error| StorageError::Unmade(error.to_string()))?,
        expires_at: now.plus(WAITS).millis(),
    };
    match consents::add_pending(tx, tenant, &pending).await? {
        true => Ok(code),
        false => Err(StorageError::Raced),
    }
}
