//! WhatsApp Business Accounts and the portfolios above them: restrictions, bans, subscriptions, messaging limits
//! (`whatsapp-cloud-api.md` §1.3, §1.5, §6.6).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::GraphError;
use super::world::World;
use crate::domain::Timestamp;
use crate::sync::lock;

/// How long somebody written to outside of a window counts (§6.6).
const ROLLING: Duration = Duration::from_secs(24 * 60 * 60);

/// Unique people a day whom a portfolio may write to outside of their windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Tier {
    #[serde(rename = "TIER_250")]
    T250,
    #[serde(rename = "TIER_2K")]
    T2K,
    #[serde(rename = "TIER_10K")]
    T10K,
    #[serde(rename = "TIER_100K")]
    T100K,
    #[default]
    #[serde(rename = "TIER_UNLIMITED")]
    Unlimited,
}

impl Tier {
    pub(super) fn people(self) -> Option<usize> {
        match self {
            Self::T250 => Some(250),
            Self::T2K => Some(2_000),
            Self::T10K => Some(10_000),
            Self::T100K => Some(100_000),
            Self::Unlimited => None,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::T250 => "TIER_250",
            Self::T2K => "TIER_2K",
            Self::T10K => "TIER_10K",
            Self::T100K => "TIER_100K",
            Self::Unlimited => "TIER_UNLIMITED",
        }
    }
}

/// One account. Comes to be with its first number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WabaState {
    pub name: String,
    /// Empty: a portfolio of its own.
    pub portfolio: String,
    pub currency: String,
    /// `false`: `/messages` refuses marketing templates with 131063 (§4.6).
    pub marketing_on_cloud_api: bool,
    /// `marketing_messages_onboarding_status`; `ONBOARDED` may use `/marketing_messages`.
    pub marketing_messages: String,
    pub banned: bool,
    /// Type → unix milliseconds until when.
    pub restrictions: BTreeMap<String, Timestamp>,
    /// `subscribed_apps`: the override URL of each app, empty for none.
    pub subscribed: BTreeMap<String, String>,
}

impl Default for WabaState {
    fn default() -> Self {
        Self {
            name: "Simulated business".to_owned(),
            portfolio: String::new(),
            currency: "USD".to_owned(),
            marketing_on_cloud_api: true,
            marketing_messages: "ONBOARDED".to_owned(),
            banned: false,
            restrictions: BTreeMap::new(),
            subscribed: BTreeMap::new(),
        }
    }
}

impl WabaState {
    fn restricted(&self, kind: &str, now: Timestamp) -> bool {
        self.restrictions
            .get(kind)
            .is_some_and(|until| *until > now)
    }
}

#[derive(Debug, Default)]
struct Portfolio {
    tier: Tier,
    /// Who was written to outside of a window, and when last.
    met: HashMap<String, Timestamp>,
}

#[derive(Debug, Default)]
struct Known {
    wabas: HashMap<String, WabaState>,
    portfolios: HashMap<String, Portfolio>,
}

/// Every account and portfolio.
#[derive(Debug, Default)]
pub(super) struct Businesses(Mutex<Known>);

impl Businesses {
    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
    }
}

impl World {
    /// The account as it stands; one nobody has changed is as usual.
    pub fn waba(&self, waba_id: &str) -> WabaState {
        let known = self.businesses.known();
        known.wabas.get(waba_id).cloned().unwrap_or_default()
    }

    /// Changes an account. Says nothing to anybody: `account_event` does both.
    pub fn change_waba(&self, waba_id: &str, change: impl FnOnce(&mut WabaState)) {
        let mut known = self.businesses.known();
        change(known.wabas.entry(waba_id.to_owned()).or_default());
    }

    /// The portfolio that an account belongs to.
    pub(super) fn portfolio_of(&self, waba_id: &str) -> String {
        let portfolio = self.waba(waba_id).portfolio;
        if portfolio.is_empty() {
            waba_id.to_owned()
        } else {
            portfolio
        }
    }

    pub fn tier(&self, waba_id: &str) -> Tier {
        let portfolio = self.portfolio_of(waba_id);
        let known = self.businesses.known();
        known
            .portfolios
            .get(&portfolio)
            .map_or(Tier::default(), |one| one.tier)
    }

    /// Sets the messaging limit of the portfolio that the account belongs to.
    pub fn set_tier(&self, waba_id: &str, tier: Tier) {
        let portfolio = self.portfolio_of(waba_id);
        let mut known = self.businesses.known();
        known.portfolios.entry(portfolio).or_default().tier = tier;
    }

    /// Bans and restrictions (§1.5): may this account send that now?
    pub(super) fn account_allows(&self, waba_id: &str, send: &SendKind) -> Result<(), GraphError> {
        let known = self.businesses.known();
        let Some(waba) = known.wabas.get(waba_id) else {
            return Ok(());
        };
        let now = self.clock.now();
        if waba.banned {
            return Err(GraphError::new(131031, "Business account has been locked"));
        }
        let blocked = match send {
            SendKind::InWindow => waba.restricted("RESTRICTED_CUSTOMER_INITIATED_MESSAGING", now),
            SendKind::Outside { .. } => waba.restricted("RESTRICTED_BIZ_INITIATED_MESSAGING", now),
        };
        if blocked {
            return Err(GraphError::new(
                368,
                "The account is restricted from this kind of messaging",
            ));
        }
        let utility = matches!(send, SendKind::Outside { utility: true });
        if utility && waba.restricted("RESTRICTED_UTILITY_TEMPLATES", now) {
            return Err(GraphError::new(
                131064,
                "Utility templates are restricted after misuse",
            ));
        }
        Ok(())
    }

    /// Counts somebody written to outside of a window; one person more than the tier is refused. Which code Meta uses
    /// is unverified, 131048 is the usual report (§6.6).
    pub(super) fn admit_to_tier(&self, waba_id: &str, person: &str) -> Result<(), GraphError> {
        let portfolio = self.portfolio_of(waba_id);
        let now = self.clock.now();
        let mut known = self.businesses.known();
        let Some(portfolio) = known.portfolios.get_mut(&portfolio) else {
            return Ok(());
        };
        let Some(most) = portfolio.tier.people() else {
            return Ok(());
        };
        portfolio.met.retain(|_, last| now.since(*last) < ROLLING);
        if !portfolio.met.contains_key(person) && portfolio.met.len() >= most {
            let details = format!("Messaging limit reached: {most} people in 24 hours");
            return Err(GraphError::new(131048, details));
        }
        portfolio.met.insert(person.to_owned(), now);
        Ok(())
    }
}

/// What a send is to bans, restrictions and limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendKind {
    InWindow,
    Outside { utility: bool },
}
