//! From an error to a verdict: by code where the table knows it, by HTTP status where it does not (facts §7).

use super::action::{Action, Fault, SideEffect, SlowScope};
use super::backoff::MAX_ATTEMPTS;
use super::table::{self, ErrorRule};

/// What an error means for its send, and in plain words for whoever looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub action: Action,
    pub fault: Fault,
    pub side_effect: Option<SideEffect>,
    /// What happened, for people.
    pub meaning: &'static str,
    /// What they can do about it.
    pub remedy: &'static str,
    /// Nobody has seen this error before: tell the operator.
    pub alert: bool,
}

/// Judges an error by its code; `http_status` is `None` for one that came by webhook.
///
/// HTTP status is only a hint (throttles come as 400 and 403): it decides where the code is missing or unknown.
pub fn classify(code: Option<i64>, http_status: Option<u16>, is_transient: bool) -> Verdict {
    match code.and_then(table::find) {
        Some(rule) => by_rule(rule),
        None => unknown(http_status, is_transient),
    }
}

/// Does the table have a row for this code?
pub fn is_listed(code: i64) -> bool {
    table::find(code).is_some()
}

fn by_rule(rule: &ErrorRule) -> Verdict {
    Verdict {
        action: rule.action,
        fault: rule.fault,
        side_effect: rule.side_effect,
        meaning: rule.meaning,
        remedy: rule.remedy,
        alert: false,
    }
}

fn unknown(http_status: Option<u16>, is_transient: bool) -> Verdict {
    match http_status {
        // 429 occurs with codes that are listed nowhere; it names no scope, and ours is the number.
        Some(429) => by_status(Action::Slow(SlowScope::Number), "Meta asks us to slow down"),
        Some(500..) => by_status(IN_DOUBT, "Meta had an inner error"),
        _ if is_transient => by_status(IN_DOUBT, "Meta had a passing error"),
        _ => Verdict {
            fault: Fault::Operator,
            remedy: "Look the error up at Meta and tell the makers of the gateway.",
            alert: true,
            ..by_status(
                Action::GiveUp,
                "Meta refused the message for a reason that we do not know",
            )
        },
    }
}

const IN_DOUBT: Action = Action::RetryInDoubt {
    attempts: MAX_ATTEMPTS,
};

fn by_status(action: Action, meaning: &'static str) -> Verdict {
    Verdict {
        action,
        fault: Fault::Meta,
        side_effect: None,
        meaning,
        remedy: "Nothing: the gateway tries again by itself.",
        alert: false,
    }
}
