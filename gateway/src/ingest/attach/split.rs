//! Splitting bodies into what they hold. Pure: no database, no clock.

use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::directory::{NumberEntry, Snapshot};
use crate::domain::account::{AccountNews, Subject};
use crate::domain::number::Number;
use crate::domain::{
    AppId, Bucket, IdentityChange, InboundContent, InboundMessage, PersonRef, RawId, Receipt,
    Timestamp,
};
use crate::graph::{Item, ItemKind, MarketingChoice, webhook};
use crate::metering::is_held_off;
use crate::storage::events::EventKey;
use crate::storage::raw::RawRow;

/// Where an item stands, and by what it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub bucket: Bucket,
    pub raw: RawId,
    pub ordinal: i64,
    pub key: EventKey,
    pub at: Timestamp,
}

/// Something that belongs into a conversation of a number that we know.
pub(super) struct Message {
    pub entry: Arc<NumberEntry>,
    pub place: Place,
    pub at: Timestamp,
    pub wamid: String,
    pub from: PersonRef,
    pub profile_name: Option<String>,
    pub username: Option<String>,
    pub message: Box<InboundMessage>,
    /// The `messages[]` element as it came.
    pub element: String,
}

/// Meta says that a person is known by something else.
pub(super) struct Change {
    pub entry: Arc<NumberEntry>,
    pub place: Place,
    pub at: Timestamp,
    pub wamid: String,
    pub change: IdentityChange,
    pub message: Box<InboundMessage>,
}

/// Meta speaks of an account, number or template.
pub(super) struct News {
    /// The numbers of the account, of this app.
    pub entries: Vec<Arc<NumberEntry>>,
    /// The WABA or portfolio.
    pub account: String,
    pub place: Place,
    pub news: Box<AccountNews>,
}

/// A receipt of a send that carries our id.
pub(super) struct Status {
    pub entry: Arc<NumberEntry>,
    pub receipt: Receipt,
}

/// Anything that is kept raw: what the gateway does not act on, and choices about marketing.
pub(super) struct Kept {
    pub entry: Option<Arc<NumberEntry>>,
    pub place: Place,
    pub what: String,
    /// What a person chose, when that is what it is.
    pub preference: Option<Preference>,
}

/// What a person chose in WhatsApp itself about this business's marketing.
pub(super) struct Preference {
    pub from: PersonRef,
    pub choice: MarketingChoice,
}

/// Something that belongs into another bucket than those that got a row when its body arrived, because numbers were
/// added or went since: that bucket gets a row of its own, unless it has one.
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
    /// How many bodies it is of.
    pub bodies: usize,
    pub messages: Vec<Message>,
    pub changes: Vec<Change>,
    pub news: Vec<News>,
    pub statuses: Vec<Status>,
    pub kept: Vec<Kept>,
    pub strays: Vec<Stray>,
}

impl Split {
    pub(super) fn items(&self) -> usize {
        let of_people = self.messages.len() + self.changes.len() + self.statuses.len();
        of_people + self.news.len() + self.kept.len()
    }

    /// Is any of it counted in memory while it is written? Then it is written once, not tried first.
    pub(super) fn counts_beside(&self) -> bool {
        let errors = self
            .statuses
            .iter()
            .filter_map(|status| status.receipt.error);
        errors.into_iter().any(is_held_off)
    }
}

/// Splits bodies; each row's items are those of the row's own bucket. Stops after the body that fills `most` items:
/// the others wait for the next batch.
pub(super) fn split(
    raws: &[RawRow],
    snapshot: &Snapshot,
    hasher: &SipHasher13,
    most: usize,
) -> Split {
    let mut split = Split::default();
    let mut all = 0;
    for row in raws {
        if all >= most {
            break;
        }
        let items = webhook::read(&row.body).unwrap_or_else(|_| vec![not_json()]);
        all += items.len();
        split.bodies += 1;
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
    /// Choices about marketing, each with its number and Meta's time of it.
    pub fn preferences(&self) -> impl Iterator<Item = (&NumberEntry, &Preference, Timestamp)> {
        self.kept.iter().filter_map(|kept| {
            let preference = kept.preference.as_ref()?;
            Some((kept.entry.as_deref()?, preference, kept.place.at))
        })
    }

    fn add(
        &mut self,
        body: &Body,
        ordinal: i64,
        item: Item,
        snapshot: &Snapshot,
        hasher: &SipHasher13,
    ) {
        let named = item
            .phone_number_id
            .as_deref()
            .and_then(|id| snapshot.number_named(id));
        // The signature proves that the body comes from its app, and an app speaks for its own numbers only.
        let entry = named.filter(|entry| entry.number.app == body.app).cloned();
        let bucket = entry
            .as_ref()
            .map_or(body.app_bucket, |entry| entry.number.bucket());
        if bucket != body.bucket {
            // What belongs to another number is in that number's own row, if the number was known at arrival.
            if body.bucket == body.app_bucket || entry.is_none() {
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
        let place = Place {
            bucket,
            raw: body.raw,
            ordinal,
            key: EventKey {
                at: item.at.map_or(0, Timestamp::millis),
                hash: hash(hasher, &item, body, entry.is_some()),
            },
            at: item.at.unwrap_or(body.received_at),
        };
        let whose = match named {
            Some(_) => "number_of_another_app",
            None => "unknown_number",
        };
        match entry {
            Some(entry) => self.add_of_number(entry, place, item),
            None => self.add_of_account(whose, body.app, place, item, snapshot),
        }
    }

    fn add_of_number(&mut self, entry: Arc<NumberEntry>, place: Place, item: Item) {
        let at = place.at;
        let mut kept = Kept {
            what: item.kind.word().to_owned(),
            entry: Some(entry.clone()),
            place,
            preference: None,
        };
        match item.kind {
            ItemKind::Message {
                wamid,
                from: Some(from),
                profile_name,
                username,
                message,
            } => match &message.content {
                InboundContent::System {
                    change: Some(change),
                    ..
                } => self.changes.push(Change {
                    change: change.clone(),
                    entry,
                    place,
                    at,
                    wamid,
                    message,
                }),
                _ => self.messages.push(Message {
                    entry,
                    place,
                    at,
                    wamid,
                    from,
                    profile_name,
                    username,
                    message,
                    element: item.raw,
                }),
            },
            ItemKind::Status { receipt, .. } if receipt.outbox.is_some() => {
                self.statuses.push(Status { entry, receipt });
            }
            ItemKind::Status { .. } => {
                kept.what = "status_not_ours".to_owned();
                self.kept.push(kept);
            }
            ItemKind::Preference { person, choice } => {
                kept.preference = Some(Preference {
                    from: person,
                    choice,
                });
                self.kept.push(kept);
            }
            _ => self.kept.push(kept),
        }
    }

    /// What names no number of its app: news of an account that has some, or nobody's.
    fn add_of_account(
        &mut self,
        whose: &str,
        app: AppId,
        place: Place,
        item: Item,
        snapshot: &Snapshot,
    ) {
        let word = item.kind.word().to_owned();
        if let Some(news) = news(item.kind, item.phone_number_id.is_none(), &word) {
            let entries = concerned(snapshot, app, &item.waba_id, &news.subject);
            if !entries.is_empty() {
                self.news.push(News {
                    entries,
                    account: item.waba_id,
                    place,
                    news,
                });
                return;
            }
        }
        self.kept.push(Kept {
            entry: None,
            place,
            what: format!("{whose}.{word}"),
            preference: None,
        });
    }
}

/// What is said of an account. What we do not understand is, too, when it names an account and no number: its tenants
/// see that it came.
fn news(kind: ItemKind, names_no_number: bool, word: &str) -> Option<Box<AccountNews>> {
    match kind {
        ItemKind::Account(news) => Some(news),
        ItemKind::Other { .. } if names_no_number => Some(Box::new(AccountNews {
            what: word.to_owned(),
            subject: Subject::Account,
            facts: Vec::new(),
        })),
        _ => None,
    }
}

/// The app's numbers of an account that news is about. Meta names some accounts by their portfolio, and numbers by how
/// they are displayed (`whatsapp-cloud-api.md` §1.3, §1.5).
fn concerned(
    snapshot: &Snapshot,
    app: AppId,
    account: &str,
    subject: &Subject,
) -> Vec<Arc<NumberEntry>> {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let is_meant = |number: &Number| match subject {
        Subject::Displayed(shown) => digits(shown) == digits(&number.display_number),
        Subject::NumberId(id) => *id == number.phone_number_id,
        Subject::Account | Subject::Template { .. } | Subject::Flow(_) => true,
    };
    let mut entries: Vec<_> = snapshot
        .numbers()
        .filter(|entry| {
            let number = &entry.number;
            let of_account = number.waba_id == account || number.portfolio == account;
            number.app == app && of_account && is_meant(number)
        })
        .cloned()
        .collect();
    // The snapshot's order is none.
    entries.sort_unstable_by_key(|entry| entry.number.id);
    entries
}

/// The keyed hash by which an event is known. A body that is no JSON is known by its row alone.
///
/// What belongs to no number of its app is known under that app: what one app says of another's number, or said before
/// the number was added, must never make the real event look doubled.
fn hash(hasher: &SipHasher13, item: &Item, body: &Body, ours: bool) -> i64 {
    let mut hasher = *hasher;
    if item.key.is_empty() {
        hasher.write_i64(body.raw.raw());
    } else {
        hasher.write(item.key.as_bytes());
    }
    if !ours {
        hasher.write_i64(body.app.raw());
    }
    hasher.finish().cast_signed()
}
