//! Who may do what, tried on every route of the document: no key, no good key, another tenant's, every role that may not
//! and every role that may. Generated: a new route without a rule, without a body here or without an object fails.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use vestibule::access::{Grant, Role, Scope};
use vestibule::api::document;
use vestibule::api::permissions::{self, Rule};
use vestibule::audit::OPERATOR;
use vestibule::domain::TenantId;
use vestibule::domain::rollout::Stage;
use vestibule::simulator::SimulatorHandle;
use vestibule_tests::for_each_database;

use super::ground::{Answer, answer};
use super::{Ground, plugin_rows};

/// One operation of the document.
pub(super) struct Route {
    pub(super) method: String,
    path: String,
    pub(super) rule: &'static Rule,
    /// It takes `?tenant=`.
    pub(super) takes_tenant: bool,
    /// The names of its path's parameters.
    objects: Vec<String>,
}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, item) in document::json()["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name");
            let rule = permissions::rule(name);
            let parameters = operation["parameters"].as_array();
            let parameters: Vec<&Value> = parameters.into_iter().flatten().collect();
            let of = |place: &str| {
                let found = parameters.iter().filter(|p| p["in"] == place);
                found
                    .map(|p| p["name"].as_str().expect("a name").to_owned())
                    .collect::<Vec<_>>()
            };
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                rule: rule.unwrap_or_else(|| panic!("{name} has no row in api/permissions.rs")),
                takes_tenant: of("query").contains(&"tenant".to_owned()),
                objects: of("path"),
            });
        }
    }
    routes
}

/// A body that is taken, for every operation that wants one.
fn body(operation: &str) -> Option<Value> {
    Some(match operation {
        "tenants.create" => json!({"name": "a new one"}),
        "tenants.update" => json!({"settings": {}}),
        "apps.create" => json!({"meta_app_id": "77", "verify_token": "v", "secrets": ["s"]}),
        "apps.add_secret" => json!({"secret": "s"}),
        "credentials.create" => json!({"name": "another", "token": "t"}),
        "credentials.replace_token" => json!({"token": "t"}),
        "numbers.create" => {
            json!({"credential": "crd_0000000000001", "waba_id": "1", "phone_number_id": "1",
            "display_number": "+49 151 1234567"})
        }
        "secrets.put" => json!({"name": "another", "value": "12345678"}),
        "numbers.update" => json!({"throughput": 10}),
        "users.create" => json!({"name": "Ada", "role": "agent"}),
        "users.update" => json!({"name": "Ada"}),
        "keys.create" => json!({"name": "k", "role": "agent"}),
        "keys.rotate" => json!({"overlap_seconds": 0}),
        "holds.place" => json!({"held": {"scope": "tenant"}, "reason": "drill"}),
        "plugins.stop" => json!({"reason": "drill"}),
        "plugin_keys.add" => json!({"name": "acme", "public_key": "AAAA"}),
        "installations.install" => json!({"digest": DIGEST, "stage": "waiting"}),
        "installations.update" => json!({"position": 1}),
        "installations.promote" => json!({"stage": "waiting"}),
        "installations.pause" | "installations.roll_back" => json!({}),
        "installations.replay" => json!({"digest": DIGEST, "since": "2026-11-01T00:00:00Z"}),
        "audit.verify" => json!({}),
        "contacts.upsert" => json!({"external_id": "k-1"}),
        "contacts.update" => json!({"name": "Ada"}),
        "contacts.import" => json!({"contacts": [{"external_id": "k-2"}]}),
        "blocks.block" | "blocks.unblock" => json!({"contact": "con_0000000000007"}),
        "consents.record" => json!({"scope": "marketing", "status": "given", "channel": "agent"}),
        "consent_pages.put" => {
            json!({"name": "news", "scope": "marketing", "number": "num_0000000000001", "title": "News", "text": "Yes"})
        }
        "consent_topics.add" => json!({"name": "news", "title": "News"}),
        "contact_attributes.define" => json!({"name": "city", "kind": "text"}),
        "conversations.assign" => json!({"to": "queue", "name": "sales"}),
        "conversations.snooze" => json!({"until": "2027-01-01T00:00:00Z"}),
        "conversations.say" => json!({"content": {"type": "text", "body": "hi"}}),
        "conversations.take_over"
        | "conversations.hand_back"
        | "conversations.close"
        | "conversations.reopen"
        | "conversations.wake" => json!({}),
        "events.tell" => {
            json!({"id": "e-1", "name": "payment.succeeded", "number": "num_0000000000001", "contact": {"external_id": "k-1"}})
        }
        "checklist.attest" => json!({"item": "agents_know", "note": "briefed them"}),
        "checklist.withdraw" => json!({"item": "agents_know"}),
        "hooks.create" => json!({"url": "https://example.com/hook"}),
        "hooks.update" => json!({"enabled": false}),
        "hooks.replay" => json!({"after": 0}),
        "hooks.rotate" => json!({"overlap_seconds": 60}),
        "hooks.revive" => json!({}),
        "templates.create" | "templates.lint" => {
            json!({"name": "order_update", "language": "en", "category": "UTILITY", "components": [{"type": "BODY",
                "text": "Your order has left our house today."}]})
        }
        "templates.update" => json!({"message_send_ttl_seconds": 600}),
        "templates.copy" => json!({"languages": [{"language": "de"}]}),
        "templates.sync" => json!({}),
        // A form, which `media.rs` sends, and an upload, which is no JSON.
        "media.upload" | "plugins.upload" => return None,
        // A list, and what needs no body.
        "consents.import" | "consents.erase" | "consents.verify" => return None,
        "messages.cancel" | "jobs.cancel" | "jobs.resume" | "installations.resume" => return None,
        other => panic!("{other} wants a body: give the matrix one"),
    })
}

impl Route {
    async fn ask(
        &self,
        ground: &Ground,
        key: &str,
        ids: &BTreeMap<String, String>,
        query: &str,
    ) -> Answer {
        answer(self.request(ground, key, ids, query)).await
    }

    pub(super) fn request(
        &self,
        ground: &Ground,
        key: &str,
        ids: &BTreeMap<String, String>,
        query: &str,
    ) -> RequestBuilder {
        let mut path = self.path.clone();
        for (name, id) in ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        let request = ground.request(&self.method, &format!("{path}{query}"), key);
        let request = request.header("if-match", "*");
        let wants_body = ["POST", "PATCH", "PUT"].contains(&self.method.as_str());
        match wants_body.then(|| body(self.rule.operation)).flatten() {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    /// The table read a second time, not by the code that is tried.
    fn lets(&self, grant: &Grant) -> bool {
        match grant {
            Grant::Role(role) => self.may(*role),
            Grant::Scopes(scopes) => {
                let kinds = scopes.iter().map(Scope::kind);
                self.rule.any_key
                    || kinds
                        .into_iter()
                        .any(|kind| self.rule.scopes.contains(&kind))
            }
        }
    }

    fn may(&self, role: Role) -> bool {
        self.rule.roles.contains(&role)
    }
}

/// Ids that are nobody's, for every kind of parameter there is.
fn nobodys(routes: &[Route]) -> BTreeMap<String, String> {
    let names = routes.iter().flat_map(|route| &route.objects);
    let nobodys = |name: &String| match name.as_str() {
        "digest" => "f".repeat(64),
        "signing_key" | "secret" => "nobody".to_owned(),
        name => format!("{}_0000000000007", prefix(name)),
    };
    names.map(|name| (name.clone(), nobodys(name))).collect()
}

/// Of the tenant's upload.
const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn prefix(parameter: &str) -> &'static str {
    match parameter {
        "tenant" => "ten",
        "app" => "app",
        "credential" => "crd",
        "number" => "num",
        "user" => "usr",
        "key" => "key",
        "hold" => "hld",
        "installation" => "ins",
        "entry" => "aud",
        "job" => "job",
        "contact" => "con",
        "conversation" => "cnv",
        "message" => "out",
        "hook" => "hok",
        "template" => "tpl",
        "event" => "evt",
        other => {
            panic!("the matrix does not know what a {other} is: give it an object of a tenant")
        }
    }
}

/// The contact's phone.
pub(super) const PERSON: &str = "491515550001";

/// A tenant with one of everything.
pub(super) async fn tenant_with_everything(
    ground: &Ground,
) -> (TenantId, BTreeMap<String, String>) {
    let tenant = ground.tenant("first").await;
    let key = ground.key(tenant, Role::TenantAdmin).await;
    let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
    let app = ground.post(&ground.operator, "/apps", &app).await.id();
    let credential = json!({"name": "main", "token": "EAAG"});
    let credential = ground.post(&key, "/credentials", &credential).await.id();
    let secret = json!({"name": "shop-token", "value": "12345678"});
    let secret = ground.request("PUT", "/api/v1/secrets", &key).json(&secret);
    assert_eq!(answer(secret).await.status, 200);
    let number = json!({"credential": credential, "waba_id": "1", "phone_number_id": "2", "display_number": "+4915112345678"});
    let number = ground.post(&key, "/numbers", &number).await.id();
    let hook = json!({"url": "https://example.com/hook"});
    let hook = ground.post(&key, "/hooks", &hook).await.id();
    let contact = ground
        .post(&key, "/contacts", &json!({"phone": format!("+{PERSON}")}))
        .await
        .id();
    let talk = crate::events::talk(ground, tenant, &number, &contact).await;
    let say = json!({"content": {"type": "text", "body": "hi"}});
    let said = ground
        .post(&key, &format!("/conversations/{talk}/messages"), &say)
        .await;
    let message = said.body["message"]["id"].as_str().expect("a message");
    let user = ground
        .post(&key, "/users", &json!({"name": "Ada", "role": "agent"}))
        .await
        .id();
    let other_key = ground
        .post(&key, "/keys", &json!({"name": "k", "role": "agent"}))
        .await
        .id();
    let hold = json!({"held": {"scope": "plugin", "plugin": "menu"}, "reason": "drill"});
    let hold = ground.post(&key, "/holds", &hold).await.id();
    let job = ground
        .post(&key, "/audit/verifications", &json!({}))
        .await
        .id();
    let draft = json!({"name": "order_eta", "language": "en", "category": "UTILITY", "components": [{"type": "BODY",
        "text": "Your order arrives tomorrow."}]});
    let template = ground.post(&key, "/templates", &draft).await;
    let template = template.body["template"]["id"]
        .as_str()
        .expect("a template");
    let template = template.to_owned();
    let event = super::media::picture(ground, tenant, &key, &number, &talk, &contact).await;
    let entry = ground.get(&key, "/audit").await.body["items"][0]["id"].clone();
    let ids = [
        ("contact", contact),
        ("conversation", talk),
        ("message", message.to_owned()),
        ("hook", hook),
        ("template", template),
        ("event", event),
        ("tenant", tenant.to_string()),
        ("app", app),
        ("credential", credential),
        ("number", number),
        ("user", user),
        ("key", other_key),
        ("hold", hold),
        ("installation", installation(ground, tenant).await),
        ("digest", DIGEST.to_owned()),
        ("signing_key", "nobody".to_owned()),
        ("secret", "shop-token".to_owned()),
        ("entry", entry.as_str().expect("an entry").to_owned()),
        ("job", job),
    ];
    (tenant, ids.map(|(name, id)| (name.to_owned(), id)).into())
}

/// Rows will do: nobody runs it here.
async fn installation(ground: &Ground, tenant: TenantId) -> String {
    plugin_rows::upload(ground, tenant, DIGEST, &json!({})).await;
    let id = plugin_rows::installation(ground, tenant, (DIGEST, Stage::Waiting)).await;
    id.to_string()
}

/// With a Meta that knows the first tenant's number: files come from there.
pub(super) async fn ground(database: &vestibule_tests::TestDatabase) -> (Ground, SimulatorHandle) {
    let meta = super::media::meta().await;
    let url = meta.base_url();
    // Time stands still, so that a minute's requests are all there are.
    let ground = Ground::with(database, |deployment| {
        deployment
            .with("api.requests_per_minute", "60000")
            .with("graph.base_url", &url)
    })
    .await;
    (ground, meta)
}

#[tokio::test]
async fn nobody_comes_in_without_a_good_key() {
    for_each_database(async |database| {
        let (ground, _meta) = ground(&database).await;
        let routes = routes();
        let ids = nobodys(&routes);
        let expired = ground
            .grant(
                OPERATOR,
                Grant::Role(Role::Operator),
                Some(Duration::from_secs(1)),
            )
            .await;
        ground.clock.advance(Duration::from_secs(2));
        let made = json!({"name": "k", "role": "operator"});
        let made = ground.post(&ground.operator, "/keys", &made).await;
        let revoked = made.body["secret"].as_str().expect("shown once").to_owned();
        ground
            .delete(&ground.operator, &format!("/keys/{}", made.id()))
            .await;
        let mut forged = revoked.clone();
        forged.replace_range(forged.len() - 6.., "AAAAAA");
        let keys = [
            ("", "unauthenticated"),
            ("hunter2", "key_unknown"),
            (forged.as_str(), "key_unknown"),
            (expired.as_str(), "key_expired"),
            (revoked.as_str(), "key_revoked"),
        ];
        for route in &routes {
            for (key, problem) in keys {
                let answer = route.ask(&ground, key, &ids, "").await;
                let what = format!("{} with a key that is {problem}", route.rule.operation);
                assert_eq!((answer.status, answer.problem()), (401, problem), "{what}");
            }
        }
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn every_role_may_do_what_its_row_says_and_nothing_else() {
    for_each_database(async |database| {
        let (ground, _meta) = ground(&database).await;
        let routes = routes();
        let ids = nobodys(&routes);
        let tenant = ground.tenant("first").await;
        let mut keys = Vec::new();
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Operator) {
            keys.push((Grant::Role(role), ground.key(tenant, role).await));
        }
        let event = Scope::Event("payment.succeeded".to_owned());
        for scope in [Scope::Send(None), event] {
            let grant = Grant::Scopes(vec![scope]);
            keys.push((grant.clone(), ground.grant(tenant, grant, None).await));
        }
        for route in &routes {
            let operator = route.ask(&ground, &ground.operator, &ids, "").await;
            assert!(![401, 403].contains(&operator.status), "{operator:?}");
            for (grant, key) in &keys {
                let answer = route.ask(&ground, key, &ids, "").await;
                let what = format!("{} by {grant:?}: {answer:?}", route.rule.operation);
                match route.lets(grant) {
                    true => assert!(![401, 403].contains(&answer.status), "{what}"),
                    false => {
                        assert_eq!(
                            (answer.status, answer.problem()),
                            (403, "forbidden"),
                            "{what}"
                        );
                    }
                }
                assert!(answer.status < 500, "{what}");
            }
        }
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn another_tenants_things_are_answered_as_things_that_do_not_exist() {
    for_each_database(async |database| {
        let (ground, _meta) = ground(&database).await;
        let routes = routes();
        let (first, ids) = tenant_with_everything(&ground).await;
        let nobodys = nobodys(&routes);
        let second = ground.tenant("second").await;
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Operator) {
            let key = ground.key(second, role).await;
            for route in routes.iter().filter(|route| route.may(role)) {
                let what = format!("{} by {role:?}", route.rule.operation);
                if !route.objects.is_empty() {
                    let theirs = route.ask(&ground, &key, &ids, "").await;
                    let none = route.ask(&ground, &key, &nobodys, "").await;
                    assert_eq!(theirs.status, 404, "{what}: {theirs:?}");
                    assert_eq!(masked(&theirs, &ids), masked(&none, &nobodys), "{what}");
                }
                if route.takes_tenant {
                    let theirs = route
                        .ask(&ground, &key, &ids, &format!("?tenant={first}"))
                        .await;
                    let none = route
                        .ask(&ground, &key, &ids, "?tenant=ten_0000000000007")
                        .await;
                    assert_eq!(theirs.status, 404, "{what}: {theirs:?}");
                    assert_eq!(masked(&theirs, &ids), masked(&none, &nobodys), "{what}");
                }
            }
        }
        // Nothing of it was changed by them, and its own tenant still sees it all.
        let own = ground.key(first, Role::TenantAdmin).await;
        for route in routes.iter().filter(|route| route.method == "GET") {
            if !route.objects.is_empty() && route.may(Role::TenantAdmin) {
                let answer = route.ask(&ground, &own, &ids, "").await;
                assert_eq!(answer.status, 200, "{}: {answer:?}", route.rule.operation);
            }
        }
        ground.end().await;
    })
    .await;
}

/// The body without the id that was asked for.
fn masked(answer: &Answer, ids: &BTreeMap<String, String>) -> (u16, String) {
    let mut text = answer.body.to_string();
    for id in ids.values() {
        text = text.replace(id.as_str(), "ID");
    }
    (answer.status, text)
}

#[test]
fn no_rule_is_left_of_a_route_that_is_gone() {
    let names: Vec<&str> = routes().iter().map(|route| route.rule.operation).collect();
    let idle: Vec<&str> = permissions::RULES
        .iter()
        .map(|rule| rule.operation)
        .filter(|operation| !names.contains(operation))
        .collect();
    assert!(idle.is_empty(), "rules without a route: {idle:?}");
}
