//! After an upgrade of the engine: a node that finds no artifact of its own compiles in the background, and no turn is lost.

use std::time::Duration;

use vestibule::plugin_host::ComponentDigest;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle, until};

use super::{cli, echo, push};

/// All that is compiled, a node of another release did.
const OTHER_ENGINE: &str = "UPDATE artifact SET engine = '47.0.1 00000000000000aa'";

async fn install(town: &Town, tenant: usize, component: &[u8]) {
    plugin(town, "install", tenant, component).await;
}

/// A verb for a component of a tenant's.
async fn plugin(town: &Town, verb: &str, tenant: usize, component: &[u8]) {
    let file = town.deployment.data_dir(verb).with_extension("wasm");
    std::fs::write(&file, component).expect("the component is written");
    let (file, tenant) = (file.display().to_string(), &town.business.tenants[tenant]);
    let arguments = ["plugin", verb, &file, "--tenant", tenant];
    town.deployment.run("node", &arguments, &[]).await;
}

/// Leaves so many bytes of a component everywhere, as if these had been uploaded.
async fn cut(database: &TestDatabase, whole: &[u8], bytes: usize) {
    let (old, new) = (
        ComponentDigest::of(whole),
        ComponentDigest::of(&whole[..bytes]),
    );
    for table in [
        "component",
        "component_wasm",
        "artifact",
        "installation_version",
    ] {
        let set = match table {
            "component_wasm" => format!("wasm = substr(wasm, 1, {bytes}), "),
            _ => String::new(),
        };
        let statement = format!("UPDATE {table} SET {set}digest = '{new}' WHERE digest = '{old}'");
        database.execute(statement.leak()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_engine_compiled_is_compiled_anew_while_turns_wait() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        install(&town, 0, &echo(guests::ECHO, "1.0.0")).await;
        install(&town, 1, &echo(guests::ECHO, "1.0.1")).await;
        // As an older gateway left it; and one of the components is such that this engine refuses it.
        database.execute(OTHER_ENGINE).await;
        let whole = echo(guests::ECHO, "1.0.1");
        cut(&database, &whole, 20).await;
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let customer = |number: usize, phone: &str| {
            let number = &town.business.numbers[number].phone_number_id;
            town.meta.customer(number, phone).expect("a customer")
        };
        let (lucky, other) = (customer(0, "4915111111111"), customer(2, "4915122222222"));
        lucky.text("hello").expect("sent");
        other.text("hello").expect("sent");
        lucky
            .wait_for(Duration::from_secs(60), |chat| !chat.texts().is_empty())
            .await
            .expect("the first message is answered by the plugin");
        town.meta.webhooks_idle().await;
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        let outcomes = database
            .texts("SELECT outcome FROM turn ORDER BY tenant")
            .await;
        assert_eq!(outcomes.len(), 2);
        assert_ne!(outcomes[0], "fallback");
        assert_eq!(outcomes[1], "fallback", "what cannot be compiled is broken");
        let own = "SELECT COUNT(*) FROM artifact WHERE engine NOT LIKE '47.0.1 %'";
        assert_eq!(database.count(own).await, 1);
        let old = "SELECT COUNT(*) FROM artifact WHERE engine LIKE '47.0.1 %'";
        assert_eq!(database.count(old).await, 2, "the way back stays open");
        let refused = database
            .texts("SELECT problem FROM compile_work WHERE problem <> ''")
            .await;
        assert_eq!(refused.len(), 1, "{refused:?}");
        until("nothing is left to compile", async || {
            let left = node.metric("vestibule_plugins_to_compile", "").await;
            (left == 0.0).then_some(())
        })
        .await;
        let compiled = node
            .metric("vestibule_plugins_recompiled_total", "result=\"compiled\"")
            .await;
        assert_eq!(compiled, 1.0);
        assert!(node.logs().contains("was compiled anew for this engine"));
        node.terminate().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_without_memory_cannot_compile_is_compiled_when_it_has_some() {
    for_each_database(async |database: TestDatabase| {
        let mut town = Town::without_plugin(&database).await;
        install(&town, 0, &echo(guests::ECHO, "1.0.0")).await;
        database.execute(OTHER_ENGINE).await;
        // Not even the child itself fits.
        town.deployment = town
            .deployment
            .with("plugins.compile_memory_bytes", "1048576");
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let number = &town.business.numbers[0].phone_number_id;
        let customer = town
            .meta
            .customer(number, "4915111111111")
            .expect("a customer");
        customer.text("hello").expect("sent");
        until("it was tried", async || {
            node.logs()
                .contains("could not be compiled anew yet")
                .then_some(())
        })
        .await;
        let waits = "SELECT COUNT(*) FROM compile_work WHERE problem = '' AND tries >= 1";
        assert_eq!(database.count(waits).await, 1, "nobody gave it up");
        assert_eq!(database.count("SELECT COUNT(*) FROM turn").await, 0);
        node.terminate().await;
        // Its pause is over.
        database
            .execute("UPDATE compile_work SET claimed_until = 0")
            .await;
        town.deployment = town
            .deployment
            .with("plugins.compile_memory_bytes", "2147483648");
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        customer
            .wait_for(Duration::from_secs(60), |chat| !chat.texts().is_empty())
            .await
            .expect("the plugin answers what waited");
        let outcomes = database.texts("SELECT outcome FROM turn").await;
        assert!(
            outcomes.iter().all(|outcome| outcome != "fallback"),
            "{outcomes:?}"
        );
        node.terminate().await;
    })
    .await;
}

/// Each of them meets the candidate once.
const CUSTOMERS: usize = 30;
const MEMORY: &str = "plugins.compile_memory_bytes";

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_faults_goes_though_the_active_version_cannot_take_over_yet() {
    for_each_database(async |database: TestDatabase| {
        let mut town = Town::without_plugin(&database).await;
        install(&town, 0, &echo(guests::ECHO, "1.0.0")).await;
        database.execute(OTHER_ENGINE).await;
        let candidate = push(&town, &echo(guests::BRITTLE, "2.0.0")).await;
        let tenant = town.business.tenants[0].as_str();
        let canary = ["--stage", "canary", "--percent", "100"];
        let install = ["plugin", "install", &candidate, "--tenant", tenant];
        cli(&town, &[install.as_slice(), &canary].concat()).await;
        // What the active version needs cannot be compiled here: its turns wait.
        town.deployment = town.deployment.with(MEMORY, "1048576");
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let number = &town.business.numbers[0].phone_number_id;
        for n in 0..CUSTOMERS {
            let customer = town.meta.customer(number, &format!("49151{n:07}"));
            customer.expect("a customer").text("crack").expect("sent");
        }
        town.meta.webhooks_idle().await;
        let gone = "SELECT reason FROM installation_version WHERE seq = 2 AND stage = 'retired'";
        let why = until("the candidate goes by itself", async || {
            database.texts(gone).await.pop()
        })
        .await;
        assert!(
            why.starts_with("rolled back by itself in canary: "),
            "{why}"
        );
        assert_eq!(database.count("SELECT COUNT(*) FROM turn").await, 0);
        node.terminate().await;
        database
            .execute("UPDATE compile_work SET claimed_until = 0")
            .await;
        town.deployment = town.deployment.with(MEMORY, "2147483648");
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        let answered = "SELECT COUNT(DISTINCT conversation) FROM outbox WHERE draft LIKE '%crack%'";
        assert_eq!(database.count(answered).await, CUSTOMERS as i64);
        let sends = database.count("SELECT COUNT(*) FROM outbox").await;
        assert_eq!(sends, CUSTOMERS as i64, "one answer for each");
        node.terminate().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_was_altered_is_compiled_again_once_one_of_its_owners_has_uploaded_it_anew()
 {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        let component = echo(guests::ECHO, "1.0.0");
        for tenant in [0, 1] {
            install(&town, tenant, &component).await;
        }
        for altered in [
            OTHER_ENGINE,
            "UPDATE component_wasm SET wasm = substr(wasm, 1, 20)",
        ] {
            database.execute(altered).await;
        }
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let refused =
            "SELECT COUNT(*) FROM compile_work WHERE problem LIKE '%changed in the database%'";
        until("it is refused", async || {
            (database.count(refused).await == 1).then_some(())
        })
        .await;
        // The second owner's bytes are mended by it, the first one's are not.
        plugin(&town, "push", 1, &component).await;
        assert_eq!(database.count(refused).await, 0);
        let own = "SELECT COUNT(*) FROM artifact WHERE engine NOT LIKE '47.0.1 %'";
        assert_eq!(database.count(own).await, 1);
        let number = &town.business.numbers[0].phone_number_id;
        let customer = town
            .meta
            .customer(number, "4915111111111")
            .expect("a customer");
        let db = database.open().await;
        until("the first owner's turns run the plugin", async || {
            customer.text("hello").expect("sent");
            town.meta.webhooks_idle().await;
            settle(&db).await;
            let last = "SELECT COUNT(*) FROM turn WHERE outcome <> 'fallback'";
            (database.count(last).await > 0).then_some(())
        })
        .await;
        db.close().await;
        assert_eq!(database.count(own).await, 2);
        node.terminate().await;
    })
    .await;
}
