//! What every resource stands on: keys, problems, pages, ETags, rates.

use std::time::Duration;

use serde_json::json;
use vestibule::access::{Grant, Role};
use vestibule_tests::for_each_database;

use super::Ground;
use super::ground::answer;

#[tokio::test]
async fn a_key_says_what_it_is_and_is_refused_from_its_end_on() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let none = ground.get("", "/me").await;
        assert_eq!((none.status, none.problem()), (401, "unauthenticated"));
        assert_eq!(none.header("www-authenticate"), "Bearer");
        assert_eq!(none.header("content-type"), "application/problem+json");
        let garbled = ground.get("vst_nonsense", "/me").await;
        assert_eq!((garbled.status, garbled.problem()), (401, "key_unknown"));
        let hour = Duration::from_secs(3600);
        let grant = Grant::Role(Role::Analyst);
        let key = ground.grant(tenant, grant, Some(hour)).await;
        let me = ground.get(&key, "/me").await;
        assert_eq!(me.status, 200);
        assert_eq!(me.body["role"], "analyst");
        assert_eq!(me.body["tenant"], tenant.to_string());
        ground.clock.advance(hour);
        let over = ground.get(&key, "/me").await;
        assert_eq!((over.status, over.problem()), (401, "key_expired"));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_works_on_for_the_overlap_and_a_revoked_one_not_at_all() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let made = ground
            .post(
                &admin,
                "/keys",
                &json!({"name": "CRM", "role": "developer"}),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.header("cache-control"), "no-store");
        let old = made.body["secret"].as_str().expect("shown once").to_owned();
        let path = format!("/keys/{}", made.id());
        assert_eq!(ground.get(&admin, &path).await.body["secret"], json!(null));
        let rotated = ground
            .post(
                &admin,
                &format!("{path}/rotate"),
                &json!({"overlap_seconds": 60}),
            )
            .await;
        let new = rotated.body["secret"]
            .as_str()
            .expect("shown once")
            .to_owned();
        assert_eq!(ground.get(&old, "/me").await.status, 200);
        assert_eq!(ground.get(&new, "/me").await.body["name"], "CRM");
        ground.clock.advance(Duration::from_secs(61));
        assert_eq!(ground.get(&old, "/me").await.problem(), "key_expired");
        let path = format!("/keys/{}", rotated.id());
        assert_eq!(ground.delete(&admin, &path).await.status, 204);
        assert_eq!(ground.get(&new, "/me").await.problem(), "key_revoked");
        assert_eq!(ground.delete(&admin, &path).await.status, 204);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_body_is_told_at_once() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let wrong = json!({"nam": "acme", "settings": 7});
        let refused = ground.post(&ground.operator, "/tenants", &wrong).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid"));
        assert_eq!(
            refused.wrong(),
            [
                "/name: is missing",
                "/nam: is not a field that is known here",
                "/settings: must be an object",
            ]
        );
        let wrong =
            json!({"name": "acme", "settings": {"words": {"stop": ["a b"], "go": []}, "x": 1}});
        let refused = ground.post(&ground.operator, "/tenants", &wrong).await;
        assert_eq!(refused.status, 422);
        assert!(
            refused
                .wrong()
                .iter()
                .any(|line| line.starts_with("/settings/words/go: "))
        );
        assert!(
            refused
                .wrong()
                .iter()
                .any(|line| line.starts_with("/settings/x: "))
        );
        let request = ground.request("POST", "/api/v1/tenants", &ground.operator);
        let text = answer(request.body("{}")).await;
        assert_eq!((text.status, text.problem()), (415, "not_json"));
        let request = ground.request("POST", "/api/v1/tenants", &ground.operator);
        let long = json!({"name": "x".repeat(2 << 20)});
        let large = answer(request.json(&long)).await;
        assert_eq!((large.status, large.problem()), (413, "too_large"));
        let unknown = ground.get(&ground.operator, "/nothing").await;
        assert_eq!((unknown.status, unknown.problem()), (404, "not_found"));
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn pages_hold_every_item_once_while_others_are_added() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        for n in 0..5 {
            ground.tenant(&format!("tenant {n}")).await;
        }
        let mut seen = Vec::new();
        let mut path = "/tenants?limit=2".to_owned();
        loop {
            let page = ground.get(&ground.operator, &path).await;
            assert_eq!(page.status, 200, "{page:?}");
            let names = page.body["items"].as_array().expect("items").iter();
            seen.extend(names.map(|tenant| tenant["name"].as_str().expect("a name").to_owned()));
            match page.body["next_cursor"].as_str() {
                Some(cursor) => path = format!("/tenants?limit=2&cursor={cursor}"),
                None => break,
            }
            if seen.len() == 2 {
                ground.tenant("a late one").await;
            }
        }
        let expected = [
            "tenant 0",
            "tenant 1",
            "tenant 2",
            "tenant 3",
            "tenant 4",
            "a late one",
        ];
        assert_eq!(seen, expected);
        let made_up = ground
            .get(
                &ground.operator,
                "/tenants?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAA",
            )
            .await;
        assert_eq!((made_up.status, made_up.problem()), (400, "bad_parameter"));
        let too_many = ground.get(&ground.operator, "/tenants?limit=201").await;
        assert_eq!(too_many.wrong(), ["limit: must be 1 to 200"]);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_who_edit_the_second_is_told_to_read_again() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let path = format!("/tenants/{tenant}");
        let read = ground.get(&admin, &path).await;
        let tag = read.header("etag").to_owned();
        let change = json!({"settings": {"human_queue": "front desk"}});
        let without = ground.patch(&admin, &path, "", &change).await;
        assert_eq!(
            (without.status, without.problem()),
            (428, "if_match_missing")
        );
        let changed = ground.patch(&admin, &path, &tag, &change).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(changed.body["settings"]["human_queue"], "front desk");
        let late = ground
            .patch(&admin, &path, &tag, &json!({"settings": {}}))
            .await;
        assert_eq!((late.status, late.problem()), (412, "changed"));
        let tag = changed.header("etag").to_owned();
        assert_eq!(ground.get(&admin, &path).await.header("etag"), tag);
        let any = ground
            .patch(&admin, &path, "*", &json!({"settings": {}}))
            .await;
        assert_eq!(any.status, 200);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_go_on() {
    for_each_database(async |database| {
        let often = |deployment: vestibule_tests::Deployment| {
            deployment.with("api.requests_per_minute", "3")
        };
        let ground = Ground::with(&database, often).await;
        let first = ground.get(&ground.operator, "/me").await;
        assert_eq!(first.header("ratelimit-policy"), "\"key\";q=3;w=60");
        assert_eq!(first.header("ratelimit"), "\"key\";r=2;t=20");
        ground.get(&ground.operator, "/me").await;
        ground.get(&ground.operator, "/me").await;
        let refused = ground.get(&ground.operator, "/me").await;
        assert_eq!(
            (refused.status, refused.problem()),
            (429, "too_many_requests")
        );
        assert_eq!(refused.header("retry-after"), "20");
        ground.clock.advance(Duration::from_secs(20));
        assert_eq!(ground.get(&ground.operator, "/me").await.status, 200);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_post_twice_at_once_is_done_once() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let post = async || {
            let request = ground.request("POST", "/api/v1/tenants", &ground.operator);
            let request = request.header("idempotency-key", "one");
            answer(request.json(&json!({"name": "acme"}))).await
        };
        let (one, other) = tokio::join!(post(), post());
        for answer in [&one, &other] {
            let under_way = answer.problem() == "idempotency_under_way";
            assert!(
                answer.status == 201 || (answer.status == 409 && under_way),
                "{answer:?}"
            );
        }
        assert_eq!(database.count("SELECT COUNT(*) FROM tenant").await, 1);
        assert_eq!(post().await.header("idempotency-replayed"), "true");
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn when_a_key_was_used_is_written_coarsely() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let used = async || {
            let me = ground.get(&admin, "/me").await.body["key"].clone();
            let path = format!("/keys/{}", me.as_str().expect("an id"));
            vestibule_tests::until("its use is written", async || {
                let key = ground.get(&admin, &path).await;
                key.body["last_used_at"].as_str().map(str::to_owned)
            })
            .await
        };
        let first = used().await;
        ground.clock.advance(Duration::from_secs(60));
        assert_eq!(used().await, first);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn the_api_can_have_a_listener_of_its_own() {
    for_each_database(async |database| {
        let apart =
            |deployment: vestibule_tests::Deployment| deployment.with("api.listen", "127.0.0.1:0");
        let ground = Ground::with(&database, apart).await;
        assert_ne!(ground.node.api, ground.node.http);
        assert_eq!(ground.get(&ground.operator, "/me").await.status, 200);
        let url = format!("http://{}/api/v1/me", ground.node.http);
        let beside = answer(ground.client.get(url)).await;
        assert_eq!(
            beside.status, 404,
            "the API is on the webhooks' listener too"
        );
        ground.end().await;
    })
    .await;
}
