//! Tenants: businesses on this deployment.

mod create;
mod delete;
mod get;
mod list;
mod update;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::etag::Tagged;
use super::moment::Moment;
use super::problem::{FieldProblem, Problem};
use crate::domain::TenantId;
use crate::storage::tenants::Tenant;
use crate::tenants::{TenantSettings, tenant_revision};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
struct TenantView {
    id: TenantId,
    name: String,
    /// Its settings as they hold, defaults included.
    #[schema(value_type = Object)]
    settings: Value,
    created_at: Moment,
}

fn view(tenant: &Tenant) -> TenantView {
    let (settings, _) = TenantSettings::read(&tenant.settings);
    TenantView {
        id: tenant.id,
        name: tenant.name.clone(),
        settings: serde_json::json!(settings),
        created_at: Moment(tenant.created_at),
    }
}

fn tagged(tenant: &Tenant) -> Tagged<TenantView> {
    Tagged {
        revision: tenant_revision(tenant),
        body: view(tenant),
    }
}

/// Everything that is wrong with settings, each at its key.
fn check_settings(settings: &Value) -> Result<String, Problem> {
    let text = settings.to_string();
    let (_, problems) = TenantSettings::read(&text);
    let at = |problem: &String| match problem.split_once(": ") {
        Some((key, what)) => FieldProblem::at(format!("/settings/{}", key.replace('.', "/")), what),
        None => FieldProblem::at("/settings", problem),
    };
    match problems.is_empty() {
        true => Ok(text),
        false => Err(Problem::invalid(problems.iter().map(at).collect())),
    }
}
