//! Scripted faults: what the gateway sees, and what really happened.

use super::*;

async fn bench_with_open_window() -> Bench {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    bench.endpoint.wait(1).await;
    bench
}

#[tokio::test]
async fn an_error_is_answered_and_nothing_is_delivered() {
    let bench = bench_with_open_window().await;
    bench
        .simulator
        .fault(Fault::times(2, FaultKind::error(130429)).of_number(NUMBER));
    assert_eq!(bench.code(&text("1")).await, 130429);
    assert_eq!(bench.code(&text("1")).await, 130429);
    assert_eq!(bench.code(&text("1")).await, 0);
    assert_eq!(bench.ines().chat().texts(), ["1"]);
    assert_eq!(bench.codes_of_violations(), Vec::<i64>::new());
}

#[tokio::test]
async fn a_bare_http_status_is_not_graphs_json() {
    let bench = bench_with_open_window().await;
    bench
        .simulator
        .fault(Fault::next(FaultKind::Http { status: 503 }));
    let url = format!("{}/{NUMBER}/messages", bench.simulator.base_url());
    let answer = bench
        .client
        .post(url)
        .bearer_auth(TOKEN)
        .json(&text("1"))
        .send()
        .await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(answer.json::<Value>().await.is_err());
}

#[tokio::test]
async fn a_cut_before_leaves_nothing_and_a_cut_after_leaves_the_message() {
    let bench = bench_with_open_window().await;
    bench.simulator.fault(Fault::next(FaultKind::CutBefore));
    bench.simulator.fault(Fault::next(FaultKind::CutAfter));
    assert!(bench.post(&text("never")).await.is_err());
    assert!(bench.post(&text("in doubt")).await.is_err());
    assert_eq!(bench.ines().chat().texts(), ["in doubt"]);
    let requests = bench.simulator.requests();
    let faults: Vec<_> = requests
        .iter()
        .map(|request| request.answer.fault)
        .collect();
    assert_eq!(faults, [Some("cut_before"), Some("cut_after")]);
    assert!(requests[0].answer.wamid.is_none());
    assert!(requests[1].answer.wamid.is_some());
    // The receipts of the message in doubt come all the same.
    let received = bench.endpoint.wait(4).await;
    assert_eq!(
        received[1].value()["statuses"][0]["biz_opaque_callback_data"],
        "out_1"
    );
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_message() {
    let bench = bench_with_open_window().await;
    bench
        .simulator
        .fault(Fault::next(FaultKind::SlowMs(60_000)));
    let ines = bench.ines();
    let send = text("slow");
    tokio::select! {
        answer = bench.post(&send) => panic!("answered at once: {answer:?}"),
        chat = ines.wait_for(SOON, |chat| chat.texts() == ["slow"]) => {
            chat.expect("delivered");
        }
    }
}

#[tokio::test]
async fn a_malformed_answer_is_a_200_that_does_not_parse() {
    let bench = bench_with_open_window().await;
    bench.simulator.fault(Fault::next(FaultKind::Malformed));
    assert!(bench.post(&text("odd")).await.is_err());
    assert_eq!(bench.ines().chat().texts(), ["odd"]);
}

#[tokio::test]
async fn statuses_can_be_dropped_doubled_and_turned_round() {
    let bench = bench_with_open_window().await;
    bench.simulator.fault(Fault::next(FaultKind::DropStatus));
    bench
        .simulator
        .fault(Fault::next(FaultKind::RepeatStatus(3)));
    bench
        .simulator
        .fault(Fault::next(FaultKind::ReorderStatuses));
    assert_eq!(bench.code(&text("1")).await, 0);
    bench.simulator.webhooks_idle().await;
    let words: Vec<Value> = bench.endpoint.received()[1..]
        .iter()
        .map(|received| received.value()["statuses"][0]["status"].clone())
        .collect();
    assert_eq!(words, ["delivered", "delivered", "delivered", "sent"]);
}

#[tokio::test]
async fn counts_only_keeps_nothing_but_still_delivers_statuses() {
    let bench = Bench::with(|config| config.record = RecordLimits::counts_only()).await;
    bench.ines().text("hi").expect("sent");
    assert_eq!(bench.code(&text("1")).await, 0);
    bench.simulator.webhooks_idle().await;
    assert_eq!(bench.endpoint.received().len(), 4);
    assert!(bench.simulator.requests().is_empty());
    assert!(bench.ines().chat().items.is_empty());
    assert_eq!(bench.simulator.counters().accepted, 1);
}

#[tokio::test]
async fn memory_is_bounded_and_what_is_dropped_is_counted() {
    let bench = Bench::with(|config| {
        config.record.requests = 2;
        config.record.chat_items = 3;
    })
    .await;
    bench.ines().text("hi").expect("sent");
    for round in 0..5 {
        assert_eq!(bench.code(&text(&round.to_string())).await, 0);
    }
    assert_eq!(bench.simulator.requests().len(), 2);
    assert_eq!(bench.ines().chat().texts(), ["2", "3", "4"]);
    let counters = bench.simulator.counters();
    assert_eq!(
        (counters.requests_dropped, counters.chat_items_dropped),
        (3, 3)
    );
}

#[tokio::test]
async fn an_accepted_send_can_fail_later_by_script() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    bench
        .simulator
        .fault(Fault::next(FaultKind::FailLater { code: 131049 }));
    assert_eq!(bench.code(&text("an offer")).await, 0);
    let status = bench.endpoint.wait(2).await[1].value()["statuses"][0].clone();
    assert_eq!(
        (&status["status"], &status["errors"][0]["code"]),
        (&json!("failed"), &json!(131049))
    );
    assert_eq!(bench.code(&text("another")).await, 0);
    let next = bench.endpoint.wait(3).await[2].value()["statuses"][0].clone();
    assert_eq!(next["status"], "sent");
}
