//! `POST /installations`

use std::collections::BTreeSet;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Checked;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{InstallationView, NAMED, tagged};
use crate::domain::NumberId;
use crate::domain::rollout::{Bounds, Stage};
use crate::tenants::installations::{self, NewInstallation, Source};

/// An upload to install. What is left out stays as the version before it has it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInstallationBody {
    /// Of an upload.
    #[schema(min_length = 64, max_length = 64)]
    digest: String,
    /// Left out: every number of the tenant.
    number: Option<NumberId>,
    /// Replaces all settings.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    /// What it may use, of what its manifest asks for.
    #[schema(max_items = 50)]
    grants: Option<BTreeSet<String>>,
    /// Plugins of a turn run in this order.
    position: Option<i64>,
    /// Where it begins; left out: in service at once.
    stage: Option<Stage>,
    /// Of the conversations, for a canary; left out: 10.
    #[schema(minimum = 1, maximum = 100)]
    percent: Option<i64>,
    /// When a candidate goes by itself, or a version that was promoted lately; those that are left out are the defaults.
    bounds: Option<Bounds>,
    /// You answer for it that both versions understand the memory that they share.
    #[serde(default)]
    state_is_safe: bool,
}

/// Install an upload
///
/// As the candidate of the plugin's installation for these numbers, which is made when there is none; the candidate before
/// it goes. Into service it comes when every node has loaded it.
#[utoipa::path(
    post, path = "/installations", operation_id = "installations.install", tag = "plugins",
    params(TenantParam),
    request_body = NewInstallationBody,
    responses((status = 201, description = "Installed", body = InstallationView)),
)]
pub(super) async fn install(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Checked { body: new, wrong }: Checked<NewInstallationBody>,
) -> Answer<Response> {
    let new = NewInstallation {
        tenant: tenant.to_string(),
        number: new.number.map(|number| number.to_string()),
        source: Source::Digest(new.digest),
        config: new.settings.map(|settings| settings.to_string()),
        grants: new.grants,
        position: new.position,
        bounds: new.bounds,
        stage: new.stage.unwrap_or(Stage::Active),
        percent: new.percent.unwrap_or(10),
        state_is_safe: new.state_is_safe,
    };
    let setup = api.acting(&caller);
    if !wrong.is_empty() {
        // These the schema has judged.
        let new = NewInstallation {
            bounds: None,
            percent: 100,
            ..new
        };
        let found = installations::check_install(&setup, &api.compiler, &new).await;
        return Err(Problem::beside(wrong, found, &NAMED));
    }
    let installed = installations::install(&setup, &api.compiler, &new).await;
    let installation = installed.map_err(|error| Problem::of(error, &NAMED))?;
    Ok((StatusCode::CREATED, tagged(&installation)).into_response())
}
