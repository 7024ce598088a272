//! Tenants' secrets that the gateway writes into plugins' requests: written, replaced, never shown.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::apps::check_secret;
use super::{Result, SetupContext, SetupError, keep_tenant, places};
use crate::domain::TenantId;
use crate::plugin_host::{HostPattern, is_secret_name};
use crate::secrets::Keyring;
use crate::storage::secrets::{self, StoredSecret};
use crate::storage::{Db, StorageError};

/// What is shorter could be guessed, and masked in no answer.
const SHORTEST: usize = 8;
/// A guess: a shop has a staging host or two.
const HOSTS: usize = 16;

/// Gives the tenant a secret of this name, or that secret another value. `hosts`: where it may go, exact or `*.suffix`;
/// none: wherever the plugin may ask.
pub async fn put(
    setup: &SetupContext,
    tenant: TenantId,
    name: &str,
    value: &SecretString,
    hosts: &[String],
) -> Result<StoredSecret> {
    check(name, value)?;
    let hosts = check_hosts(hosts)?;
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    keep_tenant(&mut tx, tenant).await?;
    let before = secrets::by_name(&mut tx, tenant, name).await?;
    let id = before
        .as_ref()
        .map_or_else(|| setup.next_id(), |old| old.id);
    let secret = StoredSecret {
        id,
        name: name.to_owned(),
        value: setup.keyring.seal(places::secret(tenant, id), value)?,
        hosts: json!(hosts).to_string(),
        created_at: before.as_ref().map_or(now, |old| old.created_at),
        changed_at: now,
    };
    let done = match &before {
        Some(_) => secrets::replace(&mut tx, tenant, &secret).await?,
        None => secrets::insert(&mut tx, tenant, &secret).await?,
    };
    if !done {
        return Err(SetupError::Changed);
    }
    let action = match before {
        Some(_) => "secret.replace",
        None => "secret.create",
    };
    let was = before.map(|old| json!({"hosts": bound_to(&old)}));
    let became = Some(json!({"name": name, "hosts": hosts}));
    setup
        .record(&mut tx, tenant, action, name, was, became)
        .await?;
    setup.commit(tx).await?;
    Ok(secret)
}

/// A tenant's secrets after an id, oldest first.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<StoredSecret>> {
    let mut tx = setup.db.read().await?;
    Ok(secrets::page(&mut tx, tenant, after, most).await?)
}

/// Takes a secret away. Requests that name it are refused from then on.
pub async fn remove(setup: &SetupContext, tenant: TenantId, name: &str) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    if !secrets::delete(&mut tx, tenant, name).await? {
        return Err(SetupError::not_found("secret", name));
    }
    setup
        .record(&mut tx, tenant, "secret.delete", name, None, None)
        .await?;
    setup.commit(tx).await
}

/// The hosts that a secret is bound to; none: any.
pub fn bound_to(secret: &StoredSecret) -> Vec<String> {
    serde_json::from_str(&secret.hosts).unwrap_or_default()
}

/// A secret, opened.
pub struct OpenSecret {
    pub value: SecretString,
    hosts: Vec<HostPattern>,
    bound: bool,
}

impl OpenSecret {
    /// May it be sent to this host?
    pub fn may_go_to(&self, host: &str) -> bool {
        !self.bound || self.hosts.iter().any(|pattern| pattern.is(host))
    }
}

/// Opens a tenant's secret. `None`: there is none of this name.
pub async fn open(
    db: &Db,
    keyring: &Keyring,
    tenant: TenantId,
    name: &str,
) -> Result<Option<OpenSecret>> {
    let mut tx = db.read().await?;
    let Some(found) = secrets::by_name(&mut tx, tenant, name).await? else {
        return Ok(None);
    };
    let corrupt = || StorageError::Corrupt("hosts of a secret".to_owned());
    let hosts: Vec<String> = serde_json::from_str(&found.hosts).map_err(|_| corrupt())?;
    let patterns = hosts.iter().map(|host| HostPattern::parse(host).ok());
    Ok(Some(OpenSecret {
        value: keyring.open(places::secret(tenant, found.id), &found.value)?,
        bound: !hosts.is_empty(),
        hosts: patterns.collect::<Option<_>>().ok_or_else(corrupt)?,
    }))
}

fn check(name: &str, value: &SecretString) -> Result<()> {
    if !is_secret_name(name) {
        return Err(SetupError::invalid(
            "the secret's name",
            "must have 1 to 64 lower-case letters, digits, hyphens and underscores",
        ));
    }
    check_secret("the secret", value)?;
    if value.expose_secret().len() < SHORTEST {
        let problem = format!("must have at least {SHORTEST} bytes");
        return Err(SetupError::invalid("the secret", problem));
    }
    Ok(())
}

fn check_hosts(hosts: &[String]) -> Result<Vec<String>> {
    if hosts.len() > HOSTS {
        let problem = format!("must be at most {HOSTS}");
        return Err(SetupError::invalid("the hosts", problem));
    }
    let read = hosts.iter().map(|host| HostPattern::parse(host));
    let read: std::result::Result<Vec<HostPattern>, String> = read.collect();
    let read = read.map_err(|problem| SetupError::invalid("the hosts", problem))?;
    Ok(read.iter().map(ToString::to_string).collect())
}
