//! How an upload does, wherever it is installed: counts, kinds of faults, fuel and time. Nothing of people is in it.
//!
//! The operator sees every installation, a tenant its own. The author of an upload that the operator gave to all sees all of
//! them too, other tenants' under [pseudonyms](super::pseudonym).

use super::super::{Result, SetupContext, SetupError};
use super::pseudonym::Pseudonyms;
use super::read_manifest;
use crate::audit::OPERATOR;
use crate::domain::rollout::{Stage, Tally};
use crate::domain::{InstallationId, TenantId};
use crate::storage::plugin_health::{self, Part};
use crate::storage::plugin_sight::{self, Cut, InUse};
use crate::storage::plugin_trust::{self, Stop};
use crate::storage::{Tx, components};
use crate::sync::blocking;

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    pub realm: TenantId,
    /// Its realm's authorship counts: not everybody who works for a tenant is an author.
    pub may_be_author: bool,
}

/// One upload's health.
#[derive(Debug, Clone)]
pub struct Health {
    /// The viewer sees it as its author.
    pub as_author: bool,
    /// Why it is stopped, if it is, and in how many installations it still stands.
    pub stopped: Option<(Stop, i64)>,
    /// Each version of an installation, in each stage that it was in: a page of them.
    pub parts: Vec<SeenPart>,
    /// All of them together, those of other pages too.
    pub all: Tally,
    /// Which versions of the plugin stand where.
    pub in_use: Vec<InUse>,
}

/// One version of an installation in one stage, as the viewer may know it.
#[derive(Debug, Clone)]
pub struct SeenPart {
    /// An id, or a pseudonym.
    pub tenant: String,
    pub installation: String,
    pub seq: i64,
    pub stage: Stage,
    pub tally: Tally,
}

/// Parts are in the order of this: it tells no more than what is shown.
pub type PartKey = (String, i64, String);

impl SeenPart {
    pub fn key(&self) -> PartKey {
        let stage = self.stage.word().to_owned();
        (self.installation.clone(), self.seq, stage)
    }
}

/// Digests of one plugin that anybody looks at.
const VERSIONS: i64 = 200;

/// The health of a digest, with at most so many parts after one.
pub async fn health(
    setup: &SetupContext,
    viewer: Viewer,
    digest: &str,
    after: &PartKey,
    most: i64,
) -> Result<Health> {
    let realm = viewer.realm;
    let mut tx = setup.db.read().await?;
    let plugin = plugin_of(&mut tx, realm, digest).await?;
    let as_author = realm != OPERATOR
        && viewer.may_be_author
        && plugin_sight::is_author(&mut tx, realm, digest).await?;
    let stopped = match plugin_trust::stop_of_all_tenants(&mut tx, digest).await? {
        Some(stop) => {
            let left = plugin_sight::count_standing(&mut tx, realm, as_author, digest).await?;
            Some((stop, left))
        }
        None => None,
    };
    let cut = cut_by_ids(as_author, after, most);
    let (found, all) =
        plugin_sight::parts_and_tally(&mut tx, realm, as_author, digest, cut).await?;
    let key = setup.keyring.author_view_key();
    let (digest, after) = (digest.to_owned(), after.clone());
    // Pseudonyms of ten thousand parts are some milliseconds of work.
    let page = blocking(move || {
        let pseudonyms = Pseudonyms {
            key,
            author: realm,
            digest: &digest,
        };
        page_of(found, |part| shown(part, realm, &pseudonyms), &after, most)
    });
    let page = page.await;
    Ok(Health {
        as_author,
        stopped,
        parts: with_tallies(&mut tx, page).await?,
        all,
        in_use: plugin_sight::in_use(&mut tx, realm, as_author, &plugin, VERSIONS).await?,
    })
}

/// Where all are shown by their ids, the database cuts the page out: ids as text are in the order of their numbers. It does
/// not know the order of pseudonyms, and its own would tell when other tenants came.
fn cut_by_ids(as_author: bool, (installation, seq, stage): &PartKey, most: i64) -> Cut<'_> {
    if as_author {
        return Cut::NONE;
    }
    let begin = InstallationId::from_raw(0);
    Cut {
        after: (installation.parse().unwrap_or(begin), *seq, stage),
        most,
    }
}

/// The name of the plugin that the digest is a version of.
async fn plugin_of(tx: &mut Tx, realm: TenantId, digest: &str) -> Result<String> {
    let manifest = match realm == OPERATOR {
        true => components::manifest_all_tenants(tx, digest).await?,
        false => components::manifest(tx, realm, digest).await?,
    };
    let manifest = manifest.ok_or_else(|| SetupError::not_found("digest", digest))?;
    Ok(read_manifest(&manifest)?.name)
}

/// Ids are for the operator and for who they belong to.
fn shown(part: &Part, realm: TenantId, pseudonyms: &Pseudonyms<'_>) -> SeenPart {
    let (tenant, installation) = match realm == OPERATOR || realm == part.tenant {
        true => (part.tenant.to_string(), part.installation.to_string()),
        false => (
            pseudonyms.tenant(part.tenant),
            pseudonyms.installation(part.installation),
        ),
    };
    SeenPart {
        tenant,
        installation,
        seq: part.seq,
        stage: part.stage,
        tally: Tally::default(),
    }
}

/// Cut out by what is shown: the order of ids would tell when other tenants came, and so would a cursor made of them.
fn page_of(
    parts: Vec<Part>,
    show: impl Fn(&Part) -> SeenPart,
    after: &PartKey,
    most: i64,
) -> Vec<(Part, SeenPart)> {
    let mut seen: Vec<(Part, SeenPart)> =
        parts.into_iter().map(|part| (part, show(&part))).collect();
    seen.retain(|(_, seen)| seen.key() > *after);
    seen.sort_by_cached_key(|(_, seen)| seen.key());
    seen.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    seen
}

async fn with_tallies(tx: &mut Tx, page: Vec<(Part, SeenPart)>) -> Result<Vec<SeenPart>> {
    let parts: Vec<Part> = page.iter().map(|(part, _)| *part).collect();
    let mut tallies = plugin_health::of_parts_all_tenants(tx, &parts).await?;
    let with_tally = |(part, seen): (Part, SeenPart)| SeenPart {
        tally: tallies.remove(&part).unwrap_or_default(),
        ..seen
    };
    Ok(page.into_iter().map(with_tally).collect())
}
