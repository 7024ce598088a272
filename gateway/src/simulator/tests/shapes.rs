//! The bytes that both sides see: answers and webhooks as Meta writes them.

use super::*;

/// Replaces ids of this run, which contain the time of the start.
fn settled(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) if text.starts_with("wamid.") => *text = "wamid.X".to_owned(),
            Value::Array(all) => all.iter_mut().for_each(walk),
            Value::Object(all) => all.values_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[tokio::test]
async fn a_customers_text_is_one_signed_webhook() {
    let bench = Bench::start().await;
    bench.ines().text("caf\u{e9}?").expect("sent");
    let received = bench.endpoint.wait(1).await;
    assert!(received[0].is_signed_with(SECRET));
    assert!(received[0].body.is_ascii());
    let body = std::str::from_utf8(&received[0].body).expect("ASCII");
    assert!(body.contains(r"caf\u00e9?"), "{body}");
    insta::assert_json_snapshot!(settled(received[0].json()), @r#"
    {
      "entry": [
        {
          "changes": [
            {
              "field": "messages",
              "value": {
                "contacts": [
                  {
                    "profile": {
                      "name": "Customer"
                    },
                    "user_id": "GB.537780928170269371",
                    "wa_id": "447700900123"
                  }
                ],
                "messages": [
                  {
                    "from": "447700900123",
                    "from_user_id": "GB.537780928170269371",
                    "id": "wamid.X",
                    "text": {
                      "body": "café?"
                    },
                    "timestamp": "1795252000",
                    "type": "text"
                  }
                ],
                "messaging_product": "whatsapp",
                "metadata": {
                  "display_phone_number": "441632960001",
                  "phone_number_id": "770001"
                }
              }
            }
          ],
          "id": "990001"
        }
      ],
      "object": "whatsapp_business_account"
    }
    "#);
}

#[tokio::test]
async fn somebody_without_a_phone_has_no_phone_keys_at_all() {
    let bench = Bench::start().await;
    let mo = bench
        .simulator
        .customer(NUMBER, "BR.77120993817234")
        .expect("a customer");
    mo.set_profile(Profile {
        name: "M.".to_owned(),
        username: Some("mo_77".to_owned()),
        ..Profile::default()
    });
    mo.text("oi").expect("sent");
    let received = bench.endpoint.wait(1).await;
    insta::assert_json_snapshot!(settled(received[0].value()), @r#"
    {
      "contacts": [
        {
          "profile": {
            "name": "M.",
            "username": "mo_77"
          },
          "user_id": "BR.77120993817234"
        }
      ],
      "messages": [
        {
          "from_user_id": "BR.77120993817234",
          "id": "wamid.X",
          "text": {
            "body": "oi"
          },
          "timestamp": "1795252000",
          "type": "text"
        }
      ],
      "messaging_product": "whatsapp",
      "metadata": {
        "display_phone_number": "441632960001",
        "phone_number_id": "770001"
      }
    }
    "#);
}

#[tokio::test]
async fn a_send_is_accepted_and_its_statuses_follow_in_order() {
    let bench = Bench::start().await;
    bench.ines().text("hello").expect("sent");
    let (status, answer) = bench
        .post(&text("Open until 18:00"))
        .await
        .expect("an answer");
    assert_eq!(status, 200);
    insta::assert_json_snapshot!(settled(answer), @r#"
    {
      "contacts": [
        {
          "input": "+44 7700 900123",
          "wa_id": "447700900123"
        }
      ],
      "messages": [
        {
          "id": "wamid.X"
        }
      ],
      "messaging_product": "whatsapp"
    }
    "#);
    let received = bench.endpoint.wait(4).await;
    let statuses: Vec<Value> = received[1..]
        .iter()
        .map(|received| settled(received.value()["statuses"][0].clone()))
        .collect();
    insta::assert_json_snapshot!(statuses, @r#"
    [
      {
        "biz_opaque_callback_data": "out_1",
        "id": "wamid.X",
        "pricing": {
          "billable": false,
          "category": "service",
          "pricing_model": "PMP",
          "type": "free_customer_service"
        },
        "recipient_id": "447700900123",
        "recipient_user_id": "GB.537780928170269371",
        "status": "sent",
        "timestamp": "1795252000"
      },
      {
        "biz_opaque_callback_data": "out_1",
        "id": "wamid.X",
        "pricing": {
          "billable": false,
          "category": "service",
          "pricing_model": "PMP",
          "type": "free_customer_service"
        },
        "recipient_id": "447700900123",
        "recipient_user_id": "GB.537780928170269371",
        "status": "delivered",
        "timestamp": "1795252000"
      },
      {
        "biz_opaque_callback_data": "out_1",
        "id": "wamid.X",
        "recipient_id": "447700900123",
        "recipient_user_id": "GB.537780928170269371",
        "status": "read",
        "timestamp": "1795252000"
      }
    ]
    "#);
    let chat = bench.ines().chat();
    assert_eq!(chat.texts(), ["Open until 18:00"]);
    assert_eq!(chat.received().next().expect("one").tick, Tick::Read);
}

#[tokio::test]
async fn a_send_to_a_user_id_answers_without_a_phone() {
    let bench = Bench::start().await;
    bench.ines().text("hello").expect("sent");
    let webhook = bench.endpoint.wait(1).await[0].value();
    let user_id = &webhook["messages"][0]["from_user_id"];
    let mut send = text("hi");
    send["recipient"] = user_id.clone();
    send.as_object_mut().expect("an object").remove("to");
    let (_, answer) = bench.post(&send).await.expect("an answer");
    insta::assert_json_snapshot!(settled(answer), @r#"
    {
      "contacts": [
        {
          "input": "GB.537780928170269371",
          "user_id": "GB.537780928170269371"
        }
      ],
      "messages": [
        {
          "id": "wamid.X"
        }
      ],
      "messaging_product": "whatsapp"
    }
    "#);
    assert_eq!(bench.ines().chat().texts(), ["hi"]);
}

#[tokio::test]
async fn taps_of_buttons_and_rows_come_back_with_their_ids() {
    let bench = Bench::start().await;
    let ines = bench.ines();
    ines.text("hello").expect("sent");
    let buttons = json!({
        "messaging_product": "whatsapp", "to": INES, "type": "interactive",
        "interactive": { "type": "button", "body": { "text": "Keep it?" }, "action": { "buttons": [
            { "type": "reply", "reply": { "id": "keep", "title": "Keep" } },
            { "type": "reply", "reply": { "id": "move", "title": "Move" } },
        ] } },
    });
    assert_eq!(bench.code(&buttons).await, 0);
    bench.simulator.webhooks_idle().await;
    let before = bench.endpoint.received().len();
    ines.tap("Move").expect("a button");
    let element = bench.endpoint.wait(before + 1).await[before].value()["messages"][0].clone();
    insta::assert_json_snapshot!(settled(element), @r#"
    {
      "context": {
        "from": "441632960001",
        "id": "wamid.X"
      },
      "from": "447700900123",
      "from_user_id": "GB.537780928170269371",
      "id": "wamid.X",
      "interactive": {
        "button_reply": {
          "id": "move",
          "title": "Move"
        },
        "type": "button_reply"
      },
      "timestamp": "1795252000",
      "type": "interactive"
    }
    "#);
    let list = json!({
        "messaging_product": "whatsapp", "to": INES, "type": "interactive",
        "interactive": { "type": "list", "body": { "text": "Pick" }, "action": { "button": "Show",
            "sections": [{ "rows": [{ "id": "n1", "title": "Leeds", "description": "Mon-Sat" }] }] } },
    });
    assert_eq!(bench.code(&list).await, 0);
    bench.simulator.webhooks_idle().await;
    let before = bench.endpoint.received().len();
    ines.tap("n1").expect("a row");
    let element = bench.endpoint.wait(before + 1).await[before].value()["messages"][0].clone();
    insta::assert_json_snapshot!(element["interactive"], @r#"
    {
      "list_reply": {
        "description": "Mon-Sat",
        "id": "n1",
        "title": "Leeds"
      },
      "type": "list_reply"
    }
    "#);
    assert!(ines.tap("gone").is_err());
}

#[tokio::test]
async fn mark_as_read_shows_on_the_phone() {
    let bench = Bench::start().await;
    let id = bench.ines().text("hello").expect("sent");
    let read = json!({
        "messaging_product": "whatsapp", "status": "read", "message_id": id,
        "typing_indicator": { "type": "text" },
    });
    let (_, answer) = bench.post(&read).await.expect("an answer");
    assert_eq!(answer, json!({ "success": true }));
    let chat = bench.ines().chat();
    assert_eq!(chat.item(&id).expect("the text").tick, Tick::Read);
    assert!(chat.typing_until.is_some());
    let stranger =
        json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X" });
    assert_eq!(bench.code(&stranger).await, 131009);
}
