//! The audit log: every change has its entry, no entry has a secret, and whoever touches a sealed one is found out.

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::audit;
use vestibule::domain::TenantId;
use vestibule_tests::{Deployment, Kind, Program, TestDatabase, for_each_database, until};

use super::Ground;

async fn some_changes(ground: &Ground) -> (TenantId, String) {
    let tenant = ground.tenant("acme").await;
    let admin = ground.key(tenant, Role::TenantAdmin).await;
    let credential = json!({"name": "main", "token": "hunter2-token"});
    ground.post(&admin, "/credentials", &credential).await;
    let path = format!("/tenants/{tenant}");
    let change = json!({"settings": {"human_queue": "front desk"}});
    let request = ground.request("PATCH", &format!("/api/v1{path}"), &admin);
    let request = request
        .header("if-match", "*")
        .header("user-agent", "curl/8.0");
    let changed = super::ground::answer(request.json(&change)).await;
    assert_eq!(changed.status, 200);
    (tenant, admin)
}

async fn seal(ground: &Ground) {
    let setup = ground.setup();
    audit::seal_all(&setup.db, &setup.keyring.chain_key())
        .await
        .expect("sealed");
}

#[tokio::test]
async fn an_entry_says_who_what_before_and_after_and_from_where() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, admin) = some_changes(&ground).await;
        let log = ground.get(&admin, "/audit").await;
        let entries = log.body["items"].as_array().expect("entries");
        let actions: Vec<&str> = entries
            .iter()
            .filter_map(|e| e["action"].as_str())
            .collect();
        assert_eq!(
            actions,
            [
                "tenant.update",
                "credential.create",
                "key.create",
                "tenant.create"
            ]
        );
        let update = &entries[0];
        assert_eq!(
            update["before"]["settings"],
            json!({"consent_basis": "attested"})
        );
        assert_eq!(
            update["after"]["settings"],
            json!({"consent_basis": "attested", "human_queue": "front desk"})
        );
        assert_eq!(update["actor"]["kind"], "key");
        assert_eq!(update["actor"]["address"], "127.0.0.1");
        assert_eq!(update["actor"]["user_agent"], "curl/8.0");
        let path = format!("/audit/{}", update["id"].as_str().expect("an id"));
        assert_eq!(
            ground.get(&admin, &path).await.body["action"],
            "tenant.update"
        );
        assert!(!log.body.to_string().contains("hunter2"), "{log:?}");
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_leaves_no_entry() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (tenant, admin) = some_changes(&ground).await;
        let before = ground.get(&admin, "/audit").await.body;
        let stale = ground
            .patch(
                &admin,
                &format!("/tenants/{tenant}"),
                "\"old\"",
                &json!({"settings": {}}),
            )
            .await;
        assert_eq!(stale.status, 412);
        let twice = json!({"name": "main", "token": "t"});
        assert_eq!(
            ground.post(&admin, "/credentials", &twice).await.status,
            409
        );
        let after = ground.get(&admin, "/audit").await.body;
        let ids = |page: &Value| page["items"].as_array().map(Vec::len);
        assert_eq!(ids(&after), ids(&before));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_seals_what_was_written_and_a_job_verifies_it() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, admin) = some_changes(&ground).await;
        until("the sealer has sealed", async || {
            let log = ground.get(&admin, "/audit").await;
            let entries = log.body["items"].as_array()?;
            entries
                .iter()
                .all(|entry| entry["seal"].is_i64())
                .then_some(())
        })
        .await;
        let job = ground
            .post(&admin, "/audit/verifications", &json!({}))
            .await;
        assert_eq!(job.status, 202);
        assert_eq!(job.header("location"), format!("/api/v1/jobs/{}", job.id()));
        let path = format!("/jobs/{}", job.id());
        let done = until("the job is done", async || {
            let job = ground.get(&admin, &path).await.body;
            (job["state"] == "done").then_some(job)
        })
        .await;
        assert_eq!(done["result"]["intact"], true, "{done}");
        assert!(done["done"].as_i64() >= Some(4), "{done}");
        database
            .execute("UPDATE audit_entry SET became = '{}' WHERE action = 'tenant.update'")
            .await;
        let job = ground
            .post(&admin, "/audit/verifications", &json!({}))
            .await;
        let path = format!("/jobs/{}", job.id());
        let done = until("the job is done", async || {
            let job = ground.get(&admin, &path).await.body;
            (job["state"] == "done").then_some(job)
        })
        .await;
        assert_eq!(
            (&done["result"]["intact"], &done["rejected"]),
            (&json!(false), &json!(1))
        );
        let rejects = ground
            .request("GET", &format!("/api/v1{path}/rejects"), &admin)
            .send()
            .await;
        let rejects = rejects.expect("an answer").text().await.expect("lines");
        assert!(
            rejects.lines().count() == 1 && rejects.contains("content is not"),
            "{rejects}"
        );
        ground.end().await;
    })
    .await;
}

/// What somebody with the database, but without the key, might do to a sealed log.
const TAMPERING: [(&str, &str); 7] = [
    ("another content", "UPDATE audit_entry SET became = '{}' WHERE action = 'credential.create'"),
    ("another actor", "UPDATE audit_entry SET actor = 'key_x' WHERE action = 'credential.create'"),
    ("another time", "UPDATE audit_entry SET at = at + 1 WHERE action = 'credential.create'"),
    (
        "content and commitment of another entry",
        "UPDATE audit_entry SET commitment = (SELECT commitment FROM audit_entry o WHERE o.action = 'tenant.update')
            WHERE action = 'credential.create'",
    ),
    ("an entry taken out", "DELETE FROM audit_entry WHERE action = 'credential.create'"),
    ("the end cut off", "DELETE FROM audit_entry WHERE action = 'tenant.update'"),
    ("another order", "UPDATE audit_entry SET seq = 5 - seq WHERE seq IN (2, 3) AND tenant <> 0"),
];

#[tokio::test]
async fn whoever_changes_a_sealed_log_is_found_out() {
    for (what, statement) in TAMPERING {
        for_each_database(async |database| {
            let ground = Ground::on(&database).await;
            let (tenant, _) = some_changes(&ground).await;
            seal(&ground).await;
            let setup = ground.setup();
            let key = setup.keyring.chain_key();
            let report = async || {
                audit::verify(&setup.db, &key, tenant)
                    .await
                    .expect("a report")
            };
            assert_eq!(report().await.faults, [], "{what}: before");
            database.execute(statement).await;
            assert!(!report().await.is_good(), "{what} was not found");
            ground.end().await;
        })
        .await;
    }
}

#[tokio::test]
async fn the_command_line_is_audited_and_verifies() {
    for_each_database(async |database| {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        let run = async |arguments: &[&str]| deployment.run("node", arguments, &[]).await;
        run(&["tenant", "add", "acme"]).await;
        let made = run(&[
            "key", "add", "first", "--tenant", "acme", "--role", "auditor", "--json",
        ])
        .await;
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let listed = run(&["key", "list", "--tenant", "acme", "--json"]).await;
        let secret = made["key"].as_str().expect("shown once");
        assert!(
            !listed.contains(secret) && listed.contains("auditor"),
            "{listed}"
        );
        let verified = run(&["audit", "verify", "--json"]).await;
        assert!(
            verified.contains("\"entries\": 2") || verified.contains("\"entries\":2"),
            "{verified}"
        );
        let actors = database
            .texts("SELECT DISTINCT actor_kind FROM audit_entry")
            .await;
        assert_eq!(actors, ["command_line"]);
        database
            .execute("UPDATE audit_entry SET object = 'x' WHERE action = 'key.create'")
            .await;
        let mut command = tokio::process::Command::from(deployment.command("node"));
        let output = command
            .args(["audit", "verify"])
            .output()
            .await
            .expect("it starts");
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("not what was sealed"));
    })
    .await;
}

#[tokio::test]
async fn through_the_socket_the_log_names_the_user_of_the_machine() {
    let database = TestDatabase::fresh(Kind::Sqlite)
        .await
        .expect("SQLite is always there");
    let deployment = Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
    let clock = std::sync::Arc::new(vestibule::clock::SystemClock);
    let node = deployment.start_in_process("node", clock).await;
    deployment
        .run("node", &["tenant", "add", "acme"], &[])
        .await;
    let actors = database.texts("SELECT actor FROM audit_entry").await;
    assert_eq!(actors.len(), 1);
    assert!(actors[0].starts_with("uid "), "{actors:?}");
    node.end().await;
}

#[tokio::test]
async fn a_chain_whose_end_was_cut_off_is_known_by_a_head_that_was_kept() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, admin) = some_changes(&ground).await;
        seal(&ground).await;
        let verify = async |body: Value| {
            let job = ground.post(&admin, "/audit/verifications", &body).await;
            assert_eq!(job.status, 202, "{job:?}");
            let path = format!("/jobs/{}", job.id());
            until("the job is done", async || {
                let job = ground.get(&admin, &path).await.body;
                (job["state"] == "done").then(|| job["result"].clone())
            })
            .await
        };
        let kept = verify(json!({})).await;
        assert_eq!(kept["intact"], true);
        let again = verify(json!({"head": kept["head"]})).await;
        assert_eq!(again["intact"], true, "{again}");
        // As somebody does who restores an old end, head and all.
        database
            .execute("DELETE FROM audit_entry WHERE tenant <> 0 AND seq > 2")
            .await;
        let old_end = "UPDATE seal_head SET seq = 2, mac = (SELECT mac FROM audit_entry e
            WHERE e.tenant = seal_head.tenant AND e.seq = 2) WHERE tenant <> 0";
        database.execute(old_end).await;
        let cut = verify(json!({"head": kept["head"]})).await;
        assert_eq!(cut["intact"], false, "{cut}");
        let wrong = ground
            .post(&admin, "/audit/verifications", &json!({"head": "x"}))
            .await;
        assert_eq!(wrong.status, 422);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn behind_a_proxy_the_log_has_the_address_that_the_proxy_saw() {
    for_each_database(async |database| {
        let behind = |deployment: Deployment| {
            deployment.with("api.client_address_header", "x-forwarded-for")
        };
        let ground = Ground::with(&database, behind).await;
        let request = ground.request("POST", "/api/v1/tenants", &ground.operator);
        // The first is what the client says of itself; the proxy appended the last.
        let request = request.header("x-forwarded-for", "10.9.9.9, 203.0.113.7");
        let made = super::ground::answer(request.json(&json!({"name": "acme"}))).await;
        let log = ground
            .get(&ground.operator, &format!("/audit?tenant={}", made.id()))
            .await;
        assert_eq!(log.body["items"][0]["actor"]["address"], "203.0.113.7");
        ground.end().await;
    })
    .await;
}
