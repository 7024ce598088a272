//! Media that businesses uploaded and customers sent: bytes in memory, ids that expire, signed short-lived URLs
//! (`whatsapp-cloud-api.md` §5).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::World;
use crate::domain::Timestamp;
use crate::sync::lock;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a URL may be used (§5.2).
const URL: Duration = Duration::from_secs(5 * 60);

/// Whose a medium is decides how long its id lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Uploaded: 30 days.
    Business,
    /// Received: 7 days.
    Customer,
}

impl Origin {
    fn lives(self) -> Duration {
        match self {
            Self::Business => 30 * DAY,
            Self::Customer => 7 * DAY,
        }
    }
}

/// One file.
#[derive(Debug)]
pub(super) struct Medium {
    pub id: String,
    /// The number that it was sent to or uploaded by.
    pub phone_number_id: String,
    pub mime_type: String,
    pub bytes: Bytes,
    /// Base64, as in live webhooks.
    pub sha256: String,
    pub origin: Origin,
    pub at: Timestamp,
}

/// A file before it has an id.
#[derive(Debug)]
pub(super) struct NewMedium {
    pub phone_number_id: String,
    pub mime_type: String,
    pub bytes: Bytes,
    pub origin: Origin,
}

#[derive(Debug, Default)]
struct Kept {
    media: HashMap<String, Arc<Medium>>,
    order: VecDeque<String>,
    bytes: usize,
    made: u64,
}

/// The newest media, up to a number of bytes.
#[derive(Debug)]
pub(super) struct MediaStore {
    limit: usize,
    run: u64,
    kept: Mutex<Kept>,
}

impl MediaStore {
    pub fn keeping(limit: usize, run: u64) -> Self {
        Self {
            limit,
            run,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// Keeps a file; older ones make room.
    pub fn put(&self, new: NewMedium, at: Timestamp) -> Arc<Medium> {
        let mut kept = self.kept();
        kept.made += 1;
        let medium = Arc::new(Medium {
            id: format!("{}", 1_180_000_000_000_000 + kept.made),
            sha256: STANDARD.encode(Sha256::digest(&new.bytes)),
            phone_number_id: new.phone_number_id,
            mime_type: new.mime_type,
            bytes: new.bytes,
            origin: new.origin,
            at,
        });
        kept.bytes += medium.bytes.len();
        kept.order.push_back(medium.id.clone());
        kept.media.insert(medium.id.clone(), Arc::clone(&medium));
        while kept.bytes > self.limit && kept.order.len() > 1 {
            if let Some(oldest) = kept.order.pop_front() {
                kept.forget(&oldest);
            }
        }
        medium
    }

    /// The file, while its id lives.
    pub fn get(&self, id: &str, now: Timestamp) -> Option<Arc<Medium>> {
        let medium = self.kept().media.get(id).cloned()?;
        (now.since(medium.at) < medium.origin.lives()).then_some(medium)
    }

    pub fn delete(&self, id: &str) -> bool {
        let mut kept = self.kept();
        kept.order.retain(|known| known != id);
        kept.forget(id)
    }

    /// Unguessable enough for a sandbox; another run's URLs do not fit.
    fn mark(&self, id: &str, until: i64) -> String {
        let digest = Sha256::digest(format!("{id}|{until}|{}", self.run));
        hex::encode(&digest[..16])
    }
}

impl Kept {
    fn forget(&mut self, id: &str) -> bool {
        let gone = self.media.remove(id);
        self.bytes -= gone.as_ref().map_or(0, |medium| medium.bytes.len());
        gone.is_some()
    }
}

impl World {
    /// The URL that Meta gives out for a medium: five minutes, with the bearer token only.
    pub(super) fn media_url(&self, medium: &Medium) -> String {
        let until = self.clock.now().plus(URL).millis() / 1000;
        let (id, mark) = (&medium.id, self.media.mark(&medium.id, until));
        let base = self.base_url();
        format!("{base}/lookaside/whatsapp_business/attachments/?mid={id}&ext={until}&hash={mark}")
    }

    /// The medium that such a URL is for, if it is in time.
    pub(super) fn medium_by_url(&self, id: &str, until: &str, mark: &str) -> Option<Arc<Medium>> {
        let until: i64 = until.parse().ok()?;
        let now = self.clock.now();
        let fits = self.media.mark(id, until) == mark && Timestamp::from_secs(until) >= now;
        self.media.get(id, now).filter(|_| fits)
    }

    /// The object of an inbound media message (§2.2).
    pub(super) fn inbound_medium(&self, medium: &Medium) -> Value {
        json!({
            "id": medium.id,
            "mime_type": medium.mime_type,
            "sha256": medium.sha256,
            "url": self.media_url(medium),
        })
    }
}
