//! What Meta does to accounts and numbers, on command: the state changes, and the owner gets the webhook of §1.5
//! (`whatsapp-cloud-api.md`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::waba::Tier;
use super::webhook::{Update, ascii_json};
use super::world::{Unknown, World};
use crate::domain::Timestamp;

/// One thing that happens to an account or one of its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountEvent {
    /// `DISABLE`, `REINSTATE` or `SCHEDULE_FOR_DISABLE`.
    Ban {
        state: String,
    },
    /// Sends of that kind are refused for so long.
    Restriction {
        kind: String,
        seconds: i64,
    },
    Violation {
        kind: String,
    },
    /// The portfolio's messaging limit.
    Tier {
        limit: Tier,
    },
    /// `GREEN`, `YELLOW`, `RED`; `RED` flags the number.
    Quality {
        number: String,
        rating: String,
    },
    /// The number may send 1,000 a second.
    ThroughputUpgrade {
        number: String,
    },
    /// `APPROVED`, `REJECTED`, `DEFERRED`, `PENDING`.
    NameDecision {
        number: String,
        name: String,
        decision: String,
    },
    /// `APPROVED`, `REJECTED`, `PENDING`, `DEFERRED`.
    Review {
        decision: String,
    },
    Alert {
        kind: String,
        severity: String,
        description: String,
    },
    /// `PIN_CHANGED`, `PIN_RESET_REQUEST`, `PIN_REQUEST_SUCCESS`.
    Security {
        number: String,
        event: String,
    },
    /// Any other field with exactly this value.
    Field {
        field: String,
        value: Value,
    },
}

impl World {
    /// Makes something happen to an account.
    ///
    /// # Errors
    /// There is no such account, or no such number.
    pub fn account_event(&self, waba_id: &str, event: AccountEvent) -> Result<(), Unknown> {
        if !self.has_waba(waba_id) {
            return Err(Unknown::Waba(waba_id.to_owned()));
        }
        match event {
            AccountEvent::Ban { state } => self.ban(waba_id, &state),
            AccountEvent::Restriction { kind, seconds } => self.restrict(waba_id, &kind, seconds),
            AccountEvent::Violation { kind } => {
                let info = json!({ "violation_type": kind, "remediation": "Follow the messaging policy." });
                self.account_update(
                    waba_id,
                    "ACCOUNT_VIOLATION",
                    &json!({ "violation_info": info }),
                );
            }
            AccountEvent::Tier { limit } => self.new_limit(waba_id, limit),
            AccountEvent::Quality { number, rating } => self.quality(&number, &rating)?,
            AccountEvent::ThroughputUpgrade { number } => {
                let number = self.number(&number)?;
                "HIGH".clone_into(&mut number.account.lock().state.throughput_level);
                self.number_quality(waba_id, &number.spec().display_number, "THROUGHPUT_UPGRADE");
            }
            AccountEvent::NameDecision {
                number,
                name,
                decision,
            } => self.name_decision(&number, &name, &decision)?,
            AccountEvent::Review { decision } => {
                self.account_field(
                    waba_id,
                    "account_review_update",
                    &json!({ "decision": decision }),
                );
            }
            AccountEvent::Alert {
                kind,
                severity,
                description,
            } => {
                let info = json!({ "alert_severity": severity, "alert_status": "ACTIVE", "alert_type": kind, "alert_description": description });
                let value = json!({ "entity_type": "BUSINESS", "entity_id": self.portfolio_of(waba_id), "alert_info": info });
                self.account_field(waba_id, "account_alerts", &value);
            }
            AccountEvent::Security { number, event } => {
                let display = self.number(&number)?.spec().display_number.clone();
                self.account_field(
                    waba_id,
                    "security",
                    &json!({ "display_phone_number": display, "event": event }),
                );
            }
            AccountEvent::Field { field, value } => self.account_field(waba_id, &field, &value),
        }
        Ok(())
    }

    /// A change of a field that belongs to the whole account.
    pub(super) fn account_field(&self, waba_id: &str, field: &str, value: &Value) {
        let time = self.clock.now().millis() / 1000;
        self.outlet
            .dispatch(Update::of_account(waba_id, field, ascii_json(value), time));
    }

    fn account_update(&self, waba_id: &str, event: &str, more: &Value) {
        let mut value = more.clone();
        value["event"] = json!(event);
        self.account_field(waba_id, "account_update", &value);
    }

    fn ban(&self, waba_id: &str, state: &str) {
        self.change_waba(waba_id, |waba| match state {
            "DISABLE" => waba.banned = true,
            "REINSTATE" => waba.banned = false,
            // Scheduled: nothing is refused yet.
            _ => {}
        });
        let info = json!({ "waba_ban_state": state, "waba_ban_date": date(self.clock.now()) });
        self.account_update(waba_id, "DISABLED_UPDATE", &json!({ "ban_info": info }));
    }

    fn restrict(&self, waba_id: &str, kind: &str, seconds: i64) {
        let until =
            Timestamp::from_millis(self.clock.now().millis() + seconds.saturating_mul(1000));
        self.change_waba(waba_id, |waba| {
            waba.restrictions.insert(kind.to_owned(), until);
        });
        let info = json!([{ "restriction_type": kind, "expiration": until.millis() / 1000 }]);
        self.account_update(
            waba_id,
            "ACCOUNT_RESTRICTION",
            &json!({ "restriction_info": info }),
        );
    }

    /// Every account and number of the portfolio hears of it.
    fn new_limit(&self, waba_id: &str, limit: Tier) {
        let old = self.tier(waba_id);
        self.set_tier(waba_id, limit);
        let most = limit
            .people()
            .map_or(-1, |most| i64::try_from(most).unwrap_or(-1));
        let value = json!({ "max_daily_conversations_per_business": limit.word(), "max_phone_numbers_per_business": 20, "max_phone_numbers_per_waba": 20 });
        self.account_field(waba_id, "business_capability_update", &value);
        for number in self.numbers_of(waba_id) {
            let event = if limit.people().unwrap_or(usize::MAX) < old.people().unwrap_or(usize::MAX)
            {
                "DOWNGRADE"
            } else {
                "UPGRADE"
            };
            let value = json!({
                "display_phone_number": number.spec().display_number,
                "event": event,
                "current_limit": limit.word(),
                "old_limit": old.word(),
                "max_daily_conversations_per_business": if most < 0 { json!(limit.word()) } else { json!(most) },
            });
            self.account_field(waba_id, "phone_number_quality_update", &value);
        }
    }

    fn quality(&self, number: &str, rating: &str) -> Result<(), Unknown> {
        let number = self.number(number)?;
        let was = std::mem::replace(
            &mut number.account.lock().state.quality_rating,
            rating.to_owned(),
        );
        let event = match (was.as_str(), rating) {
            (_, "RED") => "FLAGGED",
            ("RED", _) => "UNFLAGGED",
            // The rating itself has no webhook.
            _ => return Ok(()),
        };
        self.number_quality(number.waba_id(), &number.spec().display_number, event);
        Ok(())
    }

    fn number_quality(&self, waba_id: &str, display: &str, event: &str) {
        let limit = self.tier(waba_id).word();
        let value = json!({ "display_phone_number": display, "event": event, "current_limit": limit, "max_daily_conversations_per_business": limit });
        self.account_field(waba_id, "phone_number_quality_update", &value);
    }

    fn name_decision(&self, number: &str, name: &str, decision: &str) -> Result<(), Unknown> {
        let number = self.number(number)?;
        {
            let mut account = number.account.lock();
            decision.clone_into(&mut account.state.name_status);
            if decision == "APPROVED" {
                name.clone_into(&mut account.state.verified_name);
            }
        }
        let mut value = json!({ "display_phone_number": number.spec().display_number, "decision": decision, "requested_verified_name": name });
        if decision == "REJECTED" {
            value["rejection_reason"] = json!("NAME_NOT_CONSISTENT");
        }
        self.account_field(number.waba_id(), "phone_number_name_update", &value);
        self.watch.wake();
        Ok(())
    }
}

/// Like "April 17, 2025" (§1.5).
fn date(at: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%B %-d, %Y")
        .to_string()
}
