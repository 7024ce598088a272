//! More waits than memory holds: everything has its turn in order, and one tenant's backlog is nobody else's.

use std::sync::atomic::Ordering;

use vestibule::simulator::Signature;
use vestibule_tests::town::{Balance, Town, body, message, now_secs};
use vestibule_tests::{for_each_database, guests, settle, until};

const CUSTOMERS: usize = 12;
const EACH: usize = 8;

/// Messages of many customers of one number, round by round, so that neighbours are of different conversations.
fn flood(number: usize) -> Vec<serde_json::Value> {
    let rounds = (0..EACH).flat_map(|round| (0..CUSTOMERS).map(move |customer| (round, customer)));
    rounds
        .map(|(round, customer)| {
            let customer = format!("4915{number}00000{customer:02}");
            message(round, &customer, &format!("line {round}"), now_secs())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_larger_than_memory_is_worked_off_in_order() {
    for_each_database(async |database| {
        let mut town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        town.deployment = town.deployment.with("turns.queue_messages", "16");
        let node = town.node("node").await;
        // Nothing is worked off while it comes in: memory overflows for certain.
        node.turns_paused.store(true, Ordering::Relaxed);
        for (n, number) in town.business.numbers.iter().enumerate() {
            let flood = body(&[(&number.waba_id, &number.phone_number_id, flood(n))]);
            let answers = town.meta.deliver_body(flood, Signature::Valid, 1).await;
            assert!(answers.expect("an answer")[0].is_success());
        }
        let total = i64::try_from(4 * CUSTOMERS * EACH).expect("few");
        until("everything is attached", async || {
            let events = database.count("SELECT COUNT(*) FROM inbound_event");
            (events.await == total).then_some(())
        })
        .await;
        node.turns_paused.store(false, Ordering::Relaxed);
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        let balance = Balance::of(&database, &town.meta).await;
        assert_eq!(
            (balance.events, balance.turns, balance.out_of_order),
            (total, total, 0),
            "{balance:?}"
        );
        assert_eq!((balance.doubled, balance.missing), (0, 0), "{balance:?}");
        node.end().await;
    })
    .await;
}
