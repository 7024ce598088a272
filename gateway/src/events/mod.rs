//! The event stream of tenants as others use it: sealed here, read from a number on, shown in Meta's shapes.
//!
//! Who tells what: the storage functions that write it ([`Tx::tell`](crate::storage::Tx::tell)). Who follows: hooks, the
//! API's server-sent events and pages. All of them read [`page`] and see the same.

mod render;
mod sealer;

use serde::Serialize;
use serde_json::Value;

use crate::directory::Snapshot;
use crate::domain::{ConversationId, StreamKind, TenantId, Timestamp};
use crate::storage::{Db, Result, stream};

pub use render::elements;
pub use sealer::{Sealed, Sealer};

/// An event as followers get it, by hook, stream or page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Its number in the tenant's stream: 1, 2, 3 …
    pub seq: i64,
    #[serde(rename = "type", serialize_with = "word")]
    pub kind: StreamKind,
    /// When it was written down here, RFC 3339.
    #[serde(serialize_with = "text")]
    pub timestamp: Timestamp,
    pub tenant: TenantId,
    /// The conversation, what it is about, and Meta's `field` and `value` where Meta has a shape for it.
    pub data: Value,
    #[serde(skip)]
    pub conversation: ConversationId,
}

fn word<S: serde::Serializer>(kind: &StreamKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

fn text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// What comes after a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    Events {
        events: Vec<Shown>,
        /// Go on from here. It may be further than the last event, when the last ones were not asked for.
        position: i64,
    },
    /// Retention has let go of what comes next: whoever follows has missed something, and must be told.
    Gone { first: i64 },
}

/// A tenant's events after number `after`, of these kinds (none given: all): at most `most` of the stream are looked at.
pub async fn page(
    db: &Db,
    snapshot: &Snapshot,
    tenant: TenantId,
    after: i64,
    kinds: &[StreamKind],
    most: usize,
) -> Result<Page> {
    let mut tx = db.read().await?;
    let (numbered, position) = stream::after(&mut tx, tenant, after, most).await?;
    let begins = numbered.first().map(|event| event.seq);
    if begins.is_none_or(|seq| seq > after + 1) {
        let reach = stream::reach(&mut tx, tenant).await?;
        if after < reach.last && reach.first > after + 1 {
            return Ok(Page::Gone { first: reach.first });
        }
    }
    let wanted: Vec<_> = numbered
        .into_iter()
        .filter(|numbered| kinds.is_empty() || kinds.contains(&numbered.event.kind))
        .collect();
    let events = render::shown(&mut tx, snapshot, tenant, &wanted).await?;
    Ok(Page::Events { events, position })
}

/// A tenant's events of these numbers, by number: those that are still kept.
pub async fn of(
    db: &Db,
    snapshot: &Snapshot,
    tenant: TenantId,
    seqs: &[i64],
) -> Result<Vec<Shown>> {
    let mut tx = db.read().await?;
    let numbered = stream::numbered(&mut tx, tenant, seqs).await?;
    render::shown(&mut tx, snapshot, tenant, &numbered).await
}
