//! Adding tenants: the businesses that everything else belongs to.

use super::error::check_text;
use super::{Result, SetupContext, SetupError};
use crate::domain::TenantId;
use crate::storage::tenants;

/// Adds a tenant. `settings` is a JSON object, `{}` for none.
pub async fn add(setup: &SetupContext, name: &str, settings: &str) -> Result<TenantId> {
    check_text("the tenant's name", name, 100)?;
    let settings = json_object("the tenant's settings", settings)?;
    let tenant = TenantId::from_raw(setup.next_id());
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    if !tenants::insert_tenant(&mut tx, tenant, name, &settings, now).await? {
        return Err(SetupError::taken("tenant", name));
    }
    tx.commit().await?;
    Ok(tenant)
}

/// The text as one JSON object without spaces, or a refusal that says where it breaks.
pub(super) fn json_object(field: &'static str, text: &str) -> Result<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|error| SetupError::invalid(field, format!("must be a JSON object: {error}")))?;
    Ok(serde_json::Value::Object(object).to_string())
}
