//! What is refused before anything leaves, and what is answered without leaving.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::plugin_host::kv::{Asked, HostAnswers};
use crate::plugin_host::limits::JOURNAL_BYTES;
use crate::sync::lock;

/// Answers with the number of the request, and knows again what it answered.
#[derive(Default)]
struct Script {
    sent: AtomicUsize,
    known: Mutex<Vec<(u32, String, HttpAnswer)>>,
}

impl HttpSender for Script {
    fn recall(&self, asked: &HttpAsked) -> Option<HttpAnswer> {
        let known = lock(&self.known);
        let mut known = known.iter();
        let found =
            known.find(|(ordinal, mark, _)| *ordinal == asked.ordinal && *mark == asked.mark);
        found.map(|(_, _, answer)| answer.clone())
    }

    fn send<'a>(&'a self, asked: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer> {
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        let answer = Ok(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: n.to_string().into_bytes(),
        });
        let entry = (asked.ordinal, asked.mark.clone(), answer.clone());
        lock(&self.known).push(entry);
        Box::pin(std::future::ready(answer))
    }
}

fn session(script: &Arc<Script>, grants: &[&str], shadow: bool) -> HttpSession {
    HttpSession::new(
        (script.clone(), tokio::runtime::Handle::current().into()),
        (TenantId::from_raw(1), InstallationId::from_raw(2)),
        Grants::from_names(grants.iter().copied()),
        shadow,
        3,
    )
}

fn get(url: &str) -> Asking {
    Asking {
        method: Method::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        timeout: None,
    }
}

fn with_header(name: &str, value: Part) -> Asking {
    Asking {
        headers: vec![(name.to_owned(), vec![value])],
        ..get("https://shop.example/a")
    }
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

const ALL: [&str; 4] = [
    "http https://shop.example/",
    "secret token",
    "personal-data phone",
    "personal-data bsuid",
];

/// The word of what came of it.
async fn outcome(grants: &[&str], asking: Asking) -> String {
    let script = Arc::new(Script::default());
    let answer = session(&script, grants, false).send(asking).await;
    match answer {
        Ok(response) => format!(
            "sent {}",
            script.sent.load(Ordering::Relaxed) * usize::from(response.status)
        ),
        Err(refused) => {
            assert_eq!(script.sent.load(Ordering::Relaxed), 0, "{refused:?}");
            let word = format!("{refused:?}");
            word.split('(').next().unwrap_or_default().to_owned()
        }
    }
}

#[tokio::test]
async fn without_its_grant_nothing_is_asked() {
    let here = || get("https://shop.example/a");
    assert_eq!(outcome(&ALL, here()).await, "sent 200");
    assert_eq!(outcome(&[], here()).await, "Denied");
    assert_eq!(outcome(&["kv", "secret token"], here()).await, "Denied");
    assert_eq!(
        outcome(&["http *"], here()).await,
        "Denied",
        "a tenant names hosts"
    );
    assert_eq!(
        outcome(&["http POST https://shop.example/"], here()).await,
        "Denied"
    );
    assert_eq!(outcome(&ALL, get("https://evil.example/")).await, "Denied");
    assert_eq!(outcome(&ALL, get("http://shop.example/a")).await, "Denied");
    for part in [Part::Secret("token".into()), Part::Phone, Part::Bsuid] {
        let asking = with_header("x-a", part);
        assert_eq!(outcome(&ALL[..1], asking).await, "Denied");
    }
    let other = with_header("x-a", Part::Secret("other".into()));
    assert_eq!(outcome(&ALL, other).await, "Denied");
    assert_eq!(
        outcome(&ALL, with_header("x-a", Part::Phone)).await,
        "sent 200"
    );
}

#[tokio::test]
async fn addresses_that_could_be_read_in_two_ways_are_none() {
    for url in [
        "",
        "shop.example/a",
        "//shop.example/a",
        "https://user@shop.example/",
        "https://user:word@shop.example/",
        "https://@shop.example:x/",
        "https://shop.example./a",
        "https://shop.example\\@evil.example/",
        "https://shop.example\r\nhost: evil.example/",
        "https://shop.example/a b",
        "https://shop.example/\t",
        " https://shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "data:text/plain,x",
        "https:///a",
        "https://[fe80::1%25eth0]/",
    ] {
        let came = outcome(&ALL, get(url)).await;
        assert!(came == "Invalid" || came == "Denied", "{url:?}: {came}");
    }
    let long = |text: &str, times| get(&format!("https://shop.example/{}", text.repeat(times)));
    assert_eq!(outcome(&ALL, long("a", 2_000 - 21)).await, "sent 200");
    assert_eq!(outcome(&ALL, long("a", 2_000 - 20)).await, "Invalid");
    // Each is sent as `%C3%BC`.
    assert_eq!(outcome(&ALL, long("ü", 329)).await, "sent 200");
    assert_eq!(outcome(&ALL, long("ü", 330)).await, "Invalid");
}

#[tokio::test]
async fn headers_that_are_the_gateways_or_two_are_refused() {
    for name in [
        "Host",
        "CONTENT-LENGTH",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "expect",
        "range",
        "accept-encoding",
        "Idempotency-Key",
        "",
        "x a",
        "x\r\ny",
        "x:y",
        "ünder",
    ] {
        assert_eq!(
            outcome(&ALL, with_header(name, text("1"))).await,
            "Invalid",
            "{name:?}"
        );
    }
    for value in ["a\r\nx-b: c", "a\nb", "a\rb", "a\0b", "ü", "\u{7f}"] {
        assert_eq!(
            outcome(&ALL, with_header("x-a", text(value))).await,
            "Invalid",
            "{value:?}"
        );
    }
    let mut twice = with_header("x-a", text("1"));
    twice.headers.push(("X-A".to_owned(), vec![text("2")]));
    assert_eq!(outcome(&ALL, twice).await, "Invalid");
    let mut many = get("https://shop.example/a");
    many.headers = (0..33)
        .map(|n| (format!("x-{n}"), vec![text("1")]))
        .collect();
    assert_eq!(outcome(&ALL, many).await, "Invalid");
    let large = with_header("x-a", text(&"a".repeat(8 << 10)));
    assert_eq!(outcome(&ALL, large).await, "Invalid");
}

/// Parts that cost the plugin a byte each, and the gateway a secret.
fn parts(n: usize) -> Vec<Part> {
    vec![Part::Secret("token".to_owned()); n]
}

#[tokio::test]
async fn values_are_joined_of_so_many_parts() {
    let header = |n| Asking {
        headers: vec![("x-a".to_owned(), parts(n))],
        ..get("https://shop.example/a")
    };
    let member = |n| post(AskingBody::Json("{}".into(), vec![("/a".into(), parts(n))]));
    assert_eq!(outcome(&ALL, header(16)).await, "sent 200");
    assert_eq!(outcome(&ALL, header(17)).await, "Invalid");
    assert_eq!(outcome(&ALL, header(8_000)).await, "Invalid");
    assert_eq!(outcome(&ALL, member(64)).await, "sent 200");
    assert_eq!(outcome(&ALL, member(65)).await, "Invalid");
    assert_eq!(outcome(&ALL, member(60_000)).await, "Invalid");
}

fn post(body: AskingBody) -> Asking {
    Asking {
        method: Method::Post,
        body: Some(body),
        ..get("https://shop.example/a")
    }
}

fn json(document: &str, at: &str) -> Asking {
    let members = vec![(at.to_owned(), vec![Part::Phone])];
    post(AskingBody::Json(document.to_owned(), members))
}

#[tokio::test]
async fn bodies_have_their_bounds_and_texts_go_into_objects_that_are_there() {
    assert_eq!(
        outcome(&ALL, json(r#"{"a":{}}"#, "/a/phone")).await,
        "sent 200"
    );
    for (document, at) in [
        ("{}", "phone"),
        ("{}", "/a/phone"),
        ("[]", "/0"),
        ("{\"a\":1}", "/a/b"),
        ("{", "/a"),
        ("", "/a"),
    ] {
        assert_eq!(
            outcome(&ALL, json(document, at)).await,
            "Invalid",
            "{document} {at}"
        );
    }
    let bytes = |n| post(AskingBody::Bytes(vec![0; n]));
    assert_eq!(outcome(&ALL, bytes(64 << 10)).await, "sent 200");
    assert_eq!(outcome(&ALL, bytes((64 << 10) + 1)).await, "Invalid");
    let mut with_get = bytes(1);
    with_get.method = Method::Get;
    assert_eq!(outcome(&ALL, with_get).await, "Invalid");
    // A number of four characters is one of eighteen.
    let numbers = |n: usize| json(&format!(r#"{{"a":[{}0]}}"#, "9e15,".repeat(n)), "/b");
    assert_eq!(outcome(&ALL, numbers(1_000)).await, "sent 200");
    assert_eq!(outcome(&ALL, numbers(13_000)).await, "Invalid");
    let deep = "[".repeat(100_000);
    assert_eq!(outcome(&ALL, json(&deep, "/a")).await, "Invalid");
}

#[test]
fn texts_are_written_where_the_pointer_says_and_quoted_as_json_is() {
    let document = serde_json::json!({"a": {"b": 1}});
    let at = |at: &str| (at.to_owned(), vec![Part::Phone]);
    let document = serde_json::value::to_raw_value(&document).expect("JSON");
    let body = HttpBody::Json(document, vec![at("/a/b"), at("/a/c~1d")]);
    let written = body.written(|_| Ok("\",\"x\":\"".to_owned()));
    let read: serde_json::Value = serde_json::from_slice(&written.expect("written")).expect("JSON");
    assert_eq!(
        read,
        serde_json::json!({"a": {"b": "\",\"x\":\"", "c/d": "\",\"x\":\""}})
    );
}

/// The marks of journals that are kept stay what they were.
#[test]
fn a_document_is_known_by_its_content_and_not_by_its_spelling() {
    let of = |document: &str| {
        let body = AskingBody::Json(document.to_owned(), Vec::new());
        let (request, _) = check::request(post(body)).expect("a request");
        mark(InstallationId::from_raw(2), &request)
    };
    let same = of(r#"{"a":[1,"b"]}"#);
    assert_eq!(same, of(" { \"a\" : [ 1, \"\\u0062\" ] } "));
    assert_eq!(same, "2ad4e22299b0428a");
    assert_ne!(same, of(r#"{"a":[1,"c"]}"#));
}

#[tokio::test]
async fn requests_of_a_turn_are_counted() {
    let script = Arc::new(Script::default());
    let mut session = session(&script, &ALL, false);
    for n in 0..10 {
        let answer = session
            .send(get(&format!("https://shop.example/{n}")))
            .await;
        assert_eq!(answer.is_ok(), n < 3, "{answer:?}");
    }
    assert_eq!(script.sent.load(Ordering::Relaxed), 3);
    assert_eq!(session.finish().len(), 3);
}

#[tokio::test]
async fn a_run_again_is_told_the_same_and_a_shadow_sends_nothing() {
    let script = Arc::new(Script::default());
    let ask = async |shadow, url: &str| session(&script, &ALL, shadow).send(get(url)).await;
    let first = ask(false, "https://shop.example/1").await;
    assert_eq!(ask(false, "https://shop.example/1").await, first);
    assert_eq!(ask(true, "https://shop.example/1").await, first);
    let other = ask(true, "https://shop.example/2").await;
    assert_eq!(other, Err(HttpRefused::Unavailable(IN_SHADOW.to_owned())));
    assert_eq!(script.sent.load(Ordering::Relaxed), 1);
    // Not only the address makes a request what it is.
    let mut session = session(&script, &ALL, false);
    let with_header = session.send(with_header("x-a", text("1"))).await;
    assert_ne!(with_header, first);
}

#[test]
fn answers_stand_in_the_journal_as_they_were_and_a_full_one_says_so() {
    let record = |body: Vec<u8>| HttpRecord {
        installation: InstallationId::from_raw(2),
        ordinal: 0,
        mark: "m".to_owned(),
        asked: "GET https://shop.example/".to_owned(),
        answer: Ok(HttpResponse {
            status: 200,
            headers: vec![("x-a".to_owned(), "1".to_owned())],
            body,
        }),
    };
    let refused = HttpRecord {
        answer: Err(HttpRefused::Quota("x".to_owned())),
        ..record(Vec::new())
    };
    let records = vec![record(b"text".to_vec()), record(vec![0xff, 0]), refused];
    let mut answers = HostAnswers::default();
    let asked = |http| Asked {
        http,
        ..Asked::default()
    };
    answers.extend(asked(records.clone()));
    let written = serde_json::to_string(&answers).expect("JSON");
    assert!(written.contains(r#""text":"text""#), "{written}");
    let read: HostAnswers = serde_json::from_str(&written).expect("it reads");
    assert_eq!(read.http, records);
    assert!(!read.truncated);
    answers.extend(asked(vec![record(vec![b'a'; JOURNAL_BYTES])]));
    assert!(answers.truncated);
    assert_eq!(answers.http.len(), 3);
}
