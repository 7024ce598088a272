//! A node that lost a part ends, so that its buckets go to others and its supervisor starts it anew.

use std::sync::Arc;

use vestibule::app::PartFailed;
use vestibule::clock::SystemClock;
use vestibule::delivery::{Observer, SendTrace};
use vestibule_tests::{for_each_database, town::Town};

/// Breaks the task that delivers, at the first send.
struct Bug;

impl Observer for Bug {
    fn sent(&self, _: &SendTrace) {
        panic!("a bug in delivery, as this test wants it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_delivery_panics_gives_its_work_back_and_fails() {
    for_each_database(async |database| {
        let town = Town::without_plugin(&database).await;
        let node = town
            .deployment
            .start_in_process_observed("node", Arc::new(SystemClock), Arc::new(Bug))
            .await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let number = &town.business.numbers[0].phone_number_id;
        let customer = town.meta.customer(number, "4915112345678");
        // The gateway itself answers it: no plugin is needed.
        customer.expect("a customer").text("agent").expect("sent");
        assert_eq!(node.finished().await, Err(PartFailed("delivery")));
        let held = database
            .count("SELECT COUNT(*) FROM bucket_lease WHERE slot >= 0")
            .await;
        assert_eq!(held, 0, "its buckets are free");
    })
    .await;
}
