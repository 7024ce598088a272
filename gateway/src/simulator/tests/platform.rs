//! Graph's API beside sends: media, numbers, registration, accounts, block list, uploads.

use super::*;

impl Bench {
    async fn upload(&self, mime: &str, bytes: Vec<u8>) -> (u16, Value) {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: {mime}\r\n\r\n"
        );
        let body = [head.as_bytes(), &bytes, b"\r\n--b--\r\n"].concat();
        let url = format!("{}/v25.0/{NUMBER}/media", self.simulator.base_url());
        let request = self.client.post(url).bearer_auth(TOKEN).body(body);
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn download(&self, url: &str, token: &str) -> (u16, Vec<u8>) {
        let answer = self
            .client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .expect("an answer");
        (
            answer.status().as_u16(),
            answer.bytes().await.expect("bytes").to_vec(),
        )
    }
}

#[tokio::test]
async fn media_are_uploaded_looked_up_downloaded_sent_and_deleted() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    let (status, answer) = bench.upload("image/png", b"a picture".to_vec()).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().expect("an id").to_owned();
    let (_, found) = bench
        .graph(
            "GET",
            &format!("{id}?phone_number_id={NUMBER}"),
            &Value::Null,
        )
        .await;
    assert_eq!(
        (&found["mime_type"], &found["file_size"]),
        (&json!("image/png"), &json!(9))
    );
    let url = found["url"].as_str().expect("a URL");
    assert_eq!(
        bench.download(url, TOKEN).await,
        (200, b"a picture".to_vec())
    );
    assert_eq!(bench.download(url, "another").await.0, 401);
    bench.clock.advance(Duration::from_secs(301));
    assert_eq!(
        bench.download(url, TOKEN).await.0,
        404,
        "a URL lives five minutes"
    );

    let image = |id: &str| json!({ "messaging_product": "whatsapp", "to": INES, "type": "image", "image": { "id": id } });
    assert_eq!(bench.code(&image(&id)).await, 0);
    let video = json!({ "messaging_product": "whatsapp", "to": INES, "type": "video", "video": { "id": id } });
    assert_eq!(bench.code(&video).await, 131053, "a picture is no video");
    let (_, of_other) = bench
        .graph(
            "GET",
            &format!("{id}?phone_number_id={OTHER}"),
            &Value::Null,
        )
        .await;
    assert_eq!(of_other["error"]["error_subcode"], 33);
    assert_eq!(
        bench.graph("DELETE", &id, &Value::Null).await.1,
        json!({ "success": true })
    );
    assert_eq!(bench.code(&image(&id)).await, 131009);
}

#[tokio::test]
async fn an_upload_has_a_type_and_a_size_and_thirty_days() {
    let bench = Bench::start().await;
    let (_, answer) = bench.upload("image/gif", b"x".to_vec()).await;
    assert_eq!(answer["error"]["code"], 100);
    let (_, answer) = bench.upload("image/png", vec![0; (5 << 20) + 1]).await;
    assert_eq!(answer["error"]["code"], 131053);
    let (_, answer) = bench.upload("audio/ogg; codecs=opus", b"x".to_vec()).await;
    let id = answer["id"].as_str().expect("an id").to_owned();
    bench.clock.advance(Duration::from_secs(30 * 24 * 3600));
    let (_, answer) = bench.graph("GET", &id, &Value::Null).await;
    assert_eq!(answer["error"]["error_subcode"], 33);
}

#[tokio::test]
async fn a_customers_file_has_a_url_and_seven_days() {
    let bench = Bench::start().await;
    let file = CustomerFile {
        kind: "image".to_owned(),
        mime_type: "image/jpeg".to_owned(),
        filename: None,
        caption: Some("look".to_owned()),
        bytes: bytes::Bytes::from_static(b"a picture"),
    };
    bench
        .simulator
        .customer_sends_file(NUMBER, INES, file)
        .expect("sent");
    let image = bench.endpoint.wait(1).await[0].value()["messages"][0]["image"].clone();
    assert_eq!(image["caption"], "look");
    let url = image["url"].as_str().expect("a URL");
    assert_eq!(
        bench.download(url, TOKEN).await,
        (200, b"a picture".to_vec())
    );
    bench.clock.advance(Duration::from_secs(7 * 24 * 3600));
    let id = image["id"].as_str().expect("an id");
    assert_eq!(bench.graph("GET", id, &Value::Null).await.0, 400);
}

#[tokio::test]
async fn a_number_is_read_field_by_field() {
    let bench = Bench::start().await;
    let (_, usual) = bench.graph("GET", NUMBER, &Value::Null).await;
    insta::assert_json_snapshot!(usual, @r#"
    {
      "code_verification_status": "VERIFIED",
      "display_phone_number": "+441632960001",
      "id": "770001",
      "platform_type": "CLOUD_API",
      "quality_rating": "GREEN",
      "throughput": {
        "level": "STANDARD"
      },
      "verified_name": "+441632960001"
    }
    "#);
    let fields = format!("{NUMBER}?fields=status,whatsapp_business_manager_messaging_limit");
    let (_, asked) = bench.graph("GET", &fields, &Value::Null).await;
    assert_eq!(
        asked,
        json!({ "id": NUMBER, "status": "CONNECTED", "whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED" })
    );
    let (_, strange) = bench
        .graph("GET", &format!("{NUMBER}?fields=shoe_size"), &Value::Null)
        .await;
    assert_eq!(strange["error"]["code"], 100);
    let (_, numbers) = bench
        .graph(
            "GET",
            &format!("{WABA}/phone_numbers?fields=status"),
            &Value::Null,
        )
        .await;
    assert_eq!(
        numbers["data"],
        json!([{ "id": NUMBER, "status": "CONNECTED" }])
    );
    let (_, account) = bench
        .graph("GET", &format!("{WABA}?fields=currency"), &Value::Null)
        .await;
    assert_eq!(account, json!({ "id": WABA, "currency": "USD" }));
}

#[tokio::test]
async fn registration_has_a_pin_and_a_limit() {
    let bench = Bench::start().await;
    bench.ines().text("hi").expect("sent");
    let register = |pin: &str| json!({ "messaging_product": "whatsapp", "pin": pin });
    let path = format!("{NUMBER}/register");
    assert_eq!(bench.graph("POST", &path, &register("111111")).await.0, 200);
    assert_eq!(
        bench.graph("POST", &path, &register("222222")).await.1["error"]["code"],
        133005
    );
    assert_eq!(
        bench
            .graph("POST", &format!("{NUMBER}/deregister"), &Value::Null)
            .await
            .0,
        200
    );
    assert_eq!(bench.code(&text("hi")).await, 133010);
    for _ in 0..7 {
        bench.graph("POST", &path, &register("111111")).await;
    }
    assert_eq!(
        bench.graph("POST", &path, &register("111111")).await.1["error"]["code"],
        133016
    );
    bench.clock.advance(Duration::from_secs(72 * 3600));
    assert_eq!(bench.graph("POST", &path, &register("111111")).await.0, 200);
}

#[tokio::test]
async fn who_is_blocked_cannot_be_written_to() {
    let bench = Bench::start().await;
    let path = format!("{NUMBER}/block_users");
    let users = json!({ "messaging_product": "whatsapp", "block_users": [{ "user": INES }, { "user": "447700900999" }] });
    bench.ines().text("hi").expect("sent");
    let (status, answer) = bench.graph("POST", &path, &users).await;
    assert_eq!(status, 400, "the other one never wrote");
    assert_eq!(answer["block_users"]["added_users"][0]["wa_id"], INES);
    assert_eq!(
        answer["block_users"]["failed_users"][0]["input"],
        "447700900999"
    );
    assert_eq!(bench.code(&text("hi")).await, 130403);
    let (_, listed) = bench.graph("GET", &path, &Value::Null).await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    let ines = json!({ "messaging_product": "whatsapp", "block_users": [{ "user": INES }] });
    assert_eq!(bench.graph("DELETE", &path, &ines).await.0, 200);
    assert_eq!(bench.code(&text("hi")).await, 0);
}

#[tokio::test]
async fn profile_settings_subscriptions_and_uploads_are_kept() {
    let bench = Bench::start().await;
    let profile = format!("{NUMBER}/whatsapp_business_profile");
    let about = json!({ "messaging_product": "whatsapp", "about": "Bread" });
    assert_eq!(bench.graph("POST", &profile, &about).await.0, 200);
    let (_, answer) = bench.graph("GET", &profile, &Value::Null).await;
    assert_eq!(answer["data"][0]["about"], "Bread");
    let long = json!({ "messaging_product": "whatsapp", "about": "x".repeat(140) });
    assert_eq!(
        bench.graph("POST", &profile, &long).await.1["error"]["code"],
        100
    );

    let apps = format!("{WABA}/subscribed_apps");
    let url = bench.endpoint.url();
    let callback = json!({ "override_callback_uri": url, "verify_token": "t" });
    assert_eq!(bench.graph("POST", &apps, &callback).await.0, 200);
    let (_, answer) = bench.graph("GET", &apps, &Value::Null).await;
    assert_eq!(answer["data"][0]["override_callback_uri"], json!(url));
    bench.graph("DELETE", &apps, &Value::Null).await;
    assert_eq!(
        bench.graph("GET", &apps, &Value::Null).await.1["data"],
        json!([])
    );

    let begin = "1000/uploads?file_length=4&file_type=image/png";
    let (_, session) = bench.graph("POST", begin, &Value::Null).await;
    let url = format!(
        "{}/v25.0/{}",
        bench.simulator.base_url(),
        session["id"].as_str().expect("an id")
    );
    let bytes = bench
        .client
        .post(url)
        .bearer_auth(TOKEN)
        .header("file_offset", "0")
        .body("abcd");
    let answer: Value = bytes
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert!(
        answer["h"]
            .as_str()
            .is_some_and(|handle| handle.starts_with("4::")),
        "{answer}"
    );
}
