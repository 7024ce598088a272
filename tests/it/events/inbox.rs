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
                seen.push(
                    entry["out"]["content"]["body"]
                        .as_str()
                        .expect("a text")
                        .to_owned(),
                );
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
                "message 0"
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
