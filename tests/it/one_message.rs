//! The way of one message, on both databases: acknowledged, given its turn, and everything settled afterwards.

use std::sync::Arc;
use std::time::Duration;

use vestibule::clock::SystemClock;
use vestibule::simulator::{Simulator, SimulatorConfig, SimulatorHandle, WebhookPolicy};
use vestibule_tests::{Business, Deployment, Program, TestDatabase, for_each_database, settle};

/// A business at gateway and simulator, no node running yet.
async fn set_up(database: &TestDatabase) -> (Business, Deployment, SimulatorHandle) {
    let business = Business::new(2, 2, 80);
    let mut config = SimulatorConfig::new(Arc::new(SystemClock), &business.app_secret);
    config.numbers = business.sim_numbers();
    config.webhooks = WebhookPolicy::quick();
    let meta = Simulator::start(config)
        .await
        .expect("the simulator starts");
    let deployment = Deployment::new(Program::under_test(), &database.url, &meta.base_url());
    business.onboard(&deployment, "node").await;
    (business, deployment, meta)
}

/// Messages that had their turn.
async fn turns_done(database: &TestDatabase) -> i64 {
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
    database
        .count("SELECT COUNT(*) FROM inbound_event WHERE state = 1")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_gets_its_one_turn_in_a_node_of_this_process() {
    for_each_database(async |database| {
        let (business, deployment, meta) = set_up(&database).await;
        let node = deployment
            .start_in_process("node", Arc::new(SystemClock))
            .await;
        meta.set_webhook(&node.webhook_url(), None).expect("a URL");
        let number = &business.numbers[0].phone_number_id;
        let customer = meta.customer(number, "4915112345678").expect("a customer");
        customer.text("hello").expect("sent");
        meta.webhooks_idle().await;
        assert_eq!(turns_done(&database).await, 1);
        node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_goes_on_where_it_was() {
    for_each_database(async |database| {
        let (business, deployment, meta) = set_up(&database).await;
        let deployment = deployment
            .with("leases.ttl", "3s")
            .with("leases.renew_every", "1s");
        let mut node = deployment.start("node").await;
        meta.set_webhook(&node.webhook_url(), None).expect("a URL");
        for n in 0..20 {
            let number = &business.numbers[n % 4].phone_number_id;
            let customer = meta
                .customer(number, &format!("49151123456{n:02}"))
                .expect("a customer");
            customer.text("hello").expect("sent");
            if n == 10 {
                node.kill9();
                node.restart(&deployment);
            }
        }
        node.wait_until_ready().await;
        tokio::time::timeout(Duration::from_secs(60), meta.webhooks_idle())
            .await
            .expect("every webhook is accepted");
        assert_eq!(turns_done(&database).await, 20, "{}", node.logs());
        assert!(node.terminate().await.success(), "{}", node.logs());
    })
    .await;
}
