//! Retention: what is old and done goes, what still waits stays with all it needs, and PostgreSQL drops whole weeks.

use std::time::Duration;

use vestibule::domain::{TenantId, Timestamp, TurnId, id};
use vestibule::replay::words;
use vestibule::storage::forget::{self, Ages};
use vestibule::storage::{compile_work, journals, partitions, plugin_health, replay_reports};
use vestibule_tests::db::now;
use vestibule_tests::{Kind, TestDatabase, for_each_database};

const DAY: Duration = Duration::from_secs(86_400);
const KEPT: Duration = Duration::from_secs(14 * 86_400);
/// Its week is over since more than [`KEPT`].
const OLD: Duration = Duration::from_secs(30 * 86_400);

const AGES: Ages = Ages {
    events: KEPT,
    raw_bodies: KEPT,
    journal: KEPT,
    sends: KEPT,
};

/// Writes one row: `INSERT … RETURNING 1` is a query that counts.
async fn insert(database: &TestDatabase, table: &str, columns: &str, values: &str) {
    let sql =
        format!("INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING CAST(1 AS BIGINT)");
    // The harness takes what the program's text holds; a test makes a few.
    assert_eq!(database.count(sql.leak()).await, 1);
}

async fn raw(database: &TestDatabase, id: i64, part_of: i64, attached_at: i64) {
    let columns = "id, app, bucket, part_of, received_at, body, attached_at";
    let body = match database.kind {
        Kind::Sqlite => "x'00'",
        Kind::Postgres => "'\\x00'",
    };
    let values = format!("{id}, 1, 1, {part_of}, 0, {body}, {attached_at}");
    insert(database, "inbound_raw", columns, &values).await;
}

async fn event(database: &TestDatabase, id: i64, raw: i64, state: i64) {
    let columns = "id, tenant, number, bucket, conversation, contact, seq, raw, ordinal, kind, at, wamid, content, state";
    let values = format!("{id}, 1, 1, 1, 1, 1, 1, {raw}, 0, 1, 0, 'w', '{{}}', {state}");
    insert(database, "inbound_event", columns, &values).await;
}

async fn send(database: &TestDatabase, id: i64, state: i64) {
    let columns = "id, tenant, number, bucket, conversation, contact, turn, state, class, draft, due_at, attempts, doubts,
        changed_at, wamid, receipt, error, reason, created_at";
    let values =
        format!("{id}, 1, 1, 1, 1, 1, 0, {state}, 0, '{{}}', 0, 0, 0, 0, '', -1, 0, '', 0");
    insert(database, "outbox", columns, &values).await;
    let columns = "outbox, status, tenant, at, error, pricing, time_zone, template_category";
    let values = format!("{id}, 1, 1, 0, 0, '', '', ''");
    insert(database, "receipt", columns, &values).await;
}

async fn turn_and_seen(database: &TestDatabase, at: Timestamp) {
    let columns = "id, tenant, number, conversation, event, outcome, journal, at";
    let values = format!("{}, 1, 1, 1, 1, 'silent', '{{}}', 0", id::first_id_at(at));
    insert(database, "turn", columns, &values).await;
    insert(
        database,
        "event_seen",
        "at, hash",
        &format!("{}, 7", at.millis()),
    )
    .await;
}

/// What is left, as the last digits of its ids.
async fn left(database: &TestDatabase, table: &str, key: &str, first: i64) -> Vec<String> {
    let sql = format!(
        "SELECT CAST({key} - {first} AS TEXT) FROM {table} WHERE {key} >= {first} AND {key} < {first} + 1000 ORDER BY {key}"
    );
    database.texts(sql.leak()).await
}

async fn partitions_named(database: &TestDatabase, table: &str, at: Timestamp) -> i64 {
    let week = at.millis() / (7 * 86_400_000);
    let sql = format!("SELECT COUNT(*) FROM pg_class WHERE relname = '{table}_w{week}'");
    database.count(sql.leak()).await
}

/// One row of each fate, an old one and a young one of each kind.
async fn fill(database: &TestDatabase, old: i64, young: i64) {
    raw(database, old, 0, 5).await;
    raw(database, old + 1, 0, 0).await;
    raw(database, old + 2, 0, 5).await;
    raw(database, old + 3, old + 2, 0).await;
    raw(database, old + 4, 0, 5).await;
    raw(database, young, 0, 5).await;
    event(database, old, old, 1).await;
    event(database, old + 1, old + 4, 0).await;
    event(database, young, young, 1).await;
    for state in 0..=6 {
        send(database, old + state, state).await;
    }
    send(database, young, 2).await;
}

#[tokio::test]
async fn what_is_old_and_done_goes_and_what_waits_stays_with_all_it_needs() {
    for_each_database(async |database| {
        let db = database.open().await;
        let (now, then) = (now(), now().minus(OLD));
        partitions::ensure(&db, then, Duration::ZERO, Duration::ZERO)
            .await
            .expect("old partitions");
        let (old, young) = (id::first_id_at(then), id::first_id_at(now.minus(DAY)));
        fill(&database, old, young).await;
        turn_and_seen(&database, then).await;
        turn_and_seen(&database, now.minus(DAY)).await;

        forget::all_tenants(&db, now, AGES).await.expect("a round");

        let waiting = ["0", "1", "3"];
        // Unattached; the body of a part that is; the part; the message of a turn that waits.
        assert_eq!(left(&database, "inbound_raw", "id", old).await, ["1", "2", "3", "4"]);
        assert_eq!(left(&database, "inbound_event", "id", old).await, ["1"]);
        assert_eq!(left(&database, "outbox", "id", old).await, waiting);
        assert_eq!(left(&database, "receipt", "outbox", old).await, waiting);
        assert!(left(&database, "turn", "id", old).await.is_empty());
        for (table, key) in [
            ("inbound_raw", "id"),
            ("inbound_event", "id"),
            ("outbox", "id"),
            ("receipt", "outbox"),
            ("turn", "id"),
        ] {
            assert_eq!(left(&database, table, key, young).await, ["0"], "{table}");
        }
        assert_eq!(database.count("SELECT COUNT(*) FROM event_seen").await, 1);
        if database.kind == Kind::Postgres {
            assert_eq!(partitions_named(&database, "turn", then).await, 0);
            assert_eq!(partitions_named(&database, "event_seen", then).await, 0);
            assert_eq!(partitions_named(&database, "outbox", then).await, 1);
        }

        // What waited is done at last: the next round lets go of it.
        let done = "UPDATE outbox SET state = 5 WHERE state IN (0, 1, 3) AND id - id = 0 RETURNING id - id";
        database.count(done).await;
        let gone = forget::all_tenants(&db, now, AGES).await.expect("a round");
        assert!(left(&database, "outbox", "id", old).await.is_empty());
        assert!(left(&database, "receipt", "outbox", old).await.is_empty());
        assert_eq!(gone.partitions > 0, database.kind == Kind::Postgres);
    })
    .await;
}

#[tokio::test]
async fn partitions_that_retention_dropped_are_not_made_again() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let now = now();
    for _ in 0..2 {
        partitions::ensure(&db, now, DAY, AGES.events)
            .await
            .expect("partitions");
        let gone = forget::all_tenants(&db, now, AGES).await.expect("a round");
        eprintln!("{gone:?}");
    }
    let gone = forget::all_tenants(&db, now, AGES).await.expect("a round");
    partitions::ensure(&db, now, DAY, AGES.events)
        .await
        .expect("partitions");
    let again = forget::all_tenants(&db, now, AGES).await.expect("a round");
    assert_eq!((gone.partitions, again.partitions), (0, 0));
}

#[tokio::test]
async fn a_tenant_has_its_own_journals_go_sooner() {
    for_each_database(async |database| {
        let db = database.open().await;
        let now = now();
        partitions::ensure(&db, now.minus(3 * DAY), DAY, KEPT)
            .await
            .expect("partitions");
        let first = id::first_id_at(now.minus(3 * DAY));
        let columns = "id, tenant, number, conversation, event, outcome, journal, at";
        // Three days of two tenants.
        for day in 0..3_u32 {
            let at = id::first_id_at(now.minus(DAY * (3 - day)));
            for tenant in [1, 2] {
                let values = format!("{}, {tenant}, 1, 1, 1, 'silent', '{{}}', 0", at + tenant);
                insert(&database, "turn", columns, &values).await;
            }
        }
        let of = |tenant: i64| {
            format!("SELECT COUNT(*) FROM turn WHERE tenant = {tenant} AND id >= {first}")
        };
        let (sooner, other) = (of(1).leak(), of(2).leak());
        let tenant = TenantId::from_raw(1);
        for (age, gone, left) in [
            (5 * DAY, 0, 3),
            (DAY + DAY / 2, 2, 1),
            (DAY + DAY / 2, 0, 1),
            (DAY / 2, 1, 0),
        ] {
            let forgotten = journals::forget_all_tenants(&db, &[(tenant, now.minus(age))])
                .await
                .expect("a round");
            assert_eq!(
                (forgotten.turns, database.count(sooner).await),
                (gone, left)
            );
        }
        assert_eq!(database.count(other).await, 3);
    })
    .await;
}

#[tokio::test]
async fn journals_of_many_tenants_go_in_one_walk() {
    for_each_database(async |database| {
        let db = database.open().await;
        let now = now();
        partitions::ensure(&db, now.minus(6 * DAY), DAY, KEPT)
            .await
            .expect("partitions");
        // Every tenant has a turn a day; the first hundred keep four days, the others two, the last all.
        let columns = "id, tenant, number, conversation, event, outcome, journal, at";
        for day in 1..6_u32 {
            let at = id::first_id_at(now.minus(DAY * day));
            let row = |n: i64| format!("{}, {n}, 1, 1, 1, 'silent', '{{}}', 0", at + n);
            let rows = (1..=201).map(row).collect::<Vec<_>>().join("), (");
            let sql = format!("INSERT INTO turn ({columns}) VALUES ({rows})");
            database.execute(sql.leak()).await;
        }
        let shorter = |now: Timestamp| -> Vec<(TenantId, Timestamp)> {
            let days = |n| if n <= 100 { 4 } else { 2 };
            let age = |n| now.minus(DAY * days(n) - DAY / 2);
            (1..=200).map(|n| (TenantId::from_raw(n), age(n))).collect()
        };
        let gone = journals::forget_all_tenants(&db, &shorter(now))
            .await
            .expect("a round");
        // Days four and five of the first hundred, and two to five of the second; a window up to each age.
        assert_eq!((gone.turns, gone.windows), (100 * 2 + 100 * 4, 2));
        let left = "SELECT COUNT(*) FROM turn WHERE tenant = 201 AND id > 0";
        assert_eq!(database.count(left).await, 5);
        let left = "SELECT COUNT(*) FROM turn WHERE tenant <= 200 AND id > 0";
        assert_eq!(database.count(left).await, 100 * 3 + 100);
        // The next round walks over what has become old since, once for each age; tenants that begin to want it have a walk.
        let mut next = shorter(now.plus(DAY / 24));
        let none = journals::forget_all_tenants(&db, &next)
            .await
            .expect("a round");
        assert_eq!((none.turns, none.windows), (0, 2));
        next.push((TenantId::from_raw(201), now.minus(DAY * 3 - DAY / 2)));
        let late = journals::forget_all_tenants(&db, &next)
            .await
            .expect("a round");
        assert_eq!((late.turns, late.windows), (3, 1));
        let same = journals::forget_all_tenants(&db, &next)
            .await
            .expect("a round");
        assert_eq!((same.turns, same.windows), (0, 0));
    })
    .await;
}

/// A replay that is over, with a difference in a turn of each of these moments.
async fn replayed(database: &TestDatabase, tenant: i64, turns: &[Timestamp]) {
    let difference = |at: &Timestamp| {
        let turn = TurnId::from_raw(id::first_id_at(*at));
        format!(
            r#"{{"conversation":"cnv_1","turn":"{turn}","at":"then","said":"it is I","before":["a"],"after":["b"]}}"#
        )
    };
    let differences: Vec<String> = turns.iter().map(difference).collect();
    let result = format!(
        r#"{{"different":2,"differences":[{}]}}"#,
        differences.join(",")
    );
    let columns = "id, tenant, bucket, kind, state, params, progress, done, total, rejected, result, problem, cancel,
        attempts, created_by, created_at, changed_at, ended_at, due_at";
    let values = format!(
        "{tenant}, {tenant}, 0, 'installations.replay', 'done', '', '', 2, 2, 0, '{result}', '', 0, 0, '', 0, 0, 1, 0"
    );
    insert(database, "job", columns, &values).await;
}

#[tokio::test]
async fn reports_of_replays_keep_no_words_that_the_journal_does_not() {
    for_each_database(async |database| {
        let db = database.open().await;
        let now = now();
        for tenant in [1, 2] {
            replayed(&database, tenant, &[now.minus(3 * DAY), now.minus(DAY)]).await;
        }
        let with_words = async || {
            let mut tx = db.read().await.expect("a transaction");
            let tenants = replay_reports::with_words_all_tenants(&mut tx).await;
            let mut tenants = tenants.expect("a database");
            tenants.sort_unstable();
            tenants
                .iter()
                .map(|tenant| tenant.raw())
                .collect::<Vec<_>>()
        };
        assert_eq!(with_words().await, [1, 2]);
        let words =
            "SELECT CAST((LENGTH(result) - LENGTH(REPLACE(result, 'it is I', ''))) / 7 AS BIGINT)
            FROM job WHERE tenant = 1";
        let first = TenantId::from_raw(1);
        for (age, changed, left) in [
            (5 * DAY, 0, 2),
            (2 * DAY, 1, 1),
            (2 * DAY, 0, 1),
            (DAY / 2, 1, 0),
        ] {
            let forgotten = words::forget(&db, first, now.minus(age)).await;
            assert_eq!(forgotten.expect("a round"), changed);
            assert_eq!(database.count(words).await, left);
        }
        assert_eq!(with_words().await, [2], "another tenant's stay");
        let counted = r#"SELECT COUNT(*) FROM job WHERE result LIKE '%"different":2%'"#;
        assert_eq!(database.count(counted).await, 2);
    })
    .await;
}

#[tokio::test]
async fn counts_of_a_plugin_that_was_taken_out_go_when_it_has_not_run_for_long() {
    for_each_database(async |database| {
        let db = database.open().await;
        let (now, before) = (now(), now().minus(KEPT));
        let (old, young) = (before.minus(DAY).millis(), now.minus(DAY).millis());
        // Two that were taken out, of which one ran until yesterday, and one that stands and does not run.
        for (id, state) in [(1, "retired"), (2, "retired"), (3, "active")] {
            let columns = "id, tenant, number, plugin, position, state, generation, created_at";
            let values = format!("{id}, 1, 0, 'menu', 0, '{state}', 1, 0");
            insert(&database, "installation", columns, &values).await;
        }
        for (id, item, ran_at) in [
            (1, 0, old),
            (1, 7, 0),
            (2, 0, young),
            (2, 7, old),
            (3, 0, old),
            // A node says what it counted after the tenant's installations are gone.
            (4, 0, old),
            (4, 7, old),
            (5, 0, young),
        ] {
            let columns = "installation, seq, stage, node, measure, item, tenant, n, ran_at";
            let values = format!("{id}, 1, 'active', 1, 'fuel', {item}, 1, 5, {ran_at}");
            insert(&database, "plugin_health", columns, &values).await;
        }
        let forget = async || plugin_health::forget_removed_all_tenants(&db, before).await;
        assert_eq!(forget().await.expect("a round"), 4);
        let left =
            "SELECT CAST(installation AS TEXT) FROM plugin_health ORDER BY installation, item";
        assert_eq!(database.texts(left).await, ["2", "2", "3", "5"]);
        assert_eq!(forget().await.expect("a round"), 0);
    })
    .await;
}

#[tokio::test]
async fn who_has_loaded_what_is_no_candidate_any_more_is_forgotten() {
    for_each_database(async |database| {
        let db = database.open().await;
        for (id, stage) in [(1, "waiting"), (2, "canary"), (3, "active"), (4, "retired")] {
            let columns = "installation, seq, tenant, digest, plugin_version, config, asked, grants, granted_by,
                granted_at, stage, percent, good, reason, changed_at, created_at";
            let values = format!(
                "{id}, 1, 1, 'd', '1.0.0', '{{}}', '[]', '[]', 'ana', 1, '{stage}', 0, 1, '', 1, 1"
            );
            insert(&database, "installation_version", columns, &values).await;
        }
        // The fifth went with its tenant before the node had said it.
        for (id, seq) in [(1, 1), (1, 2), (2, 1), (3, 1), (4, 1), (5, 1)] {
            let columns = "installation, seq, holder, tenant, problem";
            let values = format!("{id}, {seq}, 'node', 1, ''");
            insert(&database, "node_plugin", columns, &values).await;
        }
        let mut tx = db.begin().await.expect("a transaction");
        let gone = plugin_health::forget_loaded_all_tenants(&mut tx).await;
        assert_eq!(gone.expect("a round"), 4);
        tx.commit().await.expect("a commit");
        let left = "SELECT CAST(installation AS TEXT) FROM node_plugin ORDER BY installation, seq";
        assert_eq!(database.texts(left).await, ["1", "2"]);
    })
    .await;
}

#[tokio::test]
async fn work_on_a_component_that_is_gone_goes_though_it_was_claimed() {
    for_each_database(async |database| {
        let db = database.open().await;
        let empty = match database.kind {
            Kind::Sqlite => "x''",
            Kind::Postgres => "''",
        };
        let columns = "tenant, digest, manifest, bytes, created_at";
        insert(&database, "component", columns, "1, 'stays', '{}', 1, 0").await;
        for digest in ["stays", "gone"] {
            let columns = "digest, engine, holder, claimed_until, tries, problem";
            let values = format!(
                "'{digest}', 'e', 'node', {}, 1, ''",
                now().plus(DAY).millis()
            );
            insert(&database, "compile_work", columns, &values).await;
            let columns = "tenant, digest, engine, sealed, created_at";
            let values = format!("1, '{digest}', 'e', {empty}, 0");
            insert(&database, "artifact", columns, &values).await;
        }
        let mut tx = db.begin().await.expect("a transaction");
        let gone = compile_work::forget_gone_all_tenants(&mut tx).await;
        assert_eq!(gone.expect("a round"), 2);
        tx.commit().await.expect("a commit");
        for left in [
            "SELECT digest FROM compile_work",
            "SELECT digest FROM artifact",
        ] {
            assert_eq!(database.texts(left).await, ["stays"]);
        }
    })
    .await;
}
