//! `POST /installations/{installation}/rollback`

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::etag::Tagged;
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{InstallationView, NAMED, tagged};
use crate::domain::InstallationId;
use crate::tenants::installations::{self, Rollback};

/// What to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackBody {
    /// The number of a version that is kept. Left out: the candidate goes; without one, the last good version comes back.
    to: Option<i64>,
    /// You answer for it that the older version understands the memory as it is now.
    #[serde(default)]
    state_is_safe: bool,
}

/// Roll back at once
///
/// With the settings and grants that the version had. Across a changed state schema it is refused, unless a manifest
/// says that this is safe, or you do.
#[utoipa::path(
    post, path = "/installations/{installation}/rollback", operation_id = "installations.roll_back", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    request_body = RollbackBody,
    responses((status = 200, description = "It runs as before", body = InstallationView)),
)]
pub(super) async fn roll_back(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
    Input(body): Input<RollbackBody>,
) -> Answer<Tagged<InstallationView>> {
    let rollback = Rollback {
        to: body.to,
        state_is_safe: body.state_is_safe,
    };
    let setup = api.acting(&caller);
    let back = installations::roll_back(&setup, tenant, id, &rollback).await;
    let installation = back.map_err(|error| Problem::of(error, &NAMED))?;
    Ok(tagged(&installation))
}
