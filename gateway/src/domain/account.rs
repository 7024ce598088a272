//! What Meta says of accounts, numbers and templates: facts with a time, and what follows from them for sending.
//!
//! A fact is known by its subject and name; of two, the one with Meta's later time holds, so that a doubled or
//! reordered webhook changes nothing.

use serde::{Deserialize, Serialize};

use std::time::Duration;

use super::time::Timestamp;

/// How long low quality holds marketing, or a template, unless Meta says before that it is good again. A guess: Meta looks
/// at the last seven days (facts §6.10), and somebody can look within one.
pub const LOW_QUALITY: Duration = Duration::from_secs(24 * 3600);

/// One webhook about an account, number, template or flow (`whatsapp-cloud-api.md` §1.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountNews {
    /// Meta's field, and its `event` when it has one.
    pub what: String,
    pub subject: Subject,
    pub facts: Vec<Fact>,
}

/// Of what something is said. Meta names numbers in three ways, and a portfolio where one expects a WABA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The WABA or portfolio of the webhook's entry, and so each number of it.
    Account,
    /// A number, by how it is displayed.
    Displayed(String),
    /// A number, by Meta's id.
    NumberId(String),
    Template {
        name: String,
        language: String,
    },
    Flow(String),
}

/// One thing said of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// A stable word, followed by what distinguishes several of a kind: `quality`, `restriction.RESTRICTED_…`.
    pub name: String,
    /// Meta's word, or JSON.
    pub value: String,
    /// What is to be done if it is the latest of its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Order>,
}

impl Fact {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            then: None,
        }
    }

    #[must_use]
    pub fn then(self, order: Option<Order>) -> Self {
        Self {
            then: order,
            ..self
        }
    }
}

/// What follows for sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Hold(Stop),
    /// What these causes stopped may go again.
    Release(Vec<Cause>),
    /// Its quality has dropped: marketing of it is held for a day, or until it is good again.
    Brake(String),
    /// The number may send so many messages a second (§6.7).
    Throughput(i64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub cause: Cause,
    /// What of the subject is stopped.
    pub extent: Extent,
    /// Meta's time of its end; `None`: until Meta or somebody lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// For people: what has happened and what to do.
    pub reason: String,
}

/// What of its subject an order stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    Everything,
    /// What the business begins; replies go on.
    Templates,
    /// What answers a person; what the business begins goes on.
    Answers,
    /// What is marketing; everything else goes on.
    Marketing,
}

/// Why Meta stops something. A release names the causes that it ends, so that it lifts nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Disabled,
    Deleted,
    Offboarded,
    PartnerRemoved,
    ReviewRejected,
    BusinessInitiatedRestricted,
    CustomerInitiatedRestricted,
    TemplateState,
    QualityDropped,
}

impl Cause {
    /// Stable word: what a hold says that it was placed by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disabled => "account disabled",
            Self::Deleted => "account deleted",
            Self::Offboarded => "account offboarded",
            Self::PartnerRemoved => "partner removed",
            Self::ReviewRejected => "review rejected",
            Self::BusinessInitiatedRestricted => "business-initiated messages restricted",
            Self::CustomerInitiatedRestricted => "customer-initiated messages restricted",
            Self::TemplateState => "template state",
            Self::QualityDropped => "quality dropped",
        }
    }

    /// What holds that it placed say that they were placed by: its webhook, what Meta shows when asked, and the errors
    /// that tell the same, met by a send or a receipt.
    pub fn origins(self) -> Vec<String> {
        let by_errors = self.errors().iter().flat_map(|code| by_error(*code));
        by_errors
            .chain([self.origin(), self.origin_of_reading()])
            .collect()
    }

    /// What a hold says that was placed because Meta showed it when asked.
    pub fn origin_of_reading(self) -> String {
        format!("reading: {}", self.word())
    }

    /// What a hold that its webhook placed says that it was placed by.
    pub fn origin(self) -> String {
        format!("webhook: {}", self.word())
    }

    /// Meta's error codes that tell the same when a send meets it (`whatsapp-cloud-api.md` §7): a hold that such an
    /// answer placed ends with the cause as well.
    pub fn errors(self) -> &'static [i64] {
        match self {
            Self::Disabled => &[131_031, 368],
            Self::TemplateState => &[132_015, 132_016],
            _ => &[],
        }
    }
}

/// What holds that an error placed say that they were placed by.
pub fn by_error(code: i64) -> [String; 2] {
    ["receipt", "delivery"].map(|part| format!("{part}: Meta's error {code}"))
}
