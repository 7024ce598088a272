//! Templates from their submission to the phone.

use super::*;

fn submitted(components: Value) -> Value {
    json!({ "name": "eta", "language": "en", "category": "UTILITY", "components": components })
}

fn rich() -> Value {
    submitted(json!([
        { "type": "HEADER", "format": "IMAGE", "example": { "header_handle": ["4::x"] } },
        { "type": "BODY", "text": "Hello {{1}}, your order comes at {{2}} today.", "example": { "body_text": [["Ines", "10:30"]] } },
        { "type": "FOOTER", "text": "Parcel Co" },
        { "type": "BUTTONS", "buttons": [
            { "type": "URL", "text": "Track", "url": "https://t.example/{{1}}", "example": ["x"] },
            { "type": "QUICK_REPLY", "text": "Reschedule" },
        ] },
    ]))
}

fn send(components: Value) -> Value {
    json!({ "messaging_product": "whatsapp", "to": INES, "type": "template",
        "template": { "name": "eta", "language": { "code": "en" }, "components": components } })
}

fn filled() -> Value {
    send(json!([
        { "type": "header", "parameters": [{ "type": "image", "image": { "link": "https://cdn.example/a" } }] },
        { "type": "body", "parameters": [{ "type": "text", "text": "Ines" }, { "type": "text", "text": "10:30" }] },
        { "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": "9931" }] },
        { "type": "button", "sub_type": "quick_reply", "index": 1, "parameters": [{ "type": "payload", "payload": "MOVE:1" }] },
    ]))
}

impl Bench {
    async fn submit(&self, template: &Value) -> (u16, Value) {
        self.graph("POST", &format!("{WABA}/message_templates"), template)
            .await
    }
}

#[tokio::test]
async fn a_template_is_submitted_approved_sent_and_answered() {
    let bench = Bench::start().await;
    let (status, answer) = bench.submit(&rich()).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("PENDING")),
        "{answer}"
    );
    let event = bench.field("message_template_status_update").await;
    assert_eq!(
        (&event["event"], &event["message_template_name"]),
        (&json!("APPROVED"), &json!("eta"))
    );
    assert_eq!(
        event["message_template_id"].to_string(),
        answer["id"].as_str().expect("an id")
    );
    assert_eq!(bench.code(&filled()).await, 0);
    let chat = bench.ines().chat();
    let item = chat.received().next().expect("one");
    insta::assert_json_snapshot!(item.shown, @r#"
    {
      "body": "Hello Ines, your order comes at 10:30 today.",
      "buttons": [
        {
          "kind": "url",
          "text": "Track",
          "url": "https://t.example/9931"
        },
        {
          "id": "MOVE:1",
          "kind": "quick_reply",
          "text": "Reschedule"
        }
      ],
      "footer": "Parcel Co",
      "header": {
        "image": {
          "link": "https://cdn.example/a"
        },
        "type": "image"
      }
    }
    "#);
    bench.ines().tap("Reschedule").expect("a button");
    bench.simulator.webhooks_idle().await;
    let last = bench.endpoint.received().pop().expect("one").value();
    assert_eq!(
        last["messages"][0]["button"],
        json!({ "payload": "MOVE:1", "text": "Reschedule" })
    );
}

#[tokio::test]
async fn components_must_fit_the_stored_ones() {
    let bench = Bench::start().await;
    bench.submit(&rich()).await;
    let without = |place: usize| {
        let mut components = filled()["template"]["components"].clone();
        components.as_array_mut().expect("a list").remove(place);
        send(components)
    };
    let mut text_header = filled();
    text_header["template"]["components"][0]["parameters"] =
        json!([{ "type": "text", "text": "x" }]);
    let mut other_button = filled();
    other_button["template"]["components"][2]["sub_type"] = json!("quick_reply");
    let mut named = filled();
    named["template"]["components"][1]["parameters"][0]["parameter_name"] = json!("first");
    let cases = [
        (without(0), 132012),
        (without(1), 132000),
        (without(2), 131008),
        (without(3), 0),
        (text_header, 132012),
        (other_button, 132012),
        (named, 132012),
        (send(json!([{ "type": "banner" }])), 131009),
    ];
    for (send, expected) in &cases {
        assert_eq!(bench.code(send).await, *expected, "{send}");
    }
}

#[tokio::test]
async fn one_time_codes_offers_and_carousels_have_their_own_rules() {
    let bench = Bench::start().await;
    let mut otp = submitted(json!([
        { "type": "BODY", "add_security_recommendation": true },
        { "type": "FOOTER", "code_expiration_minutes": 10 },
        { "type": "BUTTONS", "buttons": [{ "type": "OTP", "otp_type": "COPY_CODE" }] },
    ]));
    otp["category"] = json!("AUTHENTICATION");
    bench.submit(&otp).await;
    let code = |body: &str, button: &str| {
        send(json!([
            { "type": "body", "parameters": [{ "type": "text", "text": body }] },
            { "type": "button", "sub_type": "url", "index": 0, "parameters": [{ "type": "text", "text": button }] },
        ]))
    };
    assert_eq!(bench.code(&code("4829", "4829")).await, 0);
    assert_eq!(bench.code(&code("4829", "1111")).await, 132012);
    assert_eq!(
        bench.code(&code(&"9".repeat(16), &"9".repeat(16))).await,
        131009
    );
    assert!(bench.ines().chat().texts()[0].starts_with("*4829* is your verification code."));

    let card = || {
        json!({ "components": [
        { "type": "HEADER", "format": "IMAGE", "example": { "header_handle": ["4::x"] } },
        { "type": "BODY", "text": "A room" },
        { "type": "BUTTONS", "buttons": [{ "type": "QUICK_REPLY", "text": "More" }] },
    ] })
    };
    let mut tours = submitted(json!([
        { "type": "LIMITED_TIME_OFFER", "limited_time_offer": { "text": "Today", "has_expiration": true } },
        { "type": "BODY", "text": "Two rooms are left for you." },
        { "type": "CAROUSEL", "cards": [card(), card()] },
    ]));
    tours["name"] = json!("tours");
    assert_eq!(bench.submit(&tours).await.0, 200);
    let given = |cards: usize, offer: Value| {
        let header = json!([{ "type": "image", "image": { "link": "https://cdn.example/a" } }]);
        let cards: Vec<Value> = (0..cards)
            .map(|index| json!({ "card_index": index, "components": [{ "type": "header", "parameters": header }] }))
            .collect();
        let mut send = send(json!([
            { "type": "limited_time_offer", "parameters": [{ "type": "limited_time_offer", "limited_time_offer": offer }] },
            { "type": "carousel", "cards": cards },
        ]));
        send["template"]["name"] = json!("tours");
        send
    };
    let until = json!({ "expiration_time_ms": 1_795_600_000_000_u64 });
    assert_eq!(bench.code(&given(2, until.clone())).await, 0);
    assert_eq!(bench.code(&given(1, until)).await, 132012);
    assert_eq!(bench.code(&given(2, json!({}))).await, 131008);
}

#[tokio::test]
async fn what_is_submitted_has_metas_shape() {
    let bench = Bench::start().await;
    let body = |text: &str| {
        submitted(
            json!([{ "type": "BODY", "text": text, "example": { "body_text": [["a", "b", "c"]] } }]),
        )
    };
    let mut name = body("Hello there");
    name["name"] = json!("Not Allowed");
    let reply = || json!({ "type": "QUICK_REPLY", "text": "Yes" });
    let url = || json!({ "type": "URL", "text": "Go", "url": "https://t.example" });
    let buttons = |buttons: Value| {
        submitted(
            json!([{ "type": "BODY", "text": "Hello" }, { "type": "BUTTONS", "buttons": buttons }]),
        )
    };
    let cases = [
        (name, 100),
        (submitted(json!([])), 100),
        (body("{{1}} is here"), 2388299),
        (body("Hello {{1}}{{2}} there you are now"), 2388293),
        (body("Hi {{1}} {{2}} a {{3}} b"), 2388293),
        (body(&"x".repeat(1025)), 2388040),
        (
            submitted(json!([{ "type": "BODY", "text": "Hello {{1}} there" }])),
            100,
        ),
        (
            submitted(
                json!([{ "type": "BODY", "text": "Hello" }, { "type": "HEADER", "format": "TEXT", "text": "*Bold*" }]),
            ),
            2388047,
        ),
        (
            submitted(
                json!([{ "type": "BODY", "text": "Hello" }, { "type": "FOOTER", "text": "{{1}}" }]),
            ),
            2388073,
        ),
        (buttons(json!([url(), url(), url()])), 100),
        (buttons(json!([reply(), url(), reply()])), 100),
        (buttons(json!([reply(), url()])), 0),
    ];
    for (template, expected) in &cases {
        let (_, answer) = bench.submit(template).await;
        assert_eq!(
            answer["error"]["code"].as_i64().unwrap_or(0),
            *expected,
            "{template}\n{answer}"
        );
    }
    assert_eq!(
        bench.submit(&cases[11].0).await.1["error"]["error_subcode"],
        2388024,
        "there already"
    );
}

#[tokio::test]
async fn reviews_are_scripted_and_lists_have_pages() {
    let bench = Bench::start().await;
    bench.simulator.set_reviews(ReviewPolicy {
        decision: ReviewDecision::Reject,
        reason: "PROMOTIONAL".to_owned(),
        ..ReviewPolicy::default()
    });
    bench.submit(&rich()).await;
    assert_eq!(
        bench.field("message_template_status_update").await["reason"],
        "PROMOTIONAL"
    );
    assert_eq!(bench.code(&filled()).await, 132001);
    bench.simulator.set_reviews(ReviewPolicy::default());
    for name in ["one", "two"] {
        let mut template = rich();
        template["name"] = json!(name);
        bench.submit(&template).await;
    }
    let (_, page) = bench
        .graph(
            "GET",
            &format!("{WABA}/message_templates?fields=name,status&limit=2"),
            &Value::Null,
        )
        .await;
    let names: Vec<&str> = page["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["eta", "one"]);
    let next = page["paging"]["next"].as_str().expect("another page");
    let rest: Value = bench
        .client
        .get(next)
        .bearer_auth(TOKEN)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(rest["data"][0]["name"], "two");
    assert!(rest["paging"]["next"].is_null());
    let (_, gone) = bench
        .graph(
            "DELETE",
            &format!("{WABA}/message_templates?name=one"),
            &Value::Null,
        )
        .await;
    assert_eq!(gone, json!({ "success": true }));
    let (_, left) = bench
        .graph(
            "GET",
            &format!("{WABA}/message_templates?status=APPROVED"),
            &Value::Null,
        )
        .await;
    assert_eq!(left["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_paced_template_is_held_until_it_is_released_or_dropped() {
    let bench = Bench::with(|config| config.statuses.ticks = vec![Tick::Sent]).await;
    bench.simulator.set_reviews(ReviewPolicy {
        paced: true,
        ..ReviewPolicy::default()
    });
    let (_, answer) = bench.submit(&rich()).await;
    let id = answer["id"].as_str().expect("an id").to_owned();
    let (_, answer) = bench.post(&filled()).await.expect("an answer");
    assert_eq!(
        answer["messages"][0]["message_status"],
        "held_for_quality_assessment"
    );
    assert!(bench.ines().chat().received().next().expect("one").held);
    let release = |word: &str| -> TemplateEvent {
        serde_json::from_value(json!({ "release": word })).expect("an event")
    };
    bench
        .simulator
        .template_event(&id, release("send"))
        .expect("a template");
    bench.simulator.webhooks_idle().await;
    let statuses = |bench: &Bench| -> Vec<String> {
        let received = bench.endpoint.received();
        let statuses = received.iter().filter_map(|one| {
            one.value()["statuses"][0]["status"]
                .as_str()
                .map(str::to_owned)
        });
        statuses.collect()
    };
    assert_eq!(statuses(&bench), ["sent"]);
    let paced: TemplateSpec = TemplateSpec {
        paced: true,
        ..TemplateSpec::approved(WABA, "again", "en", "Hello there")
    };
    bench.simulator.put_template(paced);
    let mut again = send(json!([]));
    again["template"]["name"] = json!("again");
    assert_eq!(bench.code(&again).await, 0);
    let (_, list) = bench
        .graph(
            "GET",
            &format!("{WABA}/message_templates?name=again"),
            &Value::Null,
        )
        .await;
    let id = list["data"][0]["id"].as_str().expect("an id");
    bench
        .simulator
        .template_event(id, release("drop"))
        .expect("a template");
    bench.simulator.webhooks_idle().await;
    assert_eq!(statuses(&bench), ["sent", "failed"]);
    assert_eq!(bench.code(&again).await, 132015);
}

#[tokio::test]
async fn marketing_has_an_edge_of_its_own() {
    let bench = Bench::with(|config| {
        config.templates = vec![
            TemplateSpec {
                category: TemplateCategory::Marketing,
                ..TemplateSpec::approved(WABA, "eta", "en", "Offer")
            },
            TemplateSpec::approved(WABA, "news", "en", "News"),
        ];
    })
    .await;
    let path = format!("{NUMBER}/marketing_messages");
    let code = async |body: &Value| {
        bench.graph("POST", &path, body).await.1["error"]["code"]
            .as_i64()
            .unwrap_or(0)
    };
    assert_eq!(code(&send(json!([]))).await, 0);
    assert_eq!(
        bench.endpoint.wait(1).await[0].value()["statuses"][0]["pricing"]["category"],
        "marketing_lite"
    );
    let mut news = send(json!([]));
    news["template"]["name"] = json!("news");
    assert_eq!(code(&news).await, 134100);
    assert_eq!(code(&text("hi")).await, 100);
    bench
        .simulator
        .change_waba(WABA, |waba| waba.marketing_on_cloud_api = false);
    assert_eq!(bench.code(&send(json!([]))).await, 131063);
    bench
        .ines()
        .send(Action::Marketing { stop: true })
        .expect("a choice");
    assert_eq!(
        code(&send(json!([]))).await,
        0,
        "accepted, and failed later"
    );
    bench.simulator.webhooks_idle().await;
    let last = bench.endpoint.received().pop().expect("one").value();
    assert_eq!(last["statuses"][0]["errors"][0]["code"], 131050);
}
