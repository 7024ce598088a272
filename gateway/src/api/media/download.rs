//! `GET /media/{event}`

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream::try_unfold;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use tokio::sync::OwnedSemaphorePermit;

use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{TIMEOUT, gone, place, problem, token};
use crate::domain::{EventId, InboundContent, InboundMessage};
use crate::graph::client::media::{Download, MediaError};
use crate::storage::history;

/// What people may send (facts §5.3).
const MOST: u64 = 100 << 20;
/// Meta's codes for an id that names nothing, or nothing any more (facts §7).
const NOTHING: [i64; 2] = [33, 100];

/// A received file
///
/// Of a message that a person sent you, named by the message's `id` in the history. It is fetched from Meta as it is
/// asked for, who keeps it for 7 days. An answer that ends without its last chunk is not the file: it was cut, or is not
/// the one that Meta has the digest of.
#[utoipa::path(
    get, path = "/media/{event}", operation_id = "media.download", tag = "messages",
    params(("event" = EventId, Path), TenantParam),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = String),
        (status = 410, description = "Meta has it no longer", body = ref("#/components/schemas/Problem")),
    ),
)]
pub(super) async fn download(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(event): ObjectId<EventId>,
) -> Answer<Response> {
    let none = || Problem::no_such("event", &event.to_string());
    let mut tx = api.setup.db.read().await?;
    let found = history::inbound(&mut tx, tenant, &[event.raw()]).await?;
    drop(tx);
    let entry = found.into_iter().next().ok_or_else(none)?;
    let message: Option<InboundMessage> = serde_json::from_str(&entry.content).ok();
    let content = message.map(|message| message.content);
    let (media_id, filename) = content.and_then(file).ok_or_else(|| {
        let detail = "the message has no file";
        Problem::not_found(detail)
    })?;
    let snapshot = api.desk.directory.snapshot();
    let own = snapshot.number(entry.number);
    let own = own.filter(|own| own.number.tenant == tenant);
    let number = own.ok_or_else(none)?;
    let (graph, token) = (&api.media.graph, token(number)?);
    let place = place(&api.media.downloads)?;
    let info = graph.media(token, &number.number.phone_number_id, &media_id, TIMEOUT);
    let info = info.await.map_err(|error| found_nothing(&error))?;
    let file = graph.download_media(token, &info, MOST, TIMEOUT).await;
    let file = file.map_err(|error| problem(&error))?;
    Ok(answer(&info.mime_type, &filename, file, place))
}

/// Meta's id of a message's file, and what it is called.
fn file(content: InboundContent) -> Option<(String, String)> {
    match content {
        InboundContent::Media {
            kind,
            media_id,
            filename,
            ..
        } => Some((media_id, filename.unwrap_or_else(|| kind.word().to_owned()))),
        InboundContent::Edit { content, .. } => file(*content),
        _ => None,
    }
}

fn found_nothing(error: &MediaError) -> Problem {
    match error {
        MediaError::Refused(refused)
            if refused
                .error
                .code
                .is_some_and(|code| NOTHING.contains(&code)) =>
        {
            gone()
        }
        other => problem(other),
    }
}

/// The file as it comes. Its length is not said beforehand: an answer that is cut must not look whole.
fn answer(mime: &str, filename: &str, file: Download, place: OwnedSemaphorePermit) -> Response {
    let chunks = try_unfold((file, place), |(mut file, place)| async move {
        let chunk = file.chunk().await?;
        Ok::<Option<(Bytes, _)>, MediaError>(chunk.map(|chunk| (chunk, (file, place))))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    // Anybody may have sent it: no browser is to run it.
    let unknown = HeaderValue::from_static("application/octet-stream");
    let mime = HeaderValue::from_str(mime).unwrap_or(unknown);
    headers.insert(CONTENT_TYPE, mime);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    headers.insert(CONTENT_DISPOSITION, attachment(filename));
    response
}

/// The name by RFC 6266: as far as it is plain, and whole.
fn attachment(filename: &str) -> HeaderValue {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " .-_".contains(c);
    let plain: String = filename
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let whole: String = form_urlencoded::byte_serialize(filename.as_bytes())
        .collect::<String>()
        .replace('+', "%20");
    let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}");
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_whatever_stands_in_it() {
        let value = attachment("Плaн \"a\".pdf\r\nX: y");
        let text = value.to_str().expect("a header");
        assert!(
            text.starts_with("attachment; filename=\"__a_ _a_.pdf__X_ y\";"),
            "{text}"
        );
        assert!(text.ends_with("%22a%22.pdf%0D%0AX%3A%20y"), "{text}");
    }

    #[test]
    fn an_edited_picture_is_the_new_one_and_words_are_no_file() {
        let picture = |id: &str| -> InboundContent {
            let content = serde_json::json!({"type": "media", "kind": "image", "media_id": id});
            serde_json::from_value(content).expect("a picture")
        };
        let edit = InboundContent::Edit {
            original: "wamid.1".to_owned(),
            content: Box::new(picture("7")),
        };
        assert_eq!(file(edit), Some(("7".to_owned(), "image".to_owned())));
        let words = InboundContent::Text {
            body: "hi".to_owned(),
        };
        assert_eq!(file(words), None);
    }
}
