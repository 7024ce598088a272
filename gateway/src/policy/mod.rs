//! Policy: the one place that says whether a draft may be sent.
//!
//! Pure functions from facts to a decision: nothing here waits, reads a clock or knows a database. The caller loads
//! [`Facts`], asks [`decide`] before a draft enters the outbox and [`recheck`] when delivery claims it, and acts on
//! the [`Decision`]. Only this module makes a [`Cleared`] value, so nothing that sends can go round it (promise 4).
//! `docs/policy.md` tells the rules in prose and lists every [`Reason`].

mod backlog;
mod brake;
mod category;
pub mod consent;
mod decide;
mod evidence;
mod facts;
mod holds;
pub mod limits;
mod ownership;
mod permission;
mod reason;
mod settle;
mod shape;
mod suppression;
mod template;
mod template_fit;
mod window;
pub mod words;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod oracle;

pub use consent::{
    Changed, ConfirmationKind, ConsentEffect, ConsentParts, ConsentState, ConsentWord, OptOut,
    Purpose, TOPICS_MOST,
};
pub use decide::{Admission, Cleared, Decision, Refusal, admit, decide, recheck};
pub use evidence::{Admitted, Evidence, Rule, Ruling, rule};
pub use facts::{
    ActiveHold, BacklogFact, ConsentBasis, Facts, HoldScope, KnownTemplate, LoopBrake, SpendFact,
    TemplateFact, TopicFact,
};
pub use ownership::silences;
pub use permission::{Form, FormPermission, Permission, PriceClass, Verdict, permission};
pub use reason::Reason;
pub use settle::{Settlement, settle_unknown};
pub use suppression::stopped_by;
pub use window::{WindowFacts, WindowPrice, WindowState};
pub use words::{WordBook, WordChanges, WordClass, WordMatch};
