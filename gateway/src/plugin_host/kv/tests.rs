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
    assert_eq!(answers.len(), 2);
}

#[tokio::test]
async fn pending_writes_are_read_without_the_store() {
    let (mut session, store) = session(MemoryKv::holding("k", b"old", 1));
    session.set(text("k"), b"new".to_vec()).expect("taken");
    assert_eq!(session.get("k").await, Ok(Some(b"new".to_vec())));
    session.delete(text("k")).expect("taken");
    assert_eq!(session.get("k").await, Ok(None));
    assert!(store.asked.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn adding_is_blind_until_it_is_read() {
    let (mut session, store) = session(MemoryKv::holding("n", b"40", 1));
    session.add(text("n"), 1).expect("taken");
    session.add(text("n"), 1).expect("taken");
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
    session.set(text("n"), b"5".to_vec()).expect("taken");
    session.add(text("n"), 2).expect("taken");
    assert_eq!(session.get("n").await, Ok(Some(b"7".to_vec())));
    session.delete(text("n")).expect("taken");
    session.add(text("n"), 2).expect("taken");
    assert_eq!(session.get("n").await, Ok(Some(b"2".to_vec())));
    session.set(text("n"), b"five".to_vec()).expect("taken");
    assert!(matches!(
        session.add(text("n"), 2),
        Err(KvRefused::Invalid(_))
    ));
    session
        .set(text("n"), i64::MAX.to_string().into_bytes())
        .expect("taken");
    assert!(matches!(
        session.add(text("n"), 1),
        Err(KvRefused::Invalid(_))
    ));
}

#[tokio::test]
async fn a_hook_that_fails_leaves_the_writes_of_earlier_hooks() {
    let (mut session, _) = session(MemoryKv::default());
    session.set(text("a"), b"1".to_vec()).expect("taken");
    session.keep();
    session.set(text("a"), b"2".to_vec()).expect("taken");
    session.set(text("b"), b"2".to_vec()).expect("taken");
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
    assert!(quota(session.set(long, vec![])));
    assert!(quota(
        session.set(text("k"), vec![0; limits::KV_VALUE_BYTES + 1])
    ));
    for n in 0..3 {
        session
            .set(format!("big{n}"), vec![0; limits::KV_VALUE_BYTES])
            .expect("taken");
    }
    assert!(quota(
        session.set(text("big3"), vec![0; limits::KV_VALUE_BYTES])
    ));
    for n in 3..Limits::default().kv_keys {
        session.add(format!("k{n}"), 1).expect("taken");
    }
    assert!(quota(session.add(text("one more"), 1)));
    assert_eq!(session.add(text("k3"), 1), Ok(()));
    assert!(matches!(
        session.delete(text("a\0")),
        Err(KvRefused::Invalid(_))
    ));
}

#[test]
fn a_journal_too_long_says_so() {
    let answer = |n: usize| HostAnswer {
        installation: InstallationId::from_raw(1),
        key: format!("k{n}"),
        answer: Ok(Some((vec![0; 20_000], 1))),
    };
    let mut answers = HostAnswers::default();
    answers.extend((0..3).map(answer).collect());
    assert!(!answers.truncated);
    answers.extend(vec![answer(3)]);
    assert!(answers.truncated);
    assert_eq!(answers.answers.len(), 3);
}
