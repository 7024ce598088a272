//! Access tokens for Graph.

use secrecy::SecretString;
use serde_json::json;

use super::apps::check_secret;
use super::error::check_text;
use super::{Result, SetupContext, SetupError, find, keep_tenant, places};
use crate::domain::{CredentialId, TenantId};
use crate::storage::Tx;
use crate::storage::credentials::{self, Credential};

/// Adds a tenant's access token under a name; with `replace`, one of that name gets the new token instead.
pub async fn add(
    setup: &SetupContext,
    tenant: &str,
    name: &str,
    token: &SecretString,
    replace: bool,
) -> Result<CredentialId> {
    Ok(put(setup, tenant, name, token, replace).await?.id)
}

/// The same; answers the credential as it is stored.
pub async fn put(
    setup: &SetupContext,
    tenant: &str,
    name: &str,
    token: &SecretString,
    replace: bool,
) -> Result<Credential> {
    check_text("the credential's name", name, 100)?;
    check_secret("the access token", token)?;
    let mut tx = setup.db.begin().await?;
    let tenant = find::tenant(&mut tx, tenant).await?;
    keep_tenant(&mut tx, tenant).await?;
    if let Some(old) = credentials::credential_by_name(&mut tx, tenant, name).await? {
        if !replace {
            return Err(SetupError::taken("credential", name));
        }
        let sealed = setup.keyring.seal(places::token(tenant, old.id), token)?;
        credentials::replace_token(&mut tx, tenant, old.id, &sealed).await?;
        let became = Some(json!({"name": name, "token": "replaced"}));
        setup
            .record(
                &mut tx,
                tenant,
                "credential.replace_token",
                old.id,
                None,
                became,
            )
            .await?;
        setup.commit(tx).await?;
        return Ok(Credential {
            token: sealed,
            ..old
        });
    }
    let id = CredentialId::from_raw(setup.next_id());
    let sealed = setup.keyring.seal(places::token(tenant, id), token)?;
    let now = setup.clock.now();
    if !credentials::insert_credential(&mut tx, tenant, id, name, &sealed, now).await? {
        return Err(SetupError::taken("credential", name));
    }
    let became = Some(json!({"name": name}));
    setup
        .record(&mut tx, tenant, "credential.create", id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(Credential {
        id,
        tenant,
        name: name.to_owned(),
        token: sealed,
        created_at: now,
    })
}

/// A tenant's credential.
pub async fn find_one(
    setup: &SetupContext,
    tenant: TenantId,
    id: CredentialId,
) -> Result<Credential> {
    let mut tx = setup.db.read().await?;
    credentials::credential(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("credential", &id.to_string()))
}

/// A tenant's credentials after an id, oldest first.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Credential>> {
    let mut tx = setup.db.read().await?;
    Ok(credentials::credentials_of(&mut tx, tenant, after, most).await?)
}

/// An access token, opened.
pub async fn token(
    setup: &SetupContext,
    tx: &mut Tx,
    tenant: TenantId,
    id: CredentialId,
) -> Result<SecretString> {
    let credential = credentials::credential(tx, tenant, id).await?;
    let credential =
        credential.ok_or_else(|| SetupError::not_found("credential", &id.to_string()))?;
    let place = places::token(tenant, id);
    Ok(setup.keyring.open(place, &credential.token)?)
}
