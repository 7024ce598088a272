//! `POST /plugins`

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::guard::Caller;
use super::super::place::{Realm, TenantParam};
use super::super::problem::Problem;
use super::super::room::UploadPlace;
use super::super::{Answer, State};
use super::{PluginView, view};
use crate::plugin_host::COMPONENT_BYTES;
use crate::tenants::installations::{self, Authorship, NewUpload};
use crate::tenants::plugin_keys::Signature;

/// Who signed the component that is the body.
pub(in super::super) const SIGNATURE: &str = "vestibule-signature";

/// Who wrote it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuthorParam {
    /// For operators who give it to all tenants: the tenant that wrote it, `ten_…`. Its keys with the role `plugin_author` or
    /// `tenant_admin` then see how all of its installations do, without seeing whose they are. `none`: nobody, any more.
    author: Option<String>,
}

impl AuthorParam {
    fn read(&self) -> Answer<Authorship> {
        let wrong = |_| Problem::bad_parameter("author", "must be ten_… or none");
        match self.author.as_deref() {
            None => Ok(Authorship::Unsaid),
            Some("none") => Ok(Authorship::Nobody),
            Some(tenant) => tenant.parse().map(Authorship::Of).map_err(wrong),
        }
    }
}

/// Upload a plugin
///
/// The component is inspected, compiled in a limited process and loaded for a trial; everything that is wrong with it is
/// told at once. Nothing runs by it: install it by its digest. The same bytes again change nothing but what is said of their
/// author. An operator who names no tenant gives it to all of them. A signature may stand in its custom section `vestibule:signature` instead of the
/// header, of the bytes without it. This may take a minute.
#[utoipa::path(
    post, path = "/plugins", operation_id = "plugins.upload", tag = "plugins",
    params(
        TenantParam, AuthorParam,
        ("Vestibule-Signature" = Option<String>, Header,
            description = "Who signed it: `NAME:BASE64`, an Ed25519 signature of the component's bytes by a registered key"),
    ),
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component, at most 16 MiB"),
    responses((status = 201, description = "Kept", body = PluginView)),
)]
pub(super) async fn upload(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    author: Result<Query<AuthorParam>, QueryRejection>,
    request: Request,
) -> Answer<Response> {
    let wrong = |_| Problem::bad_parameter("author", "cannot be read");
    let Query(author) = author.map_err(wrong)?;
    let authorship = author.read()?;
    let signature = signature(request.headers())?;
    // Taken at the door; to be held until the answer.
    let _place = request.extensions().get::<UploadPlace>().cloned();
    let wasm = bytes(request).await?;
    let setup = api.acting(&caller);
    let new = NewUpload {
        realm,
        wasm,
        signature,
        authorship,
    };
    let uploaded = installations::upload(&setup, &api.compiler, &new).await?;
    Ok((StatusCode::CREATED, Json(view(&uploaded, realm))).into_response())
}

fn signature(headers: &HeaderMap) -> Answer<Option<Signature>> {
    let Some(value) = headers.get(SIGNATURE) else {
        return Ok(None);
    };
    let read = value.to_str().ok().and_then(Signature::read);
    let wrong = || Problem::bad_parameter("Vestibule-Signature", "must be NAME:BASE64");
    read.map(Some).ok_or_else(wrong)
}

/// The body as it streams in, no further than a component may be long.
async fn bytes(request: Request) -> Answer<Bytes> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    if !matches!(
        content_type,
        Some("application/wasm" | "application/octet-stream")
    ) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_wasm",
            "the body must be application/wasm",
        ));
    }
    let mut wasm = BytesMut::new();
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "unreadable",
                "the body did not arrive whole, or too slowly",
            )
        })?;
        if wasm.len() + chunk.len() > COMPONENT_BYTES {
            return Err(too_large());
        }
        wasm.extend_from_slice(&chunk);
    }
    Ok(wasm.freeze())
}

pub(in super::super) fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("a component has at most {COMPONENT_BYTES} bytes"),
    )
}
