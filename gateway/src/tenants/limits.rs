//! The part of a tenant's settings that limits what it sends: quiet hours, caps, monthly caps (`docs/policy.md`).
//!
//! Written as people write it, kept as [`LimitRules`], which policy and its facts read.

use serde::{Deserialize, Serialize};

use crate::policy::limits::{Cap, CategoryRules, LimitRules, QuietHours};

/// `limits` of the settings. Everything is off by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// The attribute of contacts that holds their IANA time zone, where it is known.
    pub zone_attribute: String,
    pub utility: Category,
    pub marketing: Category,
    pub authentication: Codes,
    /// Service messages of a number that Meta lets go free in a calendar month (facts §6.3).
    pub free_service_messages: i64,
}

/// Limits of one category.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Category {
    pub quiet: Quiet,
    /// Messages to one person within 24 hours and within 7 days.
    pub per_day: Option<i64>,
    pub per_week: Option<i64>,
    /// Messages of the tenant in a calendar month (UTC).
    pub per_month: Option<i64>,
}

/// One-time codes have no quiet hours and no cap per person: they are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    pub per_month: Option<i64>,
}

/// Quiet hours in the person's local time: a preset, or times and days of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quiet {
    /// One of [`PRESETS`]; empty: none.
    pub preset: String,
    /// `HH:MM`; quiet from the first until before the second, over midnight if that is the earlier one.
    pub from: String,
    pub to: String,
    /// Whole days that are quiet: `monday` … `sunday`.
    pub days: Vec<String>,
}

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const SATURDAY_AND_SUNDAY: u8 = 0b110_0000;
const SUNDAY: u8 = 0b100_0000;

/// Hours to begin with, by where the people are. Orientation, no legal advice: `docs/policy.md` has the sources and what is
/// left out. `us`: 47 CFR 64.1200(c)(1). `fr`: Code de la consommation D. 223-9, without its noon and holidays. `in`: TCCCPR
/// 2010 says 9; 10 is caution.
pub const PRESETS: [(&str, QuietHours); 5] = [
    ("night", hours(21, 8, 0)),
    ("us", hours(21, 8, 0)),
    ("fr", hours(20, 10, SATURDAY_AND_SUNDAY)),
    ("in", hours(21, 10, 0)),
    ("strict", hours(20, 9, SUNDAY)),
];

const fn hours(from: u16, to: u16, days: u8) -> QuietHours {
    QuietHours {
        from: from * 60,
        to: to * 60,
        days,
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            zone_attribute: "time_zone".to_owned(),
            utility: Category::default(),
            marketing: Category::default(),
            authentication: Codes::default(),
            free_service_messages: LimitRules::FREE_SERVICE_MESSAGES,
        }
    }
}

impl LimitSettings {
    /// As the rules read it. What does not read limits nothing: it is refused where it is written.
    pub fn rules(&self) -> LimitRules {
        LimitRules {
            zone_attribute: self.zone_attribute.clone(),
            utility: self.utility.rules(),
            marketing: self.marketing.rules(),
            codes_per_month: self.authentication.per_month,
            free_service_messages: self.free_service_messages,
        }
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, category) in [("utility", &self.utility), ("marketing", &self.marketing)] {
            if let Err(problem) = category.quiet.hours() {
                complaints.push(format!("limits.{name}.quiet: {problem}"));
            }
            let numbers = [
                ("per_day", category.per_day),
                ("per_week", category.per_week),
                ("per_month", category.per_month),
            ];
            complaints.extend(negative(name, &numbers));
        }
        complaints.extend(negative(
            "authentication",
            &[("per_month", self.authentication.per_month)],
        ));
        if self.free_service_messages < 0 {
            complaints.push("limits.free_service_messages: must be at least 0".to_owned());
        }
        complaints
    }
}

fn negative(category: &str, numbers: &[(&str, Option<i64>)]) -> Vec<String> {
    let wrong = numbers
        .iter()
        .filter(|(_, number)| number.is_some_and(|n| n < 0));
    wrong
        .map(|(key, _)| format!("limits.{category}.{key}: must be at least 0"))
        .collect()
}

impl Category {
    fn rules(&self) -> CategoryRules {
        let most = |number: Option<i64>| number.and_then(|n| usize::try_from(n).ok());
        CategoryRules {
            quiet: self.quiet.hours().ok().flatten(),
            cap: Cap {
                per_day: most(self.per_day),
                per_week: most(self.per_week),
            },
            per_month: self.per_month,
        }
    }
}

impl Quiet {
    fn hours(&self) -> Result<Option<QuietHours>, String> {
        if self == &Self::default() {
            return Ok(None);
        }
        if !self.preset.is_empty() {
            return self.of_preset().map(Some);
        }
        let (from, to) = match (self.from.as_str(), self.to.as_str()) {
            ("", "") => (0, 0),
            (from, to) => (minute("from", from)?, minute("to", to)?),
        };
        let mut days = 0;
        for day in &self.days {
            let known = DAYS.iter().position(|known| known == day);
            days |= 1
                << known.ok_or_else(|| format!("days: `{day}` is none of {}", DAYS.join(", ")))?;
        }
        let hours = QuietHours { from, to, days };
        if !hours.leaves_time() {
            return Err("must leave some time of the week".to_owned());
        }
        if from == to && days == 0 {
            return Err("from and to must differ".to_owned());
        }
        Ok(Some(hours))
    }

    fn of_preset(&self) -> Result<QuietHours, String> {
        let alone = Self {
            preset: self.preset.clone(),
            ..Self::default()
        };
        if *self != alone {
            return Err("has a preset, and so no from, to and days of its own".to_owned());
        }
        let found = PRESETS.iter().find(|(name, _)| *name == self.preset);
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        let unknown = || format!("preset: `{}` is none of {}", self.preset, names.join(", "));
        found.map(|(_, hours)| *hours).ok_or_else(unknown)
    }
}

fn minute(key: &str, text: &str) -> Result<u16, String> {
    let wrong = || format!("{key}: `{text}` is no time like 21:30");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let (Ok(hours), Ok(minutes)) = (hour.parse::<u16>(), minute.parse::<u16>()) else {
        return Err(wrong());
    };
    if !two_digits(hour) || !two_digits(minute) || hours > 23 || minutes > 59 {
        return Err(wrong());
    }
    Ok(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenants::TenantSettings;

    fn problems(limits: serde_json::Value) -> Vec<String> {
        TenantSettings::read(&serde_json::json!({ "limits": limits }).to_string()).1
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let given = serde_json::json!({"limits": {
            "utility": {"quiet": {"preset": "us"}, "per_month": 1000},
            "marketing": {"quiet": {"from": "20:30", "to": "09:00", "days": ["sunday"]}, "per_day": 1, "per_week": 3},
        }});
        let (settings, problems) = TenantSettings::read(&given.to_string());
        assert!(problems.is_empty(), "{problems:?}");
        let rules = settings.limits.rules();
        assert_eq!(rules.utility.quiet, Some(hours(21, 8, 0)));
        assert_eq!(rules.utility.per_month, Some(1000));
        let own = QuietHours {
            from: 20 * 60 + 30,
            to: 9 * 60,
            days: SUNDAY,
        };
        assert_eq!(rules.marketing.quiet, Some(own));
        assert_eq!(
            (rules.marketing.cap.per_day, rules.marketing.cap.per_week),
            (Some(1), Some(3))
        );
        assert_eq!(
            TenantSettings::default().limits.rules(),
            LimitRules::default()
        );
    }

    #[test]
    fn each_wrong_limit_is_named() {
        let every_day: Vec<&str> = DAYS.to_vec();
        let cases = [
            (
                serde_json::json!({"utility": {"quiet": {"preset": "mars"}}}),
                "limits.utility.quiet: preset: `mars` is none",
            ),
            (
                serde_json::json!({"utility": {"quiet": {"preset": "us", "from": "21:00"}}}),
                "limits.utility.quiet: has a preset",
            ),
            (
                serde_json::json!({"marketing": {"quiet": {"from": "9pm", "to": "08:00"}}}),
                "limits.marketing.quiet: from: `9pm`",
            ),
            (
                serde_json::json!({"marketing": {"quiet": {"from": "21:00"}}}),
                "limits.marketing.quiet: to: ``",
            ),
            (
                serde_json::json!({"marketing": {"quiet": {"from": "21:00", "to": "21:00"}}}),
                "limits.marketing.quiet: from and to",
            ),
            (
                serde_json::json!({"marketing": {"quiet": {"days": ["funday"]}}}),
                "limits.marketing.quiet: days: `funday`",
            ),
            (
                serde_json::json!({"marketing": {"quiet": {"days": every_day}}}),
                "limits.marketing.quiet: must leave",
            ),
            (
                serde_json::json!({"marketing": {"per_day": -1}}),
                "limits.marketing.per_day: must be",
            ),
            (
                serde_json::json!({"authentication": {"per_day": 1}}),
                "limits.authentication: unknown field",
            ),
            (
                serde_json::json!({"free_service_messages": -1}),
                "limits.free_service_messages: must be",
            ),
        ];
        for (limits, expected) in cases {
            let problems = problems(limits);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(expected), "{problems:?}");
        }
    }

    #[test]
    fn one_wrong_limit_costs_nobody_the_others() {
        let stored = r#"{"limits":{"utility":7,"marketing":{"quiet":{"preset":"night"}}}}"#;
        let (settings, problems) = TenantSettings::read(stored);
        assert_eq!(problems.len(), 1);
        assert!(settings.limits.rules().marketing.quiet.is_some());
    }
}
