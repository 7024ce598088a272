//! What an inbox shows: the history of a conversation in pages, what is queued, what is withdrawn.

use serde_json::{Value, json};
use vestibule_tests::for_each_database;

use super::business;
use crate::api::Ground;

async fn say(ground: &Ground, key: &str, talk: &str, text: &str) -> Value {
    let body = json!({"content": {"type": "text", "body": text}});
    let said = ground
        .post(key, &format!("/conversations/{talk}/messages"), &body)
        .await;
    assert_eq!(said.status, 201, "{said:?}");
    said.body
}

#[tokio::test]
async fn history_comes_in_pages_newest_first_and_what_is_queued_can_be_withdrawn() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, key, talk) = business(&ground, "acme", 0).await;
        let first = say(&ground, &key, &talk, "message 0").await;
        assert_eq!(first["took_over"], true);
        assert_eq!(first["conversation"]["owner"]["kind"], "external");
        for n in 1..5 {
            assert_eq!(
                say(&ground, &key, &talk, &format!("message {n}")).await["took_over"],
                false
            );
        }
        let mut seen = Vec::new();
        let base = format!("/conversations/{talk}/history?limit=2");
        let mut path = base.clone();
        loop {
            let page = ground.get(&key, &path).await;
            assert_eq!(page.status, 200, "{page:?}");
            for entry in page.body["items"].as_array().expect("items") {
                seen.push(match entry["out"]["content"]["body"].as_str() {
                    Some(text) => text.to_owned(),
                    None => format!("{} by {}", entry["owner"]["reason"], entry["owner"]["by"]),
                });
            }
            match page.body["next_cursor"].as_str() {
                Some(cursor) => path = format!("{base}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(
            seen,
            [
                "message 4",
                "message 3",
                "message 2",
                "message 1",
                "message 0",
                // That a human wrote is what took it over.
                "\"human_message\" by \"a key of the tests\""
            ]
        );
        let id = first["message"]["id"].as_str().expect("an id");
        let one = ground.get(&key, &format!("/messages/{id}")).await;
        assert_eq!(one.body["sender"]["by"], "api_key");
        let open = ground.get(&key, "/messages").await;
        let listed = open.body["items"].as_array().expect("items").len();
        assert!(listed <= 5);
        assert_eq!(
            ground.get(&key, "/messages?state=doubted").await.status,
            200
        );
        assert_eq!(
            ground.get(&key, "/messages?state=lost").await.problem(),
            "bad_parameter"
        );
        // Meta cannot be reached here: the last one still waits behind the first, or was never begun.
        let last = open.body["items"][0]["id"].as_str().expect("an id");
        let path = format!("/messages/{last}/cancel");
        let withdrawn = ground.post(&key, &path, &json!({})).await;
        assert_eq!(withdrawn.status, 200, "{withdrawn:?}");
        assert_eq!(withdrawn.body["state"], "cancelled");
        let again = ground.post(&key, &path, &json!({})).await;
        assert_eq!((again.status, again.problem()), (409, "not_queued"));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn changes_of_owner_stand_in_the_history_where_they_happened() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, key, talk) = business(&ground, "acme", 0).await;
        let act = async |verb: &str, body: Value| {
            let path = format!("/conversations/{talk}/{verb}");
            let done = ground.post(&key, &path, &body).await;
            assert_eq!(done.status, 200, "{done:?}");
        };
        let queue = json!({"to": "queue", "name": "sales", "note": "wants a quote"});
        act("assign", queue).await;
        say(&ground, &key, &talk, "One moment.").await;
        act("hand_back", json!({})).await;
        act("take_over", json!({})).await;
        say(&ground, &key, &talk, "I am back.").await;
        act("close", json!({})).await;
        // One at a time: a page may end with either kind of entry.
        let (mut seen, base) = (Vec::new(), format!("/conversations/{talk}/history?limit=1"));
        let mut path = base.clone();
        loop {
            let page = ground.get(&key, &path).await.body;
            let entry = &page["items"][0];
            seen.push(match entry["out"]["content"]["body"].as_str() {
                Some(text) => text.to_owned(),
                None => format!(
                    "{}: {} → {}",
                    entry["owner"]["reason"],
                    entry["owner"]["from"]["kind"],
                    entry["owner"]["to"]["kind"]
                ),
            });
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("{base}&cursor={cursor}"),
                None => break,
            }
        }
        let seen: Vec<String> = seen
            .iter()
            .rev()
            .map(|entry| entry.replace('"', ""))
            .collect();
        assert_eq!(
            seen,
            [
                "assigned: bot → queue",
                "human_message: queue → external",
                "One moment.",
                "hand_back: external → bot",
                "take_over: bot → external",
                "I am back.",
                "closed: external → bot",
            ]
        );
        let whole = ground
            .get(&key, &format!("/conversations/{talk}/history"))
            .await
            .body;
        assert_eq!(whole["items"][6]["owner"]["note"], "wants a quote");
        assert_eq!(whole["items"][6]["owner"]["owner_version"], 1);
        ground.end().await;
    })
    .await;
}
