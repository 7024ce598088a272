//! What Graph's answer makes of a claimed row, by the error table of facts §7.

use std::time::Duration;

use crate::domain::{OutboxState, ReceiptStatus, Timestamp};
use crate::graph::SendOutcome;
use crate::graph::client::Refused;
use crate::graph::errors::{
    Action, MAX_ATTEMPTS, SideEffect, SlowScope, Verdict, backoff, classify,
};
use crate::storage::outbox::{Move, OutboxRow};

use super::doubt::SENT_ONCE_MORE;
use super::hold::Stop;

/// How long sends are tried.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A row older than this is not put off again. Throttles alone would put it off for ever.
    pub give_up_after: Duration,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub change: Move,
    pub end: Ended,
    /// What else the error says, beside this row's fate.
    pub put_off: Option<PutOff>,
    pub stop: Option<Stop>,
    pub side_effect: Option<SideEffect>,
    /// Nobody has seen this error before.
    pub alert: bool,
}

/// The end of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Accepted,
    /// Provably not sent: it goes again later.
    Later,
    /// Not tried: too much time had passed since the claim.
    GivenBack,
    Failed,
    /// May have been sent.
    InDoubt,
}

/// A scope that Meta asks to slow down, until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOff {
    /// Its rate is cut as well.
    Number(Timestamp),
    App(Timestamp),
}

/// `jitter` is uniform in 0..1.
pub fn after_answer(
    row: &OutboxRow,
    outcome: &SendOutcome,
    now: Timestamp,
    jitter: f64,
    limits: Limits,
) -> Given {
    match outcome {
        SendOutcome::Accepted(accepted) => given(
            Move {
                wamid: accepted.wamid.clone(),
                receipt: Some(ReceiptStatus::Accepted),
                error: None,
                reason: told(row, ""),
                ..Move::of(row, OutboxState::Accepted)
            },
            Ended::Accepted,
        ),
        SendOutcome::NotSent { reason } => after_not_sent(row, reason, now, jitter),
        SendOutcome::InDoubt { reason } => given(doubt(row, None, reason), Ended::InDoubt),
        SendOutcome::Refused(refused) => after_refusal(row, refused, now, jitter, limits),
    }
}

/// The POST did not begin in time (promise 4): as if it had never been claimed.
pub fn after_give_back(row: &OutboxRow, now: Timestamp) -> Given {
    let change = Move {
        attempts: row.attempts.saturating_sub(1),
        due_at: now,
        ..Move::of(row, OutboxState::Queued)
    };
    given(change, Ended::GivenBack)
}

/// It could not even be tried: the number or its access token is gone.
pub fn after_unsendable(row: &OutboxRow, reason: &str, now: Timestamp, jitter: f64) -> Given {
    after_not_sent(row, reason, now, jitter)
}

fn after_not_sent(row: &OutboxRow, reason: &str, now: Timestamp, jitter: f64) -> Given {
    if row.attempts >= MAX_ATTEMPTS {
        return given(
            failed(row, None, &format!("not_sent: {reason}")),
            Ended::Failed,
        );
    }
    let wait = backoff(row.attempts, jitter);
    given(
        later(row, None, &format!("not_sent: {reason}"), now.plus(wait)),
        Ended::Later,
    )
}

fn after_refusal(
    row: &OutboxRow,
    refused: &Refused,
    now: Timestamp,
    jitter: f64,
    limits: Limits,
) -> Given {
    let code = refused.error.code;
    let verdict = classify(code, Some(refused.http_status), refused.error.is_transient);
    let reason = words(&verdict);
    let wait = wait(verdict.action, row.attempts, jitter, refused.retry_after);
    let due_at = now.plus(wait);
    let patient = now.since(row.draft.created_at) < limits.give_up_after;
    let again = patient && verdict.action.may_repeat(row.attempts);
    let base = match verdict.action {
        Action::RetryInDoubt { .. } => given(doubt(row, code, &reason), Ended::InDoubt),
        Action::Retry { .. } | Action::Slow(_) if again => {
            given(later(row, code, &reason, due_at), Ended::Later)
        }
        _ => given(failed(row, code, &reason), Ended::Failed),
    };
    Given {
        put_off: put_off(verdict.action, due_at),
        stop: Stop::of(&verdict),
        side_effect: verdict.side_effect,
        alert: verdict.alert,
        ..base
    }
}

fn wait(action: Action, attempt: u32, jitter: f64, asked: Option<Duration>) -> Duration {
    let ours = action.wait(attempt, jitter).unwrap_or_default();
    ours.max(asked.unwrap_or_default())
}

/// A pair's throttle needs no entry: its row is the first of its conversation and keeps the others waiting. A flow's
/// and an account's concern this row only as far as sends go.
fn put_off(action: Action, until: Timestamp) -> Option<PutOff> {
    match action {
        Action::Slow(SlowScope::Number) => Some(PutOff::Number(until)),
        Action::Slow(SlowScope::App | SlowScope::Waba) => Some(PutOff::App(until)),
        _ => None,
    }
}

fn words(verdict: &Verdict) -> String {
    format!("{}. {}", verdict.meaning, verdict.remedy)
}

/// A row that went out again after a doubt says so for ever, whatever comes after (promise 5: it is listed).
fn told(row: &OutboxRow, reason: &str) -> String {
    let again = row.doubts > 0 && row.reason.starts_with(SENT_ONCE_MORE);
    match (again, reason) {
        (false, _) => reason.to_owned(),
        (true, "") => row.reason.clone(),
        (true, _) => format!("{SENT_ONCE_MORE}: {reason}"),
    }
}

fn given(change: Move, end: Ended) -> Given {
    Given {
        change,
        end,
        put_off: None,
        stop: None,
        side_effect: None,
        alert: false,
    }
}

fn later(row: &OutboxRow, error: Option<i64>, reason: &str, due_at: Timestamp) -> Move {
    Move {
        due_at,
        error,
        reason: told(row, reason),
        ..Move::of(row, OutboxState::Queued)
    }
}

fn failed(row: &OutboxRow, error: Option<i64>, reason: &str) -> Move {
    Move {
        error,
        reason: told(row, reason),
        ..Move::of(row, OutboxState::Failed)
    }
}

fn doubt(row: &OutboxRow, error: Option<i64>, reason: &str) -> Move {
    Move {
        error,
        doubts: row.doubts + 1,
        reason: told(row, reason),
        ..Move::of(row, OutboxState::Unknown)
    }
}
