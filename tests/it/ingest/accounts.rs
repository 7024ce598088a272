//! What Meta says of accounts and templates, where it meets holds that others placed.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::domain::{Clock, DraftClass, HoldId, TenantId};
use vestibule::policy::HoldScope;
use vestibule::storage::account_facts::{Filter, Place, standing};
use vestibule::storage::audit;
use vestibule::storage::holds::{
    Held, HeldTemplate, Hold, holds_all_tenants, insert_hold_all_tenants,
};
use vestibule_tests::for_each_database;

use super::desk::{Desk, NUMBERS};
use super::sends::{decided, opened, reply, template as template_of};

const TEMPLATE: &str = "spring_sale";

async fn hear(desk: &Desk, field: &str, value: Value, secs_ago: u64) {
    hear_of(desk, "990001", field, value, secs_ago).await;
}

async fn hear_of(desk: &Desk, account: &str, field: &str, value: Value, secs_ago: u64) {
    let changes = json!([{ "field": field, "value": value }]);
    let entry = json!([{ "id": account, "time": desk.ago(secs_ago), "changes": changes }]);
    let body = json!({ "object": "whatsapp_business_account", "entry": entry });
    assert_eq!(desk.post_by(0, &body).await, 200);
    desk.attach().await;
}

fn of_account(account: &str) -> HeldTemplate {
    HeldTemplate {
        account: account.to_owned(),
        name: TEMPLATE.to_owned(),
        language: "en".to_owned(),
    }
}

fn template(event: &str) -> Value {
    json!({ "event": event, "message_template_id": 1, "message_template_name": TEMPLATE,
        "message_template_language": "en" })
}

fn ban(state: &str) -> Value {
    json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": state } })
}

async fn place(desk: &Desk, held: Held, placed_by: &str) {
    let now = desk.clock.now();
    let hold = Hold {
        id: HoldId::from_raw(desk.ids.next(now)),
        held,
        reason: "a test".to_owned(),
        placed_by: placed_by.to_owned(),
        placed_at: now,
        until: None,
        lifted_at: None,
    };
    let mut tx = desk.db.begin().await.expect("a transaction");
    insert_hold_all_tenants(&mut tx, &hold)
        .await
        .expect("a hold");
    tx.commit().await.expect("a commit");
}

/// What the audit log says that the gateway did to holds, the oldest first.
async fn audited(desk: &Desk, tenant: TenantId) -> Vec<String> {
    let mut tx = desk.db.read().await.expect("a transaction");
    let entries = audit::entries(&mut tx, tenant, i64::MAX, 50).await;
    let entries = entries.expect("a readable log").into_iter().rev();
    let by_gateway = entries.filter(|e| e.actor_kind == "gateway" && e.action.starts_with("hold."));
    by_gateway
        .map(|entry| {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let (was, became) = (read(&entry.was), read(&entry.became));
            let by = was["by"].as_str().or(became["by"].as_str());
            let because = became["because"].as_str().unwrap_or("");
            format!("{} {} {because}", entry.action, by.expect("an origin"))
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// Who placed the holds that are in force.
async fn in_force(desk: &Desk) -> Vec<String> {
    let mut tx = desk.db.read().await.expect("a transaction");
    let holds = holds_all_tenants(&mut tx).await.expect("holds");
    let now = desk.clock.now();
    let lasts = |hold: &Hold| hold.until.is_none_or(|until| now < until);
    let mut placed: Vec<String> = holds
        .into_iter()
        .filter(lasts)
        .map(|hold| hold.placed_by)
        .collect();
    placed.sort();
    placed
}

#[tokio::test]
async fn meta_lifts_what_its_own_errors_stopped_and_nothing_that_a_person_did() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let number = desk.owner.snapshot().number_named(NUMBERS[0]).cloned();
        let number = number.expect("the number").number.clone();
        let held = || Held::Template(number.tenant, of_account(&number.waba_id));
        place(&desk, held(), "delivery: Meta's error 132015").await;
        place(&desk, held(), "ana").await;
        hear(
            &desk,
            "message_template_status_update",
            template("PAUSED"),
            50,
        )
        .await;
        let all = [
            "ana",
            "delivery: Meta's error 132015",
            "webhook: template state",
        ];
        assert_eq!(in_force(&desk).await, all);
        hear(
            &desk,
            "message_template_status_update",
            template("APPROVED"),
            40,
        )
        .await;
        assert_eq!(in_force(&desk).await, ["ana"]);

        place(
            &desk,
            Held::Tenant(number.tenant),
            "receipt: Meta's error 131031",
        )
        .await;
        place(&desk, Held::Number(number.tenant, number.id), "ben").await;
        hear(&desk, "account_update", ban("DISABLE"), 30).await;
        assert_eq!(in_force(&desk).await.len(), 4);
        hear(&desk, "account_update", ban("REINSTATE"), 20).await;
        assert_eq!(in_force(&desk).await, ["ana", "ben"]);
        assert_eq!(
            audited(&desk, number.tenant).await,
            [
                "hold.place webhook: template state",
                "hold.lift delivery: Meta's error 132015 Meta took it back: template state",
                "hold.lift webhook: template state Meta took it back: template state",
                "hold.place webhook: account disabled",
                "hold.lift webhook: account disabled Meta took it back: account disabled",
                "hold.lift receipt: Meta's error 131031 Meta took it back: account disabled",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_restriction_ends_by_itself_and_the_last_word_of_its_end_counts() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let restricted = |until: i64| {
            json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
                { "restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": until }] })
        };
        let begin = desk.ago(0);
        hear(&desk, "account_update", restricted(begin + 1_000), 50).await;
        hear(&desk, "account_update", restricted(begin + 2_000), 40).await;
        hear(&desk, "account_update", restricted(begin + 9_000), 60).await;
        assert_eq!(in_force(&desk).await.len(), 1);
        desk.owner.refresh().await.expect("readable setup");
        let holds = |n: usize| {
            let entry = desk.owner.snapshot().number_named(NUMBERS[n]).cloned();
            entry.expect("the number").holds.clone()
        };
        let scopes: Vec<HoldScope> = holds(0).into_iter().map(|hold| hold.scope).collect();
        assert_eq!(scopes, [HoldScope::Templates], "its replies go on");
        assert_eq!(holds(1), [], "of another app");
        desk.clock.advance(Duration::from_secs(1_500));
        assert_eq!(in_force(&desk).await.len(), 1);
        desk.clock.advance(Duration::from_secs(600));
        assert_eq!(in_force(&desk).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_ban_stops_every_number_of_the_account_that_the_app_speaks_for() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        // Both numbers of the desk are of one WABA, each of an app of its own.
        hear(&desk, "account_update", ban("DISABLE"), 50).await;
        assert_eq!(in_force(&desk).await.len(), 1);
        desk.add_number(0, "770003").await;
        desk.owner.refresh().await.expect("readable setup");
        hear(
            &desk,
            "account_update",
            json!({ "event": "ACCOUNT_DELETED" }),
            40,
        )
        .await;
        assert_eq!(in_force(&desk).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn of_each_fact_the_latest_stands_whatever_came_last() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut category = template("");
        category["new_category"] = json!("MARKETING");
        category["previous_category"] = json!("UTILITY");
        hear(&desk, "template_category_update", category.clone(), 10).await;
        category["new_category"] = json!("UTILITY");
        category["correct_category"] = json!("MARKETING");
        hear(&desk, "template_category_update", category, 90).await;
        hear(
            &desk,
            "message_template_status_update",
            template("APPROVED"),
            50,
        )
        .await;
        let number = desk.owner.snapshot().number_named(NUMBERS[0]).cloned();
        let tenant = number.expect("the number").number.tenant;
        let mut tx = desk.db.read().await.expect("a transaction");
        let facts = standing(&mut tx, tenant, &Filter::default(), &Place::default(), 100)
            .await
            .expect("facts");
        let facts: Vec<String> = facts
            .iter()
            .map(|fact| format!("{} {} = {}", fact.name, fact.fact, fact.value))
            .collect();
        let expected = [
            "spring_sale category = MARKETING",
            "spring_sale id = 1",
            "spring_sale next_category = ",
            "spring_sale status = APPROVED",
        ];
        assert_eq!(facts, expected);
    })
    .await;
}

#[tokio::test]
async fn a_template_is_held_for_the_account_whose_it_is_and_released_for_it() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.add_number_of(0, "770003", "990003").await;
        for directory in [&desk.receiver, &desk.owner] {
            directory.refresh().await.expect("readable setup");
        }
        let held = async |phone_number_id: &str| {
            desk.owner.refresh().await.expect("readable setup");
            let entry = desk.owner.snapshot().number_named(phone_number_id).cloned();
            entry.expect("the number").holds.len()
        };
        let status = "message_template_status_update";
        hear(&desk, status, template("PAUSED"), 50).await;
        assert_eq!((held(NUMBERS[0]).await, held("770003").await), (1, 0));
        hear_of(&desk, "990003", status, template("DISABLED"), 45).await;
        assert_eq!((held(NUMBERS[0]).await, held("770003").await), (1, 1));
        hear(&desk, status, template("APPROVED"), 40).await;
        assert_eq!((held(NUMBERS[0]).await, held("770003").await), (0, 1));

        // One from before accounts were known of holds every account, and any of them releases it.
        let snapshot = desk.owner.snapshot();
        let tenant = snapshot.number_named("770003").expect("it").number.tenant;
        place(
            &desk,
            Held::Template(tenant, of_account("")),
            "webhook: template state",
        )
        .await;
        assert_eq!((held(NUMBERS[0]).await, held("770003").await), (1, 2));
        hear_of(&desk, "990003", status, template("APPROVED"), 30).await;
        assert_eq!((held(NUMBERS[0]).await, held("770003").await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn restricted_answers_hold_answers_alone_and_a_restricted_beginning_only_what_begins() {
    for_each_database(async |database| {
        let cases = [
            (
                "RESTRICTED_BIZ_INITIATED_MESSAGING",
                ["cleared", "hold_templates"],
            ),
            (
                "RESTRICTED_CUSTOMER_INITIATED_MESSAGING",
                ["hold_replies", "cleared"],
            ),
        ];
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        for (n, (kind, expected)) in cases.into_iter().enumerate() {
            let until = desk.ago(0) + 1_000;
            let value = json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
                { "restriction_type": kind, "expiration": until }] });
            hear(&desk, "account_update", value, 50 - n as u64).await;
            desk.owner.refresh().await.expect("readable setup");
            let what = [reply("hi"), template_of(DraftClass::Utility)];
            let decided = what.map(|what| decided(&desk, &conversation, what));
            assert_eq!(decided, expected, "{kind}");
            desk.clock.advance(Duration::from_secs(2_000));
        }
    })
    .await;
}
