//! `PATCH /installations/{installation}`

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::etag::{IfMatch, Tagged};
use super::super::guard::Caller;
use super::super::input::Checked;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{InstallationView, NAMED, tagged};
use crate::domain::InstallationId;
use crate::domain::rollout::Bounds;
use crate::tenants::installations::{self, InstallationChange};

/// What is to be changed of an installation; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InstallationChangeBody {
    position: Option<i64>,
    /// Replaces all bounds; those that are left out of it are the defaults.
    bounds: Option<Bounds>,
    /// Replaces all settings.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    /// Replaces all grants.
    #[schema(max_items = 50)]
    grants: Option<BTreeSet<String>>,
    /// Settings and grants of the candidate, not of the active version.
    #[serde(default)]
    of_candidate: bool,
}

/// Change an installation
///
/// Turns that are under way run again with what it says then.
#[utoipa::path(
    patch, path = "/installations/{installation}", operation_id = "installations.update", tag = "plugins",
    params(
        ("installation" = InstallationId, Path), TenantParam,
        ("If-Match" = String, Header, description = "The ETag that was read, or `*`"),
    ),
    request_body = InstallationChangeBody,
    responses((status = 200, description = "Changed", body = InstallationView)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
    IfMatch(expected): IfMatch,
    Checked {
        body: change,
        wrong,
    }: Checked<InstallationChangeBody>,
) -> Answer<Tagged<InstallationView>> {
    let change = InstallationChange {
        position: change.position,
        bounds: change.bounds,
        config: change.settings.map(|settings| settings.to_string()),
        grants: change.grants,
        of_candidate: change.of_candidate,
    };
    let setup = api.acting(&caller);
    if !wrong.is_empty() {
        // These the schema has judged.
        let change = InstallationChange {
            bounds: None,
            ..change
        };
        let checked = installations::check_change;
        let found = checked(&setup, &api.compiler, tenant, id, &expected, &change).await;
        return Err(Problem::beside(wrong, found, &NAMED));
    }
    let changed =
        installations::change(&setup, &api.compiler, tenant, id, &expected, &change).await;
    let installation = changed.map_err(|error| Problem::of(error, &NAMED))?;
    Ok(tagged(&installation))
}
