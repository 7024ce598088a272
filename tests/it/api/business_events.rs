//! `POST /events`: told once for each id, within the token's scope, with everything that is wrong said at once.

use serde_json::{Value, json};
use vestibule::access::{Grant, Role, Scope};
use vestibule::domain::TenantId;
use vestibule_tests::{TestDatabase, for_each_database, wait};

use super::Ground;

/// A tenant with a number and a contact, and a token that may tell of payments.
async fn shop(ground: &Ground) -> (TenantId, String, String) {
    let tenant = ground.tenant("shop").await;
    let key = ground.key(tenant, Role::TenantAdmin).await;
    let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
    ground.post(&ground.operator, "/apps", &app).await;
    let credential = json!({"name": "main", "token": "EAAG"});
    let credential = ground.post(&key, "/credentials", &credential).await.id();
    let number = json!({"credential": credential, "waba_id": "1", "phone_number_id": "2",
        "display_number": "+4915112345678"});
    let number = ground.post(&key, "/numbers", &number).await.id();
    let contact = json!({"external_id": "c-17", "phone": "+49 151 5550001"});
    ground.post(&key, "/contacts", &contact).await;
    let scopes = Grant::Scopes(vec![Scope::Event("payment.succeeded".to_owned())]);
    let token = ground.grant(tenant, scopes, None).await;
    (tenant, number, token)
}

fn paid(number: &str) -> Value {
    json!({
        "id": "order-1/paid", "name": "payment.succeeded", "number": number,
        "contact": {"external_id": "c-17"}, "fields": {"amount": 49.9},
    })
}

#[tokio::test]
async fn an_event_is_accepted_once_for_each_id_and_has_its_turn() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::on(&database).await;
        let (_, number, token) = shop(&ground).await;
        // The node knows the number once it has read the setup again.
        let first = wait::until("the number is known", async || {
            let told = ground.post(&token, "/events", &paid(&number)).await;
            (told.status != 404).then_some(told)
        })
        .await;
        assert_eq!((first.status, &first.body["again"]), (202, &json!(false)));
        let again = ground.post(&token, "/events", &paid(&number)).await;
        assert_eq!((again.status, &again.body["again"]), (200, &json!(true)));
        assert_eq!(again.body["event"], first.body["event"]);
        let done = "SELECT COUNT(*) FROM inbound_event WHERE kind = 5 AND state = 1";
        wait::until("it had its turn", async || {
            (database.count(done).await == 1).then_some(())
        })
        .await;
        let audited = "SELECT COUNT(*) FROM audit_entry WHERE action = 'event.tell'";
        assert_eq!(database.count(audited).await, 1);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_narrow_token_tells_of_its_type_only_and_what_is_wrong_is_told_at_once() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::on(&database).await;
        let (tenant, number, token) = shop(&ground).await;
        let mut other = paid(&number);
        other["name"] = json!("cart.abandoned");
        let refused = ground.post(&token, "/events", &other).await;
        assert_eq!((refused.status, refused.problem()), (403, "forbidden"));
        let developer = ground.key(tenant, Role::Developer).await;
        wait::until("the number is known", async || {
            let told = ground.post(&developer, "/events", &other).await;
            (told.status == 202).then_some(())
        })
        .await;
        let mut wrong = paid(&number);
        wrong["fields"] = json!({"nested": {"a": 1}});
        let refused = ground.post(&token, "/events", &wrong).await;
        assert_eq!(refused.status, 422);
        assert!(refused.wrong()[0].starts_with("/fields/nested: "));
        wrong = paid(&number);
        wrong["contact"] = json!({"external_id": "c-17", "phone": "+491515550001"});
        assert_eq!(ground.post(&token, "/events", &wrong).await.status, 422);
        wrong["id"] = json!("order-2/paid");
        wrong["contact"] = json!({"external_id": "nobody"});
        assert_eq!(ground.post(&token, "/events", &wrong).await.status, 404);
        ground.end().await;
    })
    .await;
}
