//! A version in service that falls over: the last good one comes back, or its breaker opens until probes go well.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use vestibule::access::keys::{self, NewKey};
use vestibule::access::{Grant, Role, shown_once};
use vestibule::domain::rollout::Stage;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{Clock, StreamKind};
use vestibule_tests::{for_each_database, guests, until};

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
