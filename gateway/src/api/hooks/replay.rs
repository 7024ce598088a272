//! `POST /hooks/{hook}/replay`

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::etag::Tagged;
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{HookView, tagged};
use crate::domain::HookId;

/// From where on events are delivered again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBody {
    /// The number of the event after which it goes on.
    #[schema(minimum = 0)]
    after: i64,
}

/// Deliver everything after a number again
///
/// Under the same `webhook-id`s: an endpoint that keeps them knows what it had.
#[utoipa::path(
    post, path = "/hooks/{hook}/replay", operation_id = "hooks.replay", tag = "hooks",
    params(("hook" = HookId, Path), TenantParam),
    request_body = ReplayBody,
    responses((status = 200, description = "It goes on from there", body = HookView)),
)]
pub(super) async fn replay(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
    Input(body): Input<ReplayBody>,
) -> Answer<Tagged<HookView>> {
    let setup = api.acting(&caller);
    let hook = api.endpoints.replay(&setup, tenant, id, body.after).await?;
    Ok(tagged(&hook))
}
