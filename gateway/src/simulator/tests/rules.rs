//! Meta's rules, held by the simulator: who may be written to, how fast, with what.

use super::*;

fn waba_template(name: &str, body: &str, status: TemplateStatus) -> TemplateSpec {
    TemplateSpec {
        status,
        ..TemplateSpec::approved(WABA, name, "en", body)
    }
}

#[tokio::test]
async fn free_form_needs_a_message_of_the_last_24_hours_to_the_same_number() {
    let bench = Bench::start().await;
    assert_eq!(bench.code(&text("too early")).await, 131047);
    bench
        .simulator
        .customer(OTHER, INES)
        .expect("a number")
        .text("hi")
        .expect("sent");
    assert_eq!(bench.code(&text("other number")).await, 131047);
    bench.ines().text("hi").expect("sent");
    assert_eq!(bench.code(&text("in time")).await, 0);
    bench.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(bench.code(&text("too late")).await, 131047);
    assert_eq!(bench.codes_of_violations(), [131047; 3]);
    assert_eq!(bench.ines().chat().texts(), ["in time"]);
}

#[tokio::test]
async fn a_closed_window_can_be_refused_by_a_status() {
    let bench = Bench::with(|config| config.checks.window_refusal_by_status = true).await;
    assert_eq!(bench.code(&text("too early")).await, 0);
    let status = bench.endpoint.wait(1).await[0].value()["statuses"][0].clone();
    assert_eq!(status["status"], "failed");
    assert_eq!(status["errors"][0]["code"], 131047);
    assert_eq!(bench.codes_of_violations(), [131047]);
}

#[tokio::test]
async fn a_reaction_does_not_open_the_window() {
    let bench = Bench::start().await;
    bench.ines().react("wamid.X", "\u{1f44d}").expect("sent");
    assert_eq!(bench.code(&text("hi")).await, 131047);
}

#[tokio::test]
async fn the_46th_message_at_once_to_one_person_waits_six_seconds() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    for _ in 0..45 {
        assert_eq!(bench.code(&text("hello")).await, 0);
    }
    assert_eq!(bench.code(&text("hello")).await, 131056);
    bench.clock.advance(Duration::from_secs(6));
    assert_eq!(bench.code(&text("hello")).await, 0);
    assert_eq!(bench.codes_of_violations(), [131056]);
}

#[tokio::test]
async fn a_number_has_its_throughput() {
    let bench = Bench::with(|config| config.numbers[0].throughput = 3).await;
    bench.ines().text("hi").expect("sent");
    assert_eq!(bench.code(&text("1")).await, 0);
    assert_eq!(bench.code(&text("2")).await, 0);
    assert_eq!(bench.code(&text("3")).await, 130429);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.code(&text("3")).await, 0);
}

#[tokio::test]
async fn templates_have_states_and_parameters() {
    let bench = Bench::with(|config| {
        config.templates = vec![
            waba_template("eta", "At {{1}}.", TemplateStatus::Approved),
            waba_template("paused", "x", TemplateStatus::Paused),
            waba_template("disabled", "x", TemplateStatus::Disabled),
        ];
    })
    .await;
    let one = json!([{ "type": "text", "text": "10:30" }]);
    let none = json!([]);
    assert_eq!(bench.code(&template("eta", &one)).await, 0);
    assert_eq!(bench.code(&template("eta", &none)).await, 132000);
    assert_eq!(bench.code(&template("gone", &none)).await, 132001);
    assert_eq!(bench.code(&template("paused", &none)).await, 132015);
    assert_eq!(bench.code(&template("disabled", &none)).await, 132016);
    assert_eq!(bench.ines().chat().texts(), ["At 10:30."]);
    let status = bench.endpoint.wait(1).await[0].value()["statuses"][0].clone();
    assert_eq!(status["pricing"]["category"], "utility");
    bench
        .simulator
        .put_template(waba_template("eta", "x", TemplateStatus::Paused));
    assert_eq!(bench.code(&template("eta", &none)).await, 132015);
}

#[tokio::test]
async fn a_one_time_code_needs_a_phone() {
    let bench = Bench::with(|config| {
        config.templates = vec![TemplateSpec {
            category: TemplateCategory::Authentication,
            ..TemplateSpec::approved(WABA, "otp", "en", "Code {{1}}")
        }];
    })
    .await;
    let mut send = template("otp", &json!([{ "type": "text", "text": "1234" }]));
    assert_eq!(bench.code(&send).await, 0);
    send.as_object_mut().expect("an object").remove("to");
    send["recipient"] = json!("BR.77120993817234");
    assert_eq!(bench.code(&send).await, 131062);
}

#[tokio::test]
async fn malformed_sends_have_metas_codes() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    let base = text("hi");
    let with = |key: &str, value: Value| {
        let mut send = base.clone();
        send[key] = value;
        send
    };
    let buttons = |buttons: Value| {
        json!({ "messaging_product": "whatsapp", "to": INES, "type": "interactive", "interactive": {
            "type": "button", "body": { "text": "?" }, "action": { "buttons": buttons } } })
    };
    let button =
        |id: &str, title: &str| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let cases = [
        (with("messaging_product", Value::Null), 100),
        (with("to", Value::Null), 100),
        (with("to", json!("not a phone")), 131009),
        (with("to", json!("441632960001")), 131021),
        (with("type", json!("poll")), 131008),
        (with("text", Value::Null), 131008),
        (with("text", json!({ "body": "" })), 131008),
        (with("text", json!({ "body": 7 })), 131009),
        (with("text", json!({ "body": "x".repeat(4097) })), 100),
        (
            with("biz_opaque_callback_data", json!("x".repeat(513))),
            100,
        ),
        (buttons(json!([])), 131009),
        (buttons(json!([button("a", "A"), button("a", "B")])), 131009),
        (buttons(json!([button("a", &"x".repeat(21))])), 100),
        (buttons(json!([button("", "A")])), 131008),
    ];
    for (send, expected) in &cases {
        assert_eq!(bench.code(send).await, *expected, "{send}");
    }
    assert_eq!(bench.codes_of_violations().len(), cases.len());
}

#[tokio::test]
async fn token_and_number_must_fit() {
    let bench = Bench::start().await;
    let (status, answer) = bench
        .post_to(NUMBER, "wrong", &text("hi"))
        .await
        .expect("an answer");
    assert_eq!((status, answer["error"]["code"].as_i64()), (401, Some(190)));
    let (status, answer) = bench
        .post_to("1", TOKEN, &text("hi"))
        .await
        .expect("an answer");
    assert_eq!(
        (status, answer["error"]["error_subcode"].as_i64()),
        (400, Some(33))
    );
}

#[tokio::test]
async fn somebody_who_is_not_on_whatsapp_is_found_out_later() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    bench.ines().set_profile(Profile {
        reachable: false,
        ..Profile::default()
    });
    assert_eq!(bench.code(&text("hi")).await, 0);
    let status = bench.endpoint.wait(2).await[1].value()["statuses"][0].clone();
    assert_eq!(status["errors"][0]["code"], 131026);
}
