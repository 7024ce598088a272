//! Server-sent events: whoever was cut and comes again ends with the same state as whoever starts anew.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vestibule::domain::{Clock, ConversationId, StreamEvent, StreamKind, TenantId};
use vestibule_tests::{Deployment, for_each_database, until};

use super::{business, everything, until_numbered};
use crate::api::Ground;

const EVENTS: i64 = 500;

/// What an inbox keeps of a conversation: who did the last thing to it.
type State = BTreeMap<String, (String, String)>;

fn learn(state: &mut State, event: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = text(&event["data"]["conversation"]["id"]);
    state.insert(id, (text(&event["type"]), text(&event["data"]["by"])));
}

/// Things happen to fifty conversations, some in one transaction, some alone.
async fn happen(ground: &Ground, tenant: TenantId, events: i64) {
    let kinds = [
        StreamKind::ConversationClosed,
        StreamKind::ConversationReopened,
        StreamKind::ConversationWoke,
    ];
    let now = ground.clock.now();
    let mut n = 0;
    while n < events {
        let mut tx = ground.setup().db.begin().await.expect("a transaction");
        for _ in 0..=n % 7 {
            let kind = kinds[usize::try_from(n % 3).expect("small")];
            let conversation = ConversationId::from_raw(n % 50 + 1);
            let event = StreamEvent::new(tenant, conversation, kind, now);
            tx.tell(event.noting(format!("somebody {n}")));
            n += 1;
            if n == events {
                break;
            }
        }
        tx.commit().await.expect("a commit");
    }
}

/// One connection of an `EventSource`.
struct Connection {
    response: reqwest::Response,
    text: String,
}

impl Connection {
    async fn open(ground: &Ground, key: &str, last: i64) -> Self {
        let request = ground.request("GET", "/api/v1/events/stream", key);
        let request = request.header("last-event-id", last.to_string());
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let text = String::new();
        Self { response, text }
    }

    /// The next event, comments passed over.
    async fn next(&mut self) -> (i64, Value) {
        loop {
            if let Some(event) = event(&self.block().await) {
                return event;
            }
        }
    }

    /// What comes next: an event or a comment.
    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return block;
            }
            let chunk = self.response.chunk().await.expect("the stream goes on");
            let chunk = chunk.expect("the stream does not end");
            self.text += std::str::from_utf8(&chunk).expect("text");
        }
    }
}

fn event(block: &str) -> Option<(i64, Value)> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let id = field("id: ")?.parse().expect("a number");
    let data = serde_json::from_str(field("data: ")?).expect("JSON");
    Some((id, data))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_again_and_again_ends_with_the_state_of_a_fresh_one() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        // The conversation that was opened for the business is the first.
        until_numbered(&ground, &key, 1).await;
        let all = usize::try_from(EVENTS).expect("small") + 1;
        let follower = async {
            let (mut last, mut state, mut cuts) = (1, State::new(), 0);
            while last < EVENTS + 1 {
                let mut connection = Connection::open(&ground, &key, last).await;
                // Cut by events: after 1, 8, 15 … of them, in the middle of what was sent at once.
                for _ in 0..=(cuts * 7) {
                    let (seq, event) = connection.next().await;
                    assert_eq!(seq, last + 1, "nothing is missing and nothing comes twice");
                    learn(&mut state, &event);
                    last = seq;
                    if last == EVENTS + 1 {
                        break;
                    }
                }
                cuts += 1;
            }
            (state, cuts)
        };
        let ((state, cuts), ()) = tokio::join!(follower, happen(&ground, tenant, EVENTS));
        assert!(cuts > 5, "it was cut {cuts} times only");
        let fresh = until_numbered(&ground, &key, all).await;
        let mut expected = State::new();
        fresh[1..]
            .iter()
            .for_each(|event| learn(&mut expected, event));
        assert_eq!(state, expected);
        assert_eq!(fresh.len(), all);
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_for_ten_minutes_of_500_events_ends_as_a_fresh_one() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        until_numbered(&ground, &key, 1).await;
        let mut cut = Connection::open(&ground, &key, 0).await;
        let mut state = State::new();
        let (last, first) = cut.next().await;
        learn(&mut state, &first);
        drop(cut);
        for _ in 0..10 {
            ground.clock.advance(std::time::Duration::from_secs(60));
            happen(&ground, tenant, EVENTS / 10).await;
        }
        until_numbered(&ground, &key, 501).await;
        let follow = async |from: i64, mut state: State| {
            let mut connection = Connection::open(&ground, &key, from).await;
            for expected in from + 1..=EVENTS + 1 {
                let (seq, event) = connection.next().await;
                assert_eq!(seq, expected, "nothing is missing and nothing comes twice");
                learn(&mut state, &event);
            }
            state
        };
        let resumed = follow(last, state).await;
        assert_eq!(resumed, follow(0, State::new()).await);
        assert!(resumed.len() > 40, "many conversations are in it");
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_says_that_it_is_there_and_then_what_happens() {
    for_each_database(async |database| {
        let often = |deployment: Deployment| deployment.with("api.event_heartbeat", "20ms");
        let ground = Ground::with(&database, often).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        until_numbered(&ground, &key, 1).await;
        let mut connection = Connection::open(&ground, &key, 1).await;
        assert_eq!(connection.block().await, ": following");
        for _ in 0..3 {
            assert_eq!(connection.block().await, ": still here");
        }
        happen(&ground, tenant, 1).await;
        assert_eq!(connection.next().await.0, 2);
        assert_eq!(connection.block().await, ": still here");
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_too_many_is_refused_until_another_ends() {
    for_each_database(async |database| {
        let two = |deployment: Deployment| {
            deployment
                .with("api.event_streams", "2")
                .with("api.event_heartbeat", "20ms")
                .with("api.requests_per_minute", "60000")
        };
        let ground = Ground::with(&database, two).await;
        let (_, key, _) = business(&ground, "acme", 0).await;
        let first = Connection::open(&ground, &key, 0).await;
        let second = Connection::open(&ground, &key, 0).await;
        let third = ground.get(&key, "/events/stream").await;
        assert_eq!((third.status, third.problem()), (503, "full"), "{third:?}");
        assert_eq!(third.header("retry-after"), "10");
        // Pages are for everybody still.
        assert_eq!(ground.get(&key, "/events").await.status, 200);
        drop(first);
        until("the place of the one that ended is free", async || {
            let again = ground.get(&key, "/events/stream").await;
            (again.status == 200).then_some(())
        })
        .await;
        drop(second);
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_took_is_told_and_types_can_be_chosen() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (tenant, key, _) = business(&ground, "acme", 0).await;
        until_numbered(&ground, &key, 1).await;
        let mut tx = ground.setup().db.begin().await.expect("a transaction");
        for kind in [
            StreamKind::ConversationClosed,
            StreamKind::ConversationReopened,
        ] {
            let conversation = ConversationId::from_raw(1);
            tx.tell(StreamEvent::new(
                tenant,
                conversation,
                kind,
                ground.clock.now(),
            ));
        }
        tx.commit().await.expect("a commit");
        until_numbered(&ground, &key, 3).await;
        let page = ground
            .get(&key, "/events?types=conversation.reopened")
            .await;
        assert_eq!(page.body["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(page.body["items"][0]["seq"], 3);
        assert_eq!(page.body["position"], 3);
        let wrong = ground.get(&key, "/events?types=nothing").await;
        assert_eq!((wrong.status, wrong.problem()), (400, "bad_parameter"));
        database
            .execute("DELETE FROM stream_block WHERE first_seq = 1")
            .await;
        for path in ["/events?after=0", "/events/stream?after=0"] {
            let gone = ground.get(&key, path).await;
            assert_eq!(
                (gone.status, gone.problem()),
                (410, "events_gone"),
                "{path}"
            );
        }
        let whole = everything_left(&ground, &key).await;
        assert_eq!(whole, [2, 3]);
        assert_eq!(
            ground.get(&key, "/events?after=1").await.body["items"][0]["seq"],
            2
        );
        let end = ground.get(&key, "/events?after=3").await;
        assert_eq!(end.body, json!({"items": [], "position": 3}));
        ground.end().await;
    })
    .await;
}

async fn everything_left(ground: &Ground, key: &str) -> Vec<i64> {
    let page = ground.get(key, "/events").await;
    let items = page.body["items"].as_array().expect("items").clone();
    items
        .iter()
        .filter_map(|event| event["seq"].as_i64())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_streams_of_their_own() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, one, first) = business(&ground, "acme", 0).await;
        let (_, two, second) = business(&ground, "bolt", 1).await;
        for (key, talk) in [(&one, &first), (&two, &second)] {
            let events = until_numbered(&ground, key, 1).await;
            assert_eq!(events.len(), 1);
            assert_eq!(events[0]["seq"], 1);
            assert_eq!(events[0]["data"]["conversation"]["id"], **talk);
        }
        assert_eq!(everything(&ground, &one).await.len(), 1);
        ground.end().await;
    })
    .await;
}
