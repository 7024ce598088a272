//! The endpoint: the handshake, and what it refuses.

use vestibule_tests::for_each_database;

use super::desk::{APPS, Desk, VERIFY};

/// Path, mode, token: status and body.
const HANDSHAKES: &[(&str, &str, &str, u16, &str)] = &[
    ("", "subscribe", VERIFY, 200, "1158201444"),
    ("/900100", "subscribe", VERIFY, 200, "1158201444"),
    ("/900200", "subscribe", VERIFY, 200, "1158201444"),
    (
        "",
        "subscribe",
        "another",
        403,
        "wrong hub.mode or hub.verify_token",
    ),
    (
        "",
        "subscribe",
        "",
        403,
        "wrong hub.mode or hub.verify_token",
    ),
    (
        "",
        "unsubscribe",
        VERIFY,
        403,
        "wrong hub.mode or hub.verify_token",
    ),
    ("/900300", "subscribe", VERIFY, 404, ""),
];

#[tokio::test]
async fn the_handshake_echoes_the_challenge_to_whoever_knows_the_token() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let client = reqwest::Client::builder().build().expect("a client");
        for (path, mode, token, status, answer) in HANDSHAKES {
            let url = format!(
                "{}{path}?hub.mode={mode}&hub.verify_token={token}&hub.challenge=1158201444",
                desk.url
            );
            let got = client.get(url).send().await.expect("an answer");
            let got = (got.status().as_u16(), got.text().await.expect("text"));
            assert_eq!(
                got,
                (*status, (*answer).to_owned()),
                "{path} {mode} {token}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_is_believed_only_at_the_address_of_the_app_that_signed_it() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let client = reqwest::Client::builder().build().expect("a client");
        for (path, status) in [(APPS[0], 401), (APPS[1], 401), ("900300", 404)] {
            let url = format!("{}/{path}", desk.url);
            let got = client.post(url).body("{}").send().await.expect("an answer");
            assert_eq!(got.status().as_u16(), status, "{path}");
        }
        assert_eq!(desk.waiting().await, 0);
    })
    .await;
}
