//! Killed under load: every accepted webhook has exactly one turn, every turn exactly its sends, but for those in doubt,
//! which are settled by rule and listed.
//!
//! `VESTIBULE_KILLS=200 cargo test -p vestibule-tests --test it chaos` kills as often as you like; ten is the default.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vestibule::graph::signature;
use vestibule::storage::nodes;
use vestibule_tests::town::{Balance, Town, body, message, now_secs};
use vestibule_tests::{GatewayProcess, Kind, TestDatabase, guests, settle};

fn kills() -> usize {
    #[allow(
        clippy::disallowed_methods,
        reason = "how long a test runs is not the gateway's configuration"
    )]
    let kills = std::env::var("VESTIBULE_KILLS").ok();
    kills.and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

/// Posts messages to any of these URLs until stopped, again and again until each is accepted, as Meta does.
struct Load {
    accepted: Arc<AtomicUsize>,
    stop: tokio_util::sync::CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Load {
    fn start(town: &Town, urls: Vec<String>) -> Self {
        let (accepted, stop) = (
            Arc::new(AtomicUsize::new(0)),
            tokio_util::sync::CancellationToken::new(),
        );
        let mut tasks = tokio::task::JoinSet::new();
        // Another test of this binary may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        for worker in 0..4 {
            let (urls, accepted, stop) = (urls.clone(), accepted.clone(), stop.clone());
            let number = town.business.numbers[worker].clone();
            let secret = town.business.app_secret.clone();
            tasks.spawn(async move {
                let client = reqwest::Client::builder()
                    .timeout(Duration::from_secs(3))
                    .build()
                    .expect("a client");
                for n in 0.. {
                    if stop.is_cancelled() {
                        return;
                    }
                    let customer = format!("4915{worker}0000{:03}", n % 25);
                    let element = message(n, &customer, &format!("line {n}"), now_secs());
                    let body = body(&[(&number.waba_id, &number.phone_number_id, vec![element])]);
                    deliver(&client, &urls, &secret, &body, n).await;
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self {
            accepted,
            stop,
            tasks,
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until so many more were accepted: time as the load counts it.
    async fn more(&self, by: usize) {
        let goal = self.accepted() + by;
        vestibule_tests::until("webhooks are accepted", async || {
            (self.accepted() >= goal).then_some(())
        })
        .await;
    }

    /// Stops after what is under way has been accepted.
    async fn end(mut self) -> i64 {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        i64::try_from(self.accepted()).expect("few")
    }
}

async fn deliver(client: &reqwest::Client, urls: &[String], secret: &str, body: &[u8], n: usize) {
    let signature = signature::sign(secret.as_bytes(), body);
    for attempt in 0.. {
        let url = &urls[(n + attempt) % urls.len()];
        let post = client
            .post(url)
            .header("x-hub-signature-256", &signature)
            .body(body.to_vec());
        match post.send().await {
            Ok(answer) if answer.status().is_success() => return,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Waits for everything, then holds the books against each other.
async fn check(database: &TestDatabase, town: &Town, accepted: i64) {
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
    let balance = Balance::of(database, &town.meta).await;
    eprintln!("{accepted} webhooks accepted: {balance:?}");
    assert_eq!(
        (balance.events, balance.turns, balance.out_of_order),
        (accepted, accepted, 0),
        "{balance:?}"
    );
    assert_eq!(
        (balance.doubled, balance.missing, balance.overtaking),
        (0, 0, 0),
        "{balance:?}"
    );
    let sends = database.count("SELECT COUNT(*) FROM outbox").await;
    assert_eq!(sends, accepted, "one answer for each message, written once");
}

async fn town(database: &TestDatabase) -> Town {
    let mut town = Town::with_plugin(database, guests::ECHO, &[]).await;
    town.deployment = town.deployment.with("delivery.unknown_grace", "2s");
    town
}

#[tokio::test]
async fn sqlite_survives_kills_and_a_long_stop() {
    let database = TestDatabase::fresh(Kind::Sqlite)
        .await
        .expect("SQLite is always there");
    let town = town(&database).await;
    let mut node = town.deployment.start("node").await;
    town.meta
        .set_webhook(&node.webhook_url(), None)
        .expect("a URL");
    let load = Load::start(&town, vec![node.webhook_url()]);
    for kill in 0..kills() {
        load.more(7 + kill % 13).await;
        node.restart(&town.deployment);
        node.wait_until_ready().await;
    }
    // The only process stands still until nobody owns anything by the database's clock.
    load.more(20).await;
    node.stop();
    let db = database.open().await;
    vestibule_tests::until("the stopped node's lease has run out", async || {
        let mut tx = db.read().await.expect("a readable database");
        let live = nodes::live_slots(&mut tx).await.expect("readable slots");
        live.is_empty().then_some(())
    })
    .await;
    db.close().await;
    node.cont();
    load.more(20).await;
    let accepted = load.end().await;
    check(&database, &town, accepted).await;
    assert!(node.terminate().await.success(), "{}", node.logs());
}

#[tokio::test]
async fn two_postgres_nodes_survive_kills_and_a_long_stop() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = town(&database).await;
    let mut nodes: Vec<GatewayProcess> = vec![
        town.deployment.start("a").await,
        town.deployment.start("b").await,
    ];
    let urls: Vec<String> = nodes.iter().map(GatewayProcess::webhook_url).collect();
    town.meta.set_webhook(&urls[0], None).expect("a URL");
    let load = Load::start(&town, urls);
    for kill in 0..kills() {
        load.more(7 + kill % 13).await;
        let node = &mut nodes[kill % 2];
        node.restart(&town.deployment);
        node.wait_until_ready().await;
    }
    // A node that stands still past its lease wakes up as the owner of nothing.
    nodes[1].stop();
    vestibule_tests::wait::until_within(
        Duration::from_secs(60),
        "the other node owns every bucket",
        async || {
            let owned = database
            .count("SELECT COUNT(*) FROM bucket_lease GROUP BY slot ORDER BY COUNT(*) DESC LIMIT 1")
            .await;
            (owned == 256).then_some(())
        },
    )
    .await;
    load.more(20).await;
    nodes[1].cont();
    load.more(20).await;
    let accepted = load.end().await;
    check(&database, &town, accepted).await;
    for node in &mut nodes {
        assert!(node.terminate().await.success(), "{}", node.logs());
    }
}
