//! `POST /hooks`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{HookView, kinds, view};
use crate::hooks::{NewHook, Secret};
use crate::storage::hooks::Hook;

/// A new endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHookBody {
    /// `https://…`, of a host on the public Internet.
    #[schema(max_length = 2000)]
    url: String,
    /// Types of events; left out or empty: all.
    #[serde(default)]
    #[schema(max_items = 64)]
    types: Vec<String>,
    /// `whsec_` and the base64 of 24 to 64 bytes; left out: one is made.
    #[schema(max_length = 200)]
    secret: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    /// The number of the event after which it begins; left out: now.
    after: Option<i64>,
}

fn yes() -> bool {
    true
}

/// A new endpoint with its secret: this is the only time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewHookView {
    #[serde(flatten)]
    hook: HookView,
    /// What its requests are signed with.
    secret: String,
}

/// Add an endpoint
#[utoipa::path(
    post, path = "/hooks", operation_id = "hooks.create", tag = "hooks",
    params(TenantParam),
    request_body = NewHookBody,
    responses((status = 201, description = "Added, with its secret", body = NewHookView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewHookBody>,
) -> Answer<Response> {
    let new = NewHook {
        kinds: kinds(&new.types)?,
        url: new.url,
        secret: new.secret.map(Into::into),
        enabled: new.enabled,
        after: new.after,
    };
    let setup = api.acting(&caller);
    let (hook, secret) = api.endpoints.add(&setup, tenant, new).await?;
    Ok(shown_once(StatusCode::CREATED, &hook, &secret))
}

/// A hook with a secret that nobody is shown again.
pub(super) fn shown_once(status: StatusCode, hook: &Hook, secret: &Secret) -> Response {
    let body = NewHookView {
        hook: view(hook),
        secret: secret.text().expose_secret().to_owned(),
    };
    let mut response = (status, Json(body)).into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
