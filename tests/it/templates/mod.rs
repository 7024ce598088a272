//! Templates, against a Meta that has them: read by pages, told of by webhooks, changed by the API, obeyed by policy.

mod changes;
mod charged;
mod current;
mod cut;
mod refused;
pub(crate) mod shelf;
mod verbs;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::domain::TenantId;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{Clock, Timestamp};
use vestibule::simulator::{
    SimNumber, Simulator, SimulatorConfig, SimulatorHandle, TemplateSpec, WebhookPolicy,
};
use vestibule_tests::{TestDatabase, db, until};

use crate::api::Ground;

const WABA: &str = "1";
const CUSTOMER: &str = "4915155500001";

/// A node, a Meta with templates, a tenant with one number and one conversation.
pub struct Street {
    pub ground: Ground,
    pub meta: SimulatorHandle,
    meta_clock: Arc<ManualClock>,
    pub tenant: TenantId,
    pub key: String,
    pub talk: String,
    pub contact: String,
}

pub fn spec(name: &str, language: &str, body: &str) -> TemplateSpec {
    TemplateSpec::approved(WABA, name, language, body)
}

impl Street {
    /// `script`: what is scripted at Meta before the number is connected, and so before the first sync.
    pub async fn open(
        database: &TestDatabase,
        templates: Vec<TemplateSpec>,
        script: impl FnOnce(&SimulatorHandle),
    ) -> Self {
        let meta_clock = Arc::new(ManualClock::at(db::now()));
        let mut config = SimulatorConfig::new(meta_clock.clone(), "secret");
        config.numbers = vec![SimNumber {
            phone_number_id: "2".to_owned(),
            waba_id: WABA.to_owned(),
            display_number: "4915112345678".to_owned(),
            throughput: 80,
            access_token: "EAAG".to_owned(),
        }];
        config.webhooks = WebhookPolicy::quick();
        config.templates = templates;
        config.checks.window = false;
        let meta = Simulator::start(config).await.expect("a simulator");
        script(&meta);
        let url = meta.base_url();
        let ground = Ground::with(database, |deployment| {
            deployment
                .with("graph.base_url", &url)
                .with("templates.sync_every", "1d")
                .with("api.requests_per_minute", "60000")
        })
        .await;
        meta_clock.set(ground.clock.now());
        let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
        assert_eq!(
            ground.post(&ground.operator, "/apps", &app).await.status,
            201
        );
        let hook = format!("{}/1001", ground.node.webhook_url());
        meta.set_webhook(&hook, None).expect("a URL");
        let tenant = ground.tenant("first").await;
        let key = ground.key(tenant, Role::TenantAdmin).await;
        // Opt-ins are not what is tried here.
        let path = format!("/tenants/{tenant}");
        let settings = json!({"settings": {"consent_basis": "attested"}});
        let set = ground.patch(&key, &path, "*", &settings).await;
        assert_eq!(set.status, 200, "{set:?}");
        let credential = json!({"name": "main", "token": "EAAG"});
        let credential = ground.post(&key, "/credentials", &credential).await.id();
        let number = json!({"credential": credential, "waba_id": WABA, "phone_number_id": "2",
            "display_number": "+4915112345678"});
        let number = ground.post(&key, "/numbers", &number).await.id();
        let contact = json!({"phone": format!("+{CUSTOMER}")});
        let contact = ground.post(&key, "/contacts", &contact).await.id();
        let talk = crate::events::talk(&ground, tenant, &number, &contact).await;
        Self {
            ground,
            meta,
            meta_clock,
            tenant,
            key,
            talk,
            contact,
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ground.get(&self.key, path).await.body
    }

    /// Lets time pass where a job waits for it.
    async fn pass(&self, database: &TestDatabase) {
        let sql = "SELECT COALESCE(MAX(due_at), 0) FROM job WHERE state = 'running'";
        let due = Timestamp::from_millis(database.count(sql).await);
        if due > self.ground.clock.now() {
            self.ground.clock.set(due.plus(Duration::from_millis(1)));
            self.meta_clock.set(self.ground.clock.now());
        }
    }

    pub fn pass_seconds(&self, secs: u64) {
        self.ground.clock.advance(Duration::from_secs(secs));
        self.meta_clock.set(self.ground.clock.now());
    }

    /// Waits for the end of the account's last sync, and answers it.
    pub async fn synced(&self, database: &TestDatabase) -> Value {
        until("the sync ends", async || {
            self.pass(database).await;
            let accounts = self.get("/template-accounts").await;
            let job = accounts["items"][0]["job"].as_str()?.to_owned();
            let job = self.get(&format!("/jobs/{job}")).await;
            assert_ne!(job["state"], "failed", "{job}");
            (job["state"] == "done").then_some(job)
        })
        .await
    }

    /// One template, by name and language.
    pub async fn template(&self, name: &str, language: &str) -> Option<Value> {
        let path = format!("/templates?name={name}&language={language}&gone=true");
        let page = self.get(&path).await;
        page["items"].get(0).cloned()
    }

    /// Waits until a field of a template has a value.
    pub async fn until_template(&self, name: &str, field: &str, value: &str) -> Value {
        until("the template changes", async || {
            let template = self.template(name, "en").await?;
            (template[field] == value).then_some(template)
        })
        .await
    }

    /// Says a template; the reason that policy gives, or `queued`.
    pub async fn say(&self, content: Value) -> String {
        let body = json!({"content": content, "class": "utility"});
        let path = format!("/conversations/{}/messages", self.talk);
        let said = self.ground.post(&self.key, &path, &body).await;
        match said.status {
            201 => "queued".to_owned(),
            409 => said.body["refusal"]["reason"]
                .as_str()
                .unwrap_or("?")
                .to_owned(),
            _ => panic!("{said:?}"),
        }
    }

    /// Waits until a send of the template meets this: what is in memory follows what is written.
    pub async fn until_said(&self, content: Value, expected: &str) {
        until(expected, async || {
            (self.say(content.clone()).await == expected).then_some(())
        })
        .await;
    }

    /// What became of a template: `what was>became learnt`, the newest first.
    pub async fn history(&self, id: &str) -> Vec<String> {
        let history = self.get(&format!("/templates/{id}/history")).await;
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let items = history["items"].as_array().expect("items").iter();
        items
            .map(|one| {
                let (was, became) = (text(&one["was"]), text(&one["became"]));
                format!(
                    "{} {was}>{became} {}",
                    text(&one["what"]),
                    text(&one["learnt"])
                )
            })
            .collect()
    }

    pub async fn end(self) {
        self.ground.end().await;
    }
}
