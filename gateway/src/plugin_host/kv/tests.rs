//! The rules of one turn's memory, without Wasm.

use super::*;
use crate::plugin_host::testing::MemoryKv;

fn session(store: MemoryKv) -> (KvSession, Arc<MemoryKv>) {
    let store = Arc::new(store);
    let (tenant, installation) = (TenantId::from_raw(1), InstallationId::from_raw(2));
    let io = tokio::runtime::Handle::current();
    let limits = Limits::default();
    let session = KvSession::new(store.clone(), io, tenant, installation, true, &limits);
    (session, store)
}

fn text(key: &str) -> String {
    key.to_owned()
}

#[tokio::test]
async fn a_key_is_asked_for_once_and_reads_repeat() {
    let (mut session, store) = session(MemoryKv::holding("k", b"v", 3));
    for _ in 0..3 {
        assert_eq!(session.get("k").await, Ok(Some(b"v".to_vec())));
        assert_eq!(session.get("absent").await, Ok(None));
        store.values.lock().expect("not poisoned").clear();
    }
    assert_eq!(*store.asked.lock().expect("not poisoned"), ["k", "absent"]);
    let (effects, answers) = session.finish();
    let reads = effects.expect("it read").reads;
    assert_eq!(reads, [(text("absent"), 0), (text("k"), 3)]);
    assert_eq!(answers.answers.len(), 2);
}

#[tokio::test]
async fn pending_writes_are_read_without_the_store() {
    let (mut session, store) = session(MemoryKv::holding("k", b"old", 1));
    session
        .set(text("k"), b"new".to_vec())
        .await
        .expect("taken");
    assert_eq!(session.get("k").await, Ok(Some(b"new".to_vec())));
    session.delete(text("k")).await.expect("taken");
    assert_eq!(session.get("k").await, Ok(None));
    assert!(store.asked.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn adding_is_blind_until_it_is_read() {
    let (mut session, store) = session(MemoryKv::holding("n", b"40", 1));
    session.add(text("n"), 1).await.expect("taken");
    session.add(text("n"), 1).await.expect("taken");
    assert!(store.asked.lock().expect("not poisoned").is_empty());
    assert_eq!(session.get("n").await, Ok(Some(b"42".to_vec())));
    session.keep();
    let (effects, _) = session.finish();
    assert_eq!(
        effects.expect("it wrote").writes[&text("n")],
        KvWrite::Add(2)
    );
}

#[tokio::test]
async fn adding_to_a_pending_value_folds_into_it() {
    let (mut session, _) = session(MemoryKv::default());
    session.set(text("n"), b"5".to_vec()).await.expect("taken");
    session.add(text("n"), 2).await.expect("taken");
    assert_eq!(session.get("n").await, Ok(Some(b"7".to_vec())));
    session.delete(text("n")).await.expect("taken");
    session.add(text("n"), 2).await.expect("taken");
    assert_eq!(session.get("n").await, Ok(Some(b"2".to_vec())));
    session
        .set(text("n"), b"five".to_vec())
        .await
        .expect("taken");
    assert!(matches!(
        session.add(text("n"), 2).await,
        Err(KvRefused::Invalid(_))
    ));
    session
        .set(text("n"), i64::MAX.to_string().into_bytes())
        .await
        .expect("taken");
    assert!(matches!(
        session.add(text("n"), 1).await,
        Err(KvRefused::Invalid(_))
    ));
}

#[tokio::test]
async fn a_hook_that_fails_leaves_the_writes_of_earlier_hooks() {
    let (mut session, _) = session(MemoryKv::default());
    session.set(text("a"), b"1".to_vec()).await.expect("taken");
    session.keep();
    session.set(text("a"), b"2".to_vec()).await.expect("taken");
    session.set(text("b"), b"2".to_vec()).await.expect("taken");
    session.undo();
    assert_eq!(session.get("a").await, Ok(Some(b"1".to_vec())));
    let (effects, _) = session.finish();
    let writes = effects.expect("it wrote").writes;
    assert_eq!(
        writes.into_iter().collect::<Vec<_>>(),
        [(text("a"), KvWrite::Set(b"1".to_vec()))]
    );
}

#[tokio::test]
async fn keys_values_and_their_number_are_bounded() {
    let (mut session, _) = session(MemoryKv::default());
    let quota = |refused| matches!(refused, Err(KvRefused::Quota(_)));
    let long = "k".repeat(limits::KV_KEY_BYTES + 1);
    assert!(quota(session.set(long, vec![]).await));
    assert!(quota(
        session
            .set(text("k"), vec![0; limits::KV_VALUE_BYTES + 1])
            .await
    ));
    for n in 0..3 {
        session
            .set(format!("big{n}"), vec![0; limits::KV_VALUE_BYTES])
            .await
            .expect("taken");
    }
    assert!(quota(
        session
            .set(text("big3"), vec![0; limits::KV_VALUE_BYTES])
            .await
    ));
    for n in 3..Limits::default().kv_keys {
        session.add(format!("k{n}"), 1).await.expect("taken");
    }
    assert!(quota(session.add(text("one more"), 1).await));
    assert_eq!(session.add(text("k3"), 1).await, Ok(()));
    assert!(matches!(
        session.delete(text("a\0")).await,
        Err(KvRefused::Invalid(_))
    ));
}

fn asked(answers: Vec<HostAnswer>) -> Asked {
    Asked {
        answers,
        used: None,
    }
}

#[test]
fn a_journal_too_long_says_so() {
    let answer = |n: usize| HostAnswer {
        installation: InstallationId::from_raw(1),
        key: format!("k{n}"),
        answer: Ok(Some((vec![0; 20_000], 1))),
    };
    let mut answers = HostAnswers::default();
    answers.extend(asked((0..3).map(answer).collect()));
    assert!(!answers.truncated);
    answers.extend(asked(vec![answer(3)]));
    assert!(answers.truncated);
    assert_eq!(answers.answers.len(), 3);
}

/// A session of a plugin that may keep so many bytes in all, over a store with that memory.
fn small_session(total: u64, used: u64, stored: MemoryKv) -> (KvSession, Arc<MemoryKv>) {
    let store = Arc::new(MemoryKv {
        used: Ok(used),
        ..stored
    });
    let (tenant, installation) = (TenantId::from_raw(1), InstallationId::from_raw(2));
    let io = tokio::runtime::Handle::current();
    let limits = Limits {
        kv_total_bytes: total,
        ..Limits::default()
    };
    let session = KvSession::new(store.clone(), io, tenant, installation, true, &limits);
    (session, store)
}

fn is_full(refused: &Result<(), KvRefused>) -> bool {
    matches!(refused, Err(KvRefused::Quota(what)) if what.contains("in all"))
}

#[tokio::test]
async fn what_a_plugin_keeps_in_all_is_bounded() {
    let (mut session, _) = small_session(100, 90, MemoryKv::default());
    session
        .set(text("a"), vec![0; 8])
        .await
        .expect("room for nine bytes");
    assert!(is_full(&session.set(text("b"), vec![0; 8]).await));
    assert!(
        is_full(&session.add(text("n"), 1).await),
        "a number may become twenty digits"
    );
    assert_eq!(session.set(text("a"), vec![0; 9]).await, Ok(()));
    assert_eq!(session.delete(text("c")).await, Ok(()));
}

#[tokio::test]
async fn what_is_replaced_makes_room_though_nobody_read_it() {
    let (mut session, store) = small_session(100, 100, MemoryKv::holding("k", &[0; 50], 3));
    assert_eq!(session.set(text("k"), vec![1; 50]).await, Ok(()));
    assert!(is_full(&session.set(text("k"), vec![1; 51]).await));
    assert_eq!(session.delete(text("k")).await, Ok(()));
    assert_eq!(session.set(text("new"), vec![1; 40]).await, Ok(()));
    assert_eq!(
        *store.asked.lock().expect("not poisoned"),
        ["k"],
        "once, and only what mattered"
    );
}

#[tokio::test]
async fn a_plugin_above_a_lowered_quota_may_shrink() {
    let (mut session, _) = small_session(10, 100, MemoryKv::holding("k", &[0; 50], 3));
    assert_eq!(session.set(text("k"), vec![1; 49]).await, Ok(()));
    assert!(is_full(&session.set(text("k"), vec![1; 51]).await));
}

#[tokio::test]
async fn a_replay_comes_to_the_same_verdict_about_room() {
    let (mut session, _) = small_session(100, 95, MemoryKv::holding("k", b"v", 1));
    assert!(is_full(&session.set(text("b"), vec![0; 8]).await));
    let (_, answers) = session.finish();
    let mut journal = HostAnswers::default();
    journal.extend(answers);
    let text_of = serde_json::to_string(&journal).expect("JSON");
    let journal: HostAnswers = serde_json::from_str(&text_of).expect("as it was written");
    let io = tokio::runtime::Handle::current();
    let (tenant, installation) = (TenantId::from_raw(1), InstallationId::from_raw(2));
    let limits = Limits {
        kv_total_bytes: 100,
        ..Limits::default()
    };
    let mut replay = KvSession::new(Arc::new(journal), io, tenant, installation, true, &limits);
    assert!(is_full(&replay.set(text("b"), vec![0; 8]).await));
}

#[tokio::test]
async fn usage_is_in_the_journal_only_where_it_decided() {
    let (mut session, _) = small_session(100, 20, MemoryKv::default());
    session.set(text("b"), vec![0; 8]).await.expect("room");
    let (_, answers) = session.finish();
    assert_eq!(answers.used, None);
}

#[test]
fn answers_are_journalled_as_base64_and_read_back() {
    let answer = |key: &str, answer| HostAnswer {
        installation: InstallationId::from_raw(1),
        key: text(key),
        answer,
    };
    let answers = HostAnswers {
        answers: vec![
            answer("value", Ok(Some((vec![0xff; 300], 7)))),
            answer("absent", Ok(None)),
            answer("gone", Err(KvUnavailable(text("why")))),
        ],
        ..HostAnswers::default()
    };
    let json = serde_json::to_string(&answers).expect("JSON");
    assert!(json.len() < 700, "{} bytes: {json}", json.len());
    assert_eq!(
        serde_json::from_str::<HostAnswers>(&json).expect("as it was written"),
        answers
    );
}
