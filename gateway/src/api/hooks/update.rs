//! `PATCH /hooks/{hook}`

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::etag::{IfMatch, Tagged};
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{HookView, kinds, tagged};
use crate::domain::HookId;
use crate::hooks::HookChange;

/// What is to be changed of an endpoint; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HookChangeBody {
    #[schema(max_length = 2000)]
    url: Option<String>,
    #[schema(max_items = 64)]
    types: Option<Vec<String>>,
    #[schema(max_length = 200)]
    secret: Option<String>,
    enabled: Option<bool>,
}

/// Change an endpoint
///
/// One that was left alone because it failed every time is tried again at once.
#[utoipa::path(
    patch, path = "/hooks/{hook}", operation_id = "hooks.update", tag = "hooks",
    params(("hook" = HookId, Path), TenantParam, ("If-Match" = String, Header, description = "The ETag that was read, or `*`")),
    request_body = HookChangeBody,
    responses((status = 200, description = "Changed", body = HookView)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
    IfMatch(expected): IfMatch,
    Input(change): Input<HookChangeBody>,
) -> Answer<Tagged<HookView>> {
    let change = HookChange {
        kinds: change.types.as_deref().map(kinds).transpose()?,
        url: change.url,
        secret: change.secret.map(Into::into),
        enabled: change.enabled,
    };
    let setup = api.acting(&caller);
    let hook = api
        .endpoints
        .change(&setup, tenant, id, &expected, change)
        .await?;
    Ok(tagged(&hook))
}
