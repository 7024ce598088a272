//! `POST /installations/{installation}/promote`

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
use crate::domain::rollout::Stage;
use crate::tenants::installations::{self, Promotion};

/// Where the candidate is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PromotionBody {
    /// Left out: the next one, waiting → shadow → canary → active.
    stage: Option<Stage>,
    /// Of the conversations, for a canary; left out: as it is, or 10.
    #[schema(minimum = 1, maximum = 100)]
    percent: Option<i64>,
    /// You answer for it that both versions understand the memory that they share.
    #[serde(default)]
    state_is_safe: bool,
}

/// Move the candidate on
///
/// Into service it goes when every live node has loaded it; then the switch is one commit, and nothing of the version
/// before it is committed afterwards.
#[utoipa::path(
    post, path = "/installations/{installation}/promote", operation_id = "installations.promote", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    request_body = PromotionBody,
    responses((status = 200, description = "It is there", body = InstallationView)),
)]
pub(super) async fn promote(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
    Input(body): Input<PromotionBody>,
) -> Answer<Tagged<InstallationView>> {
    let promotion = Promotion {
        stage: body.stage,
        percent: body.percent,
        state_is_safe: body.state_is_safe,
    };
    let setup = api.acting(&caller);
    let promoted = installations::promote(&setup, tenant, id, &promotion).await;
    let installation = promoted.map_err(|error| Problem::of(error, &NAMED))?;
    Ok(tagged(&installation))
}
