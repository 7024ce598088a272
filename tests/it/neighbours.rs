//! Hostile plugins in a running gateway: each is a clear fault in the journal, and nobody else's turn is touched.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vestibule::clock::SystemClock;
use vestibule::simulator::Signature;
use vestibule_tests::town::{Town, body, message, now_secs};
use vestibule_tests::{TestDatabase, for_each_database, guests, settle, until};

/// Guests that misbehave, and the fault that their tenant must see. (What never comes so far stands in `installing`.)
const HOSTILE: &[(&str, &[u8], &str)] = &[
    ("loop_forever", guests::LOOP_FOREVER, "out_of_fuel"),
    ("allocate", guests::ALLOCATE, "memory"),
    ("recurse", guests::RECURSE, "stack"),
    ("trap", guests::TRAP, "trap"),
    ("flood_host_calls", guests::FLOOD_HOST_CALLS, "host_calls"),
    ("flood_effects", guests::FLOOD_EFFECTS, "host_calls"),
    ("big_output", guests::BIG_OUTPUT, "output_bytes"),
];

/// The kinds of all faults in a turn's journal.
fn faults(journal: &str) -> Vec<String> {
    let journal: serde_json::Value = serde_json::from_str(journal).expect("JSON");
    let calls = journal["report"]["calls"].as_array().expect("calls");
    let kinds = calls
        .iter()
        .filter_map(|call| call["outcome"]["fault"]["kind"].as_str());
    kinds.map(str::to_owned).collect()
}

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
        let mut expected = Vec::new();
        for (name, component, fault) in HOSTILE {
            // All that were installed so far are asked again, and each fails as it did.
            expected.push(*fault);
            install(&town, 0, name, component).await;
            let node = town.node("node").await;
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
            assert_eq!(faults(journal), expected, "{name}: {journal}");
            node.end().await;
        }
        let fallbacks = database
            .count("SELECT COUNT(*) FROM turn WHERE outcome = 'fallback'")
            .await;
        assert_eq!(fallbacks, i64::try_from(HOSTILE.len()).expect("few"));
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_in_the_journal() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        install(&town, 0, "flood_logs", guests::FLOOD_LOGS).await;
        let node = town
            .deployment
            .start_in_process("node", Arc::new(SystemClock))
            .await;
        let sent = bodies(&town, 0, 1);
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let answers = town.meta.deliver_body(sent, Signature::Valid, 1).await;
        assert!(answers.expect("answers").iter().all(|s| s.is_success()));
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        let journals = database
            .texts("SELECT journal FROM turn WHERE outcome = 'answered'")
            .await;
        let journal: serde_json::Value = serde_json::from_str(&journals[0]).expect("JSON");
        let call = &journal["report"]["calls"][0];
        assert_eq!(
            (&call["log_lines"], &call["log_dropped"]),
            (&100.into(), &900.into())
        );
        node.end().await;
    })
    .await;
}

/// Messages for the looping plugin, all waiting at once: more than the guest threads take.
const HOGS: usize = 400;
const QUIET: usize = 20;

fn bodies(town: &Town, number: usize, customers: usize) -> Vec<u8> {
    let number = &town.business.numbers[number];
    let messages = (0..customers).map(|n| message(n, &format!("49151{n:07}"), "hello", now_secs()));
    body(&[(&number.waba_id, &number.phone_number_id, messages.collect())])
}

#[tokio::test]
async fn a_quiet_tenant_is_answered_while_a_hog_has_all_that_it_can_have_in_flight() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        install(&town, 0, "loop_forever", guests::LOOP_FOREVER).await;
        install(&town, 1, "echo", guests::ECHO).await;
        let node = town.node("node").await;
        // All of them wait when the first begins, however slow the machine is.
        node.turns_paused.store(true, Ordering::Relaxed);
        for body in [bodies(&town, 0, HOGS), bodies(&town, 2, QUIET)] {
            let answers = town.meta.deliver_body(body, Signature::Valid, 1).await;
            assert!(answers.expect("answers").iter().all(|s| s.is_success()));
        }
        let attached = "SELECT COUNT(*) FROM inbound_event WHERE kind = 1";
        until("all are attached", async || {
            (database.count(attached).await == (HOGS + QUIET) as i64).then_some(())
        })
        .await;
        node.turns_paused.store(false, Ordering::Relaxed);
        // Counted in turns and not in seconds: whoever is slow, the quiet ones do not come after the hogs.
        let hogs_before_the_last_quiet = "SELECT COUNT(*) FROM turn WHERE outcome = 'fallback'
            AND at < (SELECT MAX(at) FROM turn WHERE outcome = 'answered')";
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        let count = async |outcome| database.count(outcome).await;
        let answered = count("SELECT COUNT(*) FROM turn WHERE outcome = 'answered'").await;
        let fallen = count("SELECT COUNT(*) FROM turn WHERE outcome = 'fallback'").await;
        assert_eq!((answered, fallen), (QUIET as i64, HOGS as i64));
        let before = count(hogs_before_the_last_quiet).await;
        eprintln!("{before} of {HOGS} loops were over when the last of {QUIET} answers was");
        // A few begin before anybody knows what they cost, then two for each guest thread: far from what slots alone allow.
        assert!(
            before < fallen / 2,
            "the quiet tenant waited for {before} loops"
        );
        let sent = town.meta.requests();
        let echoed = sent.iter().filter(|r| r.answer.wamid.is_some()).count();
        assert!(echoed >= QUIET + HOGS, "{echoed} of all replies arrived");
        node.end().await;
    })
    .await;
}
