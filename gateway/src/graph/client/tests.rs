//! The client against a scripted peer: what it says became of a send is what really became of it.

use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const WAIT: Duration = Duration::from_secs(5);

/// Answers every connection's requests with `answer` as it stands, or never when it is `None`.
async fn peer(answer: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone()));
        }
    });
    format!("http://{address}")
}

async fn serve(mut stream: TcpStream, answer: Option<String>) {
    let mut request = Vec::new();
    while !request.ends_with(b"{}") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    match answer {
        Some(answer) => stream
            .write_all(answer.as_bytes())
            .await
            .expect("to answer"),
        None => std::future::pending().await,
    }
}

fn http(status: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nretry-after: 7\r\n\r\n{body}",
        body.len()
    ))
}

async fn send_to(base_url: &str, timeout: Duration) -> SendOutcome {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = http_client(&HttpClientConfig::default()).expect("a client");
    let token = SecretString::from("EAAG-secret");
    let client = GraphClient::new(http, base_url, "v25.0");
    let answer = client
        .send(
            &token,
            "770001112223334",
            Endpoint::Messages,
            "{}".to_owned(),
            timeout,
        )
        .await;
    assert!(!format!("{answer:?}{client:?}").contains("EAAG-secret"));
    answer.outcome
}

async fn answer_of(status: &str, body: &str) -> SendOutcome {
    send_to(&peer(http(status, body)).await, WAIT).await
}

fn is_in_doubt(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::InDoubt { .. })
}

#[tokio::test]
async fn an_accepted_send_has_its_wamid_and_who_it_went_to() {
    let body = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+447700900123","wa_id":"447700900123"}],
        "messages":[{"id":"wamid.OUT1==","message_status":"held_for_quality_assessment"}]}"#;
    let expected = Accepted {
        wamid: Some("wamid.OUT1==".to_owned()),
        message_status: Some("held_for_quality_assessment".to_owned()),
        wa_id: Some("447700900123".to_owned()),
        user_id: None,
    };
    assert_eq!(
        answer_of("200 OK", body).await,
        SendOutcome::Accepted(expected)
    );
}

#[tokio::test]
async fn a_send_to_a_bsuid_is_answered_without_a_phone() {
    let body = r#"{"contacts":[{"input":"GB.44100938","user_id":"GB.44100938"}],"messages":[{"id":"wamid.OUT2"}]}"#;
    let SendOutcome::Accepted(accepted) = answer_of("200 OK", body).await else {
        panic!("not accepted")
    };
    assert_eq!(
        (accepted.wa_id, accepted.user_id.as_deref()),
        (None, Some("GB.44100938"))
    );
}

#[tokio::test]
async fn mark_as_read_is_accepted_without_a_wamid() {
    assert_eq!(
        answer_of("200 OK", r#"{"success":true}"#).await,
        SendOutcome::Accepted(Accepted::default())
    );
}

#[tokio::test]
async fn a_graph_error_is_a_refusal_with_all_that_support_asks_for() {
    let body = r#"{"error":{"message":"(#130429) Rate limit hit","type":"OAuthException","code":130429,
        "error_subcode":2494055,"is_transient":true,
        "error_data":{"messaging_product":"whatsapp","details":"slow down"},"fbtrace_id":"AbC123"}}"#;
    let expected = Refused {
        error: GraphError {
            code: Some(130_429),
            subcode: Some(2_494_055),
            message: "(#130429) Rate limit hit".to_owned(),
            details: Some("slow down".to_owned()),
            fbtrace_id: Some("AbC123".to_owned()),
            is_transient: true,
        },
        http_status: 403,
        retry_after: Some(Duration::from_secs(7)),
    };
    assert_eq!(
        answer_of("403 Forbidden", body).await,
        SendOutcome::Refused(expected)
    );
}

#[tokio::test]
async fn a_4xx_without_a_graph_error_is_a_refusal_without_a_code() {
    let SendOutcome::Refused(refused) = answer_of("404 Not Found", "<html>").await else {
        panic!("not refused")
    };
    assert_eq!((refused.error.code, refused.http_status), (None, 404));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_send_in_doubt() {
    for (status, body) in [
        ("200 OK", "<html>"),
        ("200 OK", "{}"),
        ("200 OK", r#"{"messages":[{}]}"#),
        ("302 Found", ""),
        ("408 Request Timeout", ""),
        ("502 Bad Gateway", "<html>"),
        ("503 Service Unavailable", ""),
    ] {
        let outcome = answer_of(status, body).await;
        assert!(is_in_doubt(&outcome), "{status} {body}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    assert!(is_in_doubt(
        &answer_of("200 OK", &" ".repeat(MAX_ANSWER + 1)).await
    ));
}

#[tokio::test]
async fn a_peer_that_cuts_the_connection_leaves_the_send_in_doubt() {
    for cut in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"messages\":[{\"id\":",
    ] {
        assert!(
            is_in_doubt(&send_to(&peer(Some(cut.to_owned())).await, WAIT).await),
            "{cut}"
        );
    }
}

#[tokio::test]
async fn a_silent_peer_leaves_the_send_in_doubt() {
    let outcome = send_to(&peer(None).await, Duration::from_millis(50)).await;
    assert_eq!(outcome, SendOutcome::in_doubt("no answer in time"));
}

#[tokio::test]
async fn a_refused_connection_is_provably_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert_eq!(
        send_to(&base_url, WAIT).await,
        SendOutcome::not_sent("no connection to the Graph host")
    );
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_provably_not_sent_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("https://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    assert_eq!(
        send_to(&base_url, WAIT).await,
        SendOutcome::not_sent("no connection to the Graph host")
    );
}

#[tokio::test]
async fn a_host_name_that_does_not_resolve_is_provably_not_sent_to() {
    let outcome = send_to("http://graph.invalid", WAIT).await;
    assert!(
        matches!(outcome, SendOutcome::NotSent { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_cannot_stand_in_a_request_is_not_sent() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = GraphClient::new(
        http_client(&HttpClientConfig::default()).expect("a client"),
        "http://x",
        "v25.0",
    );
    for (token, number) in [("line\nbreak", "77"), ("fine", "77/../88"), ("fine", "")] {
        let answer = client
            .send(
                &SecretString::from(token),
                number,
                Endpoint::Messages,
                "{}".to_owned(),
                WAIT,
            )
            .await;
        assert!(
            matches!(answer.outcome, SendOutcome::NotSent { .. }),
            "{number}"
        );
    }
}
