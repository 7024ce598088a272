//! Buckets: the unit in which work is owned. A number's conversations, sends and pacing all live in one bucket.

use super::id::NumberId;

/// How many buckets there are. Fixed for the life of a deployment: every number's bucket is stored with it.
pub const BUCKETS: u16 = 256;

/// One of [`BUCKETS`] shares of the work. A node that holds a bucket's lease does all work of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Bucket(u16);

impl Bucket {
    /// The bucket of a number: a multiplicative hash of its id, so that neighbours spread out.
    pub fn of(number: NumberId) -> Self {
        Self::spread(number.raw())
    }

    /// The bucket of work that belongs to no number (a job), by its id.
    pub fn spread(id: i64) -> Self {
        let hash = id.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self((hash >> 56) as u16)
    }

    pub fn from_raw(raw: i64) -> Option<Self> {
        u16::try_from(raw)
            .ok()
            .filter(|&bucket| bucket < BUCKETS)
            .map(Self)
    }

    pub fn raw(self) -> i64 {
        i64::from(self.0)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..BUCKETS).map(Self)
    }
}
