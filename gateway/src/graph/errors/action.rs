//! What can be done about an error: the vocabulary of facts §7.

use std::time::Duration;

use super::backoff::{backoff, jittered, pair_block};

/// What the gateway does with the send that met the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// RETRY: provably not sent. Repeat after the wait, or by the backoff recipe, at most `attempts` times in all.
    Retry {
        after: Option<Duration>,
        attempts: u32,
    },
    /// RETRY?: may be out already. The row is `unknown`; repeat only as its class allows.
    RetryInDoubt { attempts: u32 },
    /// SLOW: provably not sent. Throttle the scope and put the send back.
    Slow(SlowScope),
    /// HOLD: not sent. Stop the scope until a human or a webhook clears it.
    Hold(HoldScope),
    /// GIVE UP: permanent for this message.
    GiveUp,
    /// FIX: the request is wrong and would be wrong again.
    Fix,
    /// The same template must go by Meta's other endpoint: to the Marketing Messages API or back from it.
    Reroute,
    /// Nothing happened that matters.
    Ignore,
}

/// What a SLOW throttles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlowScope {
    Number,
    /// One number and one person.
    Pair,
    App,
    Waba,
    Flow,
}

/// What a HOLD stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldScope {
    Token,
    Tenant,
    Number,
    Template,
    /// All templates of the tenant; replies go on.
    TenantTemplates,
    /// One function of the platform: payments, registration, groups, calls.
    Feature,
}

/// Who has to do something about it, as the user reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Meta's side: time mends it.
    Meta,
    /// Whoever runs the gateway: access, app review, capacity.
    Operator,
    /// The business: its account, templates, content, pace.
    Tenant,
    /// The recipient: their choice, device or account.
    Recipient,
}

/// What an error tells us beside the fate of its send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SideEffect {
    /// The person stopped marketing from this business: goes into the consent ledger (facts §10.2).
    RecordsOptOut,
    /// Our window was open and Meta's is not: Meta is the authority (facts §6.1).
    ClosesWindow,
    /// The business has blocked the person: the mark of it was missing here (facts §6.10).
    MarksBlocked,
    /// Our copy of the template is stale: fetch it again.
    RefetchesTemplate,
}

impl Action {
    /// May the send go out again under this action, by itself, after the `attempts` made so far?
    pub fn may_repeat(self, attempts_made: u32) -> bool {
        match self {
            Self::Retry { attempts, .. } | Self::RetryInDoubt { attempts } => {
                attempts_made < attempts
            }
            // A throttle is nobody's failure: the send waits until it expires.
            Self::Slow(_) | Self::Hold(_) => true,
            Self::GiveUp | Self::Fix | Self::Reroute | Self::Ignore => false,
        }
    }

    /// Is it certain that this message did not go out?
    pub fn proves_not_sent(self) -> bool {
        !matches!(self, Self::RetryInDoubt { .. })
    }

    /// How long to wait after attempt number `attempt` (1 is the first), unless Meta said so itself by `Retry-After`.
    /// `None` where time alone does not help. `jitter` is uniform in 0..1.
    pub fn wait(self, attempt: u32, jitter: f64) -> Option<Duration> {
        match self {
            Self::Retry {
                after: Some(after), ..
            } => Some(jittered(after, jitter)),
            Self::Retry { after: None, .. } | Self::RetryInDoubt { .. } => {
                Some(backoff(attempt, jitter))
            }
            Self::Slow(SlowScope::Pair) => Some(pair_block(attempt)),
            Self::Slow(SlowScope::Number) => Some(jittered(Duration::from_secs(1), jitter)),
            // "Minutes" (facts §7.2); the usage headers would tell better.
            Self::Slow(SlowScope::App | SlowScope::Waba) => {
                Some(jittered(Duration::from_secs(120), jitter))
            }
            // Ten messages an hour: one every six minutes.
            Self::Slow(SlowScope::Flow) => Some(jittered(Duration::from_secs(360), jitter)),
            Self::Hold(_) | Self::GiveUp | Self::Fix | Self::Reroute | Self::Ignore => None,
        }
    }
}
