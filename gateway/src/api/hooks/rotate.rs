//! `POST /hooks/{hook}/rotate`

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::create::{NewHookView, shown_once};
use crate::domain::HookId;

/// How a secret is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HookRotation {
    /// The old secret signs beside the new one for so long, at most 30 days.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: u32,
    /// `whsec_…`. Left out: one is made.
    #[schema(max_length = 200)]
    secret: Option<String>,
}

/// Give a hook a new secret
///
/// Until the overlap is over, every request has two signatures, of the new secret and the old. The answer shows the new
/// one, once.
#[utoipa::path(
    post, path = "/hooks/{hook}/rotate", operation_id = "hooks.rotate", tag = "hooks",
    params(("hook" = HookId, Path), TenantParam),
    request_body = HookRotation,
    responses((status = 200, description = "The hook, with its new secret", body = NewHookView)),
)]
pub(super) async fn rotate(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
    Input(rotation): Input<HookRotation>,
) -> Answer<Response> {
    let overlap = Duration::from_secs(rotation.overlap_seconds.into());
    let secret = rotation.secret.map(Into::into);
    let setup = api.acting(&caller);
    let rotated = api.endpoints.rotate(&setup, tenant, id, secret, overlap);
    let (hook, secret) = rotated.await?;
    Ok(shown_once(StatusCode::OK, &hook, &secret))
}
