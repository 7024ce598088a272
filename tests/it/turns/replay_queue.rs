//! Many replays wait for the one place of a node: they cost nobody else anything, and tenants take it in turn.

use serde_json::{Value, json};
use vestibule_tests::{TestDatabase, for_each_database, until};

use super::replay_job::Rehearsed;

const SINCE: &str = "2020-01-01T00:00:00Z";

/// Copies of the first tenant's replay that is over, and of nobody else's, as if they had been queued long ago.
async fn queue_three_hundred(database: &TestDatabase) {
    database
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO job (id, tenant, bucket, kind, state, params, progress, done, total, rejected, result, problem,
                cancel, attempts, created_by, created_at, changed_at, ended_at, due_at)
             SELECT id - i, tenant, bucket, kind, 'queued', params, '', 0, -1, 0, '', '', 0, 0, created_by, 0, 0, 0, 0
             FROM job CROSS JOIN n WHERE kind = 'installations.replay'",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_replays_keep_no_import_and_no_erasure_waiting() {
    for_each_database(async |database| {
        let mut rehearsed = Rehearsed::on(&database).await;
        let replay = json!({"digest": rehearsed.digest, "since": SINCE, "limit": 1});
        let (_, first) = rehearsed.replay(&replay).await;
        rehearsed.ended(&first).await;
        queue_three_hundred(&database).await;
        let refused = rehearsed.replay(&replay).await;
        assert_eq!(
            (refused.0, &refused.1["type"]),
            (429, &json!("urn:vestibule:problem:too_many")),
            "{refused:?}"
        );
        let waiting = "SELECT COUNT(*) FROM job WHERE kind = 'installations.replay' AND state = 'queued'";
        until("one of them runs", async || {
            (database.count(waiting).await < 300).then_some(())
        })
        .await;

        rehearsed.become_tenant(1).await;
        let list = json!({"contacts": [{"phone": "+447700900123", "name": "Ines"}]});
        let (status, import) = rehearsed.ask("POST", "/contacts/import", &list).await;
        assert_eq!(status, 202, "{import}");
        let import = rehearsed.ended(&json!({"id": import["job"]})).await;
        assert_eq!((&import["state"], &import["done"]), (&json!("done"), &json!(1)), "{import}");
        let contacts = rehearsed.ask("GET", "/contacts", &Value::Null).await.1;
        let contact = contacts["items"][0]["id"].as_str().expect("a contact");
        let path = format!("/contacts/{contact}/erase");
        let (status, erasure) = rehearsed.ask("POST", &path, &Value::Null).await;
        assert_eq!(status, 202, "{erasure}");
        let erasure = rehearsed.ended(&erasure).await;
        assert_eq!(erasure["state"], "done", "{erasure}");

        let waiting = database.count(waiting).await;
        assert!(waiting > 200, "they still wait: {waiting}");
        // What waits is not written to, but for one time when the first of them began.
        let steps = "SELECT COUNT(*) FROM job WHERE kind = 'installations.replay' AND state = 'queued' AND changed_at <> 0";
        assert_eq!(database.count(steps).await, 0);
        // One that waits for a place need not wait for it to be cancelled.
        database
            .execute("UPDATE job SET cancel = 1 WHERE kind = 'installations.replay' AND state = 'queued'")
            .await;
        let open = "SELECT COUNT(*) FROM job WHERE kind = 'installations.replay' AND state IN ('queued', 'running')";
        until("they are cancelled", async || {
            (database.count(open).await == 0).then_some(())
        })
        .await;
        assert!(rehearsed.node.terminate().await.success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_take_the_place_in_turn() {
    for_each_database(async |database| {
        let mut rehearsed = Rehearsed::on(&database).await;
        let replay = json!({"digest": rehearsed.digest, "since": SINCE, "limit": 1});
        let first = rehearsed.replay(&replay).await.1;
        rehearsed.ended(&first).await;
        rehearsed.become_second_tenant(&database).await;
        let replay = json!({"digest": rehearsed.digest, "since": SINCE, "limit": 1});
        let second = rehearsed.replay(&replay).await.1;
        rehearsed.ended(&second).await;
        // Three more of each at once, the first tenant's before the second's.
        database
            .execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3)
                 INSERT INTO job (id, tenant, bucket, kind, state, params, progress, done, total, rejected, result,
                    problem, cancel, attempts, created_by, created_at, changed_at, ended_at, due_at)
                 SELECT id + i, tenant, bucket, kind, 'queued', params, '', 0, -1, 0, '', '', 0, 0, 'copy', 0, 0, 0, 0
                 FROM job CROSS JOIN n WHERE kind = 'installations.replay'",
            )
            .await;
        let over = "SELECT COUNT(*) FROM job WHERE created_by = 'copy' AND ended_at > 0";
        until("all six are over", async || {
            (database.count(over).await == 6).then_some(())
        })
        .await;
        let order = "SELECT CAST(tenant AS TEXT) FROM job WHERE created_by = 'copy' ORDER BY ended_at, id";
        let order = database.texts(order).await;
        assert!(
            order.windows(2).all(|two| two[0] != two[1]),
            "in turn: {order:?}"
        );
        assert!(rehearsed.node.terminate().await.success());
    })
    .await;
}
