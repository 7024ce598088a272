//! Hooks out: signed, tried again, given up, revived; a dead endpoint is nobody else's trouble.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::domain::{Clock, ConversationId, StreamEvent, StreamKind, TenantId};
use vestibule_tests::{TestDatabase, for_each_database};

use super::business;
use super::receiver::Receiver;
use crate::api::Ground;

async fn ground(database: &TestDatabase) -> Ground {
    Ground::with(database, |deployment| {
        deployment
            .with("hooks.allow_private_addresses", "true")
            .with("api.requests_per_minute", "60000")
    })
    .await
}

/// Adds an endpoint that begins now; answers its id.
async fn hook(ground: &Ground, key: &str, receiver: &Receiver, types: &[&str]) -> String {
    let new = json!({"url": receiver.url(), "types": types, "after": 0});
    let made = ground.post(key, "/hooks", &new).await;
    assert_eq!(made.status, 201, "{made:?}");
    receiver.knows(made.body["secret"].as_str().expect("shown once"));
    made.id()
}

/// Something happens to a conversation, `times` times.
async fn happen(ground: &Ground, tenant: TenantId, conversation: i64, times: usize) {
    let mut tx = ground.setup().db.begin().await.expect("a transaction");
    for _ in 0..times {
        let id = ConversationId::from_raw(conversation);
        let kind = StreamKind::ConversationWoke;
        tx.tell(StreamEvent::new(tenant, id, kind, ground.clock.now()));
    }
    tx.commit().await.expect("a commit");
}

/// Every failure of the third event has its row: its pause counts from then, so time may go on.
async fn until_recorded(database: &TestDatabase, receiver: &Receiver) {
    let attempts = "SELECT COALESCE(MAX(attempts), 0) FROM hook_delivery WHERE seq = 3";
    vestibule_tests::until("every failure is recorded", async || {
        let requests = receiver.requests();
        let failed = requests.iter().filter(|request| request.seq() == 3).count();
        let recorded = database.count(attempts).await;
        (usize::try_from(recorded) == Ok(failed)).then_some(())
    })
    .await;
}

async fn field(ground: &Ground, key: &str, hook: &str, field: &str) -> Value {
    ground.get(key, &format!("/hooks/{hook}")).await.body[field].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_gets_everything_in_the_order_of_each_conversation() {
    for_each_database(async |database| {
        let ground = ground(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        let receiver = Receiver::start().await;
        let hook = hook(&ground, &key, &receiver, &[]).await;
        for conversation in 1..=5 {
            happen(&ground, tenant, conversation, 20).await;
        }
        let taken = receiver.until_taken(1..=101).await;
        assert_eq!(taken.len(), 101, "each once");
        let mut last = std::collections::BTreeMap::new();
        for request in &taken {
            assert_eq!(request.id, format!("{tenant}.{}", request.seq()));
            let conversation = request.event["data"]["conversation"]["id"].to_string();
            let before = last.insert(conversation, request.seq());
            assert!(
                before < Some(request.seq()),
                "an event overtook one of its conversation"
            );
        }
        vestibule_tests::until("the position is written", async || {
            (field(&ground, &key, &hook, "position").await == 101).then_some(())
        })
        .await;
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_is_tried_again_given_up_and_revived() {
    for_each_database(async |database| {
        let ground = ground(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        let receiver = Receiver::start().await;
        receiver.answers_to(3, 500);
        let hook = hook(&ground, &key, &receiver, &["conversation.woke"]).await;
        happen(&ground, tenant, 1, 4).await;
        // The others go on without it, and what was not asked for does not come.
        let taken = receiver.until_taken([2, 4, 5]).await;
        assert!(
            taken
                .iter()
                .all(|request| request.kind() == "conversation.woke")
        );
        // It comes again and again for a day, and no longer.
        let dead = format!("/hooks/{hook}/dead_letters");
        let mut tries = 0;
        let letter = loop {
            until_recorded(&database, &receiver).await;
            let before = receiver.requests().len();
            ground.clock.advance(Duration::from_secs(5 * 3600));
            let letters = vestibule_tests::until("it is tried again or given up", async || {
                let page = ground.get(&key, &dead).await;
                let letters = page.body["items"].as_array().expect("items").clone();
                (!letters.is_empty() || receiver.requests().len() > before).then_some(letters)
            })
            .await;
            tries += 1;
            if let Some(letter) = letters.first() {
                break letter.clone();
            }
            assert!(tries < 12, "a day has long been over");
        };
        assert_eq!(
            (&letter["seq"], &letter["error"]),
            (&json!(3), &json!("status 500"))
        );
        assert!(tries > 2, "it was given up after {tries} tries");
        receiver.answers_to(3, 200);
        let revived = ground
            .post(
                &key,
                &format!("/hooks/{hook}/revive"),
                &json!({"events": [3]}),
            )
            .await;
        assert_eq!(revived.body, json!({"revived": 1}));
        receiver.until_taken([3]).await;
        vestibule_tests::until("no dead letter is left", async || {
            let page = ground.get(&key, &dead).await;
            (page.body["items"] == json!([])).then_some(())
        })
        .await;
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_every_time_is_left_alone_and_costs_nobody_else_anything() {
    for_each_database(async |database| {
        let ground = ground(&database).await;
        let (one, one_key, _) = business(&ground, "acme", 0).await;
        let (two, two_key, _) = business(&ground, "bolt", 1).await;
        let (dead, alive) = (Receiver::start().await, Receiver::start().await);
        dead.answers(std::iter::repeat_n(503, 1000));
        let broken = hook(&ground, &one_key, &dead, &[]).await;
        hook(&ground, &two_key, &alive, &[]).await;
        happen(&ground, one, 1, 200).await;
        happen(&ground, two, 1, 200).await;
        alive.until_taken(1..=201).await;
        vestibule_tests::until("it is left alone", async || {
            let until = field(&ground, &one_key, &broken, "paused_until").await;
            (!until.is_null()).then_some(())
        })
        .await;
        let asked = dead.requests().len();
        assert!(asked < 30, "200 events were not needed to see it: {asked}");
        // Back again: what waited comes, nothing is lost. Time passes as far as its pauses reach.
        dead.answers([]);
        vestibule_tests::until("everything has come", async || {
            ground.clock.advance(Duration::from_secs(60));
            let taken = dead.taken();
            let all = (1..=201).all(|seq| taken.iter().any(|request| request.seq() == seq));
            all.then_some(())
        })
        .await;
        assert_eq!(
            ground
                .get(&one_key, &format!("/hooks/{broken}/dead_letters"))
                .await
                .body["items"],
            json!([])
        );
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_between_answers_leaves_the_rest_to_the_next() {
    for_each_database(async |database| {
        let first = ground(&database).await;
        let (tenant, key, _) = business(&first, "acme", 0).await;
        let receiver = Receiver::start().await;
        receiver.answers_to(7, 500);
        hook(&first, &key, &receiver, &[]).await;
        happen(&first, tenant, 1, 150).await;
        receiver.until_taken([30]).await;
        // Dropped, it stops where it stands.
        drop(first);
        let second = ground(&database).await;
        receiver.answers_to(7, 200);
        let taken = vestibule_tests::until("everything has come", async || {
            second.clock.advance(Duration::from_secs(1));
            let taken = receiver.taken();
            let all = (1..=151).all(|seq| taken.iter().any(|request| request.seq() == seq));
            all.then_some(taken)
        })
        .await;
        let doubled = taken.len() - 151;
        assert!(
            doubled <= 64,
            "at most what one round had not written down: {doubled}"
        );
        second.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_switched_off_and_can_be_sent_back() {
    for_each_database(async |database| {
        let ground = ground(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        let receiver = Receiver::start().await;
        let hook = hook(&ground, &key, &receiver, &[]).await;
        receiver.until_taken([1]).await;
        receiver.answers([410]);
        happen(&ground, tenant, 1, 1).await;
        vestibule_tests::until("it is switched off", async || {
            (field(&ground, &key, &hook, "enabled").await == json!(false)).then_some(())
        })
        .await;
        let path = format!("/hooks/{hook}");
        let enable = json!({"enabled": true});
        let missing = ground.patch(&key, &path, "", &enable).await;
        assert_eq!(
            (missing.status, missing.problem()),
            (428, "if_match_missing")
        );
        let tag = ground.get(&key, &path).await.header("etag").to_owned();
        let changed = ground.patch(&key, &path, &tag, &enable).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let stale = ground.patch(&key, &path, &tag, &enable).await;
        assert_eq!((stale.status, stale.problem()), (412, "changed"));
        let back = ground
            .post(&key, &format!("{path}/replay"), &json!({"after": 0}))
            .await;
        assert_eq!(back.status, 200, "{back:?}");
        vestibule_tests::until("the first comes again", async || {
            let first = receiver
                .taken()
                .iter()
                .filter(|request| request.seq() == 1)
                .count();
            (first == 2).then_some(())
        })
        .await;
        let beyond = ground
            .post(&key, &format!("{path}/replay"), &json!({"after": 99}))
            .await;
        assert_eq!((beyond.status, beyond.problem()), (422, "invalid"));
        assert_eq!(ground.delete(&key, &path).await.status, 204);
        assert_eq!(ground.get(&key, &path).await.status, 404);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn urls_and_types_that_cannot_be_are_refused_with_their_place() {
    for_each_database(async |database| {
        // As an operator runs it: nothing private is asked.
        let ground = Ground::on(&database).await;
        let (_, key, _) = business(&ground, "acme", 0).await;
        let cases = [
            (json!({"url": "https://169.254.169.254/latest"}), "/url"),
            (json!({"url": "http://example.com/hook"}), "/url"),
            (
                json!({"url": "https://example.com", "types": ["message.received", "x"]}),
                "/types/1",
            ),
            (
                json!({"url": "https://example.com", "secret": "whsec_c2hvcnQ="}),
                "/secret",
            ),
            (json!({"url": "https://example.com", "after": 77}), "/after"),
        ];
        for (body, place) in cases {
            let refused = ground.post(&key, "/hooks", &body).await;
            assert_eq!(
                (refused.status, refused.problem()),
                (422, "invalid"),
                "{body}"
            );
            assert_eq!(refused.body["errors"][0]["pointer"], place, "{refused:?}");
        }
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_secret_signs_beside_the_new_one_until_the_overlap_is_over() {
    for_each_database(async |database| {
        let ground = ground(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        let receiver = Receiver::start().await;
        let hook = hook(&ground, &key, &receiver, &["conversation.woke"]).await;
        let rotate = format!("/hooks/{hook}/rotate");
        let rotated = ground
            .post(&key, &rotate, &json!({"overlap_seconds": 3600}))
            .await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(rotated.header("cache-control"), "no-store");
        let new = rotated.body["secret"]
            .as_str()
            .expect("shown once")
            .to_owned();
        let until = ground
            .clock
            .now()
            .plus(Duration::from_secs(3600))
            .to_string();
        assert_eq!(
            field(&ground, &key, &hook, "old_secret_until").await,
            json!(until)
        );
        // The endpoint does not know the new one yet; then it does.
        happen(&ground, tenant, 1, 1).await;
        assert_eq!(receiver.until_taken([2]).await[0].signatures, 2);
        receiver.knows(&new);
        happen(&ground, tenant, 1, 1).await;
        assert_eq!(receiver.until_taken([3]).await[1].signatures, 2);
        ground.clock.advance(Duration::from_secs(3600));
        happen(&ground, tenant, 1, 1).await;
        assert_eq!(receiver.until_taken([4]).await[2].signatures, 1);
        // One of the tenant's own, with no overlap; and one that was leaked is replaced at once, whatever signs beside it.
        let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let rotation = json!({"overlap_seconds": 0, "secret": own});
        assert_eq!(ground.post(&key, &rotate, &rotation).await.status, 200);
        receiver.knows(own);
        happen(&ground, tenant, 1, 1).await;
        assert_eq!(receiver.until_taken([5]).await[3].signatures, 1);
        assert_eq!(
            ground
                .post(&key, &rotate, &json!({"overlap_seconds": 3600}))
                .await
                .status,
            200
        );
        let change = json!({"secret": own});
        assert_eq!(
            ground
                .patch(&key, &format!("/hooks/{hook}"), "*", &change)
                .await
                .status,
            200
        );
        assert_eq!(
            field(&ground, &key, &hook, "old_secret_until").await,
            json!(null)
        );
        happen(&ground, tenant, 1, 1).await;
        assert_eq!(receiver.until_taken([6]).await[4].signatures, 1);
        for (rotation, at) in [
            (json!({"overlap_seconds": 2_592_001}), "/overlap_seconds"),
            (
                json!({"overlap_seconds": 0, "secret": "hunter2"}),
                "/secret",
            ),
        ] {
            let wrong = ground.post(&key, &rotate, &rotation).await;
            assert_eq!(wrong.status, 422);
            assert!(wrong.wrong()[0].starts_with(at), "{wrong:?}");
        }
        ground.end().await;
    })
    .await;
}
