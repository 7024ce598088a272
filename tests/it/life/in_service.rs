//! A version in service that falls over: the last good one comes back, or its breaker opens until probes go well.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use vestibule::access::keys::{self, NewKey};
use vestibule::access::{Grant, Role, shown_once};
use vestibule::domain::rollout::Stage;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{Clock, StreamKind};
use vestibule::tenants::installations::stop;
use vestibule_tests::town::Town;
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests, until};

use super::{Life, cli, echo};

/// More customers than a broken version may meet: the least number of turns, and those under way meanwhile.
const CUSTOMERS: usize = 200;
const AT_ONCE: usize = 10;

impl Life<'_> {
    /// Customers break the plugin until `done`. How many there were.
    async fn broken_until(&self, done: impl AsyncFn() -> bool) -> usize {
        let mut spoke = 0;
        while !done().await && spoke < CUSTOMERS {
            (spoke..spoke + AT_ONCE).for_each(|customer| self.say(customer, "crack"));
            self.all_answered().await;
            spoke += AT_ONCE;
        }
        spoke
    }

    /// Reasons of the tenant's events of a kind, as its followers read them.
    async fn told(&self, kind: StreamKind) -> Vec<String> {
        let new = NewKey {
            realm: self.tenant,
            name: format!("for {}", kind.word()),
            grant: Some(Grant::Role(Role::Developer)),
            user: None,
            expires_at: None,
        };
        let (_, token) = keys::create(self.setup(), new).await.expect("a key");
        let (client, key) = (reqwest::Client::builder().build(), shown_once(&token));
        let client = client.expect("a client");
        let mut after = 0;
        until("the event is told", async || {
            let (address, kind) = (self.node.api, kind.word());
            let url =
                format!("http://{address}/api/v1/events?limit=200&types={kind}&after={after}");
            let page = client.get(url).bearer_auth(&key).send();
            let page = page.await.expect("an answer").text().await;
            let page: Value = serde_json::from_str(&page.expect("a body")).expect("JSON");
            after = page["position"].as_i64().expect("a position");
            let events = page["items"].as_array().expect("events").iter();
            let reasons = events.filter_map(|event| event["data"]["reason"].as_str());
            let reasons: Vec<String> = reasons.map(str::to_owned).collect();
            (!reasons.is_empty()).then_some(reasons)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_in_service_goes_and_the_last_good_one_answers() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::BRITTLE, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Active, 0, "v2 ").await;
        let rolled_back = async || {
            let now = life.now(&installation).await;
            now.active().is_some_and(|active| active.version == "1.0.0")
        };
        let spoke = life.broken_until(rolled_back).await;
        assert!((20..CUSTOMERS).contains(&spoke), "{spoke}");
        life.say(CUSTOMERS, "crack");
        life.all_answered().await;
        let last = life.said().await.pop().expect("an answer");
        assert_eq!(last.1, "v1 crack");
        let gone = &life.versions(&installation).await[0];
        let (stage, version) = (gone.stage, gone.version.as_str());
        assert_eq!((stage, version, gone.good), (Stage::Retired, "2.0.0", false));
        assert!(gone.reason.starts_with("rolled back by itself in active: "), "{}", gone.reason);
        let audit = "SELECT COUNT(*) FROM audit_entry WHERE action = 'plugin.roll_back' AND actor_kind = 'gateway'";
        assert_eq!(database.count(audit).await, 1);
        let told = life.told(StreamKind::PluginRolledBack).await;
        assert!(told[0].starts_with("echo 1.0.0 instead of 2.0.0: "), "{told:?}");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_last_good_version_is_stopped_the_one_before_it_answers() {
    for_each_database(async |database| {
        let uploads = [
            echo(guests::ECHO, "1.0.0"),
            echo(guests::ECHO, "2.0.0"),
            echo(guests::BRITTLE, "3.0.0"),
        ];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        life.install(1, Stage::Active, 0, "v2 ").await;
        let installation = life.install(2, Stage::Active, 0, "v3 ").await;
        stop(life.setup(), &life.digests[1], "it swears")
            .await
            .expect("stopped");
        let rolled_back = async || {
            let now = life.now(&installation).await;
            now.active().is_some_and(|active| active.version == "1.0.0")
        };
        let spoke = life.broken_until(rolled_back).await;
        assert!((20..CUSTOMERS).contains(&spoke), "{spoke}");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_version_the_breaker_opens_and_probes_close_it() {
    for_each_database(async |database| {
        let clock = Arc::new(ManualClock::at(vestibule::clock::SystemClock.now()));
        let uploads = [echo(guests::BRITTLE, "1.0.0")];
        let life = Life::begin_at(&database, &uploads, clock.clone()).await;
        let installation = life.install(0, Stage::Active, 0, "v1 ").await;
        let is_open = async || life.now(&installation).await.open_breaker().is_some();
        let spoke = life.broken_until(is_open).await;
        assert!((20..CUSTOMERS).contains(&spoke), "{spoke}");
        let tenant = life.town.business.tenants[0].clone();
        let listed = cli(&life.town, &["plugin", "list", "--tenant", &tenant]).await;
        let breaker = listed[0]["breaker"].as_str().expect("it is open");
        assert!(breaker.contains("turns were faulty"), "{breaker}");
        let told = life.told(StreamKind::PluginBreakerOpened).await;
        assert!(told[0].starts_with("echo 1.0.0: "), "{told:?}");
        // Whoever writes now gets the fallback at once, though the plugin could answer this.
        let said = async || {
            let said = life.said().await.into_iter();
            said.filter(|(_, text)| text.starts_with("v1 ")).count()
        };
        life.say(CUSTOMERS, "hello");
        life.all_answered().await;
        assert_eq!(said().await, 0);
        clock.advance(Duration::from_secs(31));
        for customer in 1..=3 {
            assert!(is_open().await, "{customer}");
            life.say(CUSTOMERS + customer, "hello");
            life.all_answered().await;
            assert_eq!(said().await, customer, "a probe answers");
        }
        until("the breaker closes", async || (!is_open().await).then_some(())).await;
        life.say(CUSTOMERS + 4, "hello");
        life.all_answered().await;
        assert_eq!(said().await, 4);
        life.told(StreamKind::PluginBreakerClosed).await;
        let audit = "SELECT COUNT(*) FROM audit_entry WHERE action LIKE 'plugin.breaker%' AND actor_kind = 'gateway'";
        assert_eq!(database.count(audit).await, 2);
        life.end().await;
    })
    .await;
}

/// Gives the first number's bucket to the first node and the second's to the other. `false`: both are in one bucket.
async fn divide(database: &TestDatabase, nodes: [u16; 2]) -> bool {
    until("both nodes have their share", async || {
        let shares = "SELECT CAST(COUNT(*) AS TEXT) FROM bucket_lease GROUP BY slot";
        (database.texts(shares).await == ["128", "128"]).then_some(())
    })
    .await;
    let buckets = "SELECT CAST(n.bucket AS TEXT) || ' ' || CAST(b.slot AS TEXT) FROM number n
        JOIN bucket_lease b ON b.bucket = n.bucket ORDER BY n.phone_number_id";
    let rows = database.texts(buckets).await;
    let rows = rows.iter().map(|row| row.split_once(' ').expect("two"));
    let rows: Vec<(&str, &str)> = rows.take(2).collect();
    if rows[0].0 == rows[1].0 {
        return false;
    }
    // Whoever gives one away gets another for it, so that nobody has too many.
    for ((bucket, was), node) in rows.into_iter().zip(nodes) {
        let node = node.to_string();
        if was != node {
            let swap = format!(
                "UPDATE bucket_lease SET epoch = epoch + 1, slot = CASE WHEN bucket = {bucket} THEN {node} ELSE {was} END
                 WHERE bucket = {bucket} OR bucket = (SELECT MIN(bucket) FROM bucket_lease
                    WHERE slot = {node} AND bucket NOT IN (SELECT bucket FROM number))"
            );
            database.execute(swap.leak()).await;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_which_two_nodes_see_half_each_open_the_breaker_for_both() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    // It stands still: a window of a minute is as long as the test.
    let clock = Arc::new(ManualClock::at(vestibule::clock::SystemClock.now()));
    let uploads = [echo(guests::BRITTLE, "1.0.0")];
    let mut town = Town::without_plugin(&database).await;
    // However slow the machine is, nobody takes the other's number over.
    town.deployment = town.deployment.with("leases.ttl", "60s");
    let life = Life::begin_in(&database, town, &uploads, clock.clone()).await;
    let second = life.town.deployment.start_in_process("second", clock).await;
    let installation = life.install(0, Stage::Active, 0, "v1 ").await;
    let nodes = [&life.node, &second].map(|node| node.context.setup.ids.node());
    if !divide(&database, nodes).await {
        return;
    }
    let counted = async |node: u16| {
        let turns = "SELECT CAST(node AS TEXT) || ' ' || CAST(n AS TEXT) FROM plugin_health WHERE measure = 'turns'";
        let rows = database.texts(turns).await;
        let rows = rows.iter().filter_map(|row| row.split_once(' '));
        let mine = rows.filter(|(of, _)| *of == node.to_string());
        mine.map(|(_, turns)| turns.parse::<u64>().expect("a number"))
            .sum::<u64>()
    };
    // Whoever has written counts twice has heard of the other's in between; what comes from then on counts for both.
    let mut customer = 0;
    for turns in 1..=2 {
        for (number, node) in nodes.into_iter().enumerate() {
            life.say_to(number, customer, "crack");
            customer += 1;
            until("the node says what it saw", async || {
                (counted(node).await >= turns).then_some(())
            })
            .await;
        }
    }
    for _ in 0..10 {
        for number in 0..2 {
            life.say_to(number, customer, "crack");
            customer += 1;
        }
    }
    until("the breaker opens", async || {
        life.now(&installation).await.open_breaker().cloned()
    })
    .await;
    life.all_answered().await;
    for node in nodes {
        let alone = counted(node).await;
        assert!(
            (2..20).contains(&alone),
            "{alone} turns show nothing by themselves"
        );
    }
    // The plugin could answer this.
    for number in 0..2 {
        until("its node knows it", async || {
            life.say_to(number, customer, "hello");
            customer += 1;
            life.all_answered().await;
            let said = life.said().await.pop().expect("an answer");
            (said.1 != "v1 hello").then_some(())
        })
        .await;
    }
    second.end().await;
    life.end().await;
}
