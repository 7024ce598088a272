//! The hooks a component may export, which of them it does, and what they may give back.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One exported interface of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    Enrichment,
    Routing,
    AutoReply,
    OnEvent,
    OnTimer,
    OnReceipt,
}

impl Hook {
    /// In the order in which versions of the contract brought them.
    pub const ALL: [Self; 6] = [
        Self::Enrichment,
        Self::Routing,
        Self::AutoReply,
        Self::OnEvent,
        Self::OnTimer,
        Self::OnReceipt,
    ];

    /// The interface's name in WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enrichment => "enrichment",
            Self::Routing => "routing",
            Self::AutoReply => "auto-reply",
            Self::OnEvent => "on-event",
            Self::OnTimer => "on-timer",
            Self::OnReceipt => "on-receipt",
        }
    }

    /// The one function of that interface.
    pub fn function(self) -> &'static str {
        match self {
            Self::Enrichment => "enrich",
            Self::Routing => "route",
            Self::AutoReply => "reply",
            Self::OnEvent => "handle",
            Self::OnTimer => "fire",
            Self::OnReceipt => "receive",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// May it speak and act, or only note facts?
    pub(super) fn acts(self) -> bool {
        matches!(self, Self::AutoReply | Self::OnEvent | Self::OnTimer)
    }

    /// Is it called for a customer's message?
    pub(super) fn has_message(self) -> bool {
        matches!(self, Self::Enrichment | Self::Routing | Self::AutoReply)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a component is: the hooks that it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HookSet(u8);

impl HookSet {
    pub fn contains(self, hook: Hook) -> bool {
        self.0 & (1 << hook as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Hook> {
        Hook::ALL
            .into_iter()
            .filter(move |&hook| self.contains(hook))
    }
}

impl FromIterator<Hook> for HookSet {
    fn from_iter<I: IntoIterator<Item = Hook>>(hooks: I) -> Self {
        Self(hooks.into_iter().fold(0, |set, hook| set | 1 << hook as u8))
    }
}

impl fmt::Display for HookSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Hook::name).collect();
        f.write_str(&names.join(", "))
    }
}

/// What a hook gave back without trapping. Only routing has a destination.
pub(super) type Returned = Result<Option<Destination>, Failure>;

/// Where routing sends a conversation.
#[derive(Debug)]
pub(super) enum Destination {
    Bot,
    Queue(String),
    Agent(String),
    Silence,
    Pass,
    /// Where the call said by an effect.
    AsAsked,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Failure {
    Reject(String),
    /// In so many milliseconds.
    Retry(u32),
    Fault(String),
}
