//! The hooks a component may export, and which of them it does.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One exported interface of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    Enrichment,
    Routing,
    AutoReply,
}

impl Hook {
    pub const ALL: [Self; 3] = [Self::Enrichment, Self::Routing, Self::AutoReply];

    /// The interface's name in WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enrichment => "enrichment",
            Self::Routing => "routing",
            Self::AutoReply => "auto-reply",
        }
    }

    /// The one function of that interface.
    pub fn function(self) -> &'static str {
        match self {
            Self::Enrichment => "enrich",
            Self::Routing => "route",
            Self::AutoReply => "reply",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
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
