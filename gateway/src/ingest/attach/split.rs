//! Splitting bodies into what they hold. Pure: no database, no clock.

use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::directory::{NumberEntry, Snapshot};
use crate::domain::{AppId, Bucket, InboundContent, PersonRef, RawId, Receipt, Timestamp};
use crate::graph::{Item, ItemKind, webhook};
use crate::storage::events::EventKey;
use crate::storage::raw::RawRow;

/// A customer's message to a number that we know.
pub(super) struct Message {
    pub entry: Arc<NumberEntry>,
    pub raw: RawId,
    pub ordinal: i64,
    pub key: EventKey,
    pub at: Timestamp,
    pub wamid: String,
    pub from: PersonRef,
    pub profile_name: Option<String>,
    pub content: InboundContent,
    /// The `messages[]` element as it came.
    pub element: String,
}

/// A receipt of a send that carries our id.
pub(super) struct Status {
    pub entry: Arc<NumberEntry>,
    pub receipt: Receipt,
}

/// Anything that the gateway does not act on.
pub(super) struct Kept {
    pub entry: Option<Arc<NumberEntry>>,
    pub bucket: Bucket,
    pub raw: RawId,
    pub ordinal: i64,
    pub key: EventKey,
    pub at: Timestamp,
    pub what: String,
}

/// A number that was not known when its body arrived, and is now: its bucket gets a row of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stray {
    pub raw: RawId,
    pub app: AppId,
    pub bucket: Bucket,
    pub received_at: Timestamp,
}

/// What a batch of bodies holds, in the order of arrival.
#[derive(Default)]
pub(super) struct Split {
    pub messages: Vec<Message>,
    pub statuses: Vec<Status>,
    pub kept: Vec<Kept>,
    pub strays: Vec<Stray>,
}

/// Splits bodies; each row's items are those of the row's own bucket.
pub(super) fn split(raws: &[RawRow], snapshot: &Snapshot, hasher: &SipHasher13) -> Split {
    let mut split = Split::default();
    for row in raws {
        let items = webhook::read(&row.body).unwrap_or_else(|_| vec![not_json()]);
        let body = Body::of(row, snapshot);
        for (ordinal, item) in items.into_iter().enumerate() {
            split.add(
                &body,
                i64::try_from(ordinal).unwrap_or(i64::MAX),
                item,
                snapshot,
                hasher,
            );
        }
    }
    split
}

/// A signed body that is no JSON is one thing, kept and counted.
fn not_json() -> Item {
    Item {
        waba_id: String::new(),
        phone_number_id: None,
        field: "body".to_owned(),
        at: None,
        key: String::new(),
        kind: ItemKind::Other {
            what: "not_json".to_owned(),
        },
        raw: String::new(),
    }
}

struct Body {
    raw: RawId,
    app: AppId,
    bucket: Bucket,
    /// Where items go that belong to no number that we know.
    app_bucket: Bucket,
    received_at: Timestamp,
}

impl Body {
    fn of(row: &RawRow, snapshot: &Snapshot) -> Self {
        let app = AppId::from_raw(row.app);
        let bucket = Bucket::from_raw(row.bucket).expect("the query asked for buckets by number");
        Self {
            raw: RawId::from_raw(row.id),
            app,
            bucket,
            app_bucket: snapshot.app_by_id(app).map_or(bucket, |app| app.bucket),
            received_at: Timestamp::from_millis(row.received_at),
        }
    }
}

impl Split {
    fn add(
        &mut self,
        body: &Body,
        ordinal: i64,
        item: Item,
        snapshot: &Snapshot,
        hasher: &SipHasher13,
    ) {
        let entry = item
            .phone_number_id
            .as_deref()
            .and_then(|id| snapshot.number_named(id))
            .cloned();
        let bucket = entry
            .as_ref()
            .map_or(body.app_bucket, |entry| entry.number.bucket());
        if bucket != body.bucket {
            if body.bucket == body.app_bucket {
                let (raw, app, received_at) = (body.raw, body.app, body.received_at);
                self.strays.push(Stray {
                    raw,
                    app,
                    bucket,
                    received_at,
                });
            }
            return;
        }
        let at = item.at.unwrap_or(body.received_at);
        let key = EventKey {
            at: item.at.map_or(0, Timestamp::millis),
            hash: hash(hasher, &item, body),
        };
        let word = item.kind.word().to_owned();
        let keep = |entry, what| Kept {
            entry,
            bucket,
            raw: body.raw,
            ordinal,
            key,
            at,
            what,
        };
        match (entry, item.kind) {
            (
                Some(entry),
                ItemKind::Message {
                    wamid,
                    from: Some(from),
                    profile_name,
                    content,
                    ..
                },
            ) => {
                let (raw, element) = (body.raw, item.raw);
                self.messages.push(Message {
                    entry,
                    raw,
                    ordinal,
                    key,
                    at,
                    wamid,
                    from,
                    profile_name,
                    content,
                    element,
                });
            }
            (Some(entry), ItemKind::Status { receipt, .. }) if receipt.outbox.is_some() => {
                self.statuses.push(Status { entry, receipt });
            }
            (Some(entry), ItemKind::Status { .. }) => self
                .kept
                .push(keep(Some(entry), "status_not_ours".to_owned())),
            (Some(entry), _) => self.kept.push(keep(Some(entry), word)),
            (None, _) => self.kept.push(keep(None, format!("unknown_number.{word}"))),
        }
    }
}

/// The keyed hash by which an event is known. A body that is no JSON is known by its row alone.
fn hash(hasher: &SipHasher13, item: &Item, body: &Body) -> i64 {
    let mut hasher = *hasher;
    if item.key.is_empty() {
        hasher.write_i64(body.raw.raw());
    } else {
        hasher.write(item.key.as_bytes());
    }
    hasher.finish().cast_signed()
}
