//! A business phone number as the hot path sees it.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::id::{AppId, CredentialId, NumberId, TenantId};
use super::time::Timestamp;

/// One onboarded number with what every message of it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    pub id: NumberId,
    pub tenant: TenantId,
    pub app: AppId,
    pub credential: CredentialId,
    /// The scope of its customers' BSUIDs.
    pub portfolio: String,
    pub waba_id: String,
    /// Meta's id: the place in the URL we post to, and what its webhooks carry.
    pub phone_number_id: String,
    pub display_number: String,
    /// IANA time zone of the WABA: prices and days are told in it.
    pub time_zone: String,
    /// Messages a second, in and out combined (§6.7: 80, 1,000 or 20).
    pub throughput: i64,
    /// When it was connected here: younger than a day, its windows are unknown.
    pub connected_at: Timestamp,
}

impl Number {
    pub fn bucket(&self) -> Bucket {
        Bucket::of(self.id)
    }
}
