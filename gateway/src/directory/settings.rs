//! What a tenant may say about how the gateway itself behaves: the JSON in `tenant.settings`.

use serde::{Deserialize, Serialize};

use crate::policy::{ConfirmationKind, ConsentWord, WordBook, WordChanges, WordClass};

/// A tenant's settings. Every key has a default; unknown keys are kept by the database and not read here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// The bot's replies to one conversation within an hour.
    pub replies_per_hour: i64,
    pub words: Words,
}

/// The tenant's own words, beside the table that all share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
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
            replies_per_hour: crate::policy::LoopBrake::DEFAULT_LIMIT,
            words: Words::default(),
        }
    }
}

impl TenantSettings {
    /// What the stored JSON says; settings that do not read are the defaults (they are checked when written).
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|error| {
            tracing::warn!(%error, "a tenant's settings do not read; the defaults hold");
            Self::default()
        })
    }

    /// The confirmation's words.
    pub fn confirmation(&self, kind: ConfirmationKind) -> &str {
        let own = match kind {
            ConfirmationKind::MarketingStopped => &self.marketing_stopped_text,
            ConfirmationKind::BusinessStopped => &self.business_stopped_text,
            ConfirmationKind::AllStopped => &self.all_stopped_text,
            ConfirmationKind::Resumed => &self.resumed_text,
        };
        if own.is_empty() {
            kind.default_text()
        } else {
            own
        }
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
