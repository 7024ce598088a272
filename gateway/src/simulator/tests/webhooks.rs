//! The way out: batches, repeats, wrong signatures, redelivery, statuses on command; and the same over HTTP.

use super::*;

#[tokio::test]
async fn held_webhooks_go_as_one_post_of_several_numbers() {
    let bench = Bench::start().await;
    bench.simulator.hold_webhooks();
    let other = bench.simulator.customer(OTHER, INES).expect("a number");
    for round in 0..3 {
        bench.ines().text(format!("here {round}")).expect("sent");
        other.text(format!("there {round}")).expect("sent");
    }
    assert_eq!(bench.code(&text("hi")).await, 0);
    let flush = Flush {
        times: 3,
        ..Flush::default()
    };
    let answers = bench
        .simulator
        .flush_webhooks(flush)
        .await
        .expect("answers");
    assert_eq!(answers.len(), 3);
    let received = bench.endpoint.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|again| again.body == received[0].body));
    let body = received[0].json();
    let entries = body["entry"].as_array().expect("entries");
    assert_eq!(entries.len(), 2);
    assert_eq!(
        entries[0]["changes"][0]["value"]["messages"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(
        entries[0]["changes"][1]["value"]["statuses"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(
        entries[0]["changes"][0]["value"]["contacts"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        entries[1]["changes"][0]["value"]["messages"][2]["text"]["body"],
        "there 2"
    );
}

#[tokio::test]
async fn what_is_not_answered_200_comes_again_with_the_same_bytes() {
    let bench = Bench::start().await;
    bench.endpoint.answers(&[500, 503]);
    bench.ines().text("hi").expect("sent");
    bench.simulator.webhooks_idle().await;
    let received = bench.endpoint.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|again| again.body == received[0].body));
    let counters = bench.simulator.counters();
    assert_eq!(
        (counters.webhook_failed, counters.webhook_redelivered),
        (2, 2)
    );
}

#[tokio::test]
async fn a_body_is_given_up_after_the_last_attempt() {
    let bench = Bench::with(|config| config.webhooks.attempts = 2).await;
    bench.endpoint.answers(&[500, 500]);
    bench.ines().text("hi").expect("sent");
    bench.simulator.webhooks_idle().await;
    assert_eq!(bench.endpoint.received().len(), 2);
    assert_eq!(bench.simulator.counters().webhook_given_up, 1);
}

#[tokio::test]
async fn any_bytes_can_be_sent_with_any_signature() {
    let bench = Bench::start().await;
    for signature in [Signature::Valid, Signature::Wrong, Signature::Missing] {
        let answers = bench.simulator.deliver_body("not json", signature, 1).await;
        assert_eq!(answers.expect("answers").len(), 1);
    }
    let received = bench.endpoint.received();
    assert!(received[0].is_signed_with(SECRET));
    assert!(!received[1].is_signed_with(SECRET));
    assert_eq!(received[1].signature.as_ref().map(String::len), Some(71));
    assert_eq!(received[2].signature, None);
}

#[tokio::test]
async fn statuses_come_on_command_and_never_take_ticks_back() {
    let bench = Bench::with(|config| config.statuses = StatusPolicy::on_command()).await;
    bench.ines().text("hi").expect("sent");
    let (_, answer) = bench.post(&text("hello")).await.expect("an answer");
    let id = answer["messages"][0]["id"].as_str().expect("a wamid");
    for tick in [Tick::Read, Tick::Sent, Tick::Delivered] {
        bench
            .simulator
            .status_on_command(id, tick, None)
            .expect("our message");
    }
    bench
        .simulator
        .status_on_command(id, Tick::Failed, Some(131049))
        .expect("our message");
    let received = bench.endpoint.wait(5).await;
    let statuses: Vec<Value> = received[1..]
        .iter()
        .map(|received| received.value()["statuses"][0].clone())
        .collect();
    let words: Vec<_> = statuses.iter().map(|s| s["status"].as_str()).collect();
    assert_eq!(
        words,
        [
            Some("read"),
            Some("sent"),
            Some("delivered"),
            Some("failed")
        ]
    );
    // Pricing on `sent` and on the first of `delivered` and `read`.
    let priced: Vec<_> = statuses
        .iter()
        .map(|s| s.get("pricing").is_some())
        .collect();
    assert_eq!(priced, [true, true, false, false]);
    assert!(
        statuses
            .iter()
            .all(|s| s["biz_opaque_callback_data"] == "out_1")
    );
    assert_eq!(
        bench.ines().chat().item(id).expect("the text").tick,
        Tick::Read
    );
    assert!(
        bench
            .simulator
            .status_on_command("wamid.X", Tick::Read, None)
            .is_err()
    );
}

#[tokio::test]
async fn waiting_updates_share_a_post_when_batching_is_allowed() {
    let bench = Bench::with(|config| {
        config.webhooks.batch = 1_000;
        config.webhooks.connections = 1;
    })
    .await;
    for round in 0..200 {
        bench.ines().text(format!("{round}")).expect("sent");
    }
    bench.simulator.webhooks_idle().await;
    let received = bench.endpoint.received();
    assert!(received.len() < 200, "{} posts", received.len());
    let texts: Vec<Value> = received
        .iter()
        .flat_map(|received| {
            received.value()["messages"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .map(|message| message["text"]["body"].clone())
        .collect();
    let expected: Vec<Value> = (0..200).map(|round| json!(round.to_string())).collect();
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn a_customer_can_be_steered_over_http_alone() {
    let bench = Bench::start().await;
    let base = format!("{}/simulator", bench.simulator.base_url());
    let chat = format!("{base}/numbers/{NUMBER}/customers/{INES}");
    let post = |url: String, body: Value| bench.client.post(url).json(&body).send();
    let sent = post(format!("{chat}/messages"), json!({ "text": "hi" }))
        .await
        .expect("an answer");
    let sent: Value = sent.json().await.expect("JSON");
    assert!(
        sent["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("wamid."))
    );
    let waiting = bench
        .client
        .get(format!("{chat}/chat?after=1&timeout_ms=10000"))
        .send();
    let (answered, seen) = tokio::join!(bench.code_of("hello"), waiting);
    assert_eq!(answered, 0);
    let seen: Value = seen.expect("an answer").json().await.expect("JSON");
    assert_eq!(seen["items"][1]["text"], "hello");
    let refused = post(format!("{chat}/messages"), json!({ "tap": "gone" }))
        .await
        .expect("an answer");
    assert_eq!(refused.status(), 404);
    let refused = post(format!("{base}/faults"), json!({ "kind": "no such" }))
        .await
        .expect("an answer");
    assert_eq!(refused.status(), 400);
    let requests = bench
        .client
        .get(format!("{base}/requests?recipient={INES}"))
        .send();
    let requests: Value = requests
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(requests[0]["opaque"], "out_1");
    let overview: Value = bench
        .client
        .get(base)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(overview["counters"]["accepted"], 1);
}

impl Bench {
    async fn code_of(&self, body: &str) -> i64 {
        self.code(&text(body)).await
    }
}

#[tokio::test]
async fn a_numbers_own_callback_is_followed_before_its_accounts_and_that_before_the_apps() {
    let bench = Bench::start().await;
    let (accounts, numbers) = (Endpoint::start().await, Endpoint::start().await);
    let apps = format!("{WABA}/subscribed_apps");
    let of_account =
        |token| json!({ "override_callback_uri": accounts.url(), "verify_token": token });
    let refused = bench.graph("POST", &apps, &of_account("wrong")).await;
    assert_eq!(refused.1["error"]["code"], 100, "{refused:?}");
    assert_eq!(bench.graph("POST", &apps, &of_account("t")).await.0, 200);
    let heard = async |endpoint: &Endpoint, words: &str| {
        bench.ines().text(words).expect("sent");
        bench.simulator.webhooks_idle().await;
        let last = endpoint.received().last().expect("a webhook").value();
        assert_eq!(last["messages"][0]["text"]["body"], words);
    };
    heard(&accounts, "to the account's").await;
    let of_number = |url: &str| json!({ "webhook_configuration": { "override_callback_uri": url, "verify_token": "t" } });
    let own = of_number(&numbers.url());
    assert_eq!(bench.graph("POST", NUMBER, &own).await.0, 200);
    heard(&numbers, "to the number's").await;
    // Another account's number, and what is no conversation, go to the app's.
    let other = bench.simulator.customer(OTHER, INES).expect("a number");
    other.text("elsewhere").expect("sent");
    let value = json!({ "user_preferences": [] });
    let simulator = &bench.simulator;
    simulator
        .field_changes(NUMBER, "user_preferences", &value)
        .expect("a number");
    simulator.webhooks_idle().await;
    assert_eq!(bench.endpoint.received().len(), 2);
    assert_eq!(bench.graph("POST", NUMBER, &of_number("")).await.0, 200);
    heard(&accounts, "the account's again").await;
    bench.graph("DELETE", &apps, &Value::Null).await;
    heard(&bench.endpoint, "the app's again").await;
    let received = numbers.received();
    assert!(received.len() == 1 && received[0].is_signed_with(SECRET));
}
