//! `POST /tenants`

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::{Answer, State};
use super::{TenantView, check_settings, tagged};
use crate::tenants::create_tenant;

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// What people call it; unique on the deployment.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it says about how the gateway behaves; what is left out has its default.
    #[serde(default = "no_settings")]
    #[schema(value_type = Object)]
    settings: Value,
}

fn no_settings() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Add a tenant
#[utoipa::path(
    post, path = "/tenants", operation_id = "tenants.create", tag = "tenants",
    request_body = NewTenant,
    responses((status = 201, description = "Added", body = TenantView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    Input(new): Input<NewTenant>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let settings = check_settings(&new.settings)?;
    let tenant = create_tenant(&setup, &new.name, &settings).await?;
    Ok((StatusCode::CREATED, tagged(&tenant)).into_response())
}
