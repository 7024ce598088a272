//! The life of a plugin's versions in a running gateway (docs/plugins-life.md): shadow, canary, active, rolled back.

mod bounds;
mod canary;
mod for_number;
mod in_service;
mod log_pages;
mod recompiled;
mod seen;
mod shadow;
mod signed;
mod state;
mod stopped;
mod under_load;

use std::sync::Arc;

use serde_json::{Value, json};
use vestibule::clock::SystemClock;
use vestibule::domain::rollout::Stage;
use vestibule::domain::{Clock, TenantId};
use vestibule::storage::installations::Installation;
use vestibule::storage::plugin_versions::Version;
use vestibule::tenants::installations::{
    self, Health, NewInstallation, PartKey, Promotion, Rollback, Source, Viewer, install, promote,
    roll_back, versions,
};
use vestibule::tenants::{SetupContext, SetupError, find_tenant};
use vestibule_tests::manifest::saying;
use vestibule_tests::town::Town;
use vestibule_tests::{InProcessNode, TestDatabase, settle};

/// A town whose first tenant has uploads, and a node that serves it.
struct Life<'a> {
    database: &'a TestDatabase,
    town: Town,
    node: InProcessNode,
    tenant: TenantId,
    /// Of the uploads, in their order.
    digests: Vec<String>,
}

/// A guest that says it is this version of the plugin `echo`.
fn echo(component: &[u8], version: &str) -> Vec<u8> {
    saying(component, &json!({"name": "echo", "version": version}))
}

/// What a verb of the command line answers.
async fn cli(town: &Town, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let said = town.deployment.run("node", &arguments, &[]).await;
    serde_json::from_str(&said).expect("JSON")
}

/// Uploads a component for the first tenant by the command line, whose program can compile. Its digest.
async fn push(town: &Town, component: &[u8]) -> String {
    let file = town.deployment.data_dir("push").with_extension("wasm");
    std::fs::write(&file, component).expect("the component is written");
    let file = file.display().to_string();
    let tenant = &town.business.tenants[0];
    let pushed = cli(town, &["plugin", "push", &file, "--tenant", tenant]).await;
    pushed["digest"].as_str().expect("a digest").to_owned()
}

impl<'a> Life<'a> {
    async fn begin(database: &'a TestDatabase, uploads: &[Vec<u8>]) -> Life<'a> {
        Self::begin_at(database, uploads, Arc::new(SystemClock)).await
    }

    /// The node's time is the clock's.
    async fn begin_at(
        database: &'a TestDatabase,
        uploads: &[Vec<u8>],
        clock: Arc<dyn Clock>,
    ) -> Life<'a> {
        let town = Town::without_plugin(database).await;
        Self::begin_in(database, town, uploads, clock).await
    }

    async fn begin_in(
        database: &'a TestDatabase,
        town: Town,
        uploads: &[Vec<u8>],
        clock: Arc<dyn Clock>,
    ) -> Life<'a> {
        let mut digests = Vec::new();
        for component in uploads {
            digests.push(push(&town, component).await);
        }
        let node = town.deployment.start_in_process("node", clock).await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let tenant = find_tenant(&node.context.setup, &town.business.tenants[0]).await;
        Self {
            database,
            tenant: tenant.expect("the first tenant").id,
            town,
            node,
            digests,
        }
    }

    fn setup(&self) -> &SetupContext {
        &self.node.context.setup
    }

    /// Installs one of the uploads; `config` has what differs between versions.
    async fn try_install(
        &self,
        upload: usize,
        stage: Stage,
        percent: i64,
        config: Value,
    ) -> Result<Installation, SetupError> {
        self.try_install_for(None, upload, (stage, percent), config)
            .await
    }

    /// The same for one of the tenant's two numbers; `None`: for both.
    async fn try_install_for(
        &self,
        number: Option<usize>,
        upload: usize,
        (stage, percent): (Stage, i64),
        config: Value,
    ) -> Result<Installation, SetupError> {
        let number = number.map(|number| &self.town.business.numbers[number]);
        let new = NewInstallation {
            tenant: self.tenant.to_string(),
            number: number.map(|number| number.phone_number_id.clone()),
            source: Source::Digest(self.digests[upload].clone()),
            config: Some(config.to_string()),
            grants: Some(["kv".to_owned()].into()),
            position: None,
            bounds: None,
            stage,
            percent,
            state_is_safe: false,
        };
        install(self.setup(), &self.node.context.compiler, &new).await
    }

    async fn install(
        &self,
        upload: usize,
        stage: Stage,
        percent: i64,
        prefix: &str,
    ) -> Installation {
        let config = json!({ "prefix": prefix });
        let installed = self.try_install(upload, stage, percent, config).await;
        installed.expect("installed")
    }

    async fn promote(&self, to: &Installation, stage: Stage, percent: i64) -> Installation {
        let promotion = Promotion {
            stage: Some(stage),
            percent: Some(percent),
            state_is_safe: false,
        };
        let promoted = promote(self.setup(), self.tenant, to.id, &promotion).await;
        promoted.expect("promoted")
    }

    async fn roll_back(
        &self,
        of: &Installation,
        rollback: Rollback,
    ) -> Result<Installation, SetupError> {
        roll_back(self.setup(), self.tenant, of.id, &rollback).await
    }

    async fn now(&self, of: &Installation) -> Installation {
        let found = installations::find_one(self.setup(), self.tenant, of.id).await;
        found.expect("it is installed")
    }

    /// The newest first.
    async fn versions(&self, of: &Installation) -> Vec<Version> {
        let versions = versions(self.setup(), self.tenant, of.id).await;
        versions.expect("it is installed")
    }

    /// A customer of the tenant's first number says something.
    fn say(&self, customer: usize, text: &str) {
        self.say_to(0, customer, text);
    }

    /// To one of the tenant's two numbers.
    fn say_to(&self, number: usize, customer: usize, text: &str) {
        let number = &self.town.business.numbers[number].phone_number_id;
        let phone = format!("49151{customer:07}");
        let customer = self.town.meta.customer(number, &phone).expect("a customer");
        customer.text(text).expect("sent");
    }

    /// Waits until everybody has an answer.
    async fn all_answered(&self) {
        self.town.meta.webhooks_idle().await;
        let db = self.database.open().await;
        settle(&db).await;
        db.close().await;
    }

    /// What was said to each customer, by phone, in order.
    async fn said(&self) -> Vec<(String, String)> {
        let rows = self
            .database
            .texts(
                "SELECT c.phone || ' ' || o.draft FROM outbox o JOIN contact c ON c.id = o.contact ORDER BY o.id",
            )
            .await;
        rows.iter()
            .map(|row| {
                let (phone, draft) = row.split_once(' ').expect("a phone and a draft");
                let draft: Value = serde_json::from_str(draft).expect("a draft is JSON");
                (phone.to_owned(), body(&draft).unwrap_or_default())
            })
            .collect()
    }

    async fn journals(&self) -> Vec<Value> {
        let journals = self.database.texts("SELECT journal FROM turn ORDER BY id");
        let journals = journals.await.into_iter();
        journals
            .map(|journal| serde_json::from_str(&journal).expect("a journal is JSON"))
            .collect()
    }

    /// How an upload does, as this realm sees it.
    async fn health(&self, realm: TenantId, digest: &str) -> Health {
        let viewer = Viewer {
            realm,
            may_be_author: false,
        };
        let seen =
            installations::health(self.setup(), viewer, digest, &PartKey::default(), 100).await;
        seen.expect("it is known")
    }

    async fn end(self) {
        self.node.end().await;
    }
}

/// The text of a send, wherever the draft keeps it.
fn body(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    let own = object.get("body").and_then(Value::as_str);
    own.map(str::to_owned)
        .or_else(|| object.values().find_map(body))
}
