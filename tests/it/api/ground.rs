//! A node with its API, tenants with keys, and a client: what every test of the API stands on.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use vestibule::access::keys::{self, NewKey};
use vestibule::access::{Grant, Role, shown_once};
use vestibule::audit::OPERATOR;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{Clock, TenantId, Timestamp};
use vestibule::tenants::{SetupContext, add_tenant};
use vestibule_tests::{Deployment, InProcessNode, Program, TestDatabase, db};

pub(crate) struct Ground {
    pub(crate) node: InProcessNode,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) operator: String,
    pub(crate) client: reqwest::Client,
    _deployment: Deployment,
}

/// An answer: status, the headers that tests look at, and the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The `type` of a problem without its prefix.
    pub(crate) fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or("none");
        kind.trim_start_matches("urn:vestibule:problem:")
    }

    /// `/pointer: detail` of everything that is wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let line = |one: &Value| {
            let place = one["pointer"].as_str().or(one["parameter"].as_str());
            format!(
                "{}: {}",
                place.unwrap_or("?"),
                one["detail"].as_str().unwrap_or("?")
            )
        };
        self.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(line)
            .collect()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().expect("an id").to_owned()
    }
}

impl Ground {
    pub(crate) async fn on(database: &TestDatabase) -> Self {
        Self::with(database, |deployment| deployment).await
    }

    /// With other settings. Time stands still until the test moves it.
    pub(crate) async fn with(
        database: &TestDatabase,
        settings: impl FnOnce(Deployment) -> Deployment,
    ) -> Self {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        let deployment = settings(deployment);
        let clock = Arc::new(ManualClock::at(db::now()));
        let node = deployment.start_in_process("node", clock.clone()).await;
        let mut ground = Self {
            node,
            clock,
            operator: String::new(),
            client: client(),
            _deployment: deployment,
        };
        ground.operator = ground.key(OPERATOR, Role::Operator).await;
        ground
    }

    pub(crate) fn setup(&self) -> &SetupContext {
        &self.node.context.setup
    }

    /// One that keeps consent elsewhere, so that it may write first.
    pub(crate) async fn tenant(&self, name: &str) -> TenantId {
        self.tenant_set(name, r#"{"consent_basis": "attested"}"#)
            .await
    }

    pub(crate) async fn tenant_set(&self, name: &str, settings: &str) -> TenantId {
        let added = add_tenant(self.setup(), name, settings).await;
        added.expect("a tenant")
    }

    /// The text of a new key.
    pub(crate) async fn key(&self, realm: TenantId, role: Role) -> String {
        self.grant(realm, Grant::Role(role), None).await
    }

    pub(crate) async fn grant(
        &self,
        realm: TenantId,
        grant: Grant,
        lasts: Option<Duration>,
    ) -> String {
        let now: Timestamp = self.clock.now();
        let new = NewKey {
            realm,
            name: "a key of the tests".to_owned(),
            grant: Some(grant),
            user: None,
            expires_at: lasts.map(|lasts| now.plus(lasts)),
        };
        let (_, token) = keys::create(self.setup(), new).await.expect("a key");
        shown_once(&token)
    }

    pub(crate) fn request(&self, method: &str, path: &str, key: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("a method");
        let url = format!("http://{}{path}", self.node.api);
        let request = self.client.request(method, url);
        match key {
            "" => request,
            key => request.bearer_auth(key),
        }
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        answer(self.request("GET", &format!("/api/v1{path}"), key)).await
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: &Value) -> Answer {
        answer(
            self.request("POST", &format!("/api/v1{path}"), key)
                .json(body),
        )
        .await
    }

    pub(crate) async fn patch(&self, key: &str, path: &str, tag: &str, body: &Value) -> Answer {
        let request = self
            .request("PATCH", &format!("/api/v1{path}"), key)
            .json(body);
        match tag {
            "" => answer(request).await,
            tag => answer(request.header("if-match", tag)).await,
        }
    }

    pub(crate) async fn delete(&self, key: &str, path: &str) -> Answer {
        answer(self.request("DELETE", &format!("/api/v1{path}"), key)).await
    }

    pub(crate) async fn end(self) {
        self.node.end().await;
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // A stream has no end to wait for.
    let kind = headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    if kind == Some("text/event-stream") {
        return Answer {
            status,
            headers,
            body: Value::Null,
        };
    }
    let bytes = response.bytes().await.expect("a whole body");
    Answer {
        status,
        headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

fn client() -> reqwest::Client {
    vestibule_tests::tls::provide();
    reqwest::Client::builder().build().expect("a client")
}
