//! Hostile plugins in a running gateway: each is a clear fault in the journal, and nobody else's turn is touched.

use std::sync::Arc;
use std::time::Duration;

use vestibule::clock::SystemClock;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle};

/// Guests that misbehave, and the fault that their tenant must see.
const HOSTILE: &[(&str, &[u8], &str)] = &[
    ("loop_forever", guests::LOOP_FOREVER, "out_of_fuel"),
    ("allocate", guests::ALLOCATE, "memory"),
    ("recurse", guests::RECURSE, "stack"),
    ("trap", guests::TRAP, "panic"),
    ("flood_host_calls", guests::FLOOD_HOST_CALLS, "host_calls"),
];

async fn install(town: &Town, tenant: usize, name: &str, component: &[u8]) {
    let file = town.deployment.data_dir(name).with_extension("wasm");
    std::fs::write(&file, component).expect("the component is written");
    let (file, tenant) = (file.display().to_string(), &town.business.tenants[tenant]);
    town.deployment
        .run(
            "node",
            &["plugin", "install", &file, "--tenant", tenant],
            &[],
        )
        .await;
}

#[tokio::test]
async fn a_hostile_plugin_is_a_fault_and_its_neighbour_answers_as_ever() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        install(&town, 1, "echo", guests::ECHO).await;
        for (name, component, fault) in HOSTILE {
            install(&town, 0, name, component).await;
            let node = town
                .deployment
                .start_in_process("node", Arc::new(SystemClock))
                .await;
            town.meta
                .set_webhook(&node.webhook_url(), None)
                .expect("a URL");
            let hostile = town
                .meta
                .customer(&town.business.numbers[0].phone_number_id, "4915111111111")
                .expect("one");
            let quiet = town
                .meta
                .customer(&town.business.numbers[2].phone_number_id, "4915122222222")
                .expect("one");
            let before = quiet.chat().texts().len();
            hostile.text(format!("hello {name}")).expect("sent");
            quiet.text(format!("still there, {name}?")).expect("sent");
            let answered = |chat: &vestibule::simulator::Chat| chat.texts().len() > before;
            quiet
                .wait_for(Duration::from_secs(30), answered)
                .await
                .expect("the neighbour answers");
            town.meta.webhooks_idle().await;
            let db = database.open().await;
            settle(&db).await;
            db.close().await;
            let journals = database
                .texts("SELECT journal FROM turn WHERE outcome = 'fallback' ORDER BY id DESC")
                .await;
            let journal = journals
                .first()
                .unwrap_or_else(|| panic!("{name}: no turn fell back"));
            assert!(
                journal.contains(fault),
                "{name}: expected the fault {fault} in {journal}"
            );
            node.end().await;
        }
        let fallbacks = database
            .count("SELECT COUNT(*) FROM turn WHERE outcome = 'fallback'")
            .await;
        assert_eq!(fallbacks, i64::try_from(HOSTILE.len()).expect("few"));
    })
    .await;
}
