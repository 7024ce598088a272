//! Finds what an operator means by a name, an id or Meta's id.

use super::{Result, SetupError};
use crate::domain::number::Number;
use crate::domain::{CredentialId, TenantId};
use crate::storage::apps::App;
use crate::storage::{Tx, apps, credentials, numbers, tenants};

/// A tenant by name or id.
pub(super) async fn tenant(tx: &mut Tx, name: &str) -> Result<TenantId> {
    // An id first: a tenant that is named like another's id must not be taken for it.
    if let Ok(id) = name.parse::<TenantId>()
        && tenants::tenant(tx, id).await?.is_some()
    {
        return Ok(id);
    }
    let named = tenants::tenant_by_name_all_tenants(tx, name).await?;
    named
        .map(|tenant| tenant.id)
        .ok_or_else(|| SetupError::not_found("tenant", name))
}

/// An app by Meta's id, our id or its name; without one, the default app.
pub(super) async fn app(tx: &mut Tx, name: Option<&str>) -> Result<App> {
    let meant = |app: &App| match name {
        None => app.is_default,
        Some(name) => app.meta_app_id == name || app.id.to_string() == name || app.name == name,
    };
    let all = apps::apps_all_tenants(tx).await?;
    all.into_iter()
        .find(meant)
        .ok_or_else(|| SetupError::not_found("app", name.unwrap_or("(default)")))
}

/// A tenant's credential by name or id.
pub(super) async fn credential(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<CredentialId> {
    if let Some(credential) = credentials::credential_by_name(tx, tenant, name).await? {
        return Ok(credential.id);
    }
    let all = credentials::credentials_all_tenants(tx).await?;
    all.into_iter()
        .find(|credential| credential.tenant == tenant && credential.id.to_string() == name)
        .map(|credential| credential.id)
        .ok_or_else(|| SetupError::not_found("credential", name))
}

/// A tenant's number by Meta's id, our id or as it is displayed.
pub(super) async fn number(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Number> {
    let meant = |number: &Number| {
        number.tenant == tenant
            && (number.phone_number_id == name
                || number.id.to_string() == name
                || number.display_number == name)
    };
    let all = numbers::numbers_all_tenants(tx).await?;
    all.into_iter()
        .find(meant)
        .ok_or_else(|| SetupError::not_found("number", name))
}
