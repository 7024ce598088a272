//! What each word does to each state, in the words of design.md §5.

use super::ConfirmationKind::{AllStopped, BusinessStopped, MarketingStopped, Resumed};
use super::ConsentWord::{OptIn, OptOutAll, OptOutEverything, OptOutMarketing};
use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// The state after messages one second apart, and the last one's effect.
fn after(words: &[Option<ConsentWord>]) -> (ConsentState, Option<ConsentEffect>) {
    let mut last = (ConsentState::default(), None);
    for (second, word) in (1..).zip(words) {
        let (state, effect) = last.0.after_inbound(*word, at(second));
        last = (state, Some(effect));
    }
    last
}

fn confirmation(words: &[Option<ConsentWord>]) -> Option<ConfirmationKind> {
    after(words).1.and_then(|effect| effect.confirmation)
}

#[test]
fn a_stop_closes_replies_until_the_person_writes_again() {
    let (stopped, effect) = after(&[Some(OptOutAll)]);
    assert_eq!(stopped.opt_out, OptOut::BusinessInitiated);
    assert!(!stopped.replies_open());
    assert_eq!(effect.map(|e| e.reaches_plugins), Some(false));
    let (wrote_again, effect) = after(&[Some(OptOutAll), None]);
    assert!(wrote_again.replies_open());
    assert_eq!(wrote_again.opt_out, OptOut::BusinessInitiated);
    assert_eq!(
        effect.map(|e| (e.changed, e.reaches_plugins)),
        Some((true, true))
    );
}

#[test]
fn a_second_stop_closes_replies_again_without_a_second_confirmation() {
    let words = [Some(OptOutAll), None, Some(OptOutAll)];
    assert!(!after(&words).0.replies_open());
    assert_eq!(confirmation(&words), None);
}

#[test]
fn end_stops_marketing_only_and_may_go_on_to_a_menu() {
    let (state, effect) = after(&[Some(OptOutMarketing)]);
    assert_eq!(state.opt_out, OptOut::Marketing);
    assert!(state.replies_open());
    assert_eq!(effect.map(|e| e.reaches_plugins), Some(true));
}

#[test]
fn cancel_after_a_stop_opens_nothing_closes_nothing_and_lifts_nothing() {
    let (state, effect) = after(&[Some(OptOutAll), Some(OptOutMarketing)]);
    assert_eq!(state.opt_out, OptOut::BusinessInitiated);
    assert!(!state.replies_open());
    assert_eq!(effect.map(|e| e.reaches_plugins), Some(false));
    let answered = after(&[Some(OptOutAll), None, Some(OptOutMarketing)]).0;
    assert!(answered.replies_open());
}

#[test]
fn stopall_keeps_replies_closed_until_an_opt_in() {
    assert!(!after(&[Some(OptOutEverything), None]).0.replies_open());
    assert!(
        after(&[Some(OptOutEverything), None, Some(OptIn)])
            .0
            .replies_open()
    );
}

#[test]
fn opt_out_words_only_ever_take_away() {
    let both = [Some(OptOutEverything), Some(OptOutAll)];
    assert_eq!(after(&both).0.opt_out, OptOut::Everything);
    for first in [OptOutMarketing, OptOutAll, OptOutEverything] {
        for second in [OptOutMarketing, OptOutAll, OptOutEverything] {
            let before = after(&[Some(first)]).0;
            let then = after(&[Some(first), Some(second)]).0;
            assert!(then.opt_out.code() >= before.opt_out.code());
            assert!(before.replies_open() || !then.replies_open());
        }
    }
}

#[test]
fn each_new_opt_out_is_confirmed_once() {
    assert_eq!(
        confirmation(&[Some(OptOutMarketing)]),
        Some(MarketingStopped)
    );
    assert_eq!(confirmation(&[Some(OptOutAll)]), Some(BusinessStopped));
    assert_eq!(confirmation(&[Some(OptOutEverything)]), Some(AllStopped));
    assert_eq!(confirmation(&[Some(OptOutAll), Some(OptOutAll)]), None);
    assert_eq!(
        confirmation(&[Some(OptOutMarketing), Some(OptOutAll)]),
        Some(BusinessStopped)
    );
    assert_eq!(confirmation(&[Some(OptOutAll), Some(OptIn)]), Some(Resumed));
    assert_eq!(confirmation(&[Some(OptIn)]), None);
}

#[test]
fn a_start_without_an_opt_out_is_the_bots_to_answer() {
    let effect = after(&[Some(OptIn)]).1;
    assert_eq!(
        effect.map(|e| (e.changed, e.reaches_plugins)),
        Some((false, true))
    );
}

#[test]
fn what_was_written_before_the_stop_opens_and_lifts_nothing() {
    let stopped = ConsentState::default()
        .after_inbound(Some(OptOutAll), at(100))
        .0;
    for late in [None, Some(OptIn)] {
        for second in [99, 100] {
            assert_eq!(stopped.after_inbound(late, at(second)).0, stopped);
        }
    }
    let resumed = stopped.after_inbound(Some(OptIn), at(101)).0;
    let stopped_late = resumed.after_inbound(Some(OptOutAll), at(50)).0;
    assert_eq!(stopped_late.opt_out, OptOut::BusinessInitiated);
    assert_eq!(stopped_late.since, Some(at(101)));
}

#[test]
fn no_word_lifts_what_the_person_stopped_in_whatsapp() {
    let stopped = ConsentState::default().after_meta_stop(at(1));
    let (after_start, _) = stopped.after_inbound(Some(OptIn), at(2));
    assert_eq!(after_start.meta_stopped_at, Some(at(1)));
    assert_eq!(
        after_start.after_meta_resume(at(1)),
        ConsentState::default()
    );
}

#[test]
fn a_resume_from_before_the_stop_lifts_nothing() {
    let stopped = ConsentState::default().after_meta_stop(at(10));
    assert_eq!(stopped.after_meta_resume(at(9)), stopped);
    assert_eq!(stopped.after_meta_stop(at(5)), stopped);
}

#[test]
fn one_person_who_was_taken_for_two_gets_what_either_would_get_at_most() {
    let stop = after(&[Some(OptOutAll)]).0;
    let stop_all = after(&[Some(OptOutEverything)]).0;
    assert_eq!(stop.joined(&stop_all).opt_out, OptOut::Everything);
    assert_eq!(stop_all.joined(&stop).opt_out, OptOut::Everything);
    let reopened = after(&[Some(OptOutAll), None]).0;
    assert!(reopened.joined(&ConsentState::default()).replies_open());
    assert!(!reopened.joined(&stop).replies_open());
    assert!(!stop.joined(&reopened).replies_open());
    let resumed = after(&[Some(OptOutAll), Some(OptIn)]).0;
    assert_eq!(resumed.joined(&stop).opt_out, OptOut::BusinessInitiated);
    let at_meta = ConsentState::default().after_meta_stop(at(9));
    assert_eq!(stop.joined(&at_meta).meta_stopped_at, Some(at(9)));
}

#[test]
fn a_state_survives_its_row() {
    let words = [Some(OptOutMarketing), Some(OptOutAll), None];
    let state = after(&words).0.after_meta_stop(at(9));
    assert_eq!(ConsentState::from_parts(state.to_parts()), Some(state));
    let unknown = ConsentParts {
        opt_out: 17,
        ..ConsentParts::default()
    };
    assert_eq!(ConsentState::from_parts(unknown), None);
}
