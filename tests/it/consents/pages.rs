//! Opt-in pages over HTTP: what was shown is what is recorded, whoever sends the code has agreed, and no text of anybody's
//! runs in a browser.

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::consent::opt_in::{Answer as Sent, answer_in, take};
use vestibule::domain::ContactId;
use vestibule_tests::for_each_database;

use crate::api::Ground;

const EVIL: &str = "</title><script>alert('x')</script>\"' & Söhne";

async fn number(ground: &Ground, key: &str) -> String {
    let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
    ground.post(&ground.operator, "/apps", &app).await;
    let credential = json!({"name": "main", "token": "EAAG"});
    let credential = ground.post(key, "/credentials", &credential).await.id();
    let number = json!({"credential": credential, "waba_id": "1", "phone_number_id": "2", "display_number": "+4915112345678"});
    ground.post(key, "/numbers", &number).await.id()
}

/// Status, headers and text of a page.
async fn page(ground: &Ground, path: &str, version: Option<i64>) -> (u16, String, String) {
    let request = match version {
        None => ground.request("GET", path, ""),
        Some(version) => ground
            .request("POST", path, "")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("version={version}")),
    };
    let response = request.send().await.expect("an answer");
    let policy = response.headers().get("content-security-policy");
    let policy = policy
        .and_then(|policy| policy.to_str().ok())
        .unwrap_or("")
        .to_owned();
    let status = response.status().as_u16();
    (status, policy, response.text().await.expect("a page"))
}

#[tokio::test]
async fn a_page_records_what_it_showed_for_whoever_sends_its_code() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant(EVIL).await;
        let key = ground.key(tenant, Role::TenantAdmin).await;
        let number = number(&ground, &key).await;
        let put = async |text: &str| {
            let page = json!({"name": "news", "scope": "marketing", "number": number, "title": EVIL, "text": text});
            ground.post(&key, "/consent_pages", &page).await
        };
        let first = put(EVIL).await;
        assert_eq!((first.status, &first.body["version"]), (200, &json!(1)), "{first:?}");
        assert_eq!(put(EVIL).await.body["version"], 1);
        let path = first.body["path"].as_str().expect("a path").to_owned();
        let shown = page(&ground, &path, None).await;
        assert_eq!(shown.0, 200);
        assert!(shown.1.contains("default-src 'none'"), "{}", shown.1);
        assert!(!shown.2.contains("<script") && shown.2.contains("&lt;script&gt;"), "{}", shown.2);
        assert_eq!(put("Yes, write to me.").await.body["version"], 2);
        let stale = page(&ground, &path, Some(1)).await;
        assert_eq!(stale.0, 409);
        assert!(stale.2.contains("The text has changed"), "{}", stale.2);
        let agreed = page(&ground, &path, Some(2)).await;
        assert_eq!(agreed.0, 200);
        assert!(agreed.2.contains("<svg") && !agreed.2.contains("<script"), "{}", agreed.2);
        let link = agreed.2.split("https://wa.me/4915112345678?text=JOIN%20").nth(1).expect("a link");
        let code = &link[..link.find('"').expect("its end")];
        assert_eq!(database.count("SELECT COUNT(*) FROM consent_record").await, 0, "nothing is agreed to yet");
        let setup = ground.setup();
        let sent = answer_in(&format!("JOIN {code}")).expect("an answer");
        assert!(matches!(sent, Sent::Code(_)));
        let mut tx = setup.db.begin().await.expect("a transaction");
        let taken = take(&mut tx, tenant, ContactId::from_raw(1), &sent, setup.clock.now()).await;
        let taken = taken.expect("a database").expect("what waits");
        let value: Value = serde_json::from_str(&taken.value).expect("JSON");
        assert_eq!((&value["proof"]["page_version"], &value["address"]), (&json!(2), &json!("127.0.0.1")));
        let again = take(&mut tx, tenant, ContactId::from_raw(1), &sent, setup.clock.now()).await;
        assert_eq!(again.expect("a database"), None, "a code works once");
        drop(tx);
        let nobodys = format!("/join/{tenant}/other");
        assert_eq!(page(&ground, &nobodys, None).await.0, 404);
        let mut busy = 0;
        for _ in 0..40 {
            busy += usize::from(page(&ground, &path, None).await.0 == 429);
        }
        assert!(busy >= 10, "{busy} of 40 were refused");
        ground.end().await;
    })
    .await;
}
