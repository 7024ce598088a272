//! The one file of a multipart form, read to its end within the limits of its kind (facts §5.3).

use axum::RequestExt;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use multer::{Field, Multipart};

use super::super::problem::{FieldProblem, Problem};
use super::super::room::UploadPlace;
use super::super::{Answer, UploadRoom};
use super::too_large;
use crate::domain::TenantId;
use crate::graph::client::media::{MediaKind, MediaType};

/// What a form has beside its file: boundaries, headers, small fields.
const FRAME: u64 = 64 << 10;
/// The largest kind of file, in its form.
pub const LARGEST: usize = (100 << 20) + FRAME as usize;
/// Longer names say nothing more to anybody.
const NAME_MOST: usize = 200;

/// A file as it was uploaded, with its room in memory.
pub(super) struct Uploaded {
    pub media_type: MediaType,
    pub filename: String,
    pub bytes: Bytes,
    pub _room: UploadPlace,
}

/// Reads the part `file`. Other parts are passed over: clients of the Cloud API send `messaging_product` and `type` too.
pub(super) async fn read(
    room: &UploadRoom,
    tenant: TenantId,
    request: Request,
) -> Answer<Uploaded> {
    let (boundary, declared) = announced(request.headers());
    let boundary = boundary.ok_or_else(|| {
        let detail = "the body must be multipart/form-data with a part `file`";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_multipart", detail)
    })?;
    let mut body = request.into_limited_body().into_data_stream();
    let form = Multipart::new(&mut body, boundary);
    let room_for = |bytes: u64| room.take(tenant, usize::try_from(bytes).unwrap_or(usize::MAX));
    let file = file(form, declared, room_for).await?;
    // Nothing that comes behind it is looked at; but it has to come.
    while let Some(rest) = body.next().await {
        rest.map_err(|_| too_slow())?;
    }
    Ok(file)
}

async fn file(
    mut form: Multipart<'_>,
    declared: Option<u64>,
    room_for: impl FnOnce(u64) -> Answer<UploadPlace>,
) -> Answer<Uploaded> {
    loop {
        let field = form.next_field().await.map_err(|error| unread(&error))?;
        let missing = || wrong("is missing");
        let field = field.ok_or_else(missing)?;
        if field.name() == Some("file") {
            return whole(field, declared, room_for).await;
        }
    }
}

/// The form's boundary and the body's length, as far as the headers say them.
fn announced(headers: &HeaderMap) -> (Option<String>, Option<u64>) {
    let header = |name| headers.get(name)?.to_str().ok();
    let boundary = header(CONTENT_TYPE).and_then(|kind| multer::parse_boundary(kind).ok());
    let length = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    (boundary, length)
}

async fn whole(
    mut field: Field<'_>,
    declared: Option<u64>,
    room_for: impl FnOnce(u64) -> Answer<UploadPlace>,
) -> Answer<Uploaded> {
    let said = field.content_type().map(ToString::to_string);
    let said = said.ok_or_else(|| wrong("says no Content-Type"))?;
    let taken = MediaType::parse(&said);
    let media_type =
        taken.ok_or_else(|| wrong("is of a type that WhatsApp does not take: docs/messages.md"))?;
    let most = media_type.kind().largest();
    if declared.is_some_and(|length| length > most + FRAME) {
        return Err(too_large(most));
    }
    let needs = declared.map_or(most, |length| length.min(most));
    let room = room_for(needs)?;
    let filename = filename(field.file_name(), media_type.kind());
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| unread(&error))? {
        if (bytes.len() + chunk.len()) as u64 > most {
            return Err(too_large(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.is_empty() {
        return Err(wrong("is empty"));
    }
    Ok(Uploaded {
        media_type,
        filename,
        bytes: bytes.freeze(),
        _room: room,
    })
}

/// The name alone: it goes into a header of ours.
fn filename(said: Option<&str>, kind: MediaKind) -> String {
    let name = said.unwrap_or_default().rsplit(['/', '\\']).next();
    let plain = |c: &char| !c.is_control() && *c != '"';
    let name: String = name.unwrap_or_default().chars().filter(plain).collect();
    let name: String = name.chars().take(NAME_MOST).collect();
    match name.trim() {
        "" => format!("{kind:?}").to_lowercase(),
        name => name.to_owned(),
    }
}

fn wrong(detail: &str) -> Problem {
    Problem::invalid(vec![FieldProblem::at("/file", detail)])
}

fn unread(error: &multer::Error) -> Problem {
    // The limit of the body shows as a failed stream.
    let over = matches!(error, multer::Error::StreamReadFailed(inner)
        if inner.to_string().contains("length limit"));
    if over {
        return too_large(MediaKind::Document.largest());
    }
    too_slow()
}

fn too_slow() -> Problem {
    let detail = "the form did not arrive whole, or too slowly";
    Problem::new(StatusCode::BAD_REQUEST, "unreadable", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_plain_name_or_gets_that_of_its_kind() {
        let name = |said| filename(said, MediaKind::Image);
        assert_eq!(name(Some("a plan.jpg")), "a plan.jpg");
        assert_eq!(name(Some("../../etc/pass\"wd\n")), "passwd");
        assert_eq!(name(Some("c:\\")), "image");
        assert_eq!(name(None), "image");
        assert_eq!(name(Some(&"x".repeat(500))).len(), NAME_MOST);
    }
}
