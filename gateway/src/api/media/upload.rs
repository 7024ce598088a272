//! `POST /media`

use axum::Json;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::messages::may_use;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, LongBody, State};
use super::{TIMEOUT, form, problem, token};
use crate::domain::NumberId;
use crate::graph::client::media::Upload;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    number: Option<String>,
}

/// The form.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "for the document")]
pub(super) struct MediaForm {
    /// With its own Content-Type, which decides the kind, and its file name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A file at Meta.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadedMedia {
    /// Meta's id: what a message's `id` is to say. It works for 30 days, and for messages of this number.
    id: String,
    number: NumberId,
    mime_type: String,
    bytes: usize,
}

/// Upload a file
///
/// For messages of one number. Audio and video have at most 16 MB, images 5 MB, documents 100 MB, stickers 500 KB; type and
/// size are checked before Meta is asked. Twice is two files: nothing else comes of it.
#[utoipa::path(
    post, path = "/media", operation_id = "media.upload", tag = "messages",
    params(TenantParam, ("number" = NumberId, Query, description = "Whose messages it is for")),
    request_body(content = MediaForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "Uploaded", body = UploadedMedia)),
)]
pub(super) async fn upload(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Answer<Response> {
    let name = wanted.number.unwrap_or_default();
    let wrong = |_| Problem::bad_parameter("number", "must be an id, `num_…`");
    let number: NumberId = name.parse().map_err(wrong)?;
    let snapshot = api.desk.directory.snapshot();
    let entry = snapshot.number(number);
    let own = entry.filter(|entry| entry.number.tenant == tenant);
    let own = own.filter(|_| may_use(&caller.principal, number));
    let entry = own.ok_or_else(|| Problem::no_such("number", &name))?;
    let token = token(entry)?;
    LongBody::allow_for(&request, TIMEOUT);
    let file = form::read(&api.media.room, tenant, request).await?;
    let (mime_type, bytes) = (file.media_type.as_str().to_owned(), file.bytes.len());
    let upload = Upload {
        media_type: file.media_type,
        filename: file.filename,
        length: Some(bytes as u64),
        content: stream::iter([Ok::<_, std::convert::Infallible>(file.bytes)]),
    };
    let graph = &api.media.graph;
    let uploaded = graph.upload_media(token, &entry.number.phone_number_id, upload, TIMEOUT);
    let id = uploaded.await.map_err(|error| problem(&error))?;
    let setup = api.acting(&caller);
    let became = json!({"number": number, "mime_type": mime_type, "bytes": bytes});
    let mut tx = setup.db.begin().await?;
    setup
        .record(&mut tx, tenant, "media.upload", &id, None, Some(became))
        .await?;
    setup.commit(tx).await?;
    let body = UploadedMedia {
        id,
        number,
        mime_type,
        bytes,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
