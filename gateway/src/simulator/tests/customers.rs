//! Everything that customers can do, as the webhook's elements say it; and the page's feed.

use super::*;

impl Bench {
    /// The `messages[]` element of what Ines does, without what every element has.
    async fn element(&self, message: Value) -> Value {
        self.simulator.webhooks_idle().await;
        let before = self.endpoint.received().len();
        let message: CustomerMessage = serde_json::from_value(message).expect("a message");
        self.ines().send(message).expect("sent");
        let mut element =
            self.endpoint.wait(before + 1).await[before].value()["messages"][0].clone();
        for name in ["from", "from_user_id", "id", "timestamp"] {
            assert!(element[name].take().is_string(), "{name}");
        }
        element
            .as_object_mut()
            .expect("an object")
            .retain(|_, value| !value.is_null());
        element
    }
}

#[tokio::test]
async fn every_inbound_type_has_metas_shape() {
    let bench = Bench::start().await;
    let own = bench.ines().text("helo").expect("sent");
    let mut elements = Vec::new();
    for message in [
        json!({ "location": { "latitude": 51.5, "longitude": -0.1, "name": "Depot" } }),
        json!({ "contacts": [{ "name": { "formatted_name": "Priya" } }] }),
        json!({ "order": { "catalog_id": "3300", "text": "soon", "product_items": [
            { "product_retailer_id": "SKU-1", "quantity": 2, "item_price": 9.5, "currency": "GBP" }] } }),
        json!({ "flow_reply": { "response": { "flow_token": "t-91", "slot": "10:30" } } }),
        json!({ "edit": { "message_id": own, "text": "hello" } }),
        json!({ "revoke": { "message_id": own } }),
        json!({ "unsupported": { "kind": "poll" } }),
        json!({ "request_welcome": {} }),
        json!({ "text": "from an ad", "referral": { "source_type": "ad", "source_id": "12", "ctwa_clid": "c" } }),
        json!({ "text": "passed on", "frequently_forwarded": true }),
        json!({ "text": "this one?", "referred_product": { "catalog_id": "3300", "product_retailer_id": "SKU-1" } }),
    ] {
        let mut element = bench.element(message).await;
        for name in ["edit", "revoke"] {
            if element[name].is_object() {
                assert_eq!(element[name]["original_message_id"].take(), json!(own));
            }
        }
        element
            .as_object_mut()
            .expect("an object")
            .retain(|_, value| !value.is_null());
        elements.push(element.to_string());
    }
    insta::assert_snapshot!(elements.join("\n"), @r#"
    {"location":{"latitude":51.5,"longitude":-0.1,"name":"Depot"},"type":"location"}
    {"contacts":[{"name":{"formatted_name":"Priya"}}],"type":"contacts"}
    {"order":{"catalog_id":"3300","product_items":[{"currency":"GBP","item_price":9.5,"product_retailer_id":"SKU-1","quantity":2}],"text":"soon"},"type":"order"}
    {"interactive":{"nfm_reply":{"body":"Sent","name":"flow","response_json":"{\"flow_token\":\"t-91\",\"slot\":\"10:30\"}"},"type":"nfm_reply"},"type":"interactive"}
    {"edit":{"message":{"text":{"body":"hello"},"type":"text"},"original_message_id":null},"type":"edit"}
    {"revoke":{"original_message_id":null},"type":"revoke"}
    {"errors":[{"code":131051,"error_data":{"details":"Message type is currently not supported."},"message":"Message type unknown","title":"Message type unknown"}],"type":"unsupported","unsupported":{"type":"poll"}}
    {"type":"request_welcome"}
    {"referral":{"ctwa_clid":"c","source_id":"12","source_type":"ad"},"text":{"body":"from an ad"},"type":"text"}
    {"context":{"frequently_forwarded":true},"text":{"body":"passed on"},"type":"text"}
    {"context":{"referred_product":{"catalog_id":"3300","product_retailer_id":"SKU-1"}},"text":{"body":"this one?"},"type":"text"}
    "#);
    let chat = bench.ines().chat();
    let first = chat.item(&own).expect("the text");
    assert!(first.edited && first.revoked && first.text == "hello");
    let deleted = Action::Edit {
        message_id: own.clone(),
        text: "x".to_owned(),
    };
    assert!(
        bench.ines().send(deleted).is_err(),
        "what is deleted is not edited"
    );
}

#[tokio::test]
async fn a_new_number_is_a_new_identity_without_a_window() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    let old = bench.endpoint.wait(1).await[0].value()["contacts"][0]["user_id"].clone();
    let new = "447700900999";
    bench
        .ines()
        .send(Action::ChangeNumber {
            wa_id: new.to_owned(),
        })
        .expect("changed");
    let update = bench.field("user_id_update").await;
    assert_eq!(update["user_id_update"][0]["user_id"]["previous"], old);
    assert_eq!(update["user_id_update"][0]["wa_id"], new);
    bench.simulator.webhooks_idle().await;
    let received = bench.endpoint.received();
    let system = received
        .iter()
        .map(|one| one.value())
        .find(|value| value["messages"][0]["type"] == "system")
        .expect("one");
    assert!(system["contacts"].is_null());
    assert_eq!(system["messages"][0]["system"]["wa_id"], new);
    let mut send = text("hi");
    send["to"] = json!(new);
    assert_eq!(bench.code(&send).await, 131047);
}

#[tokio::test]
async fn the_reply_to_an_ad_opens_three_free_days() {
    let bench = Bench::with(|config| config.statuses.ticks = vec![Tick::Sent]).await;
    let message = CustomerMessage {
        referral: Some(json!({ "source_type": "ad", "ctwa_clid": "c" })),
        ..Action::Text("hi".to_owned()).into()
    };
    bench.ines().send(message).expect("sent");
    assert_eq!(bench.code(&text("welcome")).await, 0);
    let status = bench.endpoint.wait(2).await[1].value()["statuses"][0].clone();
    assert_eq!(status["pricing"]["type"], "free_entry_point");
    assert_eq!(
        status["conversation"]["origin"]["type"],
        "referral_conversion"
    );
    bench.clock.advance(Duration::from_secs(3 * 24 * 3600));
    bench.ines().text("still there?").expect("sent");
    assert_eq!(bench.code(&text("yes")).await, 0);
    let status = bench.endpoint.wait(4).await[3].value()["statuses"][0].clone();
    assert_eq!(status["pricing"]["type"], "free_customer_service");
}

#[tokio::test]
async fn a_choice_of_an_older_message_can_still_be_tapped() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    let buttons = |id: &str| {
        json!({ "messaging_product": "whatsapp", "to": INES, "type": "interactive", "interactive": {
        "type": "button", "body": { "text": "?" }, "action": { "buttons": [{ "type": "reply", "reply": { "id": id, "title": id } }] } } })
    };
    bench.code(&buttons("old")).await;
    bench.code(&buttons("new")).await;
    let first = bench
        .ines()
        .chat()
        .received()
        .next()
        .expect("one")
        .id
        .clone();
    assert!(bench.ines().tap("old").is_err());
    let element = bench
        .element(json!({ "tap_on": { "message_id": first, "choice": "old" } }))
        .await;
    assert_eq!(element["interactive"]["button_reply"]["id"], "old");
}

#[tokio::test]
async fn the_page_is_fed_live_and_begins_anew_for_who_comes_back() {
    let bench = Bench::start().await;
    let url = format!(
        "{}/simulator/phone/feed?customer={INES}",
        bench.simulator.base_url()
    );
    let mut feed = bench.client.get(&url).send().await.expect("an answer");
    let mut told = String::new();
    let mut until = async |wanted: &str| {
        while !told.contains(wanted) {
            let part = feed.chunk().await.expect("bytes").expect("it goes on");
            told.push_str(&String::from_utf8_lossy(&part));
        }
    };
    until("event: world").await;
    let id = bench.ines().text("hello").expect("sent");
    until("event: chat").await;
    until("event: wire").await;
    bench.simulator.tell(Story {
        wamid: id,
        said: "hello".to_owned(),
        steps: Vec::new(),
        sends: Vec::new(),
    });
    until("event: story").await;
    let mut again = bench.client.get(&url).send().await.expect("an answer");
    let first = again.chunk().await.expect("bytes").expect("it begins");
    assert!(first.starts_with(b"event: world"));
    let page = bench
        .client
        .get(bench.simulator.base_url())
        .send()
        .await
        .expect("an answer");
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .is_ok_and(|policy| policy.contains("default-src 'none'"))
    );
    // An open page does not keep the simulator from ending.
    bench.simulator.stop().await;
}
