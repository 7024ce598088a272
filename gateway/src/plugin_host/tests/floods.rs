//! Floods of host calls: each import counts what it carries, costs fuel, and lets neighbours run. The cases are of 0.1.0;
//! [`super::contract_floods`] has all functions of the newest contract.

use std::collections::{BTreeMap, BTreeSet};

use super::super::limits::{FUEL_SLICE, HOST_CALL_FUEL};
use super::*;
use crate::domain::InboundContent;

/// A text of 24,672 zeros, where nothing else of the guest lies.
const LONG: &str = "(i32.const 8192) (i32.const 24672)";
const NONE: &str = "(i32.const 0) (i32.const 0)";
/// One element at 3072, whose fields a case may have set.
const ONE: &str = "(i32.const 3072) (i32.const 1)";
/// Many elements of nothing.
const EMPTY: &str = "(i32.const 33024) (i32.const 1500)";

/// Makes the text that begins at this offset of the element a long one.
fn long_at(offset: u32) -> String {
    let (at, length) = (3072 + offset, 3076 + offset);
    format!(
        "(i32.store (i32.const {at}) (i32.const 8192)) (i32.store (i32.const {length}) (i32.const 24672))"
    )
}

/// The same behind an `option`'s discriminant.
fn some_long_at(offset: u32) -> String {
    let at = 3072 + offset;
    format!(
        "(i32.store (i32.const {at}) (i32.const 1)) {}",
        long_at(offset + 4)
    )
}

/// Makes the element a section of one row at 3200, and that row's text at the offset a long one.
fn row(text: &str) -> String {
    format!(
        "(i32.store (i32.const 3080) (i32.const 3200)) (i32.store (i32.const 3084) (i32.const 1)) {text}"
    )
}

/// Calls that carry bytes, one for every text that can be carried: what comes before the loop, and what is in it.
fn carrying() -> Vec<(String, String)> {
    let plain = |call: String| (String::new(), call);
    let mut cases: Vec<(String, String)> = [
        format!("(call $text (local.get $m) {RET})"),
        format!("(call $payload (local.get $m) {RET})"),
        format!("(call $raw (local.get $m) {RET})"),
        format!("(call $display-name (local.get $c) {RET})"),
        format!("(call $language (local.get $c) {RET})"),
        format!("(call $attribute (local.get $c) {{{{long}}}} {RET})"),
        format!("(call $attribute (local.get $c) {LONG} {RET})"),
        format!("(call $tags (local.get $c) {RET})"),
        format!("(call $reply-text {LONG} {RET})"),
        format!("(call $react {LONG} {RET})"),
        format!("(call $set-language {LONG} {RET})"),
        format!("(call $set-attribute {LONG} {NONE} {RET})"),
        format!("(call $set-attribute {NONE} {LONG} {RET})"),
        format!("(call $add-tag {LONG} {RET})"),
        format!("(call $remove-tag {LONG} {RET})"),
        format!("(call $hand-over {LONG} (i32.const 0) {NONE} {RET})"),
        format!("(call $hand-over {NONE} (i32.const 1) {LONG} {RET})"),
        format!("(call $log (i32.const 0) {LONG})"),
        format!("(call $random-bytes (i32.const 24672) {RET})"),
        format!("(call $config {LONG} {RET})"),
        format!("(call $config {{{{long}}}} {RET})"),
        format!("(call $config-all {RET})"),
        format!("(call $kv-get {LONG} {RET})"),
        format!("(call $kv-get {{{{long}}}} {RET})"),
        format!("(call $kv-set {LONG} {NONE} {RET})"),
        format!("(call $kv-set {NONE} {LONG} {RET})"),
        format!("(call $kv-delete {LONG} {RET})"),
        format!("(call $kv-add {LONG} (i64.const 1) {RET})"),
        format!("(call $reply-buttons {LONG} (i32.const 0) {NONE} {NONE} {RET})"),
        format!("(call $reply-buttons {NONE} (i32.const 1) {LONG} {NONE} {RET})"),
        format!("(call $reply-buttons {NONE} (i32.const 0) {NONE} {EMPTY} {RET})"),
        format!("(call $reply-list {LONG} {NONE} {NONE} {RET})"),
        format!("(call $reply-list {NONE} {LONG} {NONE} {RET})"),
        format!("(call $reply-list {NONE} {NONE} {EMPTY} {RET})"),
        format!("(call $reply-template {LONG} {NONE} {NONE} {RET})"),
        format!("(call $reply-template {NONE} {LONG} {NONE} {RET})"),
        format!("(call $reply-template {NONE} {NONE} {EMPTY} {RET})"),
    ]
    .map(plain)
    .into();
    let buttons = format!("(call $reply-buttons {NONE} (i32.const 0) {NONE} {ONE} {RET})");
    cases.extend([0, 8].map(|text| (long_at(text), buttons.clone())));
    let list = format!("(call $reply-list {NONE} {NONE} {ONE} {RET})");
    cases.push((long_at(0), list.clone()));
    for text in [long_at(128), long_at(136), some_long_at(144)] {
        cases.push((row(&text), list.clone()));
    }
    let template = format!("(call $reply-template {NONE} {NONE} {ONE} {RET})");
    cases.extend([some_long_at(0), long_at(12)].map(|text| (text, template.clone())));
    cases
}

/// Calls that carry next to nothing: their number is what ends them.
fn light() -> Vec<String> {
    vec![
        format!("(call $message-id (local.get $m) {RET})"),
        "(drop (call $kind (local.get $m)))".to_owned(),
        "(drop (call $sent-at (local.get $m)))".to_owned(),
        format!("(call $conversation-id (local.get $c) {RET})"),
        format!("(call $contact (local.get $c) {RET})"),
        "(drop (call $is-new (local.get $c)))".to_owned(),
        format!("(call $mark-read (i32.const 1) {RET})"),
        format!("(call $close {RET})"),
        "(drop (call $now))".to_owned(),
        "(drop (call $random))".to_owned(),
    ]
}

fn flood(before: &str, call: &str) -> Guest {
    Guest::replying(&format!(
        "{before} (loop {call} (global.set $top (i32.const 65536)) (br 0))"
    ))
}

/// Whatever a guest can read is long.
fn long_turn(host: &PluginHost, guest: &Guest) -> TurnRequest {
    let long = || "x".repeat(24_672);
    let mut binding = binding(&guest.load(host));
    let settings = serde_json::json!({ "long": long() }).to_string();
    binding.config = Arc::new(ConfigJson::parse(&settings).expect("an object"));
    let mut request = turn(vec![binding]);
    let mut message = hears("");
    message.message = InboundContent::TemplateButton {
        payload: long(),
        text: long(),
    }
    .into();
    message.raw = long();
    request.about = Arc::new(About::Message(Box::new(message)));
    let conversation = Arc::make_mut(&mut request.conversation);
    conversation.display_name = Some(long());
    conversation.language = Some(long());
    conversation.attributes = BTreeMap::from([("long".to_owned(), long().into())]);
    conversation.tags = BTreeSet::from([long()]);
    request.kv = Arc::new(MemoryKv::holding("long", long().as_bytes(), 1));
    request
}

#[tokio::test]
async fn every_text_that_a_call_carries_is_counted() {
    let host = host();
    for (before, call) in carrying() {
        let request = long_turn(&host, &flood(&before, &call));
        let report = host.run_turn(request).await.expect("room");
        let fault = only_fault(&report);
        assert_eq!(fault.kind, FaultKind::OutputBytes, "{call}: {fault}");
        assert!(report.calls[0].host_calls < 200, "{call}");
    }
}

#[tokio::test]
async fn every_call_is_counted() {
    let host = host();
    for call in light() {
        let request = long_turn(&host, &flood("", &call));
        let report = host.run_turn(request).await.expect("room");
        let fault = only_fault(&report);
        assert_eq!(fault.kind, FaultKind::HostCalls, "{call}: {fault}");
    }
}

/// 0.1.0 has no more: this holds that none of its functions loses its case.
#[test]
fn every_import_has_its_flood() {
    let cases: Vec<String> = carrying()
        .into_iter()
        .map(|(_, call)| call)
        .chain(light())
        .collect();
    let functions = IMPORTS
        .lines()
        .filter(|line| !line.is_empty() && !line.contains("[resource-drop]"));
    for import in functions {
        let (_, name) = import.split_once("(func ").expect("a function");
        let name = name.split([' ', ')']).next().expect("a name");
        let calls = format!("(call {name}");
        let called = |case: &&String| {
            let rest = case.split_once(&calls).map(|(_, rest)| rest);
            rest.is_some_and(|rest| rest.starts_with([' ', ')']))
        };
        assert!(cases.iter().any(|case| called(&case)), "{name} has no case");
    }
}

#[tokio::test]
async fn host_calls_cost_fuel() {
    let host = host();
    let mut bound = binding(&flood("", "(drop (call $now))").load(&host));
    bound.limits.fuel = 100 * HOST_CALL_FUEL;
    let report = run_bound(&host, bound).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutOfFuel);
    assert!((90..=100).contains(&report.calls[0].host_calls));
}

#[test]
fn all_the_calls_and_bytes_that_are_allowed_fit_the_fuel() {
    let limits = Limits::default();
    let calls = u64::from(limits.host_calls) * HOST_CALL_FUEL;
    let bytes = limits.host_bytes as u64 * super::super::limits::HOST_BYTE_FUEL;
    assert!(calls + bytes < limits.fuel);
    const { assert!(HOST_CALL_FUEL < FUEL_SLICE) }
}

#[tokio::test]
async fn a_flood_of_host_calls_does_not_starve_a_neighbour() {
    let host = host();
    let mut hog = binding(&flood("", "(drop (call $now))").load(&host));
    hog.limits.fuel = u64::MAX / 4;
    hog.limits.host_calls = u32::MAX;
    hog.limits.host_bytes = usize::MAX;
    let good = binding(&well_behaved().load(&host));
    let hogs: Vec<_> = (0..4)
        .map(|_| {
            let (host, hog) = (host.clone(), hog.clone());
            tokio::spawn(async move { host.run_turn(turn(vec![hog])).await })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(texts(&run_bound(&host, good.clone()).await), ["hi"]);
    }
    assert!(hogs.iter().all(|hog| !hog.is_finished()));
    hogs.iter().for_each(tokio::task::JoinHandle::abort);
    while host.turns_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}
