//! The rules of one turn's memory, without Wasm.

use super::*;
use crate::plugin_host::testing::MemoryKv;

fn session(store: MemoryKv) -> (KvSession, Arc<MemoryKv>) {
    let store = Arc::new(store);
    let (tenant, installation) = (TenantId::from_raw(1), InstallationId::from_raw(2));
    let io = Arc::new(tokio::runtime::Handle::current());
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
        assert_eq!(
            session.get(Space::Tenant, "k").await,
            Ok(Some(b"v".to_vec()))
        );
        assert_eq!(session.get(Space::Tenant, "absent").await, Ok(None));
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
        .set(Space::Tenant, "k", b"new".to_vec(), None)
        .await
        .expect("taken");
    assert_eq!(
        session.get(Space::Tenant, "k").await,
        Ok(Some(b"new".to_vec()))
    );
    session.delete(Space::Tenant, "k").await.expect("taken");
    assert_eq!(session.get(Space::Tenant, "k").await, Ok(None));
    assert!(store.asked.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn adding_is_blind_until_it_is_read() {
    let (mut session, store) = session(MemoryKv::holding("n", b"40", 1));
    session.add(Space::Tenant, "n", 1).await.expect("taken");
    session.add(Space::Tenant, "n", 1).await.expect("taken");
    assert!(store.asked.lock().expect("not poisoned").is_empty());
    assert_eq!(
        session.get(Space::Tenant, "n").await,
        Ok(Some(b"42".to_vec()))
    );
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
    session
        .set(Space::Tenant, "n", b"5".to_vec(), None)
        .await
        .expect("taken");
    session.add(Space::Tenant, "n", 2).await.expect("taken");
    assert_eq!(
        session.get(Space::Tenant, "n").await,
        Ok(Some(b"7".to_vec()))
    );
    session.delete(Space::Tenant, "n").await.expect("taken");
    session.add(Space::Tenant, "n", 2).await.expect("taken");
    assert_eq!(
        session.get(Space::Tenant, "n").await,
        Ok(Some(b"2".to_vec()))
    );
    session
        .set(Space::Tenant, "n", b"five".to_vec(), None)
        .await
        .expect("taken");
    assert!(matches!(
        session.add(Space::Tenant, "n", 2).await,
        Err(KvRefused::Invalid(_))
    ));
    session
        .set(Space::Tenant, "n", i64::MAX.to_string().into_bytes(), None)
        .await
        .expect("taken");
    assert!(matches!(
        session.add(Space::Tenant, "n", 1).await,
        Err(KvRefused::Invalid(_))
    ));
}

#[tokio::test]
async fn a_hook_that_fails_leaves_the_writes_of_earlier_hooks() {
    let (mut session, _) = session(MemoryKv::default());
    session
        .set(Space::Tenant, "a", b"1".to_vec(), None)
        .await
        .expect("taken");
    session.keep();
    session
        .set(Space::Tenant, "a", b"2".to_vec(), None)
        .await
        .expect("taken");
    session
        .set(Space::Tenant, "b", b"2".to_vec(), None)
        .await
        .expect("taken");
    session.undo();
    assert_eq!(
        session.get(Space::Tenant, "a").await,
        Ok(Some(b"1".to_vec()))
    );
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
    assert!(quota(session.set(Space::Tenant, &long, vec![], None).await));
    assert!(quota(
        session
            .set(
                Space::Tenant,
                "k",
                vec![0; limits::KV_VALUE_BYTES + 1],
                None
            )
            .await
    ));
    for n in 0..3 {
        session
            .set(
                Space::Tenant,
                &format!("big{n}"),
                vec![0; limits::KV_VALUE_BYTES],
                None,
            )
            .await
            .expect("taken");
    }
    assert!(quota(
        session
            .set(Space::Tenant, "big3", vec![0; limits::KV_VALUE_BYTES], None)
            .await
    ));
    for n in 3..Limits::default().kv_keys {
        session
            .add(Space::Tenant, &format!("k{n}"), 1)
            .await
            .expect("taken");
    }
    assert!(quota(session.add(Space::Tenant, "one more", 1).await));
    assert_eq!(session.add(Space::Tenant, "k3", 1).await, Ok(()));
    assert!(matches!(
        session.delete(Space::Tenant, "a\0").await,
        Err(KvRefused::Invalid(_))
    ));
}

fn asked(answers: Vec<HostAnswer>) -> Asked {
    Asked {
        answers,
        ..Asked::default()
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
    let io = Arc::new(tokio::runtime::Handle::current());
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
        .set(Space::Tenant, "a", vec![0; 8], None)
        .await
        .expect("room for nine bytes");
    assert!(is_full(
        &session.set(Space::Tenant, "b", vec![0; 8], None).await
    ));
    assert!(
        is_full(&session.add(Space::Tenant, "n", 1).await),
        "a number may become twenty digits"
    );
    assert_eq!(
        session.set(Space::Tenant, "a", vec![0; 9], None).await,
        Ok(())
    );
    assert_eq!(session.delete(Space::Tenant, "c").await, Ok(()));
}

#[tokio::test]
async fn what_is_replaced_makes_room_though_nobody_read_it() {
    let (mut session, store) = small_session(100, 100, MemoryKv::holding("k", &[0; 50], 3));
    assert_eq!(
        session.set(Space::Tenant, "k", vec![1; 50], None).await,
        Ok(())
    );
    assert!(is_full(
        &session.set(Space::Tenant, "k", vec![1; 51], None).await
    ));
    assert_eq!(session.delete(Space::Tenant, "k").await, Ok(()));
    assert_eq!(
        session.set(Space::Tenant, "new", vec![1; 40], None).await,
        Ok(())
    );
    assert_eq!(
        *store.asked.lock().expect("not poisoned"),
        ["k"],
        "once, and only what mattered"
    );
}

#[tokio::test]
async fn a_plugin_above_a_lowered_quota_may_shrink() {
    let (mut session, _) = small_session(10, 100, MemoryKv::holding("k", &[0; 50], 3));
    assert_eq!(
        session.set(Space::Tenant, "k", vec![1; 49], None).await,
        Ok(())
    );
    assert!(is_full(
        &session.set(Space::Tenant, "k", vec![1; 51], None).await
    ));
}

#[tokio::test]
async fn a_replay_comes_to_the_same_verdict_about_room() {
    let (mut session, _) = small_session(100, 95, MemoryKv::holding("k", b"v", 1));
    assert!(is_full(
        &session.set(Space::Tenant, "b", vec![0; 8], None).await
    ));
    let (_, answers) = session.finish();
    let mut journal = HostAnswers::default();
    journal.extend(answers);
    let text_of = serde_json::to_string(&journal).expect("JSON");
    let journal: HostAnswers = serde_json::from_str(&text_of).expect("as it was written");
    let io = Arc::new(tokio::runtime::Handle::current());
    let (tenant, installation) = (TenantId::from_raw(1), InstallationId::from_raw(2));
    let limits = Limits {
        kv_total_bytes: 100,
        ..Limits::default()
    };
    let mut replay = KvSession::new(Arc::new(journal), io, tenant, installation, true, &limits);
    assert!(is_full(
        &replay.set(Space::Tenant, "b", vec![0; 8], None).await
    ));
}

#[tokio::test]
async fn usage_is_in_the_journal_only_where_it_decided() {
    let (mut session, _) = small_session(100, 20, MemoryKv::default());
    session
        .set(Space::Tenant, "b", vec![0; 8], None)
        .await
        .expect("room");
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

#[tokio::test]
async fn spaces_are_told_apart_and_nobody_forges_another_space() {
    let (mut session, _) = session(MemoryKv::default());
    let spaces = [
        Space::Tenant,
        Space::Contact(ContactId::from_raw(1)),
        Space::Conversation(ConversationId::from_raw(1)),
    ];
    for (n, space) in spaces.into_iter().enumerate() {
        let value = n.to_string().into_bytes();
        assert_eq!(session.set(space, "k", value, None).await, Ok(()));
    }
    for (n, space) in spaces.into_iter().enumerate() {
        let found = session.get(space, "k").await;
        assert_eq!(found, Ok(Some(n.to_string().into_bytes())));
    }
    let forged = format!("{OTHER_SPACE}c1/k");
    assert!(matches!(
        session.get(Space::Tenant, &forged).await,
        Err(KvRefused::Invalid(_))
    ));
    let listed = session.list(Space::Tenant, "", None, 10).await;
    assert_eq!(listed, Ok((vec![text("k")], false)));
}

#[tokio::test]
async fn a_list_sees_what_the_turn_wrote_and_goes_on_where_it_ended() {
    let (mut session, store) = session(MemoryKv::default());
    for key in ["a/1", "a/2", "a/3", "b/1"] {
        let value = (b"v".to_vec(), 1);
        store
            .values
            .lock()
            .expect("not poisoned")
            .insert(text(key), value);
    }
    session.delete(Space::Tenant, "a/1").await.expect("taken");
    session
        .set(Space::Tenant, "a/0", vec![], None)
        .await
        .expect("taken");
    let first = session.list(Space::Tenant, "a/", None, 2).await;
    assert_eq!(first, Ok((vec![text("a/0"), text("a/2")], true)));
    let rest = session.list(Space::Tenant, "a/", Some("a/2"), 2).await;
    assert_eq!(rest, Ok((vec![text("a/3")], false)));
}

#[tokio::test]
async fn lists_have_bounds() {
    let (mut session, _) = session(MemoryKv::default());
    for most in [0, limits::KV_LIST + 1] {
        let asked = session.list(Space::Tenant, "", None, most).await;
        assert!(matches!(asked, Err(KvRefused::Invalid(_))));
    }
    for _ in 0..limits::KV_LISTS {
        assert!(session.list(Space::Tenant, "", None, 1).await.is_ok());
    }
    let more = session.list(Space::Tenant, "", None, 1).await;
    assert!(matches!(more, Err(KvRefused::Quota(_))));
}
