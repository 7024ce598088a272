//! People take over, hand back, close and snooze, by the API; what happens by time happens by the gateway's clock.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::domain::Clock;
use vestibule_tests::{TestDatabase, for_each_database};

use super::{business, everything};
use crate::api::Ground;

async fn act(ground: &Ground, key: &str, talk: &str, verb: &str, body: Value) -> Value {
    let answer = ground
        .post(key, &format!("/conversations/{talk}/{verb}"), &body)
        .await;
    assert!(answer.status < 300, "{verb}: {answer:?}");
    answer.body
}

async fn kinds(ground: &Ground, key: &str, last: &str) -> Vec<String> {
    vestibule_tests::until("the last event has its number", async || {
        let all = everything(ground, key).await;
        let kinds: Vec<String> = all
            .iter()
            .map(|event| event["type"].as_str().expect("a type").to_owned())
            .collect();
        (kinds.last().map(String::as_str) == Some(last)).then_some(kinds)
    })
    .await
}

async fn quick(database: &TestDatabase) -> Ground {
    Ground::with(database, |deployment| {
        deployment.with("api.requests_per_minute", "60000")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_through_hands_and_every_change_is_told() {
    for_each_database(async |database| {
        let ground = quick(&database).await;
        let (tenant, admin, talk) = business(&ground, "acme", 0).await;
        let ana = ground.key(tenant, Role::Agent).await;
        let queued = json!({"to": "queue", "name": "sales", "note": "wants a quote"});
        let queued = act(&ground, &admin, &talk, "assign", queued).await;
        assert_eq!(queued["owner"], json!({"kind": "queue", "name": "sales"}));
        assert_eq!(queued["owner_version"], 1);
        let stale = json!({"owner_version": 0});
        let stale = ground.post(&ana, &format!("/conversations/{talk}/take_over"), &stale).await;
        assert_eq!((stale.status, stale.problem()), (409, "owner_changed"));
        let taken = act(&ground, &ana, &talk, "take_over", json!({"owner_version": 1})).await;
        assert_eq!(taken["owner"]["kind"], "agent");
        let people = ground.get(&admin, "/conversations?owner=people&state=open").await;
        assert_eq!(people.body["items"].as_array().map(Vec::len), Some(1));
        let bots = ground.get(&admin, "/conversations?owner=bot").await;
        assert_eq!(bots.body["items"], json!([]));
        let snoozed = json!({"until": ground.clock.now().plus(Duration::from_secs(3600)).to_string()});
        act(&ground, &ana, &talk, "snooze", snoozed).await;
        act(&ground, &ana, &talk, "wake", json!({})).await;
        let closed = act(&ground, &ana, &talk, "close", json!({})).await;
        assert_eq!(closed["owner"], json!({"kind": "bot", "name": null}));
        assert_eq!(closed["attributes"], json!({"vestibule.handed_back": "closed"}));
        act(&ground, &admin, &talk, "reopen", json!({})).await;
        // What is so already is no change.
        act(&ground, &admin, &talk, "reopen", json!({})).await;
        act(&ground, &admin, &talk, "hand_back", json!({})).await;
        let entries = ground.get(&admin, "/audit?limit=200").await;
        let entries = entries.body["items"].as_array().expect("items").clone();
        let closing = entries.iter().find(|entry| entry["action"] == "conversation.close");
        let closing = closing.expect("who closed it is written down");
        assert_eq!(closing["after"]["closed"], true, "{closing}");
        let told = kinds(&ground, &admin, "conversation.reopened").await;
        assert_eq!(
            told,
            [
                "conversation.opened",
                "conversation.queued",
                "conversation.assigned",
                "conversation.snoozed",
                "conversation.woke",
                "conversation.handed_back",
                "conversation.closed",
                "conversation.reopened",
            ]
        );
        let handover = &everything(&ground, &admin).await[1]["data"];
        assert_eq!(handover["field"], "messaging_handovers");
        assert_eq!(handover["value"]["type"], "control_passed");
        assert_eq!(
            handover["value"]["object"],
            json!({"previous_owner_role": "ai_agent", "new_owner_role": "escalation", "metadata": "wants a quote"})
        );
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_falls_silent_gives_the_conversation_back() {
    for_each_database(async |database| {
        let ground = quick(&database).await;
        let (tenant, key, talk) = business(&ground, "acme", 0).await;
        let settings = json!({"settings": {"hand_back_after_minutes": 30}});
        let set = ground
            .patch(&key, &format!("/tenants/{tenant}"), "*", &settings)
            .await;
        assert_eq!(set.status, 200, "{set:?}");
        ground.node.directory.refresh().await.expect("setup reads");
        let half = Duration::from_secs(20 * 60);
        act(&ground, &key, &talk, "take_over", json!({})).await;
        ground.clock.advance(half);
        let say = json!({"content": {"type": "text", "body": "One moment."}});
        act(&ground, &key, &talk, "messages", say).await;
        // Forty minutes after the take-over, twenty after the last word.
        ground.clock.advance(half);
        let snooze = ground.clock.now().plus(Duration::from_secs(60)).to_string();
        act(&ground, &key, &talk, "snooze", json!({"until": snooze})).await;
        ground.clock.advance(Duration::from_secs(61));
        kinds(&ground, &key, "conversation.woke").await;
        let path = format!("/conversations/{talk}");
        assert_eq!(
            ground.get(&key, &path).await.body["owner"]["kind"],
            "external"
        );
        ground.clock.advance(half);
        kinds(&ground, &key, "conversation.handed_back").await;
        let back = ground.get(&key, &path).await.body;
        assert_eq!(back["owner"]["kind"], "bot");
        assert_eq!(back["attributes"]["vestibule.handed_back"], "timeout");
        assert_eq!(back["hand_back_at"], json!(null));
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_policy_refuses_changes_nothing_and_says_what_would_be_allowed() {
    for_each_database(async |database| {
        let ground = quick(&database).await;
        let (_, key, talk) = business(&ground, "acme", 0).await;
        let path = format!("/conversations/{talk}/messages");
        let long = json!({"content": {"type": "text", "body": "x".repeat(4097)}});
        let refused = ground.post(&key, &path, &long).await;
        assert_eq!((refused.status, refused.problem()), (409, "refused"));
        assert_eq!(refused.body["refusal"]["reason"], "content_too_long");
        assert_eq!(refused.body["refusal"]["meta_code"], 100);
        // The number is connected for long, and the person's last message is a day old.
        ground.clock.advance(Duration::from_secs(2 * 86_400));
        let late = json!({"content": {"type": "text", "body": "Hello again"}});
        let refused = ground.post(&key, &path, &late).await;
        assert_eq!(
            refused.body["refusal"]["reason"], "window_closed",
            "{refused:?}"
        );
        assert!(
            refused.body["refusal"]["allowed"].is_string(),
            "{refused:?}"
        );
        let instead = &refused.body["allowed"];
        assert_eq!(instead["window"], "closed");
        assert_eq!(instead["forms"][0]["reason"], "window_closed");
        assert_eq!(instead["forms"][1]["verdict"], "allowed");
        assert_eq!(instead["forms"][1]["price"], "utility");
        let asked = ground
            .get(&key, &format!("/conversations/{talk}/permission"))
            .await;
        assert_eq!(&asked.body, instead);
        let used = ground.get(&key, "/usage").await;
        assert_eq!(used.body["numbers"][0]["free"], 1000, "{used:?}");
        let now = ground
            .get(&key, &format!("/conversations/{talk}"))
            .await
            .body;
        assert_eq!(
            (&now["owner"]["kind"], &now["owner_version"]),
            (&json!("bot"), &json!(0))
        );
        assert_eq!(database.count("SELECT COUNT(*) FROM outbox").await, 0);
        let wrong = json!({"content": {"type": "songs"}});
        let wrong = ground.post(&key, &path, &wrong).await;
        assert_eq!((wrong.status, wrong.problem()), (422, "invalid"));
        ground.end().await;
    })
    .await;
}
