//! Bounds: each of them takes a candidate out by itself, and a version that was promoted lately, in whose place the one before
//! it answers again.

use std::sync::Arc;

use serde_json::{Value, json};
use vestibule::clock::SystemClock;
use vestibule::domain::rollout::{Bounds, Stage};
use vestibule::storage::installations::Installation;
use vestibule::storage::plugin_health::{self, Part};
use vestibule::tenants::installations::{NewInstallation, Source, install};
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, until};

use super::{Life, echo};

/// Rounds of work that take a fifth of the fuel.
const HARD: u64 = 2_000_000;
/// Rounds that take longer than the least bound on whatever machine: some 200 million instructions, a core that does ten in
/// a nanosecond takes 20 ms for them. And the fuel for them.
const LONG: u64 = 40_000_000;
const FUEL_FOR_LONG: &str = "1000000000";
/// No bound is passed by it.
const LOOSE: Bounds = Bounds {
    least_turns: 20,
    fault_percent: 100.0,
    fuel_percent: 100.0,
    latency_ms: 600_000,
    difference_percent: 100.0,
};
const FUEL: Bounds = Bounds {
    fuel_percent: 5.0,
    ..LOOSE
};
const LATENCY: Bounds = Bounds {
    latency_ms: 1,
    ..LOOSE
};
const FAULTS: Bounds = Bounds {
    fault_percent: 10.0,
    ..LOOSE
};
const DIFFERENCE: Bounds = Bounds {
    difference_percent: 50.0,
    ..LOOSE
};

impl Life<'_> {
    async fn install_within(
        &self,
        (upload, stage): (usize, Stage),
        config: Value,
        bounds: Bounds,
    ) -> Installation {
        let new = NewInstallation {
            tenant: self.tenant.to_string(),
            number: None,
            source: Source::Digest(self.digests[upload].clone()),
            config: Some(config.to_string()),
            grants: None,
            position: None,
            bounds: Some(bounds),
            stage,
            percent: 100,
            state_is_safe: false,
        };
        let installed = install(self.setup(), &self.node.context.compiler, &new).await;
        installed.expect("installed")
    }

    /// New customers say these things in turn until the second version is gone. Why it went.
    async fn until_gone(&self, installation: &Installation, words: &[&str]) -> String {
        let mut customer = 0;
        until("the second version goes by itself", async || {
            for _ in 0..10 {
                self.say(customer, words[customer % words.len()]);
                customer += 1;
            }
            self.all_answered().await;
            let second = self.versions(installation).await.into_iter();
            let mut gone = second.filter(|v| v.seq == 2 && v.stage == Stage::Retired);
            gone.next().map(|version| version.reason)
        })
        .await
    }

    /// The first version answers again, and everybody was answered.
    async fn first_is_back(&self, installation: &Installation) {
        let now = self.now(installation).await;
        let active = now.active().expect("one is active");
        assert_eq!(
            (active.seq, active.watch()),
            (1, None),
            "it came back: nothing judges it"
        );
        self.say(9_999, "are you there?");
        self.all_answered().await;
        let last = self.said().await.pop().expect("an answer");
        assert_eq!(last.1, "v1 are you there?");
    }
}

/// The second version, in each of these stages, goes by its bound while customers say these things.
async fn goes(
    stages: &[Stage],
    (first, second): (Value, Value),
    bounds: Bounds,
    words: &[&str],
    says: &str,
) {
    for stage in stages.iter().copied() {
        for_each_database(async |database| {
            let uploads = ["1.0.0", "2.0.0"].map(|version| echo(guests::LABORER, version));
            let life = Life::begin(&database, &uploads).await;
            let first = life
                .install_within((0, Stage::Active), first.clone(), LOOSE)
                .await;
            let second = life
                .install_within((1, stage), second.clone(), bounds)
                .await;
            assert_eq!(first.id, second.id);
            let why = life.until_gone(&second, words).await;
            assert!(
                why.starts_with(&format!("rolled back by itself in {stage}: ")),
                "{why}"
            );
            assert!(why.contains(says), "{why}");
            life.first_is_back(&second).await;
            life.end().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_too_much_fuel_goes() {
    let second = json!({"prefix": "v2 ", "work": HARD});
    goes(
        &[Stage::Canary, Stage::Active],
        (json!({"prefix": "v1 "}), second),
        FUEL,
        &["hello"],
        "of its fuel",
    )
    .await;
}

/// A life in which work may take as long as it does.
async fn patient<'a>(database: &'a TestDatabase) -> Life<'a> {
    let uploads = ["1.0.0", "2.0.0"].map(|version| echo(guests::LABORER, version));
    let mut town = Town::without_plugin(database).await;
    town.deployment = town.deployment.with("plugins.fuel", FUEL_FOR_LONG);
    Life::begin_in(database, town, &uploads, Arc::new(SystemClock)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_too_long_goes() {
    for_each_database(async |database| {
        let life = patient(&database).await;
        life.install_within((0, Stage::Active), json!({"prefix": "v1 "}), LOOSE)
            .await;
        let long = json!({"prefix": "v2 ", "work": LONG});
        let second = life.install_within((1, Stage::Canary), long, LATENCY).await;
        let why = life.until_gone(&second, &["hello"]).await;
        assert!(why.contains("longer than 1 ms"), "{why}");
        life.first_is_back(&second).await;
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_rejects_what_the_one_before_answers_goes() {
    let second = json!({"prefix": "v2 ", "picky": true});
    let words = ["hello", "hello", "refuse me"];
    goes(
        &[Stage::Canary],
        (json!({"prefix": "v1 "}), second),
        FAULTS,
        &words,
        "faulty or rejected",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_version_that_faults_more_than_the_one_before_goes_long_before_its_breaker() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::BRITTLE, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        let config = |prefix: &str| json!({ "prefix": prefix });
        life.install_within((0, Stage::Active), config("v1 "), FAULTS)
            .await;
        let second = life
            .install_within((1, Stage::Active), config("v2 "), FAULTS)
            .await;
        let words = ["hello", "hello", "crack", "hello"];
        let why = life.until_gone(&second, &words).await;
        assert!(
            why.contains("were faulty (") && why.ends_with("at most 10 %)"),
            "{why}"
        );
        life.first_is_back(&second).await;
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_with_other_effects_than_its_bound_allows_goes() {
    for_each_database(async |database| {
        let uploads = ["1.0.0", "2.0.0"].map(|version| echo(guests::LABORER, version));
        let life = Life::begin(&database, &uploads).await;
        life.install_within((0, Stage::Active), json!({"prefix": "v1 "}), LOOSE)
            .await;
        let shadow = (1, Stage::Shadow);
        let second = life
            .install_within(shadow, json!({"prefix": "v2 "}), DIFFERENCE)
            .await;
        let why = life.until_gone(&second, &["hello"]).await;
        assert!(why.contains("had other effects"), "{why}");
        life.first_is_back(&second).await;
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_candidate_rejects_is_answered_by_the_active_version_unless_that_rejects_it_too() {
    for_each_database(async |database| {
        let uploads = ["1.0.0", "2.0.0"].map(|version| echo(guests::LABORER, version));
        let life = Life::begin(&database, &uploads).await;
        let picky = |prefix: &str| json!({"prefix": prefix, "picky": true});
        life.install_within((0, Stage::Active), picky("v1 "), FAULTS)
            .await;
        let second = life
            .install_within((1, Stage::Canary), picky("v2 "), FAULTS)
            .await;
        (0..30).for_each(|customer| life.say(customer, "refuse me"));
        life.all_answered().await;
        // Both reject: the tenant's fallback answers, and nobody holds it against the candidate.
        let said = life.said().await;
        assert!(said.iter().all(|(_, text)| text.starts_with("Sorry")) && said.len() == 30);
        assert!(life.now(&second).await.candidate().is_some());
        let journal = &life.journals().await[0];
        assert_eq!(journal["trials"][0]["fell_back"], "reject", "{journal}");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_version_may_reject_what_it_likes() {
    for_each_database(async |database| {
        let life = Life::begin(&database, &[echo(guests::LABORER, "1.0.0")]).await;
        let picky = json!({"prefix": "v1 ", "picky": true});
        let first = life.install_within((0, Stage::Canary), picky, FAULTS).await;
        (0..30).for_each(|customer| life.say(customer, "refuse me"));
        life.all_answered().await;
        let said = life.said().await;
        assert!(said.iter().all(|(_, text)| text.starts_with("Sorry")) && said.len() == 30);
        assert!(life.now(&first).await.candidate().is_some());
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_version_is_not_judged_by_time() {
    for_each_database(async |database| {
        let life = patient(&database).await;
        let first = life
            .install_within((0, Stage::Active), json!({"prefix": "v1 "}), LATENCY)
            .await;
        let part = Part {
            tenant: life.tenant,
            installation: first.id,
            seq: 1,
            stage: Stage::Active,
        };
        let long = json!({"prefix": "v2 ", "work": LONG});
        let second = life.install_within((1, Stage::Active), long, LATENCY).await;
        let known = Part { seq: 2, ..part };
        let mut customer = 0;
        until("the second one was judged", async || {
            (0..30).for_each(|n| life.say(customer + n, "hello"));
            customer += 30;
            life.all_answered().await;
            let mut tx = life.setup().db.read().await.expect("a transaction");
            let told = plugin_health::of_parts_all_tenants(&mut tx, &[known]).await;
            (told.expect("it reads").get(&known)?.turns >= 20).then_some(())
        })
        .await;
        let now = life.now(&second).await;
        assert_eq!(now.active().map(|active| active.seq), Some(2));
        life.end().await;
    })
    .await;
}
