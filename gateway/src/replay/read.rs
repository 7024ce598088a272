//! Out of the journal: turns in which an installation took part, and what it ran.

use serde::{Deserialize, Serialize};

use super::recorded::{Entry, Left, Recorded, Said};
use super::source;
use crate::domain::attribute::AttributeKind;
use crate::domain::{InstallationId, TenantId, Timestamp, TurnId, id};
use crate::graph::webhook;
use crate::plugin_host::{CallTrace, ContactKinds, HostAnswers, Seeds, Seen, message_token};
use crate::storage::events::Subject;
use crate::storage::replays::{self, Installed, KeptEvent, KeptTurn};
use crate::storage::{Tx, contacts, raw};
use crate::tenants::{GrantCeiling, SetupContext, SetupError, find_tenant};

type Result<T> = std::result::Result<T, SetupError>;

/// Which turns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Name or id.
    pub tenant: String,
    pub installation: InstallationId,
    /// The last turn that is known already.
    pub after: TurnId,
    pub before: Timestamp,
}

/// Some turns, and where to go on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// None: that was all.
    pub next: Option<TurnId>,
}

/// An installation's component with all that it ran under.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    pub tenant: TenantId,
    pub plugin: String,
    pub version: String,
    pub digest: String,
    pub config: String,
    pub grants: String,
    /// Base64.
    pub component: String,
    /// The tenant's definitions as they are today.
    pub contact_kinds: ContactKinds,
}

impl Setup {
    /// The component's bytes.
    pub fn wasm(&self) -> std::result::Result<Vec<u8>, base64::DecodeError> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(&self.component)
    }
}

/// Rows looked at for one page.
const ROWS: i64 = 200;
/// Windows of all tenants' turns that one page looks through for rows of a quiet tenant: a fraction of a second.
const WINDOWS: usize = 10;
/// Bytes of journals and messages after which a page ends: it travels as one line.
const PAGE_BYTES: usize = 4 << 20;

/// The part of a journal that a replay needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Journal {
    /// What there was of the person was taken out.
    erased: bool,
    report: Option<Report>,
    mark: Option<String>,
    seen: Option<Seen>,
    cut: Vec<String>,
}

impl Journal {
    /// Had the installation part in the turn?
    fn has(&self, of: InstallationId) -> bool {
        match (&self.seen, &self.report) {
            (Some(seen), _) => seen.plugins.iter().any(|plugin| plugin.installation == of),
            (None, Some(report)) => report.calls.iter().any(|call| call.installation == of),
            (None, None) => false,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    calls: Vec<CallTrace>,
    host_answers: HostAnswers,
}

/// The turn before which every turn of a moment comes.
pub fn just_before(moment: Timestamp) -> TurnId {
    TurnId::from_raw(id::first_id_at(moment).saturating_sub(1))
}

/// Turns in which the installation took part, oldest first.
pub async fn page(setup: &SetupContext, asked: &Asked) -> Result<Page> {
    let tenant = find_tenant(setup, &asked.tenant).await?.id;
    let seeds = Seeds::new(&setup.keyring.pseudonym_key());
    let mut tx = setup.db.read().await?;
    installed(&mut tx, tenant, asked.installation, None).await?;
    drop(tx);
    let mut after = asked.after;
    for _ in 0..WINDOWS {
        // A transaction for each: others want the connection, and SQLite its log.
        let mut tx = setup.db.read().await?;
        let window = replays::turns(&mut tx, tenant, after, asked.before, ROWS).await?;
        let next = window.more.then_some(window.to);
        match next {
            Some(next) if window.rows.is_empty() => after = next,
            _ => {
                return entries(
                    &mut tx,
                    tenant,
                    &seeds,
                    asked.installation,
                    window.rows,
                    next,
                )
                .await;
            }
        }
    }
    Ok(Page {
        entries: Vec::new(),
        next: Some(after),
    })
}

/// The page of these rows; it goes on after `next`, or earlier when they are too large for one.
async fn entries(
    tx: &mut Tx,
    tenant: TenantId,
    seeds: &Seeds,
    of: InstallationId,
    rows: Vec<KeptTurn>,
    mut next: Option<TurnId>,
) -> Result<Page> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let last = rows.last().map(|row| row.id);
    for row in rows {
        let id = row.id;
        let size = row.journal.len();
        if let Some(entry) = entry(tx, tenant, seeds, of, row).await? {
            bytes += size;
            if let Entry::Whole(recorded) = &entry
                && let Said::Message { raw, .. } = &recorded.said
            {
                bytes += raw.len();
            }
            entries.push(entry);
        }
        if bytes > PAGE_BYTES && Some(id) != last {
            next = Some(id);
            break;
        }
    }
    Ok(Page { entries, next })
}

/// The component and setup of an installation's version, whether or not it still runs.
pub async fn setup_of(
    setup: &SetupContext,
    tenant: &str,
    installation: InstallationId,
    version: Option<i64>,
) -> Result<Setup> {
    use base64::Engine as _;
    let found = find_tenant(setup, tenant).await?;
    let tenant = found.id;
    let mut tx = setup.db.read().await?;
    let row = installed(&mut tx, tenant, installation, version).await?;
    let wasm = source::component(&mut tx, tenant, &row.digest).await?;
    let wasm = wasm.ok_or_else(|| SetupError::not_found("component", &row.digest))?;
    let kinds = contacts::definitions(&mut tx, tenant).await?;
    let kinds = kinds
        .into_iter()
        .filter_map(|(name, word)| Some((name, AttributeKind::from_word(&word)?)));
    Ok(Setup {
        tenant,
        plugin: row.plugin,
        version: row.plugin_version,
        digest: row.digest,
        config: row.config,
        // As turns have them.
        grants: GrantCeiling::of(&found.settings).within(&row.grants),
        component: base64::engine::general_purpose::STANDARD.encode(wasm),
        contact_kinds: kinds.collect(),
    })
}

async fn installed(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
    version: Option<i64>,
) -> Result<Installed> {
    replays::installed(tx, tenant, id, version)
        .await?
        .ok_or_else(|| SetupError::not_found("installation of this tenant", &id.to_string()))
}

/// The turn as a replay takes it; none when the installation had no part in it.
async fn entry(
    tx: &mut Tx,
    tenant: TenantId,
    seeds: &Seeds,
    of: InstallationId,
    row: KeptTurn,
) -> Result<Option<Entry>> {
    let (turn, conversation) = (row.id, row.conversation);
    let left = |why| {
        Ok(Some(Entry::Left {
            turn,
            conversation,
            why,
        }))
    };
    let journal: Journal = serde_json::from_str(&row.journal).unwrap_or_default();
    if !journal.has(of) {
        return Ok(None);
    }
    if journal.erased {
        return left(Left::Erased);
    }
    let Some(report) = journal.report else {
        return Ok(None);
    };
    let cut = |part: &str| journal.cut.iter().any(|cut| cut == part);
    if cut("host_answers") || cut("seen") || report.host_answers.truncated {
        return left(Left::Oversized);
    }
    let (Some(seen), Some(mark)) = (journal.seen, journal.mark) else {
        return left(Left::OlderJournal);
    };
    let Some(event) = row.event else {
        return left(Left::EventGone);
    };
    Ok(Some(Entry::Whole(Box::new(Recorded {
        turn,
        conversation,
        contact: event.contact,
        event: event.id,
        at: row.at,
        sent_at: event.at,
        seed: hex::encode(seeds.of(event.id)),
        said: said(tx, tenant, event).await?,
        seen,
        host_answers: report.host_answers,
        calls: report.calls,
        mark,
    }))))
}

async fn said(tx: &mut Tx, tenant: TenantId, event: KeptEvent) -> Result<Said> {
    let message = match event.subject {
        Subject::Occasion(occasion) => return Ok(Said::Occasion(occasion)),
        Subject::Message(message) => message,
    };
    let body = raw::body_all_tenants(tx, event.raw).await?;
    let element = body
        .and_then(|body| webhook::read(&body).ok())
        .and_then(|items| items.into_iter().nth(usize::try_from(event.ordinal).ok()?))
        .map(|item| webhook::raw_without_personal_data(&item.raw));
    Ok(Said::Message {
        token: message_token(tenant, &event.wamid),
        raw: element.unwrap_or_else(|| "{}".to_owned()),
        message,
    })
}
