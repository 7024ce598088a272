//! `POST /installations/{installation}/pause`

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::etag::Tagged;
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{InstallationView, tagged};
use crate::domain::InstallationId;
use crate::tenants::installations;

/// What is paused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    /// Only the candidate, which waits until it is promoted again; the active version goes on.
    #[serde(default)]
    only_candidate: bool,
}

/// Pause an installation
///
/// Nothing of it runs until it is resumed. Where no other plugin answers, the tenant's fallback does.
#[utoipa::path(
    post, path = "/installations/{installation}/pause", operation_id = "installations.pause", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    request_body = PauseBody,
    responses((status = 200, description = "Paused", body = InstallationView)),
)]
pub(super) async fn pause(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
    Input(body): Input<PauseBody>,
) -> Answer<Tagged<InstallationView>> {
    let setup = api.acting(&caller);
    let installation = installations::pause(&setup, tenant, id, body.only_candidate).await?;
    Ok(tagged(&installation))
}
