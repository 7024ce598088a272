//! What a decision is made from: a plain record that the caller fills from storage.
//!
//! Holds no rule. Two equal records and drafts at the same time always give the same decision.

use std::sync::Arc;

use crate::domain::template::{TemplateCategory, TemplateShape, TemplateStatus};
use crate::domain::{HoldId, Owner, Timestamp};

use super::consent::ConsentState;
use super::limits::LimitFacts;
use super::window::WindowFacts;

/// Everything that bears on one draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Holds of this tenant, number and credential, of everything, and of any plugin or template of the tenant.
    /// Whether a plugin's or template's hold concerns the draft, and whether one is over, is judged here.
    pub holds: Vec<ActiveHold>,
    pub owner: Owner,
    pub owner_version: i64,
    pub consent: ConsentState,
    /// Since when the business has the person on the block list of the number (facts §6.10).
    pub blocked_at: Option<Timestamp>,
    /// What the tenant relies on for what it begins.
    pub basis: ConsentBasis,
    pub topic: TopicFact,
    pub window: WindowFacts,
    pub template: TemplateFact,
    pub backlog: BacklogFact,
    pub spend: SpendFact,
    pub brake: LoopBrake,
    pub limits: LimitFacts,
}

/// What a tenant relies on when it writes first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ConsentBasis {
    /// Marketing and utility messages need an opt-in on record here. Codes are asked for by the person each time.
    Ledger,
    /// The tenant keeps consent elsewhere and vouches for it with every send; opt-outs count all the same.
    #[default]
    Attested,
}

/// The topic that a template names, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicFact {
    #[default]
    None,
    /// Its bit in [`ConsentState::topics`].
    Known(u8),
    /// The tenant has no such topic.
    Unknown,
}

/// A stop that somebody put and nobody has lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveHold {
    pub id: HoldId,
    pub scope: HoldScope,
    /// Why, in the words of who put it.
    pub reason: String,
    /// When it ends by itself; `None` ends by hand only.
    pub until: Option<Timestamp>,
}

/// What a hold stops. The caller has matched tenant, number and credential already.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HoldScope {
    All,
    Tenant,
    Number,
    Plugin {
        name: String,
    },
    Template {
        name: String,
        language: String,
    },
    /// Every template of the tenant or number; replies go on.
    Templates,
    /// Every answer of the number; what the business begins goes on.
    Replies,
    Credential,
    /// What is marketing today, whoever sends it; everything else goes on.
    Marketing,
}

/// What is known of the template that a draft names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFact {
    /// The draft is no template.
    NotATemplate,
    /// Its account was never synchronised from Meta: the draft passes with the class that its sender claims, and Meta
    /// judges (132000, 132001, 132012 …).
    Unknown,
    /// Its account was synchronised and has no such template in exactly this language (§4.4: there is no fallback).
    NoSuch,
    Known(KnownTemplate),
}

/// A template as Meta has it today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTemplate {
    pub status: TemplateStatus,
    /// What Meta charges it as today, whatever it was submitted as (§6.4).
    pub category: TemplateCategory,
    /// What a send must fill. `None`: Meta has said that it is there, and not yet what it looks like.
    pub shape: Option<Arc<TemplateShape>>,
}

/// How far ingest is behind for the draft's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BacklogFact {
    /// When the oldest webhook body was stored that is not yet split into events; a STOP may sit in it.
    pub oldest_unsplit_raw_at: Option<Timestamp>,
}

/// What the tenant may still spend. Unknown until billing exists, and no rule reads it before (design.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpendFact {
    #[default]
    Unknown,
}

/// Automatic replies of this conversation in the last hour against what the tenant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopBrake {
    /// Cleared before this draft; mark-as-read is not counted.
    pub bot_replies_last_hour: i64,
    pub limit: i64,
}

impl LoopBrake {
    /// A guess: two replies a minute for an hour is more than any menu asks for, and two bots that answer each other
    /// reach it in minutes. Real traffic would change it.
    pub const DEFAULT_LIMIT: i64 = 120;
}

impl Default for LoopBrake {
    fn default() -> Self {
        Self {
            bot_replies_last_hour: 0,
            limit: Self::DEFAULT_LIMIT,
        }
    }
}
