//! One event, one effect: what is old, what is doubled, and what no turn acts on (promise 2).

use serde_json::{Value, json};
use vestibule_tests::for_each_database;

use super::desk::{Desk, NUMBERS, body, from, text};
use super::sends::{CUSTOMER, only_conversation, opened};

const DAY: u64 = 86_400;

#[tokio::test]
async fn an_event_from_before_we_know_events_is_stored_and_starts_no_turn() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let say = |wamid, secs_ago| text(wamid, Some(CUSTOMER), None, desk.ago(secs_ago), "hello");
        let heard = desk
            .hear(&[say("wamid.OLD", 31 * DAY), say("wamid.NEW", 29 * DAY)])
            .await;
        let heard: Vec<(&str, i64)> = heard.iter().map(|e| (e.wamid.as_str(), e.seq)).collect();
        assert_eq!(heard, [("wamid.NEW", 1)]);
        let stale = "SELECT COUNT(*) FROM inbound_event WHERE kind = 2 AND state = 2 AND seq = 0";
        assert_eq!(database.count(stale).await, 1);
        let conversation = only_conversation(&desk, &database).await;
        assert_eq!(conversation.next_seq, 2);
        assert_eq!(
            conversation.last_inbound_at,
            Some(desk.at(desk.ago(29 * DAY)))
        );
    })
    .await;
}

#[tokio::test]
async fn an_event_counts_once_however_often_and_in_whatever_company_it_comes() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let at = desk.ago(60);
        let say = |wamid| text(wamid, Some(CUSTOMER), None, at, "hello");
        let notice = || json!({ "errors": [{ "code": 131_000, "title": "x" }] });
        let posts: [&[Value]; 4] = [
            &[say("wamid.A"), say("wamid.A"), notice()],
            &[say("wamid.A")],
            &[say("wamid.B"), say("wamid.A"), notice()],
            &[say("wamid.B"), say("wamid.C")],
        ];
        let mut heard = Vec::new();
        for post in posts {
            heard.extend(desk.hear(post).await);
        }
        let heard: Vec<(&str, i64)> = heard.iter().map(|e| (e.wamid.as_str(), e.seq)).collect();
        assert_eq!(heard, [("wamid.A", 1), ("wamid.B", 2), ("wamid.C", 3)]);
        let kept =
            "SELECT COUNT(*) FROM inbound_event WHERE kind = 9 AND content = 'messages.errors'";
        assert_eq!(database.count(kept).await, 1);
        // The same wamid at another number is another message.
        assert_eq!(
            desk.post_by(1, &body(NUMBERS[1], &[say("wamid.A")])).await,
            200
        );
        assert_eq!(desk.attach().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_of_an_unknown_type_gets_its_turn_and_opens_the_window() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        opened(&desk, &database).await;
        let element = json!({ "type": "hologram", "hologram": { "id": "1" } });
        let at = desk.ago(10);
        let heard = desk
            .hear(&[from("wamid.H", Some(CUSTOMER), None, at, element)])
            .await;
        assert_eq!(heard.len(), 1);
        let conversation = only_conversation(&desk, &database).await;
        assert_eq!(conversation.last_inbound_at, Some(desk.at(at)));
    })
    .await;
}

#[tokio::test]
async fn a_thousand_people_in_one_post_get_a_conversation_each() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let at = desk.ago(60);
        let say = |n: usize, round: &str| {
            text(
                &format!("wamid.{round}.{n}"),
                Some(&format!("4477009{n:05}")),
                None,
                at,
                "hi",
            )
        };
        for round in ["first", "again"] {
            let all: Vec<Value> = (0..1_000).map(|n| say(n, round)).collect();
            assert_eq!(desk.hear(&all).await.len(), 1_000);
        }
        let twice = "SELECT COUNT(*) FROM conversation WHERE next_seq = 3";
        assert_eq!(database.count(twice).await, 1_000);
    })
    .await;
}
