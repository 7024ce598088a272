//! Tenants' secrets for plugins' requests, from the command line.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::answer::{Answer, record};
use super::error::AdminError;
use crate::storage::secrets::StoredSecret;
use crate::tenants::secrets::{self, bound_to};
use crate::tenants::{SetupContext, find_tenant};

/// A guess: nobody has more for plugins.
const LIST_MOST: i64 = 1_000;

pub(super) async fn set(
    setup: &SetupContext,
    tenant: &str,
    name: &str,
    value: &SecretString,
    hosts: &[String],
) -> Result<Answer, AdminError> {
    let tenant = find_tenant(setup, tenant).await?.id;
    let secret = secrets::put(setup, tenant, name, value, hosts).await?;
    Ok(Answer::Record(shown(&secret)))
}

pub(super) async fn list(setup: &SetupContext, tenant: &str) -> Result<Answer, AdminError> {
    let tenant = find_tenant(setup, tenant).await?.id;
    let rows = secrets::page(setup, tenant, 0, LIST_MOST).await?;
    Ok(Answer::List(rows.iter().map(shown).collect()))
}

pub(super) async fn remove(
    setup: &SetupContext,
    tenant: &str,
    name: &str,
) -> Result<Answer, AdminError> {
    let tenant = find_tenant(setup, tenant).await?.id;
    secrets::remove(setup, tenant, name).await?;
    Ok(Answer::Record(record! { "removed" => name, }))
}

fn shown(secret: &StoredSecret) -> BTreeMap<String, serde_json::Value> {
    record! {
        "name" => secret.name,
        "hosts" => bound_to(secret),
        "created_at" => secret.created_at.to_string(),
        "changed_at" => secret.changed_at.to_string(),
    }
}
