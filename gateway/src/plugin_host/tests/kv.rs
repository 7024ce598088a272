//! What guests remember, and a store that fails them.

use super::*;

/// Reads `n` and replies with it.
fn reading_kv() -> Guest {
    Guest::replying(&format!(
        "(call $kv-add {{{{n}}}} (i64.const 2) {RET})
        (call $kv-get {{{{n}}}} {RET})
        (if (i32.load8_u (i32.const 1024)) (then unreachable))
        (call $reply-text (i32.load (i32.const 1032)) (i32.load (i32.const 1036)) {RET})"
    ))
}

#[tokio::test]
async fn a_turn_reads_its_own_writes_and_reports_the_version_it_saw() {
    let host = host();
    let plugin = reading_kv().load(&host);
    let mut request = turn(vec![binding(&plugin)]);
    request.kv = Arc::new(MemoryKv::holding("n", b"40", 9));
    let report = host.run_turn(request).await.expect("room");
    assert_eq!(texts(&report), ["42"]);
    let kv = &report.kv[0];
    assert_eq!(kv.reads, [("n".to_owned(), 9)]);
    assert_eq!(kv.writes["n"], KvWrite::Add(2));
}

#[tokio::test]
async fn a_replay_with_recorded_answers_repeats_the_turn() {
    let host = host();
    let plugin = reading_kv().load(&host);
    let mut request = turn(vec![binding(&plugin)]);
    request.kv = Arc::new(MemoryKv::holding("n", b"40", 9));
    let recorded = timeless(host.run_turn(request).await.expect("room"));
    let mut replay = turn(vec![binding(&plugin)]);
    replay.kv = Arc::new(recorded.host_answers.clone());
    assert_eq!(
        timeless(host.run_turn(replay).await.expect("room")),
        recorded
    );
}

#[tokio::test]
async fn without_the_grant_kv_is_denied_and_the_store_is_not_asked() {
    let host = host();
    let body = format!(
        "(call $kv-get {{{{n}}}} {RET})
        (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const 0)) (then unreachable))
        (call $reply-text {{{{denied}}}} {RET})"
    );
    let mut bound = binding(&Guest::replying(&body).load(&host));
    bound.grants = Grants::default();
    let store = Arc::new(MemoryKv::default());
    let mut request = turn(vec![bound]);
    request.kv = store.clone();
    assert_eq!(
        texts(&host.run_turn(request).await.expect("room")),
        ["denied"]
    );
    assert!(store.asked.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn a_broken_store_is_a_value_that_the_guest_can_read() {
    let host = host();
    let body = format!(
        "(call $kv-get {{{{n}}}} {RET})
        (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const 3)) (then unreachable))
        (call $reply-text {{{{unavailable}}}} {RET})"
    );
    let mut request = turn(vec![binding(&Guest::replying(&body).load(&host))]);
    request.kv = Arc::new(MemoryKv {
        broken: true,
        ..MemoryKv::default()
    });
    assert_eq!(
        texts(&host.run_turn(request).await.expect("room")),
        ["unavailable"]
    );
}

#[tokio::test]
async fn a_store_that_panics_costs_an_answer_and_not_the_thread() {
    struct Panics;
    impl KvReader for Panics {
        fn get<'a>(
            &'a self,
            _: TenantId,
            _: InstallationId,
            _: &'a str,
        ) -> futures::future::BoxFuture<'a, Result<Option<(Vec<u8>, i64)>, KvUnavailable>> {
            panic!("a bug of the store")
        }
    }
    let host = host();
    let mut request = turn(vec![binding(&reading_kv().load(&host))]);
    request.kv = Arc::new(Panics);
    let report = host.run_turn(request).await.expect("an answer");
    assert_eq!(only_fault(&report).kind, FaultKind::Trap);
    assert_eq!(texts(&run(&host, well_behaved()).await), ["hi"]);
}
