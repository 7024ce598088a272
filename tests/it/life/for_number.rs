//! A plugin that is installed for all numbers of a tenant and for one of them: a turn has one of the two.

use serde_json::json;
use vestibule::domain::rollout::Stage;
use vestibule::storage::installations::Installation;
use vestibule::tenants::installations::remove;
use vestibule_tests::{for_each_database, guests, until};

use super::{Life, echo};

impl Life<'_> {
    /// The tenant's first number gets an installation of its own.
    async fn install_own(&self, upload: usize, stage: Stage, percent: i64) -> Installation {
        let config = json!({"prefix": "own "});
        let own = self.try_install_for(Some(0), upload, (stage, percent), config);
        own.await.expect("installed")
    }

    /// What a customer of a number hears when they say something.
    async fn answer(&self, number: usize, customer: usize, text: &str) -> String {
        let before = self.said().await.len();
        self.say_to(number, customer, text);
        self.all_answered().await;
        let said = self.said().await;
        assert_eq!(said.len(), before + 1, "one answer");
        said.last().expect("an answer").1.clone()
    }

    /// How many calls of plugins each turn had.
    async fn calls(&self) -> Vec<usize> {
        let journals = self.journals().await;
        let calls = journals
            .iter()
            .map(|journal| journal["report"]["calls"].as_array());
        calls.map(|calls| calls.map_or(0, Vec::len)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_own_installation_takes_the_place_of_the_tenants() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "all ").await;
        assert_eq!(life.answer(0, 1, "hello").await, "all hello");
        let own = life.install_own(0, Stage::Active, 0).await;
        assert_eq!(life.answer(0, 1, "hello").await, "own hello");
        assert_eq!(life.answer(1, 2, "hello").await, "all hello");
        assert_eq!(life.calls().await, [1, 1, 1]);
        let removed = remove(life.setup(), life.tenant, own.id).await;
        removed.expect("removed");
        assert_eq!(life.answer(0, 1, "hello").await, "all hello");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_version_on_trial_leaves_what_is_not_its_share_to_the_tenants() {
    const CUSTOMERS: usize = 30;
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::BRITTLE, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "all ").await;
        let own = life.install_own(1, Stage::Shadow, 0).await;
        assert_eq!(life.answer(0, 1, "hello").await, "all hello");
        let journal = life.journals().await.remove(0);
        assert_eq!(journal["trials"][0]["stage"], "shadow", "{journal}");
        assert_eq!(journal["trials"][0]["same"], false, "{journal}");
        life.promote(&own, Stage::Canary, 50).await;
        let before = life.said().await.len();
        (0..CUSTOMERS).for_each(|customer| life.say(customer, "hello"));
        life.all_answered().await;
        let said = life.said().await.split_off(before);
        let drawn = said.iter().filter(|(_, text)| text == "own hello").count();
        let others = said.iter().filter(|(_, text)| text == "all hello").count();
        assert!(drawn > 0 && others > 0, "{said:?}");
        assert_eq!((drawn + others, said.len()), (CUSTOMERS, CUSTOMERS));
        // One that fails leaves its turn to the tenant's.
        life.promote(&own, Stage::Canary, 100).await;
        assert_eq!(life.answer(0, 1, "hello").await, "own hello");
        assert_eq!(life.answer(0, 1, "crack").await, "all crack");
        life.promote(&own, Stage::Active, 0).await;
        assert_eq!(life.answer(0, 1, "hello").await, "own hello");
        assert_eq!(life.answer(1, 2, "hello").await, "all hello");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_shadow_is_compared_with_the_tenants_version_that_answers() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::ECHO, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "all ").await;
        let alike = json!({"prefix": "all "});
        let own = life.try_install_for(Some(0), 1, (Stage::Shadow, 0), alike);
        own.await.expect("installed");
        assert_eq!(life.answer(0, 1, "hello").await, "all hello");
        let journal = life.journals().await.remove(0);
        assert_eq!(journal["trials"][0]["same"], true, "{journal}");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_version_that_was_taken_back_leaves_the_number_to_the_tenants() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "all ").await;
        let own = life.install_own(0, Stage::Canary, 100).await;
        assert_eq!(life.answer(0, 1, "hello").await, "own hello");
        let back = life.roll_back(&own, Default::default()).await;
        back.expect("rolled back");
        assert_eq!(life.answer(0, 1, "hello").await, "all hello");
        let journal = life.journals().await.pop().expect("a turn");
        assert_eq!(
            journal["not_runnable"],
            serde_json::Value::Null,
            "{journal}"
        );
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_own_candidate_rejects_is_answered_by_the_tenants() {
    const CUSTOMERS: usize = 30;
    for_each_database(async |database| {
        let uploads = ["1.0.0", "2.0.0"].map(|version| echo(guests::LABORER, version));
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "all ").await;
        let picky = json!({"prefix": "own ", "picky": true});
        let own = life.try_install_for(Some(0), 1, (Stage::Canary, 100), picky);
        let own = own.await.expect("installed");
        assert_eq!(life.answer(0, 1, "hello").await, "own hello");
        (0..CUSTOMERS).for_each(|customer| life.say(customer, "refuse me"));
        life.all_answered().await;
        let said = life.said().await.split_off(1);
        let answered = said.iter().filter(|(_, text)| text == "all refuse me");
        assert_eq!(answered.count(), CUSTOMERS, "{said:?}");
        until("it goes by itself", async || {
            life.now(&own).await.candidate().is_none().then_some(())
        })
        .await;
        life.end().await;
    })
    .await;
}
