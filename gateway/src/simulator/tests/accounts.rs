//! What happens to accounts and numbers, and what it does to sends.

use super::*;

fn with_template(config: &mut SimulatorConfig) {
    config.templates = vec![TemplateSpec::approved(WABA, "eta", "en", "At ten.")];
}

fn to(phone: &str) -> Value {
    let mut send = template("eta", &json!([]));
    send["to"] = json!(phone);
    send
}

impl Bench {
    fn happens(&self, event: Value) {
        let event = serde_json::from_value(event).expect("an event");
        self.simulator
            .account_event(WABA, event)
            .expect("an account");
    }
}

#[tokio::test]
async fn a_portfolio_writes_to_so_many_people_a_day() {
    let bench = Bench::with(with_template).await;
    bench.happens(json!({ "tier": { "limit": "TIER_250" } }));
    assert_eq!(
        bench.field("business_capability_update").await["max_daily_conversations_per_business"],
        "TIER_250"
    );
    let update = bench.field("phone_number_quality_update").await;
    assert_eq!(
        (&update["event"], &update["current_limit"]),
        (&json!("DOWNGRADE"), &json!("TIER_250"))
    );
    for n in 0..250 {
        bench.clock.advance(Duration::from_millis(20));
        assert_eq!(bench.code(&to(&format!("44770090{n:04}"))).await, 0);
    }
    assert_eq!(bench.code(&to("447700909999")).await, 131048);
    assert_eq!(
        bench.code(&to("447700900001")).await,
        0,
        "somebody counted already"
    );
    let mo = bench
        .simulator
        .customer(NUMBER, "447700908888")
        .expect("a customer");
    mo.text("hi").expect("sent");
    assert_eq!(
        bench.code(&to("447700908888")).await,
        0,
        "inside of the window nobody is counted"
    );
    bench.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(bench.code(&to("447700909999")).await, 0);
}

#[tokio::test]
async fn bans_and_restrictions_refuse_sends_and_are_announced() {
    let bench = Bench::with(with_template).await;
    bench.happens(
        json!({ "restriction": { "kind": "RESTRICTED_BIZ_INITIATED_MESSAGING", "seconds": 60 } }),
    );
    assert_eq!(bench.code(&to(INES)).await, 368);
    bench.ines().text("hi").expect("sent");
    assert_eq!(bench.code(&text("answers are not meant")).await, 0);
    let update = bench.field("account_update").await;
    assert_eq!(
        update["restriction_info"][0]["restriction_type"],
        "RESTRICTED_BIZ_INITIATED_MESSAGING"
    );
    bench.happens(json!({ "ban": { "state": "DISABLE" } }));
    assert_eq!(bench.code(&text("hi")).await, 131031);
    bench.happens(json!({ "ban": { "state": "REINSTATE" } }));
    assert_eq!(bench.code(&text("hi")).await, 0);
    let bodies = bench.endpoint.received();
    let ban = bodies
        .iter()
        .map(|one| one.json())
        .find(|body| body["entry"][0]["changes"][0]["value"]["event"] == "DISABLED_UPDATE");
    insta::assert_json_snapshot!(ban.expect("a ban")["entry"][0], @r#"
    {
      "changes": [
        {
          "field": "account_update",
          "value": {
            "ban_info": {
              "waba_ban_date": "November 21, 2026",
              "waba_ban_state": "DISABLE"
            },
            "event": "DISABLED_UPDATE"
          }
        }
      ],
      "id": "990001",
      "time": 1795252000
    }
    "#);
}

#[tokio::test]
async fn quality_names_and_the_rest_have_their_fields() {
    let bench = Bench::start().await;
    bench.happens(json!({ "quality": { "number": NUMBER, "rating": "RED" } }));
    assert_eq!(
        bench.field("phone_number_quality_update").await["event"],
        "FLAGGED"
    );
    bench.happens(json!({ "name_decision": { "number": NUMBER, "name": "Parcel Co", "decision": "APPROVED" } }));
    assert_eq!(
        bench.field("phone_number_name_update").await["requested_verified_name"],
        "Parcel Co"
    );
    let (_, number) = bench
        .graph(
            "GET",
            &format!("{NUMBER}?fields=verified_name,quality_rating"),
            &Value::Null,
        )
        .await;
    assert_eq!(
        number,
        json!({ "id": NUMBER, "verified_name": "Parcel Co", "quality_rating": "RED" })
    );
    bench.happens(json!({ "review": { "decision": "APPROVED" } }));
    assert_eq!(
        bench.field("account_review_update").await["decision"],
        "APPROVED"
    );
    bench.happens(json!({ "security": { "number": NUMBER, "event": "PIN_CHANGED" } }));
    assert_eq!(bench.field("security").await["event"], "PIN_CHANGED");
    bench.happens(
        json!({ "field": { "field": "flows", "value": { "event": "FLOW_STATUS_CHANGE" } } }),
    );
    assert_eq!(bench.field("flows").await["event"], "FLOW_STATUS_CHANGE");
    assert!(
        bench
            .simulator
            .account_event(
                "1",
                AccountEvent::Review {
                    decision: String::new()
                }
            )
            .is_err()
    );
}

#[tokio::test]
async fn templates_change_on_command() {
    let bench = Bench::with(with_template).await;
    let (_, list) = bench
        .graph("GET", &format!("{WABA}/message_templates"), &Value::Null)
        .await;
    let id = list["data"][0]["id"].as_str().expect("an id");
    let happens = |event: Value| {
        let event = serde_json::from_value(event).expect("an event");
        bench
            .simulator
            .template_event(id, event)
            .expect("a template");
    };
    happens(json!({ "category_warning": "MARKETING" }));
    let warning = bench.field("template_category_update").await;
    assert_eq!(
        (&warning["correct_category"], &warning["new_category"]),
        (&json!("MARKETING"), &json!("UTILITY"))
    );
    happens(json!({ "category": "MARKETING", "quality": "RED", "status": "PAUSED" }));
    assert_eq!(
        bench.field("message_template_quality_update").await["new_quality_score"],
        "RED"
    );
    assert_eq!(
        bench.field("message_template_status_update").await["other_info"]["title"],
        "FIRST_PAUSE"
    );
    assert_eq!(bench.code(&to(INES)).await, 132015);
    assert_eq!(
        bench
            .graph("POST", &format!("{id}/unpause"), &Value::Null)
            .await
            .0,
        200
    );
    assert_eq!(bench.code(&to(INES)).await, 0);
}
