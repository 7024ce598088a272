//! Every kind of message that can be sent: what Meta takes, and what it refuses.

use super::*;

fn send(kind: &str, object: Value) -> Value {
    let mut send = json!({ "messaging_product": "whatsapp", "to": INES, "type": kind });
    send[kind] = object;
    send
}

fn interactive(kind: &str, more: Value) -> Value {
    let mut object = json!({ "type": kind, "body": { "text": "Well?" } });
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    send("interactive", object)
}

fn action(name: &str, parameters: Value) -> Value {
    json!({ "action": { "name": name, "parameters": parameters } })
}

const LINK: &str = "https://cdn.example/a";

#[tokio::test]
async fn every_kind_is_accepted_and_stands_on_the_phone() {
    let bench = Bench::start().await;
    let id = bench.ines().text("hi").expect("sent");
    let flow = json!({ "flow_message_version": "3", "flow_id": "55", "flow_token": "t", "flow_cta": "Book now",
        "flow_action_payload": { "screen": "START", "data": { "city": "Leeds" } } });
    let products =
        json!([{ "title": "Soups", "product_items": [{ "product_retailer_id": "SKU-1" }] }]);
    let name = json!({ "formatted_name": "Front Desk", "first_name": "Front" });
    let sends = [
        send("image", json!({ "link": LINK, "caption": "c" })),
        send("video", json!({ "link": LINK })),
        send("audio", json!({ "link": LINK, "voice": true })),
        send("sticker", json!({ "link": LINK })),
        send("document", json!({ "link": LINK, "filename": "a.pdf" })),
        send(
            "location",
            json!({ "latitude": 51.5, "longitude": "-0.12", "name": "Depot" }),
        ),
        send(
            "contacts",
            json!([{ "name": name, "phones": [{ "phone": "+441632960222" }] }]),
        ),
        send("reaction", json!({ "message_id": id, "emoji": "+" })),
        interactive(
            "cta_url",
            action("cta_url", json!({ "display_text": "Track", "url": LINK })),
        ),
        interactive("flow", action("flow", flow)),
        interactive(
            "location_request_message",
            action("send_location", Value::Null),
        ),
        interactive(
            "voice_call",
            action(
                "voice_call",
                json!({ "display_text": "Call", "ttl_minutes": 60 }),
            ),
        ),
        interactive(
            "call_permission_request",
            action("call_permission_request", Value::Null),
        ),
        interactive(
            "address_message",
            action("address_message", json!({ "country": "IN" })),
        ),
        interactive(
            "request_contact_info",
            action("request_contact_info", Value::Null),
        ),
        interactive(
            "product",
            json!({ "action": { "catalog_id": "3300", "product_retailer_id": "SKU-1" } }),
        ),
        interactive(
            "product_list",
            json!({ "header": { "type": "text", "text": "Menu" },
            "action": { "catalog_id": "3300", "sections": products } }),
        ),
        interactive(
            "catalog_message",
            action(
                "catalog_message",
                json!({ "thumbnail_product_retailer_id": "SKU-1" }),
            ),
        ),
        interactive(
            "carousel",
            json!({ "action": { "cards": [card(0), card(1)] } }),
        ),
    ];
    for send in &sends {
        let (status, answer) = bench.post(send).await.expect("an answer");
        assert_eq!(status, 200, "{send}\n{answer}");
    }
    assert_eq!(bench.ines().chat().received().count(), sends.len());
    assert!(bench.simulator.violations().is_empty());
}

fn card(index: u32) -> Value {
    json!({
        "card_index": index, "type": "cta_url", "header": { "type": "image", "image": { "link": LINK } },
        "body": { "text": "Garden room" },
        "action": { "name": "cta_url", "parameters": { "display_text": "Book", "url": LINK } },
    })
}

#[tokio::test]
async fn what_breaks_a_limit_is_refused() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    let mut odd = card(1);
    odd["header"] = json!({ "type": "video", "video": { "link": LINK } });
    let many: Vec<Value> = (0..31)
        .map(|n| json!({ "product_retailer_id": format!("S{n}") }))
        .collect();
    let header = json!({ "type": "text", "text": "Menu" });
    let list = json!({ "action": { "button": "Show", "sections": [{ "rows": [{ "id": "a", "title": "A" }] }] } });
    let mut media_header = list.clone();
    media_header["header"] = json!({ "type": "image", "image": { "link": LINK } });
    let cases = [
        (send("image", json!({ "link": LINK, "id": "1" })), 131009),
        (send("image", json!({})), 131008),
        (send("image", json!({ "link": "cdn.example/a" })), 131009),
        (send("image", json!({ "id": "not-there" })), 131009),
        (
            send("audio", json!({ "link": LINK, "caption": "c" })),
            131009,
        ),
        (
            send(
                "image",
                json!({ "link": LINK, "caption": "x".repeat(1025) }),
            ),
            100,
        ),
        (
            send("location", json!({ "latitude": 91, "longitude": 0 })),
            131009,
        ),
        (
            send(
                "contacts",
                json!([{ "name": { "formatted_name": "Front Desk" } }]),
            ),
            131008,
        ),
        (interactive("list", media_header), 131009),
        (
            interactive(
                "cta_url",
                action(
                    "cta_url",
                    json!({ "display_text": "Track", "url": "t.example" }),
                ),
            ),
            131009,
        ),
        (interactive("cta_url", action("other", json!({}))), 131009),
        (
            interactive(
                "flow",
                action(
                    "flow",
                    json!({ "flow_message_version": "3", "flow_cta": "Book" }),
                ),
            ),
            131008,
        ),
        (
            interactive(
                "address_message",
                action("address_message", json!({ "country": "GB" })),
            ),
            131009,
        ),
        (
            interactive(
                "product_list",
                json!({ "header": header, "action": { "catalog_id": "1",
            "sections": [{ "title": "All", "product_items": many }] } }),
            ),
            131009,
        ),
        (
            interactive(
                "product_list",
                json!({ "action": { "catalog_id": "1", "sections": [] } }),
            ),
            131008,
        ),
        (
            interactive("carousel", json!({ "action": { "cards": [card(0)] } })),
            131009,
        ),
        (
            interactive("carousel", json!({ "action": { "cards": [card(0), odd] } })),
            131009,
        ),
        (
            interactive("order_details", json!({ "action": {} })),
            134011,
        ),
        (interactive("telepathy", json!({ "action": {} })), 131009),
    ];
    for (send, expected) in &cases {
        assert_eq!(bench.code(send).await, *expected, "{send}");
    }
    assert_eq!(bench.codes_of_violations().len(), cases.len());
}

#[tokio::test]
async fn voice_messages_alone_are_played() {
    let bench = Bench::with(|config| config.statuses.ticks.push(Tick::Played)).await;
    bench.ines().text("hi").expect("sent");
    assert_eq!(
        bench
            .code(&send("audio", json!({ "link": LINK, "voice": true })))
            .await,
        0
    );
    assert_eq!(bench.code(&text("no sound")).await, 0);
    bench.simulator.webhooks_idle().await;
    let ticks: Vec<Tick> = bench
        .ines()
        .chat()
        .received()
        .map(|item| item.tick)
        .collect();
    assert_eq!(ticks, [Tick::Played, Tick::Read]);
}
