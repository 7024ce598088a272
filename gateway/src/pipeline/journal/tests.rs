//! Lean when there is little to say, bounded when there is much.

use serde_json::{Value, json};

use super::*;
use crate::plugin_host::{
    AttributedEffect, CallOutcome, Fault, FaultKind, Hook, HostAnswer, LogLevel,
};

const PLUGIN: InstallationId = InstallationId::from_raw(11);

fn report() -> TurnReport {
    TurnReport::blank(Ending::Answered)
}

fn tag(tag: &str) -> AttributedEffect {
    AttributedEffect {
        installation: PLUGIN,
        plugin: "echo".to_owned(),
        version: "0.1.0".to_owned(),
        effect: Effect::AddTag {
            tag: tag.to_owned(),
        },
    }
}

fn written(report: &TurnReport, sent: &[Option<OutboxId>]) -> (String, Value) {
    let journal = Journal {
        message: "text",
        owner: "bot",
        lost_races: 0,
        report: Some(ReportLine::of(report, sent)),
        mark: None,
        seen: None,
        not_runnable: &[],
        decisions: &[],
        trials: &[],
        cut: Vec::new(),
    };
    let json = journal.into_json();
    let value = serde_json::from_str(&json).expect("JSON");
    (json, value)
}

#[test]
fn what_was_sent_stands_in_the_outbox_and_the_rest_here() {
    let mut report = report();
    report.effects = vec![tag("sent"), tag("kept")];
    let send = OutboxId::from_raw(77);
    let (_, journal) = written(&report, &[Some(send), None]);
    let effects = &journal["report"]["effects"];
    assert_eq!(effects[0]["sent"], json!(send));
    assert_eq!(effects[0].get("effect"), None);
    assert_eq!(effects[1]["effect"]["tag"], "kept");
}

#[test]
fn a_value_is_known_by_length_and_hash_only() {
    let mut report = report();
    let set = KvWrite::Set(b"the customer's address".to_vec());
    let writes = [
        ("add", KvWrite::Add(-2)),
        ("gone", KvWrite::Delete),
        ("set", set),
    ];
    report.kv = vec![KvEffects {
        installation: PLUGIN,
        reads: Vec::new(),
        writes: writes.map(|(key, write)| (key.to_owned(), write)).into(),
    }];
    let (json, journal) = written(&report, &[]);
    let writes = &journal["report"]["kv"][0]["writes"];
    assert_eq!(writes["add"], json!({"add": -2}));
    assert_eq!(writes["gone"], "delete");
    assert_eq!(writes["set"]["set"]["bytes"], 22);
    let hash = hex::encode(Sha256::digest(b"the customer's address"));
    assert_eq!(writes["set"]["set"]["sha256"], hash);
    assert!(!json.contains("address"));
}

#[test]
fn a_turn_of_which_there_is_little_to_say_takes_few_bytes() {
    let (json, _) = written(&report(), &[]);
    assert_eq!(
        json,
        r#"{"message":"text","owner":"bot","report":{"ending":"answered","calls":[]}}"#
    );
}

/// Whatever eight plugins can put into a turn, each at its limits.
fn fullest() -> TurnReport {
    let mut report = report();
    report.effects = vec![tag(&"t".repeat(4096)); 32 * 8];
    report.logs = vec![
        LogLine {
            installation: PLUGIN,
            hook: Hook::AutoReply,
            level: LogLevel::Info,
            message: "\u{1}".repeat(1 << 10),
        };
        800
    ];
    report.calls = vec![
        CallTrace {
            installation: PLUGIN,
            hook: Hook::AutoReply,
            outcome: CallOutcome::Fault(Fault {
                kind: FaultKind::Declared,
                hook: Hook::AutoReply,
                message: "\u{1}".repeat(500),
                frames: Vec::new(),
                offsets: Vec::new(),
            }),
            fuel: u64::MAX,
            fuel_limit: u64::MAX,
            start_us: u64::MAX,
            wall_us: u64::MAX,
            waited_us: u64::MAX,
            memory_peak: usize::MAX,
            host_calls: u32::MAX,
            log_lines: u32::MAX,
            log_dropped: u32::MAX,
        };
        24
    ];
    let key = |n: usize| format!("{n:03}{}", "\u{1}".repeat(253));
    report.kv = (0..8)
        .map(|_| KvEffects {
            installation: PLUGIN,
            reads: (0..64).map(|n| (key(n), i64::MAX)).collect(),
            writes: (0..64)
                .map(|n| (key(n), KvWrite::Set(vec![0; 4 << 10])))
                .collect(),
        })
        .collect();
    report.host_answers.answers = vec![HostAnswer {
        installation: PLUGIN,
        key: "k".to_owned(),
        answer: Ok(Some((vec![0; 64 << 10], 1))),
    }];
    report
}

#[test]
fn the_fullest_turn_has_a_bounded_journal_that_says_what_is_missing() {
    let (json, journal) = written(&fullest(), &[]);
    assert!(json.len() <= BYTES, "{} bytes", json.len());
    let all = json!(["host_answers", "logs", "effects", "kv"]);
    assert_eq!(journal["cut"], all);
    assert_eq!(
        journal["report"]["calls"].as_array().map(Vec::len),
        Some(24)
    );
}

#[test]
fn only_what_has_to_go_is_left_out() {
    let mut report = fullest();
    report.effects.truncate(1);
    report.kv.clear();
    report.calls.truncate(3);
    report.logs.truncate(10);
    report.host_answers.answers.truncate(1);
    let (json, journal) = written(&report, &[]);
    assert!(json.len() <= BYTES, "{} bytes", json.len());
    assert_eq!(journal["cut"], json!(["host_answers"]));
    assert_eq!(journal["report"]["logs"].as_array().map(Vec::len), Some(10));
}

#[test]
fn the_commit_can_add_what_it_found() {
    let (mut json, _) = written(&report(), &[]);
    note_list(&mut json, "not_added", &[]);
    note_list(&mut json, "not_added", &["menu/\"name\"".to_owned()]);
    let journal: Value = serde_json::from_str(&json).expect("still JSON");
    assert_eq!(journal["not_added"], json!(["menu/\"name\""]));
    assert_eq!(journal["owner"], "bot");
}
