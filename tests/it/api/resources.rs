//! Each resource as its users meet it: what is made, seen, changed, refused.

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule_tests::for_each_database;

use super::Ground;
use super::ground::Answer;

/// Status and body, with ids and moments that differ from run to run left out.
fn shown(answer: &Answer) -> String {
    format!("{} {}", answer.status, plain(&answer.body))
}

fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(plain_text(text)),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => {
            let plain = fields
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(plain.collect())
        }
        other => other.clone(),
    }
}

fn plain_text(text: &str) -> String {
    let is_moment = text.len() == 24 && text.ends_with('Z') && text.contains("-");
    match text.split_once('_') {
        Some((prefix, rest)) if prefix.len() == 3 && rest.len() == 13 => format!("{prefix}_…"),
        _ if is_moment => "TIME".to_owned(),
        _ => text.to_owned(),
    }
}

#[tokio::test]
async fn a_business_is_onboarded_by_the_api_alone() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let operator = ground.operator.clone();
        let app = json!({"meta_app_id": "1001", "verify_token": "hunter2-v", "secrets": ["hunter2-s"]});
        let app = ground.post(&operator, "/apps", &app).await;
        assert_eq!(
            shown(&app),
            r#"201 {"callback_path":"/webhooks/whatsapp/1001","created_at":"TIME","default":true,"id":"app_…","meta_app_id":"1001","name":"1001"}"#
        );
        let tenant = ground.post(&operator, "/tenants", &json!({"name": "acme"})).await;
        assert_eq!(tenant.status, 201);
        let key = json!({"name": "their admin", "role": "tenant_admin"});
        let key = ground.post(&operator, &format!("/keys?tenant={}", tenant.id()), &key).await;
        let admin = key.body["secret"].as_str().expect("shown once").to_owned();
        let credential = json!({"name": "main", "token": "hunter2-t"});
        let credential = ground.post(&admin, "/credentials", &credential).await;
        assert_eq!(shown(&credential), r#"201 {"created_at":"TIME","id":"crd_…","name":"main"}"#);
        let number = json!({"credential": credential.id(), "waba_id": "2001", "phone_number_id": "3001",
            "display_number": "+49 151 12345678", "time_zone": "Europe/Berlin"});
        let number = ground.post(&admin, "/numbers", &number).await;
        assert_eq!(
            shown(&number),
            r#"201 {"app":"app_…","connected_at":"TIME","credential":"crd_…","display_number":"+49 151 12345678","id":"num_…","phone_number_id":"3001","portfolio":"2001","removed_at":null,"throughput":80,"time_zone":"Europe/Berlin","waba_id":"2001"}"#
        );
        // What the API set up is what a node works from and what the command line sees.
        ground.node.directory.refresh().await.expect("it reads");
        let snapshot = ground.node.directory.snapshot();
        assert!(snapshot.number_named("3001").is_some());
        let everything = [app, tenant, credential, number];
        assert!(everything.iter().all(|answer| !answer.body.to_string().contains("hunter2")));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_body_names_and_is_not_there_is_named() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let other = ground.tenant("other").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let credential = json!({"name": "main", "token": "t"});
        let theirs = ground.key(other, Role::TenantAdmin).await;
        let theirs = ground.post(&theirs, "/credentials", &credential).await.id();
        let app = json!({"meta_app_id": "1001", "verify_token": "v", "secrets": ["s"]});
        ground.post(&ground.operator, "/apps", &app).await;
        let number = json!({"credential": theirs, "waba_id": "1", "phone_number_id": "1", "display_number": "+4915112345678"});
        let refused = ground.post(&admin, "/numbers", &number).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.wrong(), [format!("/credential: there is no credential `{theirs}`")]);
        ground.post(&admin, "/credentials", &credential).await;
        let twice = ground.post(&admin, "/credentials", &credential).await;
        assert_eq!((twice.status, twice.problem()), (409, "exists"));
        let wrong = json!({"credential": "main", "waba_id": "", "phone_number_id": 1, "display_number": "0151", "throughput": 0});
        let refused = ground.post(&admin, "/numbers", &wrong).await;
        assert_eq!(
            refused.wrong(),
            [
                "/credential: must be an id, `crd_…`",
                "/phone_number_id: must be text",
                "/throughput: must be at least 1",
                "/waba_id: must have at least 1 characters",
            ]
        );
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_number_and_a_token_are_changed() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let app = json!({"meta_app_id": "1001", "verify_token": "v", "secrets": ["s"]});
        let app = ground.post(&ground.operator, "/apps", &app).await.id();
        let credential = json!({"name": "main", "token": "t"});
        let credential = ground.post(&admin, "/credentials", &credential).await.id();
        let number = json!({"credential": credential, "waba_id": "1", "phone_number_id": "3001", "display_number": "+4915112345678"});
        let number = ground.post(&admin, "/numbers", &number).await;
        let path = format!("/numbers/{}", number.id());
        let tag = number.header("etag").to_owned();
        let changed = ground.patch(&admin, &path, &tag, &json!({"throughput": 5, "time_zone": "Asia/Tokyo"})).await;
        assert_eq!((changed.status, &changed.body["throughput"]), (200, &json!(5)));
        let wrong = ground.patch(&admin, &path, "*", &json!({"time_zone": "Mars/Olympus"})).await;
        assert_eq!(wrong.wrong().len(), 1, "{wrong:?}");
        assert!(wrong.wrong()[0].starts_with("/time_zone: "));
        ground.node.directory.refresh().await.expect("it reads");
        let snapshot = ground.node.directory.snapshot();
        let entry = snapshot.number_named("3001").expect("the number");
        assert_eq!(entry.number.throughput, 5);
        let token = ground.request("PUT", &format!("/api/v1/credentials/{credential}/token"), &admin);
        let token = super::ground::answer(token.json(&json!({"token": "another"}))).await;
        assert_eq!(token.status, 204);
        let secret = json!({"secret": "another", "retire_older": true});
        let secret = ground.post(&ground.operator, &format!("/apps/{app}/secrets"), &secret).await;
        assert_eq!(shown(&secret), r#"200 {"retired":1}"#);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn keys_of_a_person_stop_when_the_person_is_made_inactive() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let user = json!({"name": "Ada", "email": "ada@example.com", "role": "agent"});
        let user = ground.post(&admin, "/users", &user).await;
        assert_eq!(
            shown(&user),
            r#"201 {"active":true,"created_at":"TIME","email":"ada@example.com","id":"usr_…","name":"Ada","role":"agent"}"#
        );
        let key = json!({"name": "Ada's", "user": user.id()});
        let key = ground.post(&admin, "/keys", &key).await;
        assert_eq!(key.body["role"], "agent");
        let secret = key.body["secret"].as_str().expect("shown once");
        assert_eq!(ground.get(secret, "/me").await.body["user"], user.body["id"]);
        let path = format!("/users/{}", user.id());
        ground.patch(&admin, &path, "*", &json!({"active": false})).await;
        assert_eq!(ground.get(secret, "/me").await.problem(), "user_inactive");
        let wrong = json!({"name": "x", "role": "operator", "email": "nobody"});
        let wrong = ground.post(&admin, "/users", &wrong).await;
        assert_eq!(wrong.status, 422);
        let role = ground.post(&admin, "/keys", &json!({"name": "x", "role": "operator"})).await;
        assert_eq!(role.wrong().len(), 1, "a tenant must not make an operator's key: {role:?}");
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_tenant_lifts_its_own_holds_and_no_others() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let hold = json!({"held": {"scope": "plugin", "plugin": "menu"}, "reason": "drill", "seconds": 60});
        let own = ground.post(&admin, "/holds", &hold).await;
        assert_eq!(own.status, 201, "{own:?}");
        assert_eq!(own.body["held"], json!({"scope": "plugin", "plugin": "menu"}));
        let all = json!({"held": {"scope": "all"}, "reason": "fire"});
        assert_eq!(ground.post(&admin, "/holds", &all).await.status, 422);
        let all = ground.post(&ground.operator, "/holds", &all).await;
        let seen = ground.get(&admin, "/holds").await;
        assert_eq!(seen.body["items"].as_array().map(Vec::len), Some(2));
        let lift = async |key: &str, id: String| ground.delete(key, &format!("/holds/{id}")).await;
        let refused = lift(&admin, all.id()).await;
        assert_eq!((refused.status, refused.problem()), (403, "not_yours_to_lift"));
        assert_eq!(lift(&admin, own.id()).await.status, 204);
        assert_eq!(lift(&admin, own.id()).await.status, 404);
        assert_eq!(lift(&ground.operator, all.id()).await.status, 204);
        assert_eq!(ground.get(&admin, "/holds").await.body["items"], json!([]));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn health_status_and_roles_are_shown() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let analyst = ground.key(tenant, Role::Analyst).await;
        let health = ground.get(&analyst, "/health").await;
        assert_eq!(health.body["draining"], false);
        let status = ground.get(&ground.operator, "/status").await;
        assert_eq!(
            (&status.body["nodes"], &status.body["counts"]["tenants"]),
            (&json!(1), &json!(1))
        );
        let roles = ground.get(&analyst, "/roles").await;
        let roles = roles.body["items"].as_array().expect("roles");
        assert_eq!(roles.len(), Role::ALL.len());
        let auditor = roles
            .iter()
            .find(|role| role["role"] == "auditor")
            .expect("auditors");
        assert!(
            auditor["operations"]
                .as_array()
                .expect("a list")
                .contains(&json!("audit.list"))
        );
        ground.end().await;
    })
    .await;
}
