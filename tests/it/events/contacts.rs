//! Contacts: put by key or phone, found again, with attributes of their kinds; imported by a job.

use serde_json::json;
use vestibule_tests::for_each_database;

use super::business;
use crate::api::Ground;

#[tokio::test]
async fn a_contact_is_put_by_key_or_phone_and_found_by_both() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, key, _) = business(&ground, "acme", 0).await;
        for (name, kind) in [("city", "text"), ("orders", "number"), ("since", "date")] {
            let defined = json!({"name": name, "kind": kind});
            assert_eq!(ground.post(&key, "/contact_attributes", &defined).await.status, 201);
        }
        let ada = json!({"external_id": "c-7", "name": "Ada", "attributes": {"city": "Turin"}});
        let made = ground.post(&key, "/contacts", &ada).await;
        assert_eq!(made.status, 201, "{made:?}");
        let phone = json!({"external_id": "c-7", "phone": "+39 011 1234567", "attributes": {"orders": 3}});
        let again = ground.post(&key, "/contacts", &phone).await;
        assert_eq!((again.status, again.id()), (200, made.id()));
        assert_eq!(again.body["attributes"], json!({"city": "Turin", "orders": 3}));
        assert_eq!(again.body["phone"], "390111234567");
        for query in ["external_id=c-7", "phone=%2B390111234567", "name=aD"] {
            let found = ground.get(&key, &format!("/contacts?{query}")).await;
            assert_eq!(found.body["items"][0]["id"], made.id(), "{query}");
        }
        let other = json!({"external_id": "c-8", "phone": "+390111234567"});
        let taken = ground.post(&key, "/contacts", &other).await;
        assert_eq!((taken.status, taken.problem()), (409, "exists"));
        let wrong = json!({"external_id": "c-9", "attributes": {"orders": "3", "shoe": 44, "since": "2026-02-30"}});
        let wrong = ground.post(&key, "/contacts", &wrong).await;
        assert_eq!(
            wrong.wrong(),
            [
                "/attributes/orders: must be a number",
                "/attributes/shoe: is no attribute that is defined",
                "/attributes/since: must be a day like 2026-11-25",
            ]
        );
        let path = format!("/contacts/{}", made.id());
        let tag = ground.get(&key, &path).await.header("etag").to_owned();
        let change = json!({"name": "Ada L.", "attributes": {"city": null}});
        let changed = ground.patch(&key, &path, &tag, &change).await;
        assert_eq!(changed.body["attributes"], json!({"orders": 3}), "{changed:?}");
        assert_eq!(ground.patch(&key, &path, &tag, &change).await.status, 412);
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_import_takes_what_it_can_and_keeps_the_rest_with_the_reason() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, key, _) = business(&ground, "acme", 0).await;
        let mut contacts: Vec<_> = (0..120)
            .map(|n| json!({"external_id": format!("k-{n}"), "name": format!("Customer {n}")}))
            .collect();
        contacts[60] = json!({"name": "nobody"});
        contacts[61] = json!({"external_id": "k-1", "nickname": "x"});
        contacts[62] = json!({"external_id": "k-1", "name": "Renamed"});
        let begun = ground
            .post(&key, "/contacts/import", &json!({"contacts": contacts}))
            .await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let job = begun
            .header("location")
            .trim_start_matches("/api/v1")
            .to_owned();
        let done = vestibule_tests::until("the import ends", async || {
            let job = ground.get(&key, &job).await.body;
            (job["state"] == "done").then_some(job)
        })
        .await;
        assert_eq!(done["result"], json!({"made": 117, "changed": 1}));
        assert_eq!((&done["done"], &done["rejected"]), (&json!(120), &json!(2)));
        let renamed = ground.get(&key, "/contacts?external_id=k-1").await;
        assert_eq!(renamed.body["items"][0]["name"], "Renamed");
        assert_eq!(
            database.count("SELECT COUNT(*) FROM contact_import").await,
            0
        );
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_clients_who_put_the_same_new_contact_one_makes_it_and_nobody_is_refused() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, key, _) = business(&ground, "acme", 0).await;
        for round in 0..20 {
            let by = match round % 3 {
                0 => json!({"external_id": format!("r-{round}")}),
                1 => json!({"phone": format!("+49 151 777{round:04}")}),
                _ => json!({"external_id": format!("r-{round}"), "phone": format!("+49 151 777{round:04}")}),
            };
            let put = || ground.post(&key, "/contacts", &by);
            let (one, other) = tokio::join!(put(), put());
            let mut statuses = [one.status, other.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 201], "{by}: {one:?} {other:?}");
            assert_eq!(one.id(), other.id());
        }
        ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_contacts_that_get_the_same_key_at_once_one_is_refused() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let (_, key, _) = business(&ground, "acme", 0).await;
        for round in 0..10 {
            let contact = async |n: u32| {
                let body = json!({"phone": format!("+49 151 78{n}{round:04}")});
                ground.post(&key, "/contacts", &body).await.id()
            };
            let (one, other) = (contact(1).await, contact(2).await);
            let change = json!({"external_id": format!("same-{round}")});
            let give = async |id: &str| {
                ground
                    .patch(&key, &format!("/contacts/{id}"), "*", &change)
                    .await
            };
            let (one, other) = tokio::join!(give(&one), give(&other));
            let mut statuses = [one.status, other.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409], "{one:?} {other:?}");
        }
        ground.end().await;
    })
    .await;
}
