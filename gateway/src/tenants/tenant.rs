//! Adding and changing tenants: the businesses that everything else belongs to.

use serde_json::{Value, json};

use super::ceiling::{GrantCeiling, KEY};
use super::error::check_text;
use super::{
    Expected, Giver, Result, SetupContext, SetupError, TenantSettings, find as find_named, revision,
};
use crate::domain::TenantId;
use crate::policy::ConsentBasis;
use crate::storage::tenants::{self, Tenant};
use crate::storage::{changes, installations};

const SETTINGS: &str = "the tenant's settings";

/// Adds a tenant. `settings` is a JSON object, `{}` for none; anything wrong in it is refused, all of it at once.
pub async fn add(setup: &SetupContext, name: &str, settings: &str) -> Result<TenantId> {
    Ok(create(setup, name, settings).await?.id)
}

/// The same; answers the tenant as it is stored.
pub async fn create(setup: &SetupContext, name: &str, settings: &str) -> Result<Tenant> {
    check_text("the tenant's name", name, 100)?;
    let settings = keeping(
        &checked(settings)?,
        ConsentBasis::Ledger,
        &GrantCeiling::All,
    )?;
    let id = TenantId::from_raw(setup.next_id());
    let created_at = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    if !tenants::insert_tenant(&mut tx, id, name, &settings, created_at).await? {
        return Err(SetupError::taken("tenant", name));
    }
    let became = Some(shown(name, &settings));
    setup
        .record(&mut tx, id, "tenant.create", id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(Tenant {
        id,
        name: name.to_owned(),
        settings,
        created_at,
    })
}

/// Replaces all settings of a tenant, which is named by name or id. What is not said has its default again, but for the
/// basis of consent and the ceiling of grants, which nobody changes by leaving them out. The ceiling is the operator's.
pub async fn set(setup: &SetupContext, name: &str, settings: &str) -> Result<Tenant> {
    set_if(setup, name, settings, &Expected::Anything).await
}

/// The same, if the tenant is still as the caller has read it.
pub async fn set_if(
    setup: &SetupContext,
    name: &str,
    settings: &str,
    expected: &Expected,
) -> Result<Tenant> {
    let settings = checked(settings)?;
    let mut tx = setup.db.begin().await?;
    let id = find_named::tenant(&mut tx, name).await?;
    // Whoever changes setup at the same time waits for the row that counts changes of setup.
    changes::bump_setup_all_tenants(&mut tx).await?;
    let old = tenants::tenant(&mut tx, id)
        .await?
        .ok_or_else(|| SetupError::not_found("tenant", name))?;
    expected.check(&revision_of(&old))?;
    let (before, _) = TenantSettings::read(&old.settings);
    let settings = keeping(&settings, before.consent_basis, &before.grant_ceiling)?;
    let ceiling = GrantCeiling::of(&settings);
    let other_ceiling = ceiling != before.grant_ceiling;
    if other_ceiling && setup.giver != Giver::Operator {
        let problem =
            "cannot change grant_ceiling: it is the operator's; leave it out, and it stays";
        return Err(SetupError::invalid(SETTINGS, problem));
    }
    tenants::set_settings(&mut tx, id, &settings).await?;
    if other_ceiling {
        // No turn that began under the other one commits anything.
        installations::outdate_tenant(&mut tx, id).await?;
    }
    let was = Some(shown(&old.name, &old.settings));
    let became = Some(shown(&old.name, &settings));
    setup
        .record(&mut tx, id, "tenant.update", id, was, became)
        .await?;
    setup.commit_and_wake(tx).await?;
    Ok(Tenant { settings, ..old })
}

/// A tenant by name or id.
pub async fn find(setup: &SetupContext, name: &str) -> Result<Tenant> {
    let mut tx = setup.db.read().await?;
    let id = find_named::tenant(&mut tx, name).await?;
    tenants::tenant(&mut tx, id)
        .await?
        .ok_or_else(|| SetupError::not_found("tenant", name))
}

/// Every tenant, oldest first.
pub async fn all(setup: &SetupContext) -> Result<Vec<Tenant>> {
    let mut tx = setup.db.read().await?;
    Ok(tenants::tenants_all_tenants(&mut tx).await?)
}

/// Tenants after an id, oldest first.
pub async fn page(setup: &SetupContext, after: i64, most: i64) -> Result<Vec<Tenant>> {
    let mut tx = setup.db.read().await?;
    Ok(tenants::tenants_after_all_tenants(&mut tx, after, most).await?)
}

/// By which an editor says what they have read.
pub fn revision_of(tenant: &Tenant) -> String {
    revision(&shown(&tenant.name, &tenant.settings))
}

fn shown(name: &str, settings: &str) -> Value {
    json!({"name": name, "settings": serde_json::from_str::<Value>(settings).ok()})
}

fn checked(settings: &str) -> Result<String> {
    let (_, problems) = TenantSettings::read(settings);
    if problems.is_empty() {
        let object = json_object(SETTINGS, settings)?;
        return Ok(serde_json::Value::Object(object).to_string());
    }
    let all = problems.join("\n  ");
    Err(SetupError::invalid(
        SETTINGS,
        format!("have problems:\n  {all}"),
    ))
}

/// The settings with what stays as it is if they do not name it.
fn keeping(settings: &str, basis: ConsentBasis, ceiling: &GrantCeiling) -> Result<String> {
    let mut object = json_object(SETTINGS, settings)?;
    object
        .entry("consent_basis")
        .or_insert_with(|| json!(basis));
    if *ceiling != GrantCeiling::All {
        object.entry(KEY).or_insert_with(|| json!(ceiling));
    }
    Ok(Value::Object(object).to_string())
}

/// The text as one JSON object, or a refusal that says where it breaks.
pub(super) fn json_object(
    field: &'static str,
    text: &str,
) -> Result<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(text)
        .map_err(|error| SetupError::invalid(field, format!("must be a JSON object: {error}")))
}
