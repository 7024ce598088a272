//! What is held against a version on trial, and what is compared.

use super::*;
use crate::domain::{NumberId, TenantId};
use crate::pipeline::told::TurnSpans;
use crate::plugin_host::{Fault, FaultKind, Hook};
use crate::telemetry::{Attribute, Traces};

const CANARY: InstallationId = InstallationId::from_raw(1);
const ACTIVE: InstallationId = InstallationId::from_raw(2);

fn cast() -> Cast {
    let part = |installation, stage| Part {
        tenant: TenantId::from_raw(9),
        installation,
        seq: 1,
        stage,
    };
    Cast {
        bindings: Vec::new(),
        parts: vec![part(CANARY, Stage::Canary), part(ACTIVE, Stage::Active)],
        rules: Vec::new(),
        broken: Vec::new(),
        unloaded: Vec::new(),
        waits: None,
    }
}

/// A turn in which one plugin was called, and this came of it.
fn report(installation: InstallationId, outcome: CallOutcome) -> TurnReport {
    let call = CallTrace {
        fuel: 7,
        wall_us: 3,
        ..CallTrace::blank(installation, outcome)
    };
    TurnReport {
        calls: vec![call],
        ..TurnReport::blank(Ending::Unanswered)
    }
}

fn fault(kind: FaultKind) -> CallOutcome {
    CallOutcome::Fault(Fault {
        kind,
        hook: Hook::AutoReply,
        message: String::new(),
        frames: Vec::new(),
        offsets: Vec::new(),
    })
}

/// A candidate with an active version behind it.
fn with_active() -> Installation {
    Installation::blank(CANARY.raw(), None, &[Stage::Active, Stage::Canary])
}

/// The first version of its installation.
fn first(number: Option<NumberId>) -> Installation {
    Installation::blank(CANARY.raw(), number, &[Stage::Canary])
}

fn of_tenant() -> Installation {
    Installation::blank(ACTIVE.raw(), None, &[Stage::Active])
}

const NUMBER: Option<NumberId> = Some(NumberId::from_raw(5));

fn rejected() -> CallOutcome {
    CallOutcome::Rejected("not for me".to_owned())
}

fn failed(report: &TurnReport, retries: u32) -> Option<&'static str> {
    failed_of(&[with_active()], report, retries)
}

fn failed_of(
    installed: &[Installation],
    report: &TurnReport,
    retries: u32,
) -> Option<&'static str> {
    let failed = failed_canaries(installed, &cast(), report, retries);
    failed.first().map(|(_, why)| *why)
}

#[test]
fn a_canary_fails_by_its_own_fault_alone() {
    let of_canary = |kind| failed(&report(CANARY, fault(kind)), 0);
    assert_eq!(of_canary(FaultKind::Trap), Some("trap"));
    assert_eq!(of_canary(FaultKind::OutOfFuel), Some("out_of_fuel"));
    assert_eq!(of_canary(FaultKind::Overload), None, "that is ours");
    assert_eq!(failed(&report(ACTIVE, fault(FaultKind::Trap)), 0), None);
    assert_eq!(failed(&report(CANARY, CallOutcome::Ok), 9), None);
    assert_eq!(failed(&report(CANARY, rejected()), 0), Some("reject"));
    assert!(did(&report(CANARY, rejected()), CANARY).is_some_and(|once| once.rejected));
    assert_eq!(failed(&report(ACTIVE, rejected()), 0), None);
}

#[test]
fn a_canary_is_followed_by_its_own_active_version_or_by_the_tenants() {
    let who = |installed: &[Installation]| behind(installed, CANARY);
    assert_eq!(who(&[with_active(), of_tenant()]), Some(CANARY));
    assert_eq!(who(&[of_tenant(), first(NUMBER)]), Some(ACTIVE));
    assert_eq!(who(&[first(None)]), None);
    assert_eq!(who(&[of_tenant()]), None, "it is gone");
    let paused = Installation {
        paused: true,
        ..of_tenant()
    };
    assert_eq!(who(&[paused, first(NUMBER)]), None);
    let of_another_plugin = Installation {
        plugin: "desk".to_owned(),
        ..of_tenant()
    };
    assert_eq!(who(&[of_another_plugin, first(NUMBER)]), None);
    let on_trial = Installation::blank(ACTIVE.raw(), None, &[Stage::Canary]);
    assert_eq!(who(&[on_trial, first(NUMBER)]), None);
}

#[test]
fn what_a_canary_rejects_is_its_answer_where_nobody_is_behind_it() {
    let report = report(CANARY, rejected());
    assert_eq!(failed_of(&[first(None)], &report, 0), None);
    assert_eq!(failed_of(&[first(NUMBER)], &report, 0), None);
    let beside = [of_tenant(), first(NUMBER)];
    assert_eq!(failed_of(&beside, &report, 0), Some(REJECTED));
    // It is counted as a turn, and not against it; in service it is told as it was.
    let of = |part: &Part| did_at_last(&report, part).map(|once| once.rejected);
    let canary = cast().parts[0];
    assert_eq!(of(&canary), Some(false));
    let active = Part {
        stage: Stage::Active,
        ..canary
    };
    assert_eq!(of(&active), Some(true));
}

#[test]
fn a_rejection_counts_when_the_version_behind_it_answers_and_not_before() {
    let came = |outcome| counts_against(&report(ACTIVE, outcome), Some(ACTIVE));
    assert_eq!(came(CallOutcome::Ok), Some(true));
    assert_eq!(came(rejected()), Some(false), "both say so");
    assert_eq!(came(fault(FaultKind::Trap)), Some(false), "nobody knows");
    assert_eq!(came(fault(FaultKind::Overload)), Some(false));
    let none = counts_against(&report(CANARY, CallOutcome::Ok), Some(ACTIVE));
    assert_eq!(none, Some(false), "it was not asked");
    assert_eq!(
        counts_against(&report(ACTIVE, CallOutcome::Ok), None),
        Some(false)
    );
    // The turn runs once more, whoever asked for it, and so does the canary.
    for outcome in [CallOutcome::Ok, CallOutcome::Retry { after_ms: 9 }] {
        let again = TurnReport {
            ending: Ending::Retry,
            ..report(ACTIVE, outcome)
        };
        assert_eq!(counts_against(&again, Some(ACTIVE)), None);
    }
}

#[test]
fn a_canary_that_asks_for_more_tries_than_there_are_has_failed() {
    let asks = report(CANARY, CallOutcome::Retry { after_ms: 50 });
    assert_eq!(failed(&asks, RETRIES - 1), None);
    assert_eq!(failed(&asks, RETRIES), Some("retry"));
}

fn remembering(reads: &[(&str, i64)], writes: &[(&str, KvWrite)]) -> TurnReport {
    let own = |key: &str| key.to_owned();
    let memory = |installation| KvEffects {
        installation,
        reads: reads.iter().map(|(key, seen)| (own(key), *seen)).collect(),
        writes: writes
            .iter()
            .map(|(key, write)| (own(key), write.clone()))
            .collect(),
    };
    TurnReport {
        kv: vec![memory(CANARY)],
        ..TurnReport::blank(Ending::Answered)
    }
}

fn same(one: &TurnReport, other: &TurnReport, installation: InstallationId) -> bool {
    Wanted::of((one, installation)) == Wanted::of((other, installation))
}

#[test]
fn who_remembers_something_else_wanted_something_else() {
    let set = |value: &str| KvWrite::Set(value.as_bytes().to_vec());
    let one = remembering(&[("read", 7)], &[("step", set("2"))]);
    assert!(same(&one, &remembering(&[], &[("step", set("2"))]), CANARY));
    for other in [
        remembering(&[], &[("step", set("3"))]),
        remembering(&[], &[("step", KvWrite::Add(2))]),
        remembering(&[], &[("stop", set("2"))]),
        remembering(&[], &[]),
    ] {
        assert!(!same(&one, &other, CANARY), "{other:?}");
        assert!(same(&one, &other, ACTIVE), "that is another's memory");
    }
    let nothing = TurnReport::blank(Ending::Answered);
    let only_read = remembering(&[("read", 7)], &[]);
    assert!(
        same(&nothing, &only_read, CANARY),
        "to look is to want nothing"
    );
}

#[test]
fn requests_that_the_journal_has_no_room_for_are_compared_too() {
    let asking = |mark: &str| TurnReport {
        requests: vec![(CANARY, "first".to_owned()), (CANARY, mark.to_owned())],
        ..TurnReport::blank(Ending::Answered)
    };
    assert!(same(&asking("second"), &asking("second"), CANARY));
    assert!(!same(&asking("second"), &asking("another"), CANARY));
    assert!(same(&asking("second"), &asking("another"), ACTIVE));
}

#[test]
fn what_moved_between_the_two_is_not_compared() {
    let one = remembering(&[("a", 1), ("b", 2)], &[]);
    let met = |reads| met_the_same((&one, CANARY), (&remembering(reads, &[]), CANARY));
    assert!(met(&[("a", 1), ("c", 9)]) && met(&[]));
    assert!(!met(&[("a", 1), ("b", 3)]));
    assert!(!met(&[("b", 0)]), "it is gone");
}

#[test]
fn a_shadow_is_compared_with_what_answers_where_it_looks_on() {
    let answers = |id| Cast {
        parts: vec![Part {
            installation: id,
            ..cast().parts[1]
        }],
        ..cast()
    };
    let shadow = |number, stages: &[Stage]| Installation::blank(CANARY.raw(), number, stages);
    let of = |shadow: Installation, cast: &Cast| {
        let installed = [shadow.clone(), of_tenant()];
        answering(&installed, &shadow, cast)
    };
    let own = |stages| shadow(NUMBER, stages);
    let with_active = || own(&[Stage::Active, Stage::Shadow]);
    assert_eq!(of(with_active(), &answers(CANARY)), Some(CANARY));
    // The tenant's has the number while its own has nothing in service, or what cannot run.
    let first = || own(&[Stage::Shadow]);
    assert_eq!(of(first(), &answers(ACTIVE)), Some(ACTIVE));
    assert_eq!(of(with_active(), &answers(ACTIVE)), Some(ACTIVE));
    let third = InstallationId::from_raw(3);
    assert_eq!(of(first(), &answers(third)), None, "another plugin");
    assert_eq!(of(shadow(None, &[Stage::Shadow]), &answers(ACTIVE)), None);
}

#[test]
fn what_was_waited_for_other_servers_is_not_what_a_version_took() {
    let mut waited = report(CANARY, CallOutcome::Ok);
    waited.calls[0].wall_us = 5_000;
    waited.calls[0].waited_us = 4_000;
    let again = waited.calls[0].clone();
    waited.calls.push(again);
    let did_it = did(&waited, CANARY).expect("it was asked");
    assert_eq!(did_it.wall_us, 2_000);
}

#[test]
fn who_was_not_asked_did_nothing() {
    let trapped = report(CANARY, fault(FaultKind::Trap));
    let did_it = did(&trapped, CANARY).expect("it was asked");
    assert_eq!(
        (did_it.fault, did_it.fuel, did_it.wall_us),
        (Some("trap"), 7, 3)
    );
    assert!(did(&trapped, ACTIVE).is_none());
}

#[test]
fn what_is_on_trial_stands_in_the_trace_beside_what_answered() {
    let (cast, report) = (cast(), report(CANARY, fault(FaultKind::Trap)));
    let line = TrialLine::of(&cast, &cast.parts[0], &report).after("trap");
    let (traces, _spans) = Traces::channel(100.0);
    let now = Timestamp::from_millis(1_000);
    let mut spans = TurnSpans::begin(&traces, TurnId::from_raw(1), now).expect("all are traced");
    spans.tried(&line);
    spans.tried(&line);
    let [one, other] = spans.calls() else {
        panic!("{:?}", spans.calls());
    };
    assert_ne!(one.id, other.id);
    let stage = ("vestibule.trial", Attribute::Text("canary".to_owned()));
    assert!(one.attributes.contains(&stage), "{one:?}");
    assert_eq!(one.error, Some("trap"));
}
