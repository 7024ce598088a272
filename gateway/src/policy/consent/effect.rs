//! What a message did to consent, and what the person is told about it.

use crate::domain::DraftClass;

/// What a message did to consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentEffect {
    /// The one thing to tell the person, if anything.
    pub confirmation: Option<ConfirmationKind>,
    /// Has the row to be written?
    pub changed: bool,
    /// Does the message go on to plugins? STOP and STOPALL do not, nor does an opt-in that the gateway answers itself;
    /// END may be a choice in a menu.
    pub reaches_plugins: bool,
}

/// What a confirmation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfirmationKind {
    MarketingStopped,
    BusinessStopped,
    AllStopped,
    /// The opt-out is lifted.
    Resumed,
    /// What they were asked about is agreed to (double opt-in).
    Confirmed,
}

impl ConfirmationKind {
    /// The class of the draft that carries it.
    pub fn class(self) -> DraftClass {
        match self {
            Self::Resumed | Self::Confirmed => DraftClass::Reply,
            _ => DraftClass::OptOutConfirmation,
        }
    }

    /// What the gateway says when the tenant has no words of its own. It promotes nothing (§10.2).
    pub fn default_text(self) -> &'static str {
        match self {
            Self::MarketingStopped => {
                "You will get no more advertising from us here. Send START to get it again."
            }
            Self::BusinessStopped => {
                "You will get no more messages from us, unless you write to us. Send START to get them again."
            }
            Self::AllStopped => {
                "You will get no more messages from us, except security codes. Send START to get them again."
            }
            Self::Confirmed => {
                "Thank you. You have agreed to get these messages from us here. Send STOP to stop them."
            }
            Self::Resumed => "You will get messages from us again. Send STOP to stop them.",
        }
    }
}
