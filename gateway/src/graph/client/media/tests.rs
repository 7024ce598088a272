//! The media calls against a scripted host: what is written, and what is believed of an answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use secrecy::SecretString;
use sha2::Digest as _;

use super::*;
use crate::graph::client::{HttpClientConfig, http_client};

const WAIT: Duration = Duration::from_secs(10);
const NUMBER: &str = "770001112223334";
const FILE: &[u8] = b"\xff\xd8 not really a picture";

/// A request that came: its line, headers and body.
#[derive(Debug, Clone)]
struct Came {
    line: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

type Answers = fn() -> Response;

#[derive(Clone)]
struct Host {
    came: Arc<Mutex<Vec<Came>>>,
    answers: Answers,
    url: String,
}

impl Host {
    async fn start(answers: Answers) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let host = Self {
            came: Arc::default(),
            answers,
            url: format!("http://{address}"),
        };
        let router = Router::new().fallback(serve).with_state(host.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        host
    }

    fn client(&self) -> GraphClient {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = http_client(&HttpClientConfig::default()).expect("a client");
        GraphClient::new(http, &self.url, "v25.0")
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().expect("requests").clone()
    }

    fn file(&self) -> MediaInfo {
        MediaInfo {
            id: "1180".to_owned(),
            url: format!("{}/file", self.url),
            mime_type: "image/jpeg".to_owned(),
            sha256: Some(hex::encode(sha2::Sha256::digest(FILE))),
            size: Some(FILE.len() as u64),
        }
    }
}

async fn serve(State(host): State<Host>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 32 << 20).await;
    host.came.lock().expect("requests").push(Came {
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers,
        body: body.map(|body| body.to_vec()).unwrap_or_default(),
    });
    (host.answers)()
}

fn token() -> SecretString {
    SecretString::from("EAAG-secret")
}

fn upload(
    mime: &str,
    chunks: Vec<Result<&'static [u8], ()>>,
) -> Upload<impl Stream<Item = Result<Bytes, ()>> + use<>> {
    Upload {
        media_type: MediaType::parse(mime).expect("a type"),
        filename: "van.jpg".to_owned(),
        length: None,
        content: stream::iter(chunks).map(|chunk| chunk.map(Bytes::from_static)),
    }
}

#[tokio::test]
async fn an_upload_is_one_form_with_the_file_in_it() {
    let host = Host::start(|| r#"{"id":"1180011800"}"#.into_response()).await;
    let mut file = upload("image/jpeg", vec![Ok(&FILE[..4]), Ok(&FILE[4..])]);
    file.length = Some(FILE.len() as u64);
    let id = host
        .client()
        .upload_media(&token(), NUMBER, file, WAIT)
        .await;
    assert_eq!(id.expect("uploaded"), "1180011800");
    let came = host.came().remove(0);
    assert_eq!(came.line, format!("POST /v25.0/{NUMBER}/media"));
    assert_eq!(came.header("authorization"), "Bearer EAAG-secret");
    let boundary = came.header("content-type").split("boundary=").nth(1);
    let boundary = boundary.expect("a form").to_owned();
    let body = String::from_utf8_lossy(&came.body).replace(&boundary, "B");
    let file = String::from_utf8_lossy(FILE);
    let expected = format!(
        "--B\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
         --B\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nimage/jpeg\r\n\
         --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"van.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n{file}\r\n--B--\r\n"
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_file_that_is_too_large_or_breaks_off_is_not_uploaded() {
    let host = Host::start(|| r#"{"id":"1180011800"}"#.into_response()).await;
    let client = host.client();
    let most = MediaKind::Sticker.largest();
    let mut said = upload("image/webp", vec![]);
    said.length = Some(most + 1);
    let error = client.upload_media(&token(), NUMBER, said, WAIT).await;
    assert!(
        matches!(error, Err(MediaError::TooLarge { .. })),
        "{error:?}"
    );
    assert_eq!(host.came().len(), 0, "nothing was sent");
    const CHUNK: &[u8] = &[7; 64 * 1024];
    let unsaid = upload("image/webp", vec![Ok(CHUNK); 9]);
    let error = client.upload_media(&token(), NUMBER, unsaid, WAIT).await;
    assert!(
        matches!(error, Err(MediaError::TooLarge { .. })),
        "{error:?}"
    );
    let broken = upload("image/webp", vec![Ok(CHUNK), Err(())]);
    let error = client.upload_media(&token(), NUMBER, broken, WAIT).await;
    assert!(matches!(error, Err(MediaError::Source)), "{error:?}");
}

#[tokio::test]
async fn a_file_is_looked_up_for_its_number() {
    let host = Host::start(|| {
        r#"{"messaging_product":"whatsapp","url":"https://lookaside.fbsbx.com/x","mime_type":"image/jpeg",
            "sha256":"abc","file_size":"30211","id":"1180"}"#
            .into_response()
    })
    .await;
    let info = host.client().media(&token(), NUMBER, "1180", WAIT).await;
    let info = info.expect("found");
    assert_eq!(
        (info.size, info.sha256.as_deref()),
        (Some(30_211), Some("abc"))
    );
    assert_eq!(info.url, "https://lookaside.fbsbx.com/x");
    let line = format!("GET /v25.0/1180?phone_number_id={NUMBER}");
    assert_eq!(host.came()[0].line, line);
}

#[tokio::test]
async fn a_refusal_keeps_its_code() {
    let host = Host::start(|| {
        let body = r#"{"error":{"message":"(#33) gone","code":33,"fbtrace_id":"A"}}"#;
        (StatusCode::BAD_REQUEST, body).into_response()
    })
    .await;
    let client = host.client();
    let looked_up = client.media(&token(), NUMBER, "1180", WAIT).await.err();
    let deleted = client
        .delete_media(&token(), NUMBER, "1180", WAIT)
        .await
        .err();
    let file = upload("image/jpeg", vec![Ok(FILE)]);
    let uploaded = client
        .upload_media(&token(), NUMBER, file, WAIT)
        .await
        .err();
    for error in [looked_up, deleted, uploaded] {
        let Some(MediaError::Refused(refused)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(refused.error.code, Some(33));
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone() {
    let host = Host::start(|| r#"{"success":true}"#.into_response()).await;
    let deleted = host
        .client()
        .delete_media(&token(), NUMBER, "1180", WAIT)
        .await;
    deleted.expect("deleted");
    let line = format!("DELETE /v25.0/1180?phone_number_id={NUMBER}");
    assert_eq!(host.came()[0].line, line);
}

async fn downloaded(host: &Host, info: &MediaInfo, most: u64) -> Result<Vec<u8>, MediaError> {
    let client = host.client();
    let mut download = client.download_media(&token(), info, most, WAIT).await?;
    let mut file = Vec::new();
    while let Some(chunk) = download.chunk().await? {
        file.extend_from_slice(&chunk);
    }
    Ok(file)
}

#[tokio::test]
async fn a_download_is_what_graph_said_it_is() {
    let host = Host::start(|| FILE.into_response()).await;
    let file = downloaded(&host, &host.file(), 1000).await;
    assert_eq!(file.expect("the file"), FILE);
    let came = host.came().remove(0);
    assert_eq!(came.header("authorization"), "Bearer EAAG-secret");
    assert!(!came.header("user-agent").contains("vestibule"));
    let mut unsure = host.file();
    (unsure.sha256, unsure.size) = (None, None);
    assert_eq!(
        downloaded(&host, &unsure, 1000).await.expect("the file"),
        FILE
    );
}

#[tokio::test]
async fn a_download_of_something_else_is_not_believed() {
    let host = Host::start(|| FILE.into_response()).await;
    for digest in [hex::encode([0; 32]), "no digest".to_owned()] {
        let other = MediaInfo {
            sha256: Some(digest),
            ..host.file()
        };
        let error = downloaded(&host, &other, 1000).await;
        assert!(matches!(error, Err(MediaError::WrongDigest)), "{error:?}");
    }
    let shorter = MediaInfo {
        size: Some(3),
        ..host.file()
    };
    let error = downloaded(&host, &shorter, 1000).await;
    let (said, got) = (3, FILE.len() as u64);
    assert!(
        matches!(error, Err(MediaError::WrongSize { said: s, got: g }) if (s, g) == (said, got)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_download_is_bounded_whatever_was_said_of_it() {
    let said = Host::start(|| FILE.into_response()).await;
    let unsaid = Host::start(|| {
        let chunks = stream::iter([Ok::<_, std::io::Error>(FILE), Ok(FILE)]);
        Body::from_stream(chunks).into_response()
    })
    .await;
    for host in [said, unsaid] {
        for size in [host.file().size, None] {
            let info = MediaInfo {
                size,
                ..host.file()
            };
            let error = downloaded(&host, &info, 10).await;
            assert!(
                matches!(error, Err(MediaError::TooLarge { most: 10 })),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_address_that_is_too_old_is_told_from_one_that_cannot_be_read() {
    let gone = Host::start(|| StatusCode::NOT_FOUND.into_response()).await;
    let error = downloaded(&gone, &gone.file(), 1000).await;
    assert!(matches!(error, Err(MediaError::Gone)), "{error:?}");
    let elsewhere = Host::start(|| {
        let to = [("location", "http://evil.example/")];
        (StatusCode::FOUND, to).into_response()
    })
    .await;
    let error = downloaded(&elsewhere, &elsewhere.file(), 1000).await;
    assert!(
        matches!(error, Err(MediaError::Unreadable { http_status: 302 })),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_token_goes_to_graphs_hosts_only() {
    let host = Host::start(|| FILE.into_response()).await;
    for url in [
        "https://evil.example/file",
        "http://lookaside.fbsbx.com/file",
        "https://lookaside.fbsbx.com.evil.example/file",
        "https://lookaside.fbsbx.com:8443/file",
        "https://lookaside.fbsbx.com@evil.example/file",
        "https://me@lookaside.fbsbx.com/file",
        "http://127.0.0.1:1/file",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "/file",
        "",
    ] {
        let info = MediaInfo {
            url: url.to_owned(),
            ..host.file()
        };
        let error = downloaded(&host, &info, 1000).await;
        assert!(
            matches!(error, Err(MediaError::ForeignHost)),
            "{url}: {error:?}"
        );
    }
    assert_eq!(host.came().len(), 0);
    for url in [
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "https://graph.facebook.com/v25.0/1",
    ] {
        assert!(host.client().trusted(url).is_some(), "{url}");
    }
}

#[tokio::test]
async fn what_cannot_stand_in_a_path_is_not_asked_for() {
    let host = Host::start(|| FILE.into_response()).await;
    for (number, id) in [(NUMBER, "../1"), ("77/8", "1180"), (NUMBER, "")] {
        let error = host.client().media(&token(), number, id, WAIT).await;
        assert!(matches!(error, Err(MediaError::Argument(_))), "{error:?}");
    }
    assert_eq!(host.came().len(), 0);
}
