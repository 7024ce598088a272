//! `POST /plugins`

use std::collections::BTreeSet;

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use super::{PluginView, view};
use crate::domain::NumberId;
use crate::tenants::installations::{self, NewInstallation};

/// A plugin to put into service.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPlugin {
    /// The component, base64: at most 16 MiB before encoding.
    #[schema(format = Byte)]
    component: String,
    /// Left out: every number of the tenant.
    number: Option<NumberId>,
    #[serde(default = "no_settings")]
    #[schema(value_type = Object)]
    settings: Value,
    /// What it may use, of what its manifest asks for.
    #[serde(default)]
    #[schema(max_items = 50)]
    grants: BTreeSet<String>,
    /// Plugins of a turn run in this order.
    #[serde(default)]
    position: i64,
}

fn no_settings() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Upload a plugin and put it into service
///
/// It is inspected, compiled in a limited process and loaded for a trial; then it takes the place of the version before
/// it. Until then nothing has changed. This may take a minute.
#[utoipa::path(
    post, path = "/plugins", operation_id = "plugins.install", tag = "plugins",
    params(TenantParam),
    request_body = NewPlugin,
    responses((status = 201, description = "In service", body = PluginView)),
)]
pub(super) async fn install(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewPlugin>,
) -> Answer<Response> {
    let not_base64 = || Problem::invalid(vec![FieldProblem::at("/component", "must be base64")]);
    let new = NewInstallation {
        tenant: tenant.to_string(),
        number: new.number.map(|number| number.to_string()),
        wasm: STANDARD.decode(&new.component).map_err(|_| not_base64())?,
        config: new.settings.to_string(),
        grants: new.grants,
        position: new.position,
    };
    let setup = api.acting(&caller);
    let installed = installations::install(&setup, &api.compiler, &new).await;
    let named = [
        ("number", "/number"),
        ("the settings", "/settings"),
        ("the grants", "/grants"),
    ];
    let installation = installed.map_err(|error| Problem::of(error, &named))?;
    Ok((StatusCode::CREATED, Json(view(&installation))).into_response())
}
