//! The phone page in a real browser: what a person types and taps goes the whole way, and what comes back is drawn.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use vestibule_tests::browser::{Browser, ENTER, ESCAPE};
use vestibule_tests::{Deployment, Program, until};

/// The demo as a process, until dropped.
struct Demo {
    url: String,
    _process: Child,
    // Its end would be the demo's.
    _input: ChildStdin,
}

impl Demo {
    async fn start() -> Self {
        // The demo brings its own database and its own Meta; what the deployment names is not used.
        let deployment = Deployment::new(Program::under_test(), "sqlite:", "http://127.0.0.1:9");
        let mut process = Command::from(deployment.command("demo"))
            .arg("demo")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let input = process.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let url = loop {
            let line = lines
                .next_line()
                .await
                .expect("it is read")
                .expect("a URL before the end");
            if let Some(url) = line.trim().strip_prefix("http://") {
                break format!("http://{url}");
            }
        };
        // Somebody must read on, or the demo would wait for room in the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            url,
            _process: process,
            _input: input,
        }
    }
}

/// For people who want to look: `VESTIBULE_SCREENSHOTS=folder`.
async fn picture(browser: &Browser, name: &str) {
    let png = browser.screenshot().await;
    assert!(png.starts_with(b"\x89PNG"), "not a picture");
    if let Some(folder) = folder() {
        std::fs::write(Path::new(&folder).join(name), png).expect("a picture is written");
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "where pictures go is said by who runs the test"
)]
fn folder() -> Option<String> {
    std::env::var("VESTIBULE_SCREENSHOTS").ok()
}

#[tokio::test]
async fn a_person_talks_to_a_business_on_the_phone_page() {
    let Some(browser) = Browser::open_or_skip().await else {
        return;
    };
    let demo = Demo::start().await;
    browser.look(1360, 900, "light").await;
    browser.go(&demo.url).await;

    browser.click(".row b", "Quay Bakery").await;
    browser
        .type_into("#write", &format!("Good *morning*!{ENTER}"))
        .await;
    // The own text with its marks drawn, and blue ticks when the gateway has read it.
    browser.wait_for(".msg.out strong", "morning").await;
    browser
        .wait_for(".msg.in .bubble", "What can we do for you?")
        .await;
    browser
        .wait_for(
            ".msg.out[data-tick=delivered], .msg.out[data-tick=read]",
            "morning",
        )
        .await;

    // A button opens the list; its sheet has the rows; one of them is sent.
    browser.click(".msg.in .buttons button", "Cakes").await;
    browser.wait_for(".msg.out .body", "Cakes").await;
    browser.click(".msg.in .buttons button", "Our cakes").await;
    browser.click(".sheet .pick", "Lemon tart").await;
    picture(&browser, "list.png").await;
    browser.click(".sheet .action", "Send").await;
    browser.wait_for(".msg.in .bubble", "The last two!").await;

    // Beside the phone: what the gateway did for it, with what it cost.
    browser.wait_for(".story .said", "Lemon tart").await;
    browser.wait_for(".story .step.plugin b", "menu").await;
    browser.wait_for(".story .step.graph .cost", "ms").await;
    browser.wait_for(".story .step.receipts p", "read").await;
    picture(&browser, "desktop.png").await;
    browser.click(".tabs button", "On the wire").await;
    browser.wait_for(".wire b", "send interactive").await;
    browser.wait_for(".wire b", "status: read").await;

    // Escape leads back to the chats, where the last message stands.
    browser.type_into("#write", ESCAPE).await;
    browser.wait_for(".row small", "The last two!").await;
    picture(&browser, "chats.png").await;
}

#[tokio::test]
async fn everything_that_a_customer_can_send_is_drawn_on_a_narrow_screen_too() {
    let Some(browser) = Browser::open_or_skip().await else {
        return;
    };
    let demo = Demo::start().await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let chat = format!(
        "{}simulator/numbers/770000000000003/customers/447700900123",
        demo.url
    );
    let send = async |path: &str, kind: &str, body: Vec<u8>| {
        let request = client
            .post(format!("{chat}/{path}"))
            .header("content-type", kind)
            .body(body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    };
    let place = json!({ "location": { "latitude": 51.5065, "longitude": -0.1166, "name": "Southbank", "address": "Belvedere Rd" } });
    let card = json!({ "contacts": [{ "name": { "formatted_name": "Priya Shah", "first_name": "Priya" }, "phones": [{ "phone": "+447700900321" }] }] });
    send(
        "messages",
        "application/json",
        place.to_string().into_bytes(),
    )
    .await;
    send(
        "messages",
        "application/json",
        card.to_string().into_bytes(),
    )
    .await;
    send(
        "media?kind=image&filename=bike.png&caption=My%20bike",
        "image/png",
        picture_of_a_bike(),
    )
    .await;
    send(
        "media?kind=document&filename=receipt.pdf",
        "application/pdf",
        b"%PDF-1.4 a receipt".to_vec(),
    )
    .await;

    browser.look(390, 844, "dark").await;
    browser.go(&format!("{}#770000000000003", demo.url)).await;
    browser.wait_for(".msg.out .head", "Southbank").await;
    browser.wait_for(".msg.out .card b", "Priya Shah").await;
    browser.wait_for(".msg.out .file b", "receipt.pdf").await;
    browser.wait_for(".msg.out .body", "My bike").await;
    until("the picture is loaded from the simulator", async || {
        let width = browser
            .run("return document.querySelector('.photo img')?.naturalWidth || 0")
            .await;
        (width == json!(2)).then_some(())
    })
    .await;
    let overflow = browser
        .run("return document.documentElement.scrollWidth - innerWidth")
        .await;
    assert_eq!(overflow, json!(0), "the page is wider than the screen");
    picture(&browser, "narrow.png").await;
    browser
        .click(".chat .bar button[aria-label='What happened']", "")
        .await;
    browser.wait_for(".panel.open .story", "").await;
    picture(&browser, "narrow-panel.png").await;
}

/// The smallest PNG that has a width: 2 × 1 pixels.
fn picture_of_a_bike() -> Vec<u8> {
    const PNG: &[u8] = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x02\x00\x00\x00\x01\
        \x08\x02\x00\x00\x00\x7b\x40\xe8\xdd\x00\x00\x00\x0f\x49\x44\x41\x54\x78\x9c\x63\x10\xe9\xc9\x7b\
        \xb6\xc5\x06\x00\x09\x49\x02\xe5\x95\xfa\xde\xac\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
    PNG.to_vec()
}
