//! What a turn causes, in a running gateway: once, within its bounds, and as its journal tells it.

mod absent_key;
mod hot_key;
mod kv_lists;
mod owners;
mod quota;
mod reads;
mod replay;
mod replay_job;
mod replay_queue;
mod stored;
mod templates;

use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, settle};

/// A customer of the business's number `number` says something.
fn say(town: &Town, number: usize, customer: usize, text: &str) {
    let phone = format!("49151{number}0000{customer:03}");
    let number = &town.business.numbers[number].phone_number_id;
    let customer = town.meta.customer(number, &phone).expect("a customer");
    customer.text(text).expect("sent");
}

/// Waits until Meta has delivered everything and everything has happened.
async fn all_done(town: &Town, database: &TestDatabase) {
    town.meta.webhooks_idle().await;
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
}
