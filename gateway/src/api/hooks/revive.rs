//! `POST /hooks/{hook}/revive`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::domain::HookId;

/// Which dead letters are tried again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviveBody {
    /// Numbers of events; left out or empty: all.
    #[serde(default)]
    #[schema(max_items = 200)]
    events: Vec<i64>,
}

/// How many dead letters are tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revived {
    revived: u64,
}

/// Try dead letters again, for another day
#[utoipa::path(
    post, path = "/hooks/{hook}/revive", operation_id = "hooks.revive", tag = "hooks",
    params(("hook" = HookId, Path), TenantParam),
    request_body = ReviveBody,
    responses((status = 200, description = "They are tried again now", body = Revived)),
)]
pub(super) async fn revive(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
    Input(body): Input<ReviveBody>,
) -> Answer<Json<Revived>> {
    let setup = api.acting(&caller);
    let revived = api
        .endpoints
        .revive(&setup, tenant, id, &body.events)
        .await?;
    Ok(Json(Revived { revived }))
}
