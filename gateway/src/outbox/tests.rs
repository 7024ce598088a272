//! Each class of answer, and what it makes of a row.

use std::time::Duration;

use super::*;
use crate::domain::{
    Bucket, ContactId, ConversationId, Draft, DraftClass, NumberId, OutboundContent, OutboxId,
    OutboxState, Phone, Recipient, Sender, TenantId, Timestamp,
};
use crate::graph::SendOutcome;
use crate::graph::client::{Accepted, GraphError, Refused};
use crate::graph::errors::{HoldScope, RULES, SideEffect};
use crate::storage::outbox::OutboxRow;

const LIMITS: Limits = Limits {
    give_up_after: Duration::from_secs(86_400),
};

fn now() -> Timestamp {
    Timestamp::from_secs(1_795_000_000)
}

/// A text, claimed for the `attempts`-th time.
fn claimed(attempts: u32) -> OutboxRow {
    let number = NumberId::from_raw(7);
    OutboxRow {
        draft: Draft {
            id: OutboxId::from_raw(1),
            tenant: TenantId::from_raw(1),
            number,
            conversation: ConversationId::from_raw(1),
            contact: ContactId::from_raw(1),
            recipient: Recipient::Phone(Phone::parse("447700900123").expect("a phone")),
            content: OutboundContent::Text {
                body: "hi".into(),
                preview_url: false,
            },
            reply_to: None,
            class: DraftClass::Reply,
            sender: Sender::ApiKey {
                name: "shop".into(),
            },
            owner_version: 0,
            created_at: now(),
        },
        bucket: Bucket::of(number),
        turn: None,
        state: OutboxState::Claimed,
        due_at: now(),
        attempts,
        doubts: 0,
        changed_at: now(),
        wamid: None,
        receipt: None,
        error: None,
        reason: String::new(),
    }
}

fn refused(code: i64, http_status: u16) -> SendOutcome {
    let error = GraphError {
        code: Some(code),
        ..GraphError::default()
    };
    SendOutcome::Refused(Refused {
        error,
        http_status,
        retry_after: None,
    })
}

fn given(attempts: u32, outcome: &SendOutcome) -> Given {
    after_answer(&claimed(attempts), outcome, now(), 0.5, LIMITS)
}

fn wait(given: &Given) -> u64 {
    given.change.due_at.since(now()).as_secs()
}

#[test]
fn an_accepted_send_has_its_wamid() {
    let accepted = Accepted {
        wamid: Some("wamid.A".into()),
        ..Accepted::default()
    };
    let given = given(1, &SendOutcome::Accepted(accepted));
    assert_eq!(
        (given.end, given.change.to),
        (Ended::Accepted, OutboxState::Accepted)
    );
    assert_eq!(given.change.wamid.as_deref(), Some("wamid.A"));
}

#[test]
fn a_send_that_went_out_again_says_so_whatever_becomes_of_it() {
    let mut row = claimed(2);
    row.doubts = 1;
    row.reason = after_doubt(&row, now()).0.reason;
    let reason = |outcome: &SendOutcome| {
        let given = after_answer(&row, outcome, now(), 0.5, LIMITS);
        given.change.reason
    };
    let accepted = SendOutcome::Accepted(Accepted::default());
    assert_eq!(reason(&accepted), row.reason);
    for outcome in [refused(131026, 400), refused(130429, 400)] {
        let reason = reason(&outcome);
        assert!(reason.starts_with("sent_once_more: "), "{reason}");
        assert!(reason.len() > 30, "{reason}");
    }
}

#[test]
fn what_never_left_goes_again_by_the_recipe_and_fails_after_six_attempts() {
    let outcome = SendOutcome::NotSent {
        reason: "no connection".into(),
    };
    let waits: Vec<u64> = (1..6)
        .map(|attempt| wait(&given(attempt, &outcome)))
        .collect();
    assert_eq!(waits, [2, 8, 30, 120, 600]);
    assert_eq!(given(6, &outcome).change.to, OutboxState::Failed);
}

#[test]
fn no_answer_is_a_doubt_and_so_is_an_error_whose_send_may_have_happened() {
    for outcome in [
        SendOutcome::InDoubt {
            reason: "no answer".into(),
        },
        refused(131000, 500),
        refused(2, 503),
    ] {
        let given = given(1, &outcome);
        assert_eq!(
            (given.end, given.change.to, given.change.doubts),
            (Ended::InDoubt, OutboxState::Unknown, 1)
        );
    }
}

#[test]
fn a_throttled_number_slows_down_and_its_row_goes_again() {
    let given = given(1, &refused(130429, 400));
    assert_eq!((given.end, wait(&given)), (Ended::Later, 1));
    assert_eq!(given.put_off, Some(PutOff::Number(given.change.due_at)));
}

#[test]
fn a_throttled_app_rests_for_minutes() {
    let given = given(1, &refused(4, 400));
    assert_eq!(
        given.put_off,
        Some(PutOff::App(now().plus(Duration::from_secs(120))))
    );
}

#[test]
fn a_throttled_pair_waits_four_times_longer_each_time() {
    let waits: Vec<u64> = (1..6)
        .map(|n| wait(&given(n, &refused(131056, 400))))
        .collect();
    assert_eq!(waits, [4, 16, 64, 256, 300]);
}

#[test]
fn a_throttle_ends_when_the_row_is_too_old() {
    let mut row = claimed(40);
    row.draft.created_at = now().minus(LIMITS.give_up_after);
    let given = after_answer(&row, &refused(130429, 400), now(), 0.5, LIMITS);
    assert_eq!(given.change.to, OutboxState::Failed);
}

#[test]
fn meta_may_ask_for_a_longer_wait_than_ours() {
    let error = GraphError {
        code: Some(131057),
        ..GraphError::default()
    };
    let asked = Some(Duration::from_secs(900));
    let outcome = SendOutcome::Refused(Refused {
        error,
        http_status: 503,
        retry_after: asked,
    });
    assert_eq!(wait(&given(1, &outcome)), 900);
}

#[test]
fn what_is_wrong_fails_at_once_and_says_why() {
    for code in [100, 131026, 131047, 131051, 132000] {
        let given = given(1, &refused(code, 400));
        assert_eq!(
            (given.end, given.change.error),
            (Ended::Failed, Some(code)),
            "{code}"
        );
        assert!(
            given.change.reason.len() > 20,
            "{code}: {}",
            given.change.reason
        );
    }
}

#[test]
fn a_hold_names_its_scope_and_who_lifts_it() {
    for (code, scope) in [
        (190, HoldScope::Token),
        (131031, HoldScope::Tenant),
        (133010, HoldScope::Number),
        (132015, HoldScope::Template),
    ] {
        let stop = given(1, &refused(code, 400)).stop.expect("a hold");
        assert_eq!(stop.scope, scope, "{code}");
        assert!(
            stop.reason.ends_with("Then lift this hold."),
            "{}",
            stop.reason
        );
    }
}

#[test]
fn two_errors_tell_something_of_the_person() {
    assert_eq!(
        given(1, &refused(131047, 400)).side_effect,
        Some(SideEffect::ClosesWindow)
    );
    assert_eq!(
        given(1, &refused(131050, 400)).side_effect,
        Some(SideEffect::RecordsOptOut)
    );
}

#[test]
fn every_code_of_the_table_ends_an_attempt_in_a_state_that_fits_its_action() {
    for rule in RULES {
        let given = given(1, &refused(*rule.codes.start(), 400));
        let fits = match given.end {
            Ended::InDoubt => !rule.action.proves_not_sent(),
            Ended::Later => rule.action.proves_not_sent() && rule.action.may_repeat(1),
            Ended::Failed => rule.action.proves_not_sent(),
            Ended::Accepted | Ended::GivenBack => false,
        };
        assert!(
            fits,
            "{:?}: {:?} by {:?}",
            rule.codes, given.end, rule.action
        );
    }
}

#[test]
fn an_error_in_no_table_fails_and_alerts() {
    let given = given(1, &refused(987_654, 400));
    assert!(given.alert && given.end == Ended::Failed);
}

#[test]
fn a_give_back_was_no_attempt() {
    let given = after_give_back(&claimed(1), now());
    assert_eq!(
        (given.change.to, given.change.attempts),
        (OutboxState::Queued, 0)
    );
}

#[test]
fn a_doubt_ends_by_the_rule_of_its_class() {
    let mut row = OutboxRow {
        state: OutboxState::Unknown,
        doubts: 1,
        ..claimed(1)
    };
    let (change, end) = after_doubt(&row, now());
    assert_eq!(
        (change.to, end),
        (OutboxState::Queued, DoubtEnd::SentOnceMore)
    );
    row.doubts = 2;
    assert_eq!(after_doubt(&row, now()).1, DoubtEnd::GivenUp);
    row.doubts = 1;
    row.draft.class = DraftClass::Authentication;
    let (change, end) = after_doubt(&row, now());
    assert_eq!((change.to, end), (OutboxState::Failed, DoubtEnd::GivenUp));
    assert!(change.reason.starts_with("in_doubt"));
}
