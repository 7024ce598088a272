//! API keys through their life: made, shown once, believed, rotated with an overlap, revoked.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Grant, Principal, Role, Scope, Token, users};
use crate::audit::OPERATOR;
use crate::domain::{ApiKeyId, Clock, TenantId, Timestamp, UserId};
use crate::secrets::{Keyring, SecretError, SystemEntropy};
use crate::storage::api_keys::{self, ApiKey};
use crate::storage::{Db, StorageError};
use crate::tenants::{SetupContext, SetupError, check_text, keep_tenant};

type Result<T, E = SetupError> = std::result::Result<T, E>;

/// A key as somebody asks for it.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// [`OPERATOR`] for the operator's own.
    pub realm: TenantId,
    pub name: String,
    /// `None`: the role of its user.
    pub grant: Option<Grant>,
    pub user: Option<UserId>,
    pub expires_at: Option<Timestamp>,
}

/// Scopes that one token may have.
const SCOPES_MOST: usize = 20;
/// An old key works on for at most so long beside the one that replaces it.
pub const OVERLAP_MOST: Duration = Duration::from_secs(30 * 86_400);
/// When a key was used is written at most so often: it is for people who look for keys that nobody needs.
const USE_IS_NEWS_AFTER: Duration = Duration::from_secs(600);

/// Makes a key. Its text is in the answer and nowhere else.
pub async fn create(setup: &SetupContext, new: NewKey) -> Result<(ApiKey, Token)> {
    check_text("the key's name", &new.name, 100)?;
    let now = setup.clock.now();
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(SetupError::invalid("the expiry", "must lie in the future"));
    }
    let mut tx = setup.db.begin().await?;
    keep_tenant(&mut tx, new.realm).await?;
    let grant = grant(&mut tx, &new).await?;
    let (key, token) = make(setup, &new, &grant)?;
    api_keys::insert_key(&mut tx, new.realm, &key).await?;
    let became = Some(shown(&key));
    setup
        .record(&mut tx, new.realm, "key.create", key.id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok((key, token))
}

async fn grant(tx: &mut crate::storage::Tx, new: &NewKey) -> Result<Grant> {
    let user = match new.user {
        Some(user) => Some(users::active(tx, new.realm, user).await?),
        None => None,
    };
    let of_user = user.and_then(|user| Role::read(&user.role));
    let grant = match (new.grant.clone(), of_user) {
        (Some(Grant::Role(role)), Some(of_user)) if role != of_user => {
            let problem = format!("must be that of its user, {}", of_user.text());
            return Err(SetupError::invalid("the role", problem));
        }
        (Some(grant), _) => grant,
        (None, Some(of_user)) => Grant::Role(of_user),
        (None, None) => {
            let problem = "is missing: give a role, scopes or a user";
            return Err(SetupError::invalid("the role", problem));
        }
    };
    check_grant(new.realm, &grant)?;
    Ok(grant)
}

fn check_grant(realm: TenantId, grant: &Grant) -> Result<()> {
    let (field, problem) = match grant {
        Grant::Role(role) if role.is_of_operator() != (realm == OPERATOR) => (
            "the role",
            "operator is the role of keys without a tenant, and their only one",
        ),
        Grant::Scopes(_) if realm == OPERATOR => (
            "the scopes",
            "are for keys of a tenant, not of the operator",
        ),
        Grant::Scopes(scopes) if scopes.is_empty() || scopes.len() > SCOPES_MOST => {
            ("the scopes", "must be 1 to 20")
        }
        _ => return Ok(()),
    };
    Err(SetupError::invalid(field, problem))
}

fn make(setup: &SetupContext, new: &NewKey, grant: &Grant) -> Result<(ApiKey, Token)> {
    let id = ApiKeyId::from_raw(setup.next_id());
    let token = Token::new(id, &SystemEntropy).map_err(SecretError::Entropy)?;
    let (role, scopes) = match grant {
        Grant::Role(role) => (role.text(), json!([])),
        Grant::Scopes(scopes) => ("", json!(scopes)),
    };
    let key = ApiKey {
        id,
        tenant: new.realm,
        name: new.name.clone(),
        role: role.to_owned(),
        scopes: scopes.to_string(),
        user: new.user,
        hash: token.hash(&setup.keyring),
        created_by: setup.by.label(),
        created_at: setup.clock.now(),
        expires_at: new.expires_at,
        revoked_at: None,
        replaced_by: None,
        last_used_at: None,
    };
    Ok((key, token))
}

/// Makes a key in the place of another, which works on for `overlap`. The new one lives as long as the old was meant to.
pub async fn rotate(
    setup: &SetupContext,
    realm: TenantId,
    id: ApiKeyId,
    overlap: Duration,
) -> Result<(ApiKey, Token)> {
    if overlap > OVERLAP_MOST {
        return Err(SetupError::invalid(
            "the overlap",
            "must be at most 30 days",
        ));
    }
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let old = api_keys::key_for_update(&mut tx, realm, id)
        .await?
        .ok_or_else(|| SetupError::not_found("key", &id.to_string()))?;
    if !works(&old, now) || old.replaced_by.is_some() {
        let problem = "is over, or was rotated before";
        return Err(SetupError::invalid("the key", problem));
    }
    let life = old.expires_at.map(|at| at.since(old.created_at));
    let new = NewKey {
        realm,
        name: old.name.clone(),
        grant: None,
        user: old.user,
        expires_at: life.map(|life| now.plus(life)),
    };
    let (key, token) = make(setup, &new, &grant_of(&old)?)?;
    api_keys::insert_key(&mut tx, realm, &key).await?;
    let until = now.plus(overlap);
    let until = old.expires_at.map_or(until, |at| at.min(until));
    api_keys::end_key(&mut tx, realm, id, until, key.id).await?;
    let was = Some(shown(&old));
    let became = Some(json!({"replaced_by": key.id, "works_until": until.to_string()}));
    setup
        .record(&mut tx, realm, "key.rotate", id, was, became)
        .await?;
    setup.commit(tx).await?;
    Ok((key, token))
}

/// Ends a key at once. One that was revoked before stays so.
pub async fn revoke(setup: &SetupContext, realm: TenantId, id: ApiKeyId) -> Result<()> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let key = api_keys::key_for_update(&mut tx, realm, id)
        .await?
        .ok_or_else(|| SetupError::not_found("key", &id.to_string()))?;
    if key.revoked_at.is_none() {
        api_keys::revoke_key(&mut tx, realm, id, now).await?;
        let was = Some(shown(&key));
        setup
            .record(&mut tx, realm, "key.revoke", id, was, None)
            .await?;
    }
    setup.commit(tx).await?;
    Ok(())
}

/// A key of a realm.
pub async fn find(setup: &SetupContext, realm: TenantId, id: ApiKeyId) -> Result<ApiKey> {
    let mut tx = setup.db.read().await?;
    api_keys::key(&mut tx, realm, id)
        .await?
        .ok_or_else(|| SetupError::not_found("key", &id.to_string()))
}

/// Keys of a realm after an id, oldest first.
pub async fn list(
    setup: &SetupContext,
    realm: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<ApiKey>> {
    let mut tx = setup.db.read().await?;
    Ok(api_keys::keys(&mut tx, realm, after, most).await?)
}

/// What a key gives, as it is stored.
pub fn grant_of(key: &ApiKey) -> Result<Grant, StorageError> {
    if let Some(role) = Role::read(&key.role) {
        return Ok(Grant::Role(role));
    }
    let scopes: Vec<Scope> = serde_json::from_str(&key.scopes)
        .map_err(|_| StorageError::Corrupt(format!("scopes of {}", key.id)))?;
    Ok(Grant::Scopes(scopes))
}

fn works(key: &ApiKey, now: Timestamp) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at)
}

/// As the audit log shows it.
fn shown(key: &ApiKey) -> Value {
    json!({
        "name": key.name,
        "role": key.role,
        "scopes": serde_json::from_str::<Value>(&key.scopes).ok(),
        "user": key.user,
        "expires_at": key.expires_at.map(|at| at.to_string()),
    })
}

/// Why a key was not believed. Only who holds a real key learns more than that it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    Unknown,
    Expired,
    Revoked,
    /// The person it belongs to is not active.
    UserInactive,
}

/// A believed key, and whether it is time to write that it is used.
#[derive(Debug)]
pub struct Believed {
    pub principal: Principal,
    pub use_is_news: bool,
}

/// Believes a key or says why not. Asked of the database every time: a revoked key is refused at once, on every node.
pub async fn authenticate(
    db: &Db,
    keyring: &Keyring,
    clock: &dyn Clock,
    token: &Token,
) -> Result<Result<Believed, Denied>, StorageError> {
    let mut tx = db.read().await?;
    let found = api_keys::presented_key_all_tenants(&mut tx, token.id()).await?;
    drop(tx);
    let Some((key, user_is_active)) = found.filter(|(key, _)| token.fits(keyring, &key.hash))
    else {
        return Ok(Err(Denied::Unknown));
    };
    let now = clock.now();
    if key.revoked_at.is_some() {
        return Ok(Err(Denied::Revoked));
    }
    if !works(&key, now) {
        return Ok(Err(Denied::Expired));
    }
    if !user_is_active {
        return Ok(Err(Denied::UserInactive));
    }
    let used = key.last_used_at;
    Ok(Ok(Believed {
        use_is_news: used.is_none_or(|at| now.since(at) > USE_IS_NEWS_AFTER),
        principal: Principal {
            grant: grant_of(&key)?,
            key: key.id,
            name: key.name,
            realm: key.tenant,
            user: key.user,
        },
    }))
}

/// Writes that a key is used.
pub async fn was_used(db: &Db, principal: &Principal, now: Timestamp) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    api_keys::key_was_used(&mut tx, principal.realm, principal.key, now).await?;
    tx.commit().await
}
