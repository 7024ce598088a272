//! `POST /keys/{key}/rotate`

use std::time::Duration;

use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{NewKeyView, shown};
use crate::access::keys;
use crate::domain::ApiKeyId;

/// How a key is to be replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// For how long the old key works on, so that clients can change over: at most 30 days.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: u32,
}

/// Replace a key
///
/// Makes a key with the same name, role or scopes; the old one works on for the overlap.
#[utoipa::path(
    post, path = "/keys/{key}/rotate", operation_id = "keys.rotate", tag = "keys",
    params(("key" = ApiKeyId, Path), TenantParam),
    request_body = Rotation,
    responses((status = 201, description = "The new key", body = NewKeyView)),
)]
pub(super) async fn rotate(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<ApiKeyId>,
    Input(rotation): Input<Rotation>,
) -> Answer<Response> {
    let overlap = Duration::from_secs(rotation.overlap_seconds.into());
    let (key, token) = keys::rotate(&api.acting(&caller), realm, id, overlap).await?;
    shown(&key, &token)
}
