//! Taking things away: what others stand on is refused with what is left, what is history stays readable.

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule_tests::{Business, Deployment, Program, TestDatabase, for_each_database, until};

use super::Ground;
use super::ground::Answer;

/// A tenant with a number and a conversation in which something was said.
struct Place {
    tenant: String,
    key: String,
    app: String,
    credential: String,
    number: String,
    contact: String,
    talk: String,
    message: String,
}

const NUMBER: &str = "2001";

fn number_body(credential: &str) -> Value {
    json!({"credential": credential, "waba_id": "1", "phone_number_id": NUMBER, "display_number": "+4915112345678"})
}

async fn place(ground: &Ground) -> Place {
    let tenant = ground.tenant("acme").await;
    let key = ground.key(tenant, Role::TenantAdmin).await;
    let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
    let app = ground.post(&ground.operator, "/apps", &app).await.id();
    let credential = json!({"name": "main", "token": "EAAG"});
    let credential = ground.post(&key, "/credentials", &credential).await.id();
    let number = ground
        .post(&key, "/numbers", &number_body(&credential))
        .await
        .id();
    let contact = json!({"phone": "+49 151 5550001", "external_id": "c-1"});
    let contact = ground.post(&key, "/contacts", &contact).await.id();
    let talk = crate::events::talk(ground, tenant, &number, &contact).await;
    let say = json!({"content": {"type": "text", "body": "One moment."}});
    let said = ground
        .post(&key, &format!("/conversations/{talk}/messages"), &say)
        .await;
    let message = said.body["message"]["id"]
        .as_str()
        .expect("a message")
        .to_owned();
    Place {
        tenant: tenant.to_string(),
        key,
        app,
        credential,
        number,
        contact,
        talk,
        message,
    }
}

impl Place {
    /// The number is gone, with what was queued for it. What is on its way to a Graph that does not answer comes back first.
    async fn disconnect(&self, ground: &Ground) {
        let path = format!("/numbers/{}?cancel_queued=true", self.number);
        until("nothing is on its way", async || {
            let gone = ground.delete(&self.key, &path).await;
            assert!([204, 409].contains(&gone.status), "{gone:?}");
            (gone.status == 204).then_some(())
        })
        .await;
        ground.node.directory.refresh().await.expect("setup reads");
    }
}

fn refused(answer: &Answer) -> (u16, &str, &str) {
    let detail = answer.body["detail"].as_str().unwrap_or("");
    (answer.status, answer.problem(), detail)
}

#[tokio::test]
async fn what_stands_on_a_tenant_is_counted_to_the_last() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let place = place(&ground).await;
        let many = "INSERT INTO credential (id, tenant, name, token, created_at)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
            SELECT n.i, c.tenant, c.name || n.i, c.token, c.created_at FROM credential c CROSS JOIN n";
        database.execute(many).await;
        let tenant = format!("/tenants/{}", place.tenant);
        let answer = ground.delete(&ground.operator, &tenant).await;
        let why = "tenant `acme` still has numbers (1), credentials (1201)";
        assert_eq!(refused(&answer), (409, "in_use", why));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_goes_while_something_stands_on_it() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let place = place(&ground).await;
        let (operator, key) = (ground.operator.clone(), place.key.clone());
        let app = format!("/apps/{}", place.app);
        let credential = format!("/credentials/{}", place.credential);
        let tenant = format!("/tenants/{}", place.tenant);
        let answer = ground.delete(&operator, &app).await;
        let why = "app `1001` still has numbers (1)";
        assert_eq!(refused(&answer), (409, "in_use", why));
        let answer = ground.delete(&key, &credential).await;
        let why = "credential `main` still has numbers (1)";
        assert_eq!(refused(&answer), (409, "in_use", why));
        let hook = json!({"url": "https://example.com/hook"});
        let hook = ground.post(&key, "/hooks", &hook).await.id();
        let answer = ground.delete(&operator, &tenant).await;
        let why = "tenant `acme` still has numbers (1), credentials (1), hooks (1)";
        assert_eq!(refused(&answer), (409, "in_use", why));
        let answer = ground
            .delete(&key, &format!("/numbers/{}", place.number))
            .await;
        assert_eq!((answer.status, answer.problem()), (409, "in_use"));
        assert!(
            answer.body["detail"]
                .as_str()
                .is_some_and(|why| why.contains("sends")),
            "{answer:?}"
        );
        let odd = ground
            .delete(
                &key,
                &format!("/numbers/{}?cancel_queued=perhaps", place.number),
            )
            .await;
        assert_eq!((odd.status, odd.problem()), (400, "bad_parameter"));
        place.disconnect(&ground).await;
        assert_eq!(ground.delete(&operator, &app).await.status, 204);
        assert_eq!(ground.delete(&operator, &app).await.status, 404);
        assert_eq!(ground.delete(&key, &credential).await.status, 204);
        assert_eq!(ground.delete(&key, &credential).await.status, 404);
        assert_eq!(
            ground.delete(&key, &format!("/hooks/{hook}")).await.status,
            204
        );
        let actions = ground.get(&key, "/audit?limit=20").await;
        let actions: Vec<&Value> = actions.body["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|e| &e["action"])
            .collect();
        for action in ["number.delete", "credential.delete", "hook.delete"] {
            assert!(actions.contains(&&json!(action)), "{action}: {actions:?}");
        }
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn the_history_of_a_number_that_is_gone_stays_and_comes_back_with_it() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let place = place(&ground).await;
        let key = &place.key;
        let hold = json!({"held": {"scope": "number", "number": place.number}, "reason": "drill"});
        let hold = ground.post(key, "/holds", &hold).await.id();
        until("the owner's change has its number", async || {
            let events = ground.get(key, "/events?limit=200").await;
            events
                .body
                .to_string()
                .contains("conversation.assigned")
                .then_some(())
        })
        .await;
        place.disconnect(&ground).await;
        let message = ground
            .get(key, &format!("/messages/{}", place.message))
            .await;
        assert_eq!(message.body["state"], "cancelled");
        assert_eq!(message.body["reason"], "number_removed");
        assert_eq!(ground.get(key, &format!("/holds/{hold}")).await.status, 404);
        assert_eq!(ground.get(key, "/numbers").await.body["items"], json!([]));
        let number = format!("/numbers/{}", place.number);
        let gone = ground.get(key, &number).await;
        assert_eq!(
            (gone.status, &gone.body["phone_number_id"]),
            (200, &json!(NUMBER))
        );
        assert_ne!(gone.body["removed_at"], json!(null));
        let change = json!({"throughput": 10});
        assert_eq!(ground.patch(key, &number, "*", &change).await.status, 404);
        assert_eq!(ground.delete(key, &number).await.status, 404);
        let history = format!("/conversations/{}/history", place.talk);
        let history = ground.get(key, &history).await;
        assert!(
            history.body["items"].to_string().contains(&place.message),
            "{history:?}"
        );
        let say = json!({"content": {"type": "text", "body": "Hello?"}});
        let path = format!("/conversations/{}/messages", place.talk);
        let said = ground.post(key, &path, &say).await;
        assert_eq!(
            (said.status, said.problem()),
            (409, "cannot_send"),
            "{said:?}"
        );
        // What is told of its past still says whose number it was.
        let events = ground.get(key, "/events?limit=200").await.body["items"].clone();
        let mut events = events.as_array().expect("items").iter();
        let told = events
            .find(|event| event["type"] == "conversation.assigned")
            .expect("it was told");
        assert_eq!(
            told["data"]["value"]["recipient"]["phone_number_id"], NUMBER,
            "{told}"
        );
        let back = ground
            .post(key, "/numbers", &number_body(&place.credential))
            .await;
        assert_eq!(
            (back.status, back.id()),
            (201, place.number.clone()),
            "{back:?}"
        );
        assert_eq!(back.body["removed_at"], json!(null));
        ground.node.directory.refresh().await.expect("setup reads");
        assert_eq!(ground.post(key, &path, &say).await.status, 201);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn another_tenant_may_connect_a_number_that_was_let_go() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let place = place(&ground).await;
        place.disconnect(&ground).await;
        let other = ground.tenant("other").await;
        let other = ground.key(other, Role::TenantAdmin).await;
        let credential = json!({"name": "main", "token": "EAAG"});
        let credential = ground.post(&other, "/credentials", &credential).await.id();
        let taken = ground
            .post(&other, "/numbers", &number_body(&credential))
            .await;
        assert_eq!(taken.status, 201);
        assert_ne!(taken.id(), place.number, "its history is not theirs");
        assert_eq!(
            ground
                .get(&other, &format!("/numbers/{}", place.number))
                .await
                .status,
            404
        );
        let back = ground
            .post(&place.key, "/numbers", &number_body(&place.credential))
            .await;
        assert_eq!((back.status, back.problem()), (409, "exists"));
        // The refusal changed nothing.
        let gone = ground
            .get(&place.key, &format!("/numbers/{}", place.number))
            .await;
        assert_ne!(gone.body["removed_at"], json!(null));
        ground.end().await;
    })
    .await;
}

/// A message that was attached by a node that had not heard yet.
async fn a_late_message(database: &TestDatabase) {
    database
        .execute("UPDATE conversation SET next_seq = 2")
        .await;
    let late = r#"INSERT INTO inbound_event
        (id, tenant, number, bucket, conversation, contact, seq, raw, ordinal, kind, at, wamid, content, state)
        SELECT id + 1, tenant, number, bucket, id, contact, 1, 0, 0, 1, created_at, 'wamid.x',
            '{"type":"text","body":"hello"}', 0 FROM conversation"#;
    database.execute(late).await;
}

#[tokio::test]
async fn a_message_that_came_while_its_number_went_waits_for_nobody() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let place = place(&ground).await;
        place.disconnect(&ground).await;
        a_late_message(&database).await;
        until("the message waits no more", async || {
            let waits = database
                .count("SELECT COUNT(*) FROM inbound_event WHERE state = 0")
                .await;
            (waits == 0).then_some(())
        })
        .await;
        let turns = database.count("SELECT COUNT(*) FROM turn").await;
        let behind = database
            .count("SELECT COUNT(*) FROM conversation WHERE done_seq < next_seq - 1")
            .await;
        assert_eq!((turns, behind), (0, 0));
        ground.end().await;
    })
    .await;
}

/// What stays of plugins that were taken out: ten of the tenant that goes, one of the other.
async fn plugins_that_were_removed(database: &TestDatabase) {
    const ALL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 11),
        p(id, tenant) AS (SELECT n.i, t.id FROM n JOIN tenant t ON t.name = CASE WHEN n.i = 1 THEN 'other' ELSE 'acme' END)";
    for rows in [
        "INSERT INTO installation (id, tenant, number, plugin, position, state, bounds, generation, hears_receipts,
            created_at, breaker) SELECT id, tenant, 0, 'menu', 0, 'retired', '{}', 2, 0, 1, '' FROM p",
        "INSERT INTO installation_version (installation, seq, tenant, digest, plugin_version, config, asked, grants,
            granted_by, granted_at, stage, percent, good, reason, changed_at, created_at)
         SELECT id, 1, tenant, 'd', '1.0.0', '{}', '[]', '[]', 'ana', 1, 'retired', 0, 1, '', 1, 1 FROM p",
        "INSERT INTO plugin_health (installation, seq, stage, node, measure, item, tenant, n, ran_at)
         SELECT id, 1, 'active', 0, 'turns', 0, tenant, 7, 9000000000000000 FROM p",
    ] {
        // A CTE stands before the SELECT that both databases insert from.
        let (insert, select) = rows.split_at(rows.find("SELECT").expect("a SELECT"));
        database.execute(format!("{insert} {ALL} {select}").leak()).await;
    }
}

#[tokio::test]
async fn a_tenant_that_is_removed_takes_its_keys_and_its_people_with_it() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let place = place(&ground).await;
        let other = ground.tenant("other").await;
        let other = ground.key(other, Role::TenantAdmin).await;
        let kept = ground
            .post(&other, "/contacts", &json!({"external_id": "kept"}))
            .await
            .id();
        for n in 0..450 {
            let contact = json!({"external_id": format!("many-{n}")});
            assert_eq!(
                ground.post(&place.key, "/contacts", &contact).await.status,
                201
            );
            // A minute's worth of requests is 600.
            ground.clock.advance(std::time::Duration::from_millis(100));
        }
        place.disconnect(&ground).await;
        let credential = format!("/credentials/{}", place.credential);
        assert_eq!(ground.delete(&place.key, &credential).await.status, 204);
        plugins_that_were_removed(&database).await;
        let path = format!("/tenants/{}", place.tenant);
        assert_eq!(
            ground.delete(&place.key, &path).await.problem(),
            "forbidden"
        );
        let removed = ground.delete(&ground.operator, &path).await;
        assert_eq!(
            (removed.status, &removed.body["kind"]),
            (202, &json!("tenant.erase")),
            "{removed:?}"
        );
        let refused = ground.get(&place.key, "/me").await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(ground.get(&ground.operator, &path).await.status, 404);
        let job = format!("/jobs/{}", removed.id());
        until("its people are forgotten", async || {
            let job = ground.get(&ground.operator, &job).await;
            assert_ne!(job.body["state"], "failed", "{job:?}");
            ground.clock.advance(std::time::Duration::from_secs(1));
            (job.body["state"] == "done").then_some(())
        })
        .await;
        // One person, one key and one tenant are left: the other's. And the operator's key.
        for (query, left) in [
            ("SELECT COUNT(*) FROM contact", 1),
            ("SELECT COUNT(*) FROM consent", 1),
            ("SELECT COUNT(*) FROM identity", 0),
            ("SELECT COUNT(*) FROM conversation", 0),
            ("SELECT COUNT(*) FROM owner_log", 0),
            ("SELECT COUNT(*) FROM former_number", 0),
            ("SELECT COUNT(*) FROM installation", 1),
            ("SELECT COUNT(*) FROM installation_version", 1),
            ("SELECT COUNT(*) FROM plugin_health", 1),
            ("SELECT COUNT(*) FROM api_key", 2),
            ("SELECT COUNT(*) FROM tenant", 1),
        ] {
            assert_eq!(database.count(query).await, left, "{query}");
        }
        assert_eq!(
            ground
                .get(&other, &format!("/contacts/{kept}"))
                .await
                .status,
            200
        );
        assert_ne!(place.contact, kept);
        let told = ground.get(&ground.operator, "/audit").await;
        assert!(
            told.body["items"].to_string().contains("tenant.delete"),
            "{told:?}"
        );
        assert_eq!(
            ground
                .post(&ground.operator, "/tenants", &json!({"name": "acme"}))
                .await
                .status,
            201
        );
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn the_command_line_takes_everything_away_again() {
    for_each_database(async |database| {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        let business = Business::new(1, 1, 80);
        business.onboard(&deployment, "node").await;
        let tenant = business.tenants[0].as_str();
        let refused = deployment
            .command("node")
            .args(["tenant", "remove", tenant])
            .output();
        let refused = refused.expect("it starts");
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success());
        assert!(
            why.contains("still has numbers (1), credentials (1)"),
            "{why}"
        );
        let number = business.numbers[0].phone_number_id.as_str();
        for verb in [
            &[
                "number",
                "remove",
                number,
                "--tenant",
                tenant,
                "--cancel-queued",
            ][..],
            &["credential", "remove", "main", "--tenant", tenant],
            &["app", "remove", &business.meta_app_id],
            &["tenant", "remove", tenant],
        ] {
            deployment.run("node", verb, &[]).await;
        }
        let status = deployment.run("node", &["status", "--json"], &[]).await;
        let status: Value = serde_json::from_str(&status).expect("JSON");
        for what in ["apps", "tenants", "credentials", "numbers"] {
            assert_eq!(status[what], 0, "{what}");
        }
    })
    .await;
}
