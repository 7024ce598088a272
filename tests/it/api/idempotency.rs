//! POSTs that are sent again: the change and its answer are kept together, or neither is.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_tests::{Deployment, GatewayProcess, Kind, Program, TestDatabase, for_each_database};

use super::Ground;
use super::ground::{Answer, answer};
use super::matrix::{self, Route, routes};

#[tokio::test]
async fn a_post_that_is_sent_again_changes_nothing_and_gets_the_same_answer() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let post = async |item: &str, body: serde_json::Value| {
            let request = ground.request("POST", "/api/v1/keys", &ground.operator);
            answer(request.header("idempotency-key", item).json(&body)).await
        };
        let body = json!({"name": "CRM", "role": "operator"});
        let first = post("one", body.clone()).await;
        let again = post("one", body.clone()).await;
        assert_eq!(first.status, 201);
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("content-type"), first.header("content-type"));
        let other = post("one", json!({"name": "other", "role": "operator"})).await;
        assert_eq!(
            (other.status, other.problem()),
            (422, "idempotency_key_reused")
        );
        let refused = post("two", json!({"name": "CRM"})).await;
        assert_eq!(refused.status, 422);
        assert_eq!(post("two", json!({"name": "CRM"})).await.body, refused.body);
        assert_eq!(post("", body.clone()).await.status, 400);
        ground.clock.advance(Duration::from_secs(86_401));
        assert_ne!(post("one", body).await.body["id"], first.body["id"]);
        // The answer shows a secret: it must not lie open in the database.
        let secret = first.body["secret"].as_str().expect("shown once");
        let kept = database.texts("SELECT item FROM idempotency").await;
        assert!(!kept.is_empty() && !secret.is_empty());
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_signature_makes_another_request_of_the_same_bytes() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let upload = async |signature: Option<&str>| {
            let request = ground.request("POST", "/api/v1/plugins", &ground.operator);
            let request = request.header("idempotency-key", "one");
            let request = request.header("content-type", "application/wasm");
            let request = match signature {
                Some(signature) => request.header("vestibule-signature", signature),
                None => request,
            };
            answer(request.body("no component")).await
        };
        let first = upload(None).await;
        assert_eq!((first.status, first.problem()), (422, "invalid"));
        let signed = upload(Some("acme:AAAA")).await;
        let reused = (422, "idempotency_key_reused");
        assert_eq!((signed.status, signed.problem()), reused, "{signed:?}");
        let again = upload(None).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, first.body);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn another_content_type_makes_another_request_of_the_same_bytes() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let post = async |kind: &str| {
            let request = ground.request("POST", "/api/v1/keys", &ground.operator);
            let request = request.header("idempotency-key", "one");
            let request = request.header("content-type", kind);
            answer(request.body(r#"{"name": "CRM", "role": "operator"}"#)).await
        };
        let refused = post("text/plain").await;
        assert_eq!((refused.status, refused.problem()), (415, "not_json"));
        let other = post("application/json").await;
        let reused = (422, "idempotency_key_reused");
        assert_eq!((other.status, other.problem()), reused, "{other:?}");
        let again = post("Text/Plain; charset=utf-8").await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, refused.body);
        ground.end().await;
    })
    .await;
}

/// From now on no answer can be written down: what a crash between the change and its answer is to the next node.
async fn break_answers(database: &TestDatabase) {
    let broken = match database.kind {
        Kind::Sqlite => {
            "CREATE TRIGGER broken BEFORE INSERT ON idempotency BEGIN SELECT RAISE(ABORT, 'broken'); END"
        }
        Kind::Postgres => {
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
             CREATE TRIGGER broken BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION broken()"
        }
    };
    database.execute(broken).await;
}

async fn mend_answers(database: &TestDatabase) {
    let mended = match database.kind {
        Kind::Sqlite => "DROP TRIGGER broken",
        Kind::Postgres => "DROP TRIGGER broken ON idempotency",
    };
    database.execute(mended).await;
}

/// What these change is Meta's first, which no transaction takes back: sent again, Meta says that it is there. And whom
/// the first of them erases the others need.
const LEFT_OUT: [&str; 3] = ["consents.erase", "templates.copy", "templates.create"];

const REFUSED: [&str; 7] = [
    "consent_pages.put",
    "consents.import",
    "jobs.resume",
    "media.upload",
    "messages.cancel",
    "plugin_keys.add",
    "plugins.upload",
];

/// Every route that takes the header, with an object of its own for each: what one does must not be in another's way.
#[tokio::test]
async fn no_post_changes_anything_when_its_answer_cannot_be_kept() {
    for_each_database(async |database| {
        let (ground, meta) = matrix::ground(&database).await;
        let (tenant, ids) = matrix::tenant_with_everything(&ground).await;
        // Only who wrote within 24 hours can be blocked (facts §6.10).
        let person = meta.customer("2", matrix::PERSON).expect("a customer");
        person.text("hi").expect("sent");
        let named = json!({"name": "Zenobia Quartermain"});
        let path = format!("/contacts/{}?tenant={tenant}", ids["contact"]);
        let named = ground.patch(&ground.operator, &path, "*", &named).await;
        assert_eq!(named.status, 200, "{named:?}");
        let ask = async |route: &Route| -> Answer {
            let query = match route.takes_tenant {
                true => format!("?tenant={tenant}"),
                false => String::new(),
            };
            let request = route.request(&ground, &ground.operator, &ids, &query);
            let request = match route.rule.operation {
                "numbers.create" => request.json(&json!({
                    "credential": ids["credential"], "waba_id": "1", "phone_number_id": "1",
                    "display_number": "+49 151 1234567"
                })),
                "blocks.block" | "blocks.unblock" => {
                    request.json(&json!({"contact": ids["contact"]}))
                }
                "contacts.import" => request.json(&json!({
                    "contacts": [{"external_id": "k-2", "name": "Zenobia Quartermain"}]
                })),
                // Nobody else's request is to meet it.
                "holds.place" => request.json(&json!({
                    "held": {"scope": "plugin", "plugin": "faq"}, "reason": "drill"
                })),
                "events.tell" => request.json(&json!({
                    "id": "e-1", "name": "payment.succeeded", "number": ids["number"],
                    "contact": {"phone": "+447700900999"}
                })),
                _ => request,
            };
            answer(request.header("idempotency-key", route.rule.operation)).await
        };
        let posts = routes().into_iter().filter(|route| route.method == "POST");
        let (left_out, posts): (Vec<Route>, Vec<Route>) =
            posts.partition(|route| LEFT_OUT.contains(&route.rule.operation));
        let audited = async || database.count("SELECT COUNT(*) FROM audit_entry").await;
        let before = audited().await;
        break_answers(&database).await;
        for route in &posts {
            let broken = ask(route).await;
            let what = route.rule.operation;
            assert_eq!((broken.status, broken.problem()), (500, "failed"), "{what}");
            assert_eq!(
                audited().await,
                before,
                "{what} was done, and cannot say so"
            );
        }
        mend_answers(&database).await;
        let mut refused = Vec::new();
        for route in &posts {
            let what = route.rule.operation;
            let first = ask(route).await;
            assert!(first.status < 500, "{what}: {first:?}");
            assert_eq!(first.header("idempotency-replayed"), "", "{what}");
            let changes = audited().await;
            let again = ask(route).await;
            assert_eq!(again.header("idempotency-replayed"), "true", "{what}");
            assert_eq!(
                (again.status, &again.body),
                (first.status, &first.body),
                "{what}"
            );
            assert_eq!(audited().await, changes, "{what} was done twice");
            if first.status >= 300 {
                refused.push(what);
            }
        }
        // The others are really done. These are no component, no form, no key, over already, or without what they need.
        assert_eq!(refused, REFUSED);
        // As all of them, these look at nothing more once their change waits for its answer (`storage/ending.rs`).
        for route in &left_out {
            let done = ask(route).await;
            assert!(done.status < 300, "{}: {done:?}", route.rule.operation);
        }
        // An erasure finds what the audit log says of a person by their ids and phones. It need not look for names: no
        // change writes one down.
        let names =
            "SELECT COUNT(*) FROM audit_entry WHERE was LIKE '%Zenobia%' OR became LIKE '%Zenobia%'
            OR object LIKE '%Zenobia%'";
        assert_eq!(database.count(names).await, 0);
        ground.end().await;
        meta.stop().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_posts_with_one_key_at_once_one_changes_something() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let body = json!({"name": "CRM", "role": "operator"});
        let post = || {
            let request = ground.request("POST", "/api/v1/keys", &ground.operator);
            answer(request.header("idempotency-key", "one").json(&body))
        };
        let answers = futures::future::join_all((0..8).map(|_| post())).await;
        let made: Vec<&Answer> = answers.iter().filter(|a| a.status == 201).collect();
        assert!(!made.is_empty());
        assert!(made.iter().all(|a| a.body == made[0].body));
        let refused = answers.iter().filter(|a| a.status != 201);
        for refused in refused {
            assert_eq!(
                (refused.status, refused.problem()),
                (409, "idempotency_under_way")
            );
            assert_eq!(refused.header("retry-after"), "1");
        }
        let keys = database
            .count("SELECT COUNT(*) FROM api_key WHERE name = 'CRM'")
            .await;
        assert_eq!(keys, 1);
        ground.end().await;
    })
    .await;
}

/// Two nodes know nothing of each other's requests: the database decides.
#[tokio::test]
async fn of_two_nodes_that_work_on_one_key_the_second_undoes_its_change() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let first = Ground::on(&database).await;
    let second = Ground::on(&database).await;
    for round in 0..10 {
        let item = format!("round {round}");
        let body = json!({"name": item, "role": "operator"});
        let post = |ground: &Ground| {
            let request = ground.request("POST", "/api/v1/keys", &first.operator);
            answer(request.header("idempotency-key", &item).json(&body))
        };
        let (one, other) = tokio::join!(post(&first), post(&second));
        assert_eq!((one.status, other.status), (201, 201), "{one:?} {other:?}");
        assert_eq!(one.body, other.body);
    }
    let keys = database
        .count("SELECT COUNT(*) FROM api_key WHERE name LIKE 'round %'")
        .await;
    assert_eq!(keys, 10);
    first.end().await;
    second.end().await;
}

/// Killed at any moment of a request, and asked again: the change is there once, and the client has its answer.
#[tokio::test]
async fn a_request_that_a_kill_cut_off_is_answered_when_it_is_sent_again() {
    for_each_database(async |database| {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        let made = ["key", "add", "--operator", "--json"];
        let made: Value =
            serde_json::from_str(&deployment.run("node", &made, &[]).await).expect("JSON");
        let key = made["key"].as_str().expect("shown once").to_owned();
        let mut node = deployment.start("node").await;
        let client = reqwest::Client::builder().build().expect("a client");
        let post = |node: &GatewayProcess, round: u64| {
            let name = format!("tenant {round}");
            let request = client.post(format!("http://{}/api/v1/tenants", node.http()));
            let request = request.bearer_auth(&key).header("idempotency-key", &name);
            request.json(&json!({"name": name}))
        };
        for round in 0..6 {
            // Somewhere between the first byte and the last: each round a little later.
            let until = Duration::from_micros(700 * round);
            let cut = tokio::time::timeout(until, post(&node, round).send()).await;
            node.restart(&deployment);
            node.wait_until_ready().await;
            let again = answer(post(&node, round)).await;
            assert_eq!(again.status, 201, "{cut:?}, then {again:?}");
            assert_eq!(again.body["name"], format!("tenant {round}"));
        }
        let tenants = database.count("SELECT COUNT(*) FROM tenant").await;
        assert_eq!(tenants, 6);
        assert!(node.terminate().await.success(), "{}", node.logs());
    })
    .await;
}

#[tokio::test]
async fn the_secret_in_a_kept_answer_is_sealed() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let request = ground.request("POST", "/api/v1/keys", &ground.operator);
        let body = json!({"name": "CRM", "role": "operator"});
        let made = answer(request.header("idempotency-key", "one").json(&body)).await;
        let secret = made.body["secret"].as_str().expect("shown once");
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let query = match database.kind {
            Kind::Sqlite => "SELECT lower(hex(response)) FROM idempotency",
            Kind::Postgres => "SELECT encode(response, 'hex') FROM idempotency",
        };
        let kept = database.texts(query).await;
        assert!(kept.len() == 1 && !kept[0].is_empty());
        assert!(!kept[0].contains(&hex), "the key lies open in the database");
        ground.end().await;
    })
    .await;
}
