//! What Meta's business settings say about a number, beside what it was set up with: names, quality, registration,
//! profile, block list (`whatsapp-cloud-api.md` §6.6, §6.7, §6.10).

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::number::Number;
use crate::domain::Timestamp;
use crate::sync::lock;

/// The settings of one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberState {
    pub verified_name: String,
    pub name_status: String,
    pub quality_rating: String,
    pub status: String,
    pub code_verification_status: String,
    /// `STANDARD` or `HIGH`.
    pub throughput_level: String,
    pub official: bool,
    pub registered: bool,
    /// Two-step verification; unset: the first registration sets it.
    pub pin: Option<String>,
    pub username: Option<String>,
    /// `whatsapp_business_profile`.
    pub profile: Map<String, Value>,
    /// `settings`.
    pub settings: Map<String, Value>,
}

impl Default for NumberState {
    fn default() -> Self {
        Self {
            verified_name: String::new(),
            name_status: "APPROVED".to_owned(),
            quality_rating: "GREEN".to_owned(),
            status: "CONNECTED".to_owned(),
            code_verification_status: "VERIFIED".to_owned(),
            throughput_level: "STANDARD".to_owned(),
            official: false,
            registered: true,
            pin: None,
            username: None,
            profile: Map::new(),
            settings: Map::new(),
        }
    }
}

/// The settings and what is remembered beside them.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub state: NumberState,
    pub blocked: BTreeSet<String>,
    /// Registrations and deregistrations of the last 72 hours.
    pub registrations: VecDeque<Timestamp>,
}

/// An [`Account`] behind its lock.
#[derive(Debug, Default)]
pub(super) struct AccountCell(Mutex<Account>);

impl AccountCell {
    pub fn lock(&self) -> MutexGuard<'_, Account> {
        lock(&self.0)
    }
}

impl Number {
    pub fn state(&self) -> NumberState {
        self.account.lock().state.clone()
    }

    pub fn set_state(&self, state: NumberState) {
        self.account.lock().state = state;
    }

    /// What stands over the chat on the customer's phone.
    pub(super) fn display_name(&self) -> String {
        let name = self.account.lock().state.verified_name.clone();
        if name.is_empty() {
            return format!("+{}", self.spec().display_number);
        }
        name
    }
}
