//! The same over the API: opt-ins with evidence, what policy makes of them, topics, files, imports.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vestibule::access::Role;
use vestibule_tests::{for_each_database, until};

use crate::api::Ground;
use crate::api::ground::answer;

/// A tenant of the ledger with a number, a contact and a conversation; answers key, contact, conversation.
pub(super) async fn shop(ground: &Ground) -> (String, String, String) {
    let tenant = ground.tenant_set("shop", "{}").await;
    let key = ground.key(tenant, Role::TenantAdmin).await;
    let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
    ground.post(&ground.operator, "/apps", &app).await;
    let credential = json!({"name": "main", "token": "EAAG"});
    let credential = ground.post(&key, "/credentials", &credential).await.id();
    let number = json!({"credential": credential, "waba_id": "1", "phone_number_id": "2", "display_number": "+4915112345678"});
    let number = ground.post(&key, "/numbers", &number).await.id();
    let contact = json!({"phone": "+49 151 5550001", "name": "Ada"});
    let contact = ground.post(&key, "/contacts", &contact).await.id();
    let talk = crate::events::talk(ground, tenant, &number, &contact).await;
    (key, contact, talk)
}

fn template(class: &str, topic: Option<&str>) -> Value {
    let mut content = json!({"type": "template", "name": "news", "language": "en"});
    if let Some(topic) = topic {
        content["topic"] = topic.into();
    }
    json!({"content": content, "class": class})
}

#[tokio::test]
async fn who_agreed_to_it_is_written_to_first_and_nobody_else() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (key, contact, talk) = shop(&ground).await;
        let (said, records) = (format!("/conversations/{talk}/messages"), format!("/contacts/{contact}/consents"));
        let reason = async |class: &str, topic: Option<&str>| {
            let sent = ground.post(&key, &said, &template(class, topic)).await;
            match sent.status {
                200..300 => "sent".to_owned(),
                _ => sent.body["refusal"]["reason"].as_str().unwrap_or("?").to_owned(),
            }
        };
        assert_eq!(reason("marketing", None).await, "no_opt_in");
        assert_eq!(reason("utility", None).await, "no_opt_in");
        assert_eq!(reason("authentication", None).await, "sent");
        assert_eq!(reason("marketing", Some("news")).await, "topic_unknown");
        let topic = json!({"name": "news", "title": "News of the shop"});
        assert_eq!(ground.post(&key, "/consent_topics", &topic).await.status, 201);
        assert_eq!(ground.post(&key, "/consent_topics", &topic).await.status, 409);
        assert_eq!(ground.get(&key, "/consent_topics").await.body["items"][0]["name"], "news");
        let wording = json!({"text": "Yes, write to me.", "version": "3", "language": "en"});
        let opt_in = |scope: &str| json!({"scope": scope, "status": "given", "channel": "form", "wording": wording,
            "source": "https://shop.example/join", "address": "203.0.113.9", "proof": {"form": "f-1"}});
        assert_eq!(ground.post(&key, &records, &opt_in("topic:news")).await.status, 201);
        until("the topic is known where messages are decided", async || {
            (reason("marketing", Some("news")).await == "sent").then_some(())
        })
        .await;
        assert_eq!(reason("marketing", None).await, "no_opt_in");
        assert_eq!(ground.post(&key, &records, &opt_in("utility")).await.status, 201);
        assert_eq!(reason("utility", None).await, "sent");
        let out = json!({"scope": "topic:news", "status": "withdrawn", "channel": "agent"});
        assert_eq!(ground.post(&key, &records, &out).await.status, 201);
        assert_eq!(reason("marketing", Some("news")).await, "opted_out_topic");
        let list = ground.get(&key, &format!("{records}?limit=2")).await.body;
        assert_eq!(list["items"][0]["status"], "withdrawn");
        assert_eq!(list["items"][1]["wording"]["text"], "Yes, write to me.");
        assert_eq!(list["items"][1]["subject"], "491515550001");
        let next = list["next_cursor"].as_str().expect("more");
        let rest = ground.get(&key, &format!("{records}?limit=2&cursor={next}")).await.body;
        assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_statement_is_said_and_nothing_is_recorded() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (key, contact, _) = shop(&ground).await;
        let path = format!("/contacts/{contact}/consents");
        let bad = json!({"scope": "topic:nothing", "status": "given", "channel": "form", "at": "2999-01-01T00:00:00Z",
            "proof": {"x": "y".repeat(9000)}});
        let refused = ground.post(&key, &path, &bad).await;
        assert_eq!(refused.status, 422);
        assert_eq!(
            refused.wrong(),
            [
                "/scope: names a topic that the tenant does not have",
                "/at: lies in the future",
                "/wording: must say what the person was shown: it is the proof",
                "/proof: must have at most 8192 bytes",
            ]
        );
        let words = json!({"scope": "replies", "status": "maybe", "channel": "meta"});
        assert_eq!(ground.post(&key, &path, &words).await.status, 422);
        let theirs = json!({"scope": "all", "status": "given", "channel": "keyword"});
        assert_eq!(
            ground.post(&key, &path, &theirs).await.wrong(),
            ["/channel: must be form, checkout, agent, import, api or block_list"]
        );
        assert_eq!(ground.get(&key, &path).await.body["items"], json!([]));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_refused_by_its_head_is_not_asked_for_and_its_key_stays_free() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (key, _, _) = shop(&ground).await;
        let list = "phone,scope,at\n+4915155000001,all,2026-01-01T00:00:00Z\n";
        let mut line = TcpStream::connect(ground.node.api).await.expect("a connection");
        let head = format!(
            "POST /api/v1/consents/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nidempotency-key: one\r\n\
             content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            list.len()
        );
        line.write_all(head.as_bytes()).await.expect("a head");
        let mut refused = String::new();
        line.read_to_string(&mut refused).await.expect("an answer, and the end");
        assert!(refused.starts_with("HTTP/1.1 415"), "{refused}");
        let again = ground.request("POST", "/api/v1/consents/import", &key);
        let again = again.header("idempotency-key", "one").header("content-type", "text/csv");
        let again = answer(again.body(list)).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (202, ""));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_sent_again_with_its_key_is_imported_once() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (key, _, _) = shop(&ground).await;
        let import = async |kind: &str, list: &str| {
            let request = ground.request("POST", "/api/v1/consents/import", &key);
            let request = request.header("idempotency-key", kind);
            answer(request.header("content-type", kind).body(list.to_owned())).await
        };
        // Longer than what arrives at once.
        let row = |n: u32| format!("+4915155{n:06},all,2026-01-01T00:00:00Z\n");
        let rows: String = (0..20_000).map(row).collect();
        let list = format!("phone,scope,at\n{rows}");
        let first = import("text/csv", &list).await;
        assert_eq!(first.status, 202, "{first:?}");
        let again = import("text/csv", &list).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((again.status, &again.body), (202, &first.body));
        let other = import("text/csv", &list.replace("all", "replies")).await;
        assert_eq!(
            (other.status, other.problem()),
            (422, "idempotency_key_reused")
        );
        // Refused by its head: it is known again all the same.
        assert_eq!(import("application/json", &list).await.status, 415);
        let again = import("application/json", &list).await;
        assert_eq!(
            (again.status, again.header("idempotency-replayed")),
            (415, "true")
        );
        let jobs = "SELECT COUNT(*) FROM job WHERE kind = 'consents.import'";
        assert_eq!(database.count(jobs).await, 1);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_is_imported_a_file_is_made_and_a_person_is_erased() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (key, contact, _) = shop(&ground).await;
        let import = async |kind: &str, list: &str| {
            let request = ground.request("POST", "/api/v1/consents/import", &key);
            answer(request.header("content-type", kind).body(list.to_owned())).await
        };
        let done = async |job: String| {
            until("the job is over", async || {
                let job = ground.get(&key, &format!("/jobs/{job}")).await.body;
                (job["state"] == "done").then_some(job)
            })
            .await
        };
        assert_eq!(import("application/json", "[]").await.status, 415);
        let wrong = import("text/csv", "phone,scope,at,colour\n1,2,3,4\n").await;
        assert!(wrong.wrong()[0].contains("`colour`"), "{wrong:?}");
        let list =
            "phone,scope,at\n+491515550001,all,2026-01-01T00:00:00Z\nx,all,2026-01-01T00:00:00Z\n";
        let begun = import("text/csv; charset=utf-8", list).await;
        assert_eq!(begun.status, 202);
        let over = done(begun.id()).await;
        assert_eq!(
            (&over["rejected"], &over["result"]["recorded"]),
            (&json!(1), &json!(1))
        );
        let file = ground
            .get(&key, &format!("/contacts/{contact}/consent_file"))
            .await;
        assert_eq!(file.body["records"][0]["channel"], "import");
        assert_eq!(file.body["contact"]["known_by"][0]["value"], "491515550001");
        let path = format!("/api/v1/contacts/{contact}/consent_file?format=html");
        let page = ground
            .request("GET", &path, &key)
            .send()
            .await
            .expect("an answer");
        assert!(
            page.headers()["content-type"]
                .to_str()
                .is_ok_and(|kind| kind.starts_with("text/html"))
        );
        assert!(page.text().await.expect("a page").contains("491515550001"));
        let erased = ground
            .post(&key, &format!("/contacts/{contact}/erase"), &json!({}))
            .await;
        assert_eq!(erased.status, 202);
        done(erased.id()).await;
        let list = ground
            .get(&key, &format!("/contacts/{contact}/consents"))
            .await
            .body;
        assert_eq!(list["items"][0]["status"], "erased");
        assert_eq!(
            (&list["items"][1]["erased"], &list["items"][1]["subject"]),
            (&json!(true), &Value::Null)
        );
        let verified = ground
            .post(&key, "/consents/verifications", &json!({}))
            .await;
        assert_eq!(done(verified.id()).await["result"]["intact"], true);
        ground.end().await;
    })
    .await;
}
