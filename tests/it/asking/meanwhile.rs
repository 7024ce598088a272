//! What changes while a turn waits for another server: nothing of it is committed that no turn would do any more.

use serde_json::{Value, json};
use vestibule::domain::rollout::Stage;
use vestibule::storage::installations::Installation;
use vestibule::tenants::installations::{self, NewInstallation, Source};
use vestibule::tenants::{find_tenant, set_tenant};
use vestibule_tests::manifest::saying;
use vestibule_tests::town::Town;
use vestibule_tests::{InProcessNode, TestDatabase, for_each_database, guests, until};

use super::shop::Shop;
use super::{PHONE, all_done, file, install, town, write};

/// A customer of the tenant's first number whose turn waits for the shop.
struct Waiting<'a> {
    database: &'a TestDatabase,
    town: Town,
    shop: Shop,
    node: InProcessNode,
    /// Another upload of the same plugin, which echoes.
    upload: String,
}

impl<'a> Waiting<'a> {
    async fn begin(database: &'a TestDatabase) -> Waiting<'a> {
        let shop = Shop::start().await;
        let town = town(database).await;
        let hosts = format!("http GET {}", shop.url("/held"));
        install(&town, 0, guests::ASKER, &json!({}), &["--grant", &hosts]).await;
        let upload = push(&town, &saying(guests::ECHO, &json!({"name": "asker"}))).await;
        let node = town.node("node").await;
        let waiting = Self {
            database,
            town,
            shop,
            node,
            upload,
        };
        let wish = json!({"url": waiting.shop.url("/held")}).to_string();
        write(&waiting.town, 0, PHONE, &wish);
        until("the shop is asked", async || {
            (!waiting.shop.asked().is_empty()).then_some(())
        })
        .await;
        waiting
    }

    /// The first number gets an installation of its own, which is in service at once.
    async fn install_own(&self) -> Installation {
        let number = &self.town.business.numbers[0].phone_number_id;
        let new = NewInstallation {
            tenant: self.town.business.tenants[0].clone(),
            number: Some(number.clone()),
            source: Source::Digest(self.upload.clone()),
            config: Some(json!({"prefix": "own "}).to_string()),
            grants: None,
            position: None,
            bounds: None,
            stage: Stage::Active,
            percent: 0,
            state_is_safe: false,
        };
        let context = &self.node.context;
        let installed = installations::install(&context.setup, &context.compiler, &new).await;
        installed.expect("installed")
    }

    /// What the tenant has installed for all of its numbers rests, and its fallback says something else.
    async fn pause_and_say(&self, words: &str) {
        let (setup, name) = (&self.node.context.setup, &self.town.business.tenants[0]);
        let tenant = find_tenant(setup, name).await.expect("the tenant").id;
        let all = installations::page(setup, tenant, 0, 10).await;
        let id = all.expect("it reads")[0].id;
        let paused = installations::pause(setup, tenant, id, false).await;
        paused.expect("paused");
        let settings = json!({"fallback_text": words}).to_string();
        let changed = set_tenant(setup, name, &settings).await;
        changed.expect("changed");
    }

    /// The shop answers. What the customer was told, whatever became of the turn.
    async fn end(self) -> Vec<String> {
        self.shop.release();
        all_done(&self.town, self.database).await;
        self.node.end().await;
        let drafts = self
            .database
            .texts("SELECT draft FROM outbox ORDER BY id")
            .await;
        let text = |draft: &String| {
            let draft: Value = serde_json::from_str(draft).expect("a draft is JSON");
            let body = draft["content"]["body"].as_str();
            body.unwrap_or_default().to_owned()
        };
        drafts.iter().map(text).collect()
    }
}

/// Uploads a component for the first tenant; answers its digest.
async fn push(town: &Town, component: &[u8]) -> String {
    let (file, tenant) = (file(town, "pushed", component), &town.business.tenants[0]);
    let push = ["plugin", "push", &file, "--tenant", tenant, "--json"];
    let said = town.deployment.run("node", &push, &[]).await;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    said["digest"].as_str().expect("a digest").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_numbers_new_installation_answers_what_began_with_the_tenants() {
    for_each_database(async |database| {
        let waiting = Waiting::begin(&database).await;
        waiting.install_own().await;
        let said = waiting.end().await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("own "), "{said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_a_pause_is_told_the_fallback_as_it_is_after_it() {
    for_each_database(async |database| {
        let waiting = Waiting::begin(&database).await;
        waiting.pause_and_say("We are back at nine.").await;
        assert_eq!(waiting.end().await, ["We are back at nine."]);
    })
    .await;
}
