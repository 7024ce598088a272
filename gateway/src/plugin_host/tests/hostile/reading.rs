//! Guests that look for what is not theirs: other spaces of `kv`, other plugins' memory and settings, other tenants.

use super::*;
use crate::domain::{ContactId, ConversationId};

/// Remembers whom it was asked about.
#[derive(Default)]
struct Watched(std::sync::Mutex<Vec<(TenantId, InstallationId, String)>>);

impl KvReader for Watched {
    fn get<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        key: &'a str,
    ) -> futures::future::BoxFuture<'a, Result<Option<(Vec<u8>, i64)>, KvUnavailable>> {
        let asked = (tenant, installation, key.to_owned());
        self.0.lock().expect("not poisoned").push(asked);
        Box::pin(std::future::ready(Ok(None)))
    }
}

#[tokio::test]
async fn keys_made_up_like_addresses_ask_for_ones_own_only() {
    let host = host();
    let keys = [
        "../../11/secret",
        "ten_1/ins_11/k",
        "%",
        "*",
        "' OR 1=1 --",
        "k\u{202e}",
        "\u{2}c4/k",
    ];
    let body: String = keys
        .iter()
        .map(|key| format!("(call $kv-get {{{{{key}}}}} {RET}) {TAKEN}"))
        .collect();
    let kv = Arc::new(Watched::default());
    let mut request = turn(vec![binding(&Guest::replying(&body).load(&host))]);
    request.kv = kv.clone();
    let report = host.run_turn(request).await.expect("room");
    assert_eq!(report.calls[0].outcome, CallOutcome::Ok);
    let own = |key: &str| {
        (
            TenantId::from_raw(2),
            InstallationId::from_raw(11),
            key.to_owned(),
        )
    };
    assert_eq!(*kv.0.lock().expect("not poisoned"), keys.map(own));
}

#[tokio::test]
async fn other_spaces_empty_keys_and_nul_are_refused_in_every_call() {
    let host = host();
    for key in ["\u{1}c4/k", "\u{1}p5/k", "\u{1}", "", "a\u{0}b"] {
        let body = format!(
            "(call $kv-get {{{{{key}}}}} {RET}) {invalid}
             (call $kv-set {{{{{key}}}}} {{{{v}}}} {RET}) {invalid}
             (call $kv-delete {{{{{key}}}}} {RET}) {invalid}
             (call $kv-add {{{{{key}}}}} (i64.const 1) {RET}) {invalid}",
            invalid = refused_as(2)
        );
        let report = run(&host, Guest::replying(&body)).await;
        assert_eq!(report.calls[0].outcome, CallOutcome::Ok, "{key:?}");
        assert!(report.kv.iter().all(|kv| kv.writes.is_empty()));
    }
}

#[tokio::test]
async fn a_neighbour_in_the_same_turn_shares_neither_memory_nor_settings_nor_chance() {
    let host = host();
    // Shows its settings and what it draws, and leaves traces.
    let body = format!(
        "(call $kv-get {{{{shared}}}} {RET}) {TAKEN} (if (i32.load8_u (i32.const 1028)) (then unreachable))
         (call $kv-set {{{{shared}}}} {{{{mine}}}} {RET}) {TAKEN}
         (call $config {{{{secret}}}} {RET})
         (if (i32.load8_u (i32.const 1024))
           (then (call $add-tag (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) {RET})))
         (if (i64.eqz (call $random)) (then unreachable))"
    );
    let plugin = Guest::default().hook(Hook::Enrichment, &body).load(&host);
    let mut first = binding(&plugin);
    first.config = Arc::new(ConfigJson::parse(r#"{"secret":"s3cret"}"#).expect("an object"));
    let mut second = binding(&plugin);
    second.installation = InstallationId::from_raw(12);
    let report = host
        .run_turn(turn(vec![first, second]))
        .await
        .expect("room");
    let outcomes: Vec<_> = report.calls.iter().map(|call| &call.outcome).collect();
    assert_eq!(outcomes, [&CallOutcome::Ok, &CallOutcome::Ok]);
    let by: Vec<_> = report
        .effects
        .iter()
        .map(|effect| effect.installation.raw())
        .collect();
    assert_eq!(by, [11], "the second has no such setting");
    assert_eq!(report.kv.len(), 2);
}

#[tokio::test]
async fn settings_are_found_by_their_whole_key_only() {
    let host = host();
    for key in [
        "",
        "greetin",
        "greeting ",
        "Greeting",
        "greeting\u{0}",
        "/greeting",
        "__proto__",
        "$.greeting",
    ] {
        let body = format!(
            "(call $config {{{{{key}}}}} {RET})
             (if (i32.load8_u (i32.const 1024)) (then unreachable)) (call $reply-text {{{{none}}}} {RET})"
        );
        assert_eq!(
            texts(&run(&host, Guest::replying(&body)).await),
            ["none"],
            "{key:?}"
        );
    }
}

#[tokio::test]
async fn what_a_guest_sees_of_people_is_this_conversations() {
    let host = host();
    // Ids are not arguments anywhere: the only handles are those that it was lent.
    let body = format!(
        "(call $conversation-id (local.get $c) {RET})
         (call $add-tag (i32.load (i32.const 1024)) (i32.load (i32.const 1028)) {RET})
         (call $contact (local.get $c) {RET})
         (call $add-tag (i32.load (i32.const 1024)) (i32.load (i32.const 1028)) {RET})"
    );
    let report = run(&host, Guest::default().hook(Hook::Enrichment, &body)).await;
    let tags: Vec<String> = report
        .effects
        .iter()
        .map(|effect| format!("{:?}", effect.effect))
        .collect();
    let (conversation, contact) = (
        ConversationId::from_raw(4).to_string(),
        ContactId::from_raw(5).to_string(),
    );
    assert!(
        tags[0].contains(&conversation) && tags[1].contains(&contact),
        "{tags:?}"
    );
}
