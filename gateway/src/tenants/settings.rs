//! What a tenant may say about how the gateway itself behaves: the JSON in `tenant.settings`.
//!
//! Read key by key: when settings are written, all problems are told at once; when they are read back (a newer version
//! may have written them), one value that does not read costs nobody the others, least of all the words for STOP.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ceiling::{self, GrantCeiling};
use super::limits::LimitSettings;
use crate::domain::Timestamp;
use crate::policy::{
    ConfirmationKind, ConsentBasis, ConsentWord, WordBook, WordChanges, WordClass,
};

/// A tenant's settings. Every key has a default; keys that are not among these are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// What the customer is told when no plugin could answer. Empty: nothing.
    pub fallback_text: String,
    /// The queue that people come to who ask for a person.
    pub human_queue: String,
    /// Queues that somebody serves. A queue that is not among them answers with `unserved_text`.
    pub served_queues: Vec<String>,
    /// Said once, when a conversation goes to a served queue.
    pub human_text: String,
    /// Said when the queue is served by nobody; the conversation goes back to the bot.
    pub unserved_text: String,
    /// Confirmations of opt-out and opt-in in the tenant's own words. Empty: the gateway's.
    pub marketing_stopped_text: String,
    pub business_stopped_text: String,
    pub all_stopped_text: String,
    pub resumed_text: String,
    /// Said when a person has confirmed an opt-in.
    pub confirmed_text: String,
    /// `ledger`: marketing and utility messages need an opt-in on record here. `attested`: the tenant keeps consent
    /// elsewhere and vouches for it. New tenants have `ledger`; who leaves it out when settings are replaced keeps theirs.
    pub consent_basis: ConsentBasis,
    /// The bot's replies to one conversation within an hour.
    pub replies_per_hour: i64,
    /// Minutes after the last human message (or the hand-over) after which the bot has a conversation again. 0: only when
    /// somebody hands it back or closes it.
    pub hand_back_after_minutes: i64,
    /// Days after which a turn's journal goes. 0: when the operator's bound says; longer than that it never stays.
    pub journal_days: i64,
    /// Template → the language that its sends go out in when they leave that to the gateway and the person's own is not
    /// approved. `*`: of all others.
    pub template_languages: BTreeMap<String, String>,
    /// What the business writes for: the go-live checklist asks whether each has what it needs.
    pub use_cases: Vec<UseCase>,
    /// Where people agree to be written to, and to which words.
    pub consent_collection: Vec<ConsentCollection>,
    /// Which grants its plugins may have at all: the operator's to say. Who leaves it out when settings are replaced keeps it.
    pub grant_ceiling: GrantCeiling,
    pub words: Words,
    pub limits: LimitSettings,
}

/// One thing that the business writes for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UseCase {
    /// What people call it: `delivery updates`.
    pub name: String,
    /// Templates that it begins conversations with. None: it only answers.
    pub templates: Vec<String>,
    /// The queue of its cases.
    pub queue: String,
}

/// One place where people agree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentCollection {
    /// `checkout`, the address of a form, a paper at the counter.
    pub place: String,
    /// The exact words.
    pub wording: String,
}

/// Meta's bound of a text message (facts §3).
const LONGEST_TEXT: usize = 4096;
/// Of a use case or a place.
const LONGEST_NAME: usize = 200;
/// More than anybody reads. A guess.
const MOST_CASES: usize = 50;
/// A year: longer is the same as never.
const MOST_MINUTES: i64 = 365 * 24 * 60;
/// Ten years: no operator keeps journals longer.
const MOST_JOURNAL_DAYS: i64 = 3_650;

fn is_language(code: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (2..=35).contains(&code.len()) && code.chars().all(allowed)
}

/// The keys that read as `T` does, each tried by itself; the others become problems.
fn readable<T: DeserializeOwned>(
    prefix: &str,
    object: Map<String, Value>,
    problems: &mut Vec<String>,
) -> Map<String, Value> {
    let reads = |(key, value): &(String, Value)| {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        match serde_json::from_value::<T>(Value::Object(alone)) {
            Ok(_) => true,
            Err(error) => {
                problems.push(format!("{prefix}{key}: {error}"));
                false
            }
        }
    };
    object.into_iter().filter(reads).collect()
}

/// The tenant's own words, beside the table that all share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    pub stop: Vec<String>,
    pub stop_marketing: Vec<String>,
    pub stop_all: Vec<String>,
    pub start: Vec<String>,
    pub human: Vec<String>,
    /// Words of the shared table that mean nothing here.
    pub remove: Vec<String>,
    /// Ids of buttons and rows, and template button payloads, that mean "stop advertising".
    pub stop_marketing_payloads: Vec<String>,
    /// The same for "stop everything".
    pub stop_payloads: Vec<String>,
}

impl Words {
    /// A word that no message can be would be left out in silence.
    fn complaints(&self) -> Vec<String> {
        let lists = [
            ("stop", &self.stop),
            ("stop_marketing", &self.stop_marketing),
            ("stop_all", &self.stop_all),
            ("start", &self.start),
            ("human", &self.human),
            ("remove", &self.remove),
        ];
        let words = lists
            .iter()
            .flat_map(|(key, words)| words.iter().map(move |word| (key, word)));
        words
            .filter(|(_, word)| !WordBook::is_usable(word))
            .map(|(key, word)| format!("words.{key}: {word:?} is no word that a message could be"))
            .collect()
    }
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            fallback_text: "Sorry, something went wrong here. Please try again in a moment."
                .to_owned(),
            human_queue: "support".to_owned(),
            served_queues: Vec::new(),
            human_text: "You will hear from one of our people here soon.".to_owned(),
            unserved_text: "Nobody is here at the moment. You can go on with our assistant."
                .to_owned(),
            marketing_stopped_text: String::new(),
            business_stopped_text: String::new(),
            all_stopped_text: String::new(),
            resumed_text: String::new(),
            confirmed_text: String::new(),
            consent_basis: ConsentBasis::default(),
            replies_per_hour: crate::policy::LoopBrake::DEFAULT_LIMIT,
            hand_back_after_minutes: 0,
            journal_days: 0,
            template_languages: BTreeMap::new(),
            use_cases: Vec::new(),
            consent_collection: Vec::new(),
            grant_ceiling: GrantCeiling::All,
            words: Words::default(),
            limits: LimitSettings::default(),
        }
    }
}

impl TenantSettings {
    /// What a JSON object says, and everything that is wrong with it. What does not read has its default.
    pub fn read(json: &str) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let object: Map<String, Value> = serde_json::from_str(json).unwrap_or_else(|error| {
            problems.push(format!("must be a JSON object: {error}"));
            Map::new()
        });
        let (mut parts, mut settings): (Map<_, _>, Map<_, _>) = object
            .into_iter()
            .partition(|(key, value)| ["words", "limits"].contains(&&**key) && value.is_object());
        // Settings that do not read at all may have had one.
        let is_cut = !problems.is_empty() && json.contains(ceiling::KEY);
        let has_ceiling = is_cut || settings.contains_key(ceiling::KEY);
        settings = readable::<Self>("", settings, &mut problems);
        if has_ceiling {
            // One that does not read is not the same as none: it lets nothing through.
            let nothing = || Value::Array(Vec::new());
            settings.entry(ceiling::KEY).or_insert_with(nothing);
        }
        if let Some(Value::Object(words)) = parts.remove("words") {
            let words = readable::<Words>("words.", words, &mut problems);
            settings.insert("words".to_owned(), Value::Object(words));
        }
        if let Some(Value::Object(limits)) = parts.remove("limits") {
            let limits = readable::<LimitSettings>("limits.", limits, &mut problems);
            settings.insert("limits".to_owned(), Value::Object(limits));
        }
        // Each key was read by itself just now.
        let settings: Self = serde_json::from_value(Value::Object(settings)).unwrap_or_default();
        problems.extend(settings.complaints());
        (settings, problems)
    }

    /// What types alone cannot say.
    fn complaints(&self) -> Vec<String> {
        let texts = [
            ("fallback_text", &self.fallback_text),
            ("human_text", &self.human_text),
            ("unserved_text", &self.unserved_text),
            ("marketing_stopped_text", &self.marketing_stopped_text),
            ("business_stopped_text", &self.business_stopped_text),
            ("all_stopped_text", &self.all_stopped_text),
            ("resumed_text", &self.resumed_text),
            ("confirmed_text", &self.confirmed_text),
        ];
        let long = texts
            .iter()
            .filter(|(_, text)| text.chars().count() > LONGEST_TEXT)
            .map(|(key, _)| format!("{key}: must have at most {LONGEST_TEXT} characters"));
        let mut complaints: Vec<String> = long.collect();
        if self.human_queue.is_empty() {
            complaints.push("human_queue: must not be empty".to_owned());
        }
        if self.replies_per_hour < 1 {
            complaints.push("replies_per_hour: must be at least 1".to_owned());
        }
        if !(0..=MOST_MINUTES).contains(&self.hand_back_after_minutes) {
            complaints.push(format!(
                "hand_back_after_minutes: must be 0 to {MOST_MINUTES}"
            ));
        }
        if !(0..=MOST_JOURNAL_DAYS).contains(&self.journal_days) {
            complaints.push(format!("journal_days: must be 0 to {MOST_JOURNAL_DAYS}"));
        }
        let languages = self.template_languages.iter();
        let odd = languages.filter(|(_, language)| !is_language(language));
        complaints.extend(odd.map(|(name, language)| {
            format!("template_languages.{name}: {language:?} is no code such as en or en_GB")
        }));
        complaints.extend(self.case_complaints());
        complaints.extend(self.grant_ceiling.complaints());
        complaints.extend(self.words.complaints());
        complaints.extend(self.limits.complaints());
        complaints
    }

    fn case_complaints(&self) -> Vec<String> {
        let named = |text: &str| (1..=LONGEST_NAME).contains(&text.trim().chars().count());
        let cases = self.use_cases.iter().enumerate();
        let cases =
            cases.filter(|(_, case)| !named(&case.name) || case.name.chars().any(char::is_control));
        let mut complaints: Vec<String> = cases
            .map(|(n, _)| {
                format!("use_cases.{n}.name: must have 1 to {LONGEST_NAME} characters on one line")
            })
            .collect();
        for (n, case) in self.use_cases.iter().enumerate() {
            if self.use_cases[..n]
                .iter()
                .any(|other| other.name == case.name)
            {
                complaints.push(format!("use_cases.{n}.name: another use case is called so"));
            }
        }
        for (n, one) in self.consent_collection.iter().enumerate() {
            if !named(&one.place) {
                let what = format!("must have 1 to {LONGEST_NAME} characters");
                complaints.push(format!("consent_collection.{n}.place: {what}"));
            }
            if !(1..=LONGEST_TEXT).contains(&one.wording.trim().chars().count()) {
                let what = format!("must have 1 to {LONGEST_TEXT} characters");
                complaints.push(format!("consent_collection.{n}.wording: {what}"));
            }
        }
        if self.use_cases.len() > MOST_CASES || self.consent_collection.len() > MOST_CASES {
            complaints.push(format!(
                "use_cases, consent_collection: at most {MOST_CASES} each"
            ));
        }
        complaints
    }

    /// The confirmation's words.
    pub fn confirmation(&self, kind: ConfirmationKind) -> &str {
        let own = match kind {
            ConfirmationKind::MarketingStopped => &self.marketing_stopped_text,
            ConfirmationKind::BusinessStopped => &self.business_stopped_text,
            ConfirmationKind::AllStopped => &self.all_stopped_text,
            ConfirmationKind::Resumed => &self.resumed_text,
            ConfirmationKind::Confirmed => &self.confirmed_text,
        };
        if own.is_empty() {
            kind.default_text()
        } else {
            own
        }
    }

    /// When a conversation that people have from `now` on goes back to the bot by itself.
    pub fn hand_back_at(&self, now: Timestamp) -> Option<Timestamp> {
        let minutes = u64::try_from(self.hand_back_after_minutes).ok()?;
        (minutes > 0).then(|| now.plus(Duration::from_secs(minutes * 60)))
    }

    /// How long a turn's journal stays, if that is shorter than the operator's bound.
    pub fn journal_age(&self, bound: Duration) -> Option<Duration> {
        let days = u64::try_from(self.journal_days).ok()?;
        let age = Duration::from_secs(days * 86_400);
        (days > 0 && age < bound).then_some(age)
    }

    /// The tenant's default language of a template.
    pub fn template_language(&self, name: &str) -> Option<&str> {
        let languages = &self.template_languages;
        let language = languages.get(name).or_else(|| languages.get("*"));
        language.map(String::as_str)
    }

    pub fn serves(&self, queue: &str) -> bool {
        self.served_queues.iter().any(|served| served == queue)
    }

    /// The tenant's word book, built once per snapshot.
    pub fn word_book(&self) -> WordBook {
        let words = &self.words;
        let of = |class: WordClass, list: &[String]| -> Vec<(WordClass, String)> {
            list.iter().map(|word| (class, word.clone())).collect()
        };
        let consent = WordClass::Consent;
        let add = [
            of(consent(ConsentWord::OptOutAll), &words.stop),
            of(consent(ConsentWord::OptOutMarketing), &words.stop_marketing),
            of(consent(ConsentWord::OptOutEverything), &words.stop_all),
            of(consent(ConsentWord::OptIn), &words.start),
            of(WordClass::Human, &words.human),
        ]
        .concat();
        let payloads = [
            of(
                consent(ConsentWord::OptOutMarketing),
                &words.stop_marketing_payloads,
            ),
            of(consent(ConsentWord::OptOutAll), &words.stop_payloads),
        ]
        .concat();
        WordBook::new(&WordChanges {
            add,
            remove: words.remove.clone(),
            payloads,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InboundContent;

    #[test]
    fn one_wrong_value_costs_nobody_the_words_for_stop() {
        let stored =
            r#"{"replies_per_hour":"many","words":{"stop":["genug"],"human":7},"colour":"red"}"#;
        let (settings, problems) = TenantSettings::read(stored);
        assert_eq!(settings.words.stop, ["genug"]);
        assert_eq!(
            settings.replies_per_hour,
            TenantSettings::default().replies_per_hour
        );
        let genug = InboundContent::Text {
            body: "Genug!".to_owned(),
        };
        assert!(settings.word_book().find(&genug).is_some());
        let keys: Vec<&str> = problems
            .iter()
            .filter_map(|problem| problem.split(':').next())
            .collect();
        assert_eq!(keys, ["colour", "replies_per_hour", "words.human"]);
    }

    #[test]
    fn what_types_cannot_say_is_said_too() {
        let long = "x".repeat(4097);
        let given = serde_json::json!({
            "human_text": long, "human_queue": "", "replies_per_hour": 0,
            "journal_days": -1, "words": {"stop": ["ok", "  "]},
            "use_cases": [{"name": "news"}, {"name": " "}, {"name": "news"}],
            "consent_collection": [{"place": "checkout"}],
        });
        let (_, problems) = TenantSettings::read(&given.to_string());
        assert_eq!(
            problems,
            [
                "human_text: must have at most 4096 characters",
                "human_queue: must not be empty",
                "replies_per_hour: must be at least 1",
                "journal_days: must be 0 to 3650",
                "use_cases.1.name: must have 1 to 200 characters on one line",
                "use_cases.2.name: another use case is called so",
                "consent_collection.0.wording: must have 1 to 4096 characters",
                "words.stop: \"  \" is no word that a message could be",
            ]
        );
    }

    #[test]
    fn a_tenant_keeps_journals_shorter_than_the_operator_and_never_longer() {
        let bound = Duration::from_secs(30 * 86_400);
        let age = |days| {
            let settings = TenantSettings {
                journal_days: days,
                ..TenantSettings::default()
            };
            settings
                .journal_age(bound)
                .map(|age| age.as_secs() / 86_400)
        };
        assert_eq!([age(0), age(1), age(29)], [None, Some(1), Some(29)]);
        assert_eq!([age(30), age(31)], [None, None]);
    }

    #[test]
    fn the_defaults_and_all_keys_written_out_have_no_problem() {
        let written = serde_json::json!(TenantSettings::default()).to_string();
        for good in ["{}", written.as_str()] {
            assert_eq!(
                TenantSettings::read(good),
                (TenantSettings::default(), Vec::new())
            );
        }
        let (_, problems) = TenantSettings::read("[]");
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
