//! Who is asked: plugins enrich a conversation that a person owns and answer none of it; a fault of one is answered by
//! the tenant's fallback.

use vestibule::clock::SystemClock;
use vestibule::domain::{Clock, ConversationId, IdGenerator, Owner, OwnerChange, TenantId};
use vestibule::storage::{conversations, nodes};
use vestibule_tests::town::Town;
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests};

use super::{all_done, say};

async fn install(town: &Town, name: &str, component: &[u8]) {
    let file = town.deployment.data_dir(name).with_extension("wasm");
    std::fs::write(&file, component).expect("the component is written");
    town.business
        .install(&town.deployment, "node", &file, &["kv"])
        .await;
}

/// Gives the only conversation to an agent.
async fn take_over(database: &TestDatabase) {
    let row = database
        .texts("SELECT CAST(tenant AS TEXT) || ' ' || CAST(id AS TEXT) FROM conversation")
        .await;
    let (tenant, id) = row[0].split_once(' ').expect("two numbers");
    let raw = |text: &str| text.parse::<i64>().expect("a number");
    let db = database.open().await;
    let slot = nodes::lease_slot(&db, "test", std::time::Duration::from_secs(600)).await;
    let slot = slot.expect("a database").expect("a free slot");
    let now = SystemClock.now();
    let change = OwnerChange {
        from: Owner::Bot,
        to: Owner::Agent("ana".into()),
        reason: "take_over".into(),
        by: "ana".into(),
        note: None,
    };
    let mut tx = db.begin().await.expect("a transaction");
    let (tenant, id) = (
        TenantId::from_raw(raw(tenant)),
        ConversationId::from_raw(raw(id)),
    );
    let slot = slot.slot;
    let log = IdGenerator::new(slot.number, slot.id_floor).next(now);
    conversations::change_owner(&mut tx, tenant, id, &change, (log, 0), now)
        .await
        .expect("changed")
        .expect("the conversation is there");
    tx.commit().await.expect("a commit");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_owns_is_enriched_and_not_answered() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        install(&town, "enricher", guests::ENRICHER).await;
        let node = town.node("node").await;
        say(&town, 0, 0, "to the bot");
        all_done(&town, &database).await;
        take_over(&database).await;
        say(&town, 0, 0, "to Ana");
        all_done(&town, &database).await;
        let outcomes = database.texts("SELECT outcome FROM turn ORDER BY id").await;
        assert_eq!(outcomes, ["answered", "not_the_bots"]);
        let sends = database.count("SELECT COUNT(*) FROM outbox").await;
        assert_eq!(sends, 1, "only what came before the person");
        let attributes = database.texts("SELECT attributes FROM conversation").await;
        assert!(attributes[0].contains("to Ana"), "{attributes:?}");
        node.end().await;
    })
    .await;
}

/// The customer is told as after any other route, and the people are told more.
#[tokio::test(flavor = "multi_thread")]
async fn routing_hands_over_with_a_summary_and_a_person_is_promised() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ROUTER, &[]).await;
        let tenant = town.business.tenants[0].as_str();
        let settings = r#"{"served_queues": ["billing"], "human_text": "A person comes."}"#;
        let set = ["tenant", "set", tenant, "--settings", settings];
        town.deployment.run("node", &set, &[]).await;
        let node = town.node("node").await;
        say(&town, 0, 0, "ask billing");
        all_done(&town, &database).await;
        let outcomes = database.texts("SELECT outcome FROM turn").await;
        assert_eq!(outcomes, ["routed"]);
        let changes = database.texts("SELECT change FROM owner_log").await;
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(changes[0].contains("asks for people"), "{changes:?}");
        let drafts = database.texts("SELECT draft FROM outbox").await;
        assert_eq!(drafts.len(), 1, "{drafts:?}");
        assert!(drafts[0].contains("A person comes."), "{drafts:?}");
        node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_answered_by_the_fallback_and_leaves_nothing_of_the_plugin() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::HALF_EFFECTS_THEN_FAULT, &["kv"]).await;
        let node = town.node("node").await;
        say(&town, 0, 0, "hello");
        all_done(&town, &database).await;
        let outcomes = database.texts("SELECT outcome FROM turn").await;
        assert_eq!(outcomes, ["fallback"]);
        let drafts = database.texts("SELECT draft FROM outbox").await;
        assert_eq!(drafts.len(), 1, "the fallback, once: {drafts:?}");
        assert!(drafts[0].contains("fallback"), "{drafts:?}");
        assert!(!drafts[0].contains("half of the answer"), "{drafts:?}");
        let tags = database.texts("SELECT tags FROM conversation").await;
        assert!(!tags[0].contains("half"), "{tags:?}");
        assert_eq!(database.count("SELECT COUNT(*) FROM plugin_kv").await, 0);
        node.end().await;
    })
    .await;
}

/// As many as the host runs in a turn.
const EIGHT: [(&str, &[u8]); 8] = [
    ("echo", guests::ECHO),
    ("counter", guests::COUNTER),
    ("enricher", guests::ENRICHER),
    ("grow_memory", guests::GROW_MEMORY),
    ("hoarder", guests::HOARDER),
    ("hot_key", guests::HOT_KEY),
    ("random_clock", guests::RANDOM_CLOCK),
    ("reject", guests::REJECT),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_with_more_plugins_than_there_can_be_falls_back() {
    let database = TestDatabase::fresh(Kind::Sqlite).await.expect("SQLite");
    let town = Town::without_plugin(&database).await;
    for (name, component) in EIGHT {
        let file = town.deployment.data_dir(name).with_extension("wasm");
        std::fs::write(&file, component).expect("the component is written");
        let file = file.display().to_string();
        let tenant = &town.business.tenants[0];
        let verb = ["plugin", "install", &file, "--tenant", tenant];
        town.deployment.run("node", &verb, &[]).await;
    }
    // No verb installs a ninth. Were it there all the same, the turn must not be tried for ever.
    database
        .execute(
            "INSERT INTO installation (id, tenant, number, plugin, position, state, generation, created_at)
             SELECT id + 1, tenant, number, 'ninth', position, state, generation, created_at FROM installation
             ORDER BY id DESC LIMIT 1",
        )
        .await;
    database
        .execute(
            "INSERT INTO installation_version (installation, seq, tenant, digest, plugin_version, config, asked, grants,
                granted_by, granted_at, stage, percent, good, reason, changed_at, created_at)
             SELECT installation + 1, seq, tenant, digest, plugin_version, config, asked, grants, granted_by, granted_at,
                stage, percent, good, reason, changed_at, created_at FROM installation_version
             ORDER BY installation DESC LIMIT 1",
        )
        .await;
    let node = town.node("node").await;
    say(&town, 0, 0, "hello");
    all_done(&town, &database).await;
    let outcomes = database.texts("SELECT outcome FROM turn").await;
    assert_eq!(outcomes, ["fallback"]);
    node.end().await;
}
