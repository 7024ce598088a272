//! What a tenant has set, as the rules read it. Who loads facts asks here what there is to load.

use crate::domain::{DraftClass, Recipient};

use super::{Cap, CapFact, MonthFact, QuietFact, QuietHours, likely_zones};

/// A tenant's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRules {
    /// The attribute of contacts that holds their time zone.
    pub zone_attribute: String,
    pub utility: CategoryRules,
    pub marketing: CategoryRules,
    pub codes_per_month: Option<i64>,
    pub free_service_messages: i64,
}

/// Limits of one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CategoryRules {
    pub quiet: Option<QuietHours>,
    pub cap: Cap,
    pub per_month: Option<i64>,
}

impl Default for LimitRules {
    fn default() -> Self {
        Self {
            zone_attribute: "time_zone".to_owned(),
            utility: CategoryRules::default(),
            marketing: CategoryRules::default(),
            codes_per_month: None,
            free_service_messages: Self::FREE_SERVICE_MESSAGES,
        }
    }
}

impl LimitRules {
    /// A number and calendar month, since 2026-10-01 (facts §6.3, of partners' reports).
    pub const FREE_SERVICE_MESSAGES: i64 = 1000;

    /// The person's night. `attributes`: the contact's, as JSON; `recipient` is asked for where somebody has quiet hours
    /// only; `business`: where the number's account is.
    pub fn quiet(
        &self,
        attributes: &str,
        recipient: impl FnOnce() -> Option<Recipient>,
        business: &str,
    ) -> QuietFact {
        let (utility, marketing) = (self.utility.quiet, self.marketing.quiet);
        if utility.or(marketing).is_none() {
            return QuietFact::default();
        }
        let Some(recipient) = recipient() else {
            return QuietFact::default();
        };
        let attributes: serde_json::Value = serde_json::from_str(attributes).unwrap_or_default();
        let on_record = attributes[&self.zone_attribute].as_str();
        QuietFact {
            utility,
            marketing,
            zones: likely_zones(on_record, &recipient, business),
        }
    }

    /// The caps, with nothing counted yet.
    pub fn caps(&self) -> CapFact {
        CapFact {
            utility: self.utility.cap,
            marketing: self.marketing.cap,
            sent: Vec::new(),
            held_off_at: None,
        }
    }

    /// What is left of the month, of which so many messages of each class were begun.
    pub fn month(&self, begun: impl Fn(DraftClass) -> i64) -> MonthFact {
        let left = |most: Option<i64>, class| most.map(|most| most - begun(class));
        MonthFact {
            utility: left(self.utility.per_month, DraftClass::Utility),
            marketing: left(self.marketing.per_month, DraftClass::Marketing),
            authentication: left(self.codes_per_month, DraftClass::Authentication),
        }
    }

    pub fn has_months(&self) -> bool {
        let caps = [
            self.utility.per_month,
            self.marketing.per_month,
            self.codes_per_month,
        ];
        caps.iter().any(Option::is_some)
    }
}
