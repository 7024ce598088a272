//! Upload → shadow → canary 10 % → active → rollback while customers write all the time: no turn lost or doubled, and
//! nothing of a retired version after its switch.

use std::collections::HashSet;
use std::time::Instant;

use vestibule_tests::load::Load;
use vestibule_tests::town::Town;
use vestibule_tests::{GatewayProcess, Kind, TestDatabase, guests, until};

use super::{cli, echo, push};
use crate::chaos::check;

const OF_V1: &str = r#"SELECT COUNT(*) FROM outbox o JOIN tenant t ON t.id = o.tenant
    WHERE t.name = 'tenant-0' AND o.draft LIKE '%"version":"1.0.0"%'"#;
const OF_V2: &str = r#"SELECT COUNT(*) FROM outbox o JOIN tenant t ON t.id = o.tenant
    WHERE t.name = 'tenant-0' AND o.draft LIKE '%"version":"2.0.0"%'"#;
/// Each with the slot of the node that answers there.
const ANSWERS_OF_V2: &str = r#"SELECT CAST(o.id AS TEXT) || ' ' || CAST(l.slot AS TEXT) FROM outbox o
    JOIN tenant t ON t.id = o.tenant JOIN bucket_lease l ON l.bucket = o.bucket
    WHERE t.name = 'tenant-0' AND o.draft LIKE '%"version":"2.0.0"%'"#;
/// Nodes that own numbers of the tenant.
const NODES: &str =
    "SELECT COUNT(DISTINCT l.slot) FROM conversation c JOIN tenant t ON t.id = c.tenant
    JOIN bucket_lease l ON l.bucket = c.bucket WHERE t.name = 'tenant-0'";
const SHADOWED: &str = r#"SELECT COUNT(*) FROM turn WHERE journal LIKE '%"stage":"shadow"%'"#;

#[allow(
    clippy::disallowed_methods,
    reason = "a measurement, for whoever reads the output"
)]
fn instant() -> Instant {
    Instant::now()
}

async fn town(database: &TestDatabase) -> Town {
    let town = Town::without_plugin(database).await;
    let file = town.deployment.data_dir("v1").with_extension("wasm");
    std::fs::write(&file, echo(guests::ECHO, "1.0.0")).expect("the component is written");
    town.business
        .install(&town.deployment, "node", &file, &[])
        .await;
    town
}

/// Waits until one more of these has come.
async fn one_more(database: &TestDatabase, what: &str, query: &'static str) {
    let before = database.count(query).await;
    until(what, async || {
        (database.count(query).await > before).then_some(())
    })
    .await;
}

/// Waits until each node that has numbers of the tenant has answered with the new version, beside these answers.
async fn everywhere(database: &TestDatabase, before: &HashSet<String>) {
    until("the new version answers on every node", async || {
        let nodes = database.count(NODES).await;
        let answers = database.texts(ANSWERS_OF_V2).await;
        let new = answers.iter().filter(|answer| !before.contains(*answer));
        let slots: HashSet<_> = new.filter_map(|answer| answer.split(' ').nth(1)).collect();
        (i64::try_from(slots.len()) == Ok(nodes)).then_some(())
    })
    .await;
}

async fn whole_life(database: &TestDatabase, town: &Town, load: Load) {
    load.more(30).await;
    let digest = push(town, &echo(guests::ECHO, "2.0.0")).await;
    let tenant = &town.business.tenants[0];
    let install = [
        "plugin", "install", &digest, "--tenant", tenant, "--stage", "shadow",
    ];
    let installed = cli(town, &install).await;
    let id = installed["id"].as_str().expect("an id").to_owned();
    one_more(database, "the candidate looks on", SHADOWED).await;
    assert_eq!(
        database.count(OF_V2).await,
        0,
        "nothing of a shadow is sent"
    );

    cli(town, &["plugin", "promote", &id, "--percent", "10"]).await;
    one_more(database, "the canary answers", OF_V2).await;
    one_more(database, "the active version goes on beside it", OF_V1).await;

    let began = instant();
    cli(town, &["plugin", "promote", &id]).await;
    let last_of_v1 = database.count(OF_V1).await;
    eprintln!(
        "promoted within {:?}, the command's own start included",
        began.elapsed()
    );
    let before = database.texts(ANSWERS_OF_V2).await.into_iter().collect();
    let switched = instant();
    everywhere(database, &before).await;
    eprintln!(
        "every node had answered with it {:?} later",
        switched.elapsed()
    );
    load.more(60).await;
    assert_eq!(
        database.count(OF_V1).await,
        last_of_v1,
        "nothing of the retired version"
    );

    cli(town, &["plugin", "rollback", &id]).await;
    let last_of_v2 = database.count(OF_V2).await;
    one_more(database, "the old version answers again", OF_V1).await;
    load.more(60).await;
    assert_eq!(
        database.count(OF_V2).await,
        last_of_v2,
        "nothing of what was rolled back"
    );

    let accepted = load.end().await;
    check(database, town, accepted).await;
}

#[tokio::test]
async fn sqlite_loses_and_doubles_nothing() {
    let database = TestDatabase::fresh(Kind::Sqlite).await.expect("SQLite");
    let town = town(&database).await;
    let mut node = town.deployment.start("node").await;
    town.meta
        .set_webhook(&node.webhook_url(), None)
        .expect("a URL");
    let load = Load::start(&town, vec![node.webhook_url()]);
    whole_life(&database, &town, load).await;
    assert!(node.terminate().await.success(), "{}", node.logs());
}

#[tokio::test]
async fn two_nodes_on_postgresql_switch_together() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = town(&database).await;
    let mut nodes = [
        town.deployment.start("a").await,
        town.deployment.start("b").await,
    ];
    let urls: Vec<String> = nodes.iter().map(GatewayProcess::webhook_url).collect();
    town.meta.set_webhook(&urls[0], None).expect("a URL");
    let load = Load::start(&town, urls);
    whole_life(&database, &town, load).await;
    for node in &mut nodes {
        assert!(node.terminate().await.success(), "{}", node.logs());
    }
}
