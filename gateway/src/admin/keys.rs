//! API keys by the command line: the first one of a deployment is made here.

use std::time::Duration;

use super::answer::{Answer, record};
use super::error::AdminError;
use crate::access::keys::{self, NewKey};
use crate::access::{Grant, Role, shown_once};
use crate::audit::OPERATOR;
use crate::domain::{ApiKeyId, TenantId};
use crate::tenants::{SetupContext, SetupError, find_tenant};

/// Longer than anybody's list of keys is read.
const LIST_MOST: i64 = 1_000;

pub(super) async fn add(
    setup: &SetupContext,
    tenant: Option<String>,
    name: String,
    role: Role,
    seconds: Option<u64>,
) -> Result<Answer, AdminError> {
    let new = NewKey {
        realm: realm(setup, tenant).await?,
        name,
        grant: Some(Grant::Role(role)),
        user: None,
        expires_at: seconds.map(|seconds| setup.clock.now().plus(Duration::from_secs(seconds))),
    };
    let (key, token) = keys::create(setup, new).await?;
    Ok(Answer::Record(record! {
        "id" => key.id,
        "key" => shown_once(&token),
        "note" => "the key is shown this once: only a hash of it is stored",
    }))
}

pub(super) async fn list(
    setup: &SetupContext,
    tenant: Option<String>,
) -> Result<Answer, AdminError> {
    let realm = realm(setup, tenant).await?;
    let all = keys::list(setup, realm, 0, LIST_MOST).await?;
    let moment = |at: Option<crate::domain::Timestamp>| at.map(|at| at.to_string());
    let view = |key: crate::storage::api_keys::ApiKey| {
        record! {
            "id" => key.id,
            "name" => key.name,
            "role" => key.role,
            "scopes" => serde_json::from_str::<serde_json::Value>(&key.scopes).ok(),
            "expires_at" => moment(key.expires_at),
            "revoked_at" => moment(key.revoked_at),
            "last_used_at" => moment(key.last_used_at),
        }
    };
    Ok(Answer::List(all.into_iter().map(view).collect()))
}

pub(super) async fn revoke(
    setup: &SetupContext,
    tenant: Option<String>,
    key: ApiKeyId,
) -> Result<Answer, AdminError> {
    let realm = realm(setup, tenant).await?;
    keys::revoke(setup, realm, key).await?;
    Ok(Answer::Record(record! { "revoked" => key, }))
}

async fn realm(setup: &SetupContext, tenant: Option<String>) -> Result<TenantId, SetupError> {
    match tenant {
        Some(name) => Ok(find_tenant(setup, &name).await?.id),
        None => Ok(OPERATOR),
    }
}
