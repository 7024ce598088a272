//! Endpoints as tenants set them up: added, changed, removed, sent back to a number; dead letters looked at and revived.

use std::sync::Arc;

use secrecy::SecretString;

use super::sign::Secret;
use crate::domain::{Clock, HookId, IdGenerator, StreamKind, TenantId, Timestamp};
use crate::egress::Egress;
use crate::secrets::{Entropy, Keyring, Place, SecretError};
use crate::storage::hooks::{self, Delivery, Hook};
use crate::storage::stream::{self, Reach};
use crate::storage::{Db, StorageError};

/// Endpoints that one tenant may have. A guess: each reads the whole stream.
const MOST: usize = 20;

/// What changes of endpoints work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub db: Db,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub entropy: Arc<dyn Entropy>,
    /// Says which URLs are asked at all.
    pub egress: Egress,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("there is no such endpoint")]
    NotFound,
    /// Somebody else changed it since it was looked at.
    #[error("the endpoint has changed since")]
    Changed,
    #[error("{field} {problem}")]
    Invalid {
        field: &'static str,
        problem: String,
    },
    #[error("a tenant may have at most {MOST} endpoints")]
    TooMany,
    #[error("a secret could not be sealed or opened: {0}")]
    Secret(#[from] SecretError),
    #[error("the database failed")]
    Storage(#[from] StorageError),
}

type Result<T, E = HookError> = std::result::Result<T, E>;

/// An endpoint to be added.
#[derive(Debug, Clone)]
pub struct NewHook {
    pub url: String,
    /// Empty: everything.
    pub kinds: Vec<StreamKind>,
    /// `whsec_…`; none: one is made.
    pub secret: Option<SecretString>,
    pub enabled: bool,
    /// The number after which it begins; none: what happens from now on.
    pub after: Option<i64>,
}

/// What is to be changed of an endpoint.
#[derive(Debug, Clone, Default)]
pub struct HookChange {
    pub url: Option<String>,
    pub kinds: Option<Vec<StreamKind>>,
    pub secret: Option<SecretString>,
    pub enabled: Option<bool>,
}

/// Where a hook's secret lies.
pub(super) fn place(tenant: TenantId, id: HookId) -> Place {
    Place {
        table: "hook",
        column: "secret",
        tenant: tenant.raw(),
        row: id.raw(),
    }
}

impl Endpoints {
    /// Adds an endpoint; answers it with its secret, which is not shown again.
    pub async fn add(&self, tenant: TenantId, new: NewHook) -> Result<(Hook, Secret)> {
        self.check_url(&new.url)?;
        let secret = match new.secret {
            Some(text) => parse(text)?,
            None => Secret::generate(&*self.entropy)?,
        };
        let now = self.clock.now();
        let id = HookId::from_raw(self.ids.next(now));
        let mut tx = self.db.begin().await?;
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        if hooks::list(&mut tx, tenant, HookId::from_raw(0), most).await?.len() >= MOST {
            return Err(HookError::TooMany);
        }
        let reach = stream::reach(&mut tx, tenant).await?;
        let hook = Hook {
            id,
            tenant,
            secret: self.keyring.seal(place(tenant, id), secret.text())?,
            url: new.url,
            kinds: new.kinds,
            enabled: new.enabled,
            version: 1,
            position: within(new.after.unwrap_or(reach.last), reach)?,
            failures: 0,
            next_try_at: Timestamp::ZERO,
            last_error: String::new(),
            created_at: now,
        };
        hooks::insert_hook(&mut tx, tenant, &hook).await?;
        tx.commit().await?;
        Ok((hook, secret))
    }

    pub async fn get(&self, tenant: TenantId, id: HookId) -> Result<Hook> {
        let mut tx = self.db.read().await?;
        let found = hooks::find(&mut tx, tenant, id).await?;
        found.ok_or(HookError::NotFound)
    }

    /// Changes an endpoint as it was at `version`, and tries it again at once if it was left alone.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: HookId,
        version: i64,
        change: HookChange,
    ) -> Result<Hook> {
        if let Some(url) = &change.url {
            self.check_url(url)?;
        }
        let mut tx = self.db.begin().await?;
        let found = hooks::find(&mut tx, tenant, id).await?;
        let mut hook = found.ok_or(HookError::NotFound)?;
        hook.url = change.url.unwrap_or(hook.url);
        hook.kinds = change.kinds.unwrap_or(hook.kinds);
        hook.enabled = change.enabled.unwrap_or(hook.enabled);
        if let Some(text) = change.secret {
            hook.secret = self.keyring.seal(place(tenant, id), parse(text)?.text())?;
        }
        if !hooks::update_hook(&mut tx, tenant, &hook, version).await? {
            return Err(HookError::Changed);
        }
        tx.commit().await?;
        self.get(tenant, id).await
    }

    /// Removes an endpoint with its dead letters.
    pub async fn remove(&self, tenant: TenantId, id: HookId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if !hooks::delete_hook(&mut tx, tenant, id).await? {
            return Err(HookError::NotFound);
        }
        Ok(tx.commit().await?)
    }

    /// Delivers everything after this number, again if need be.
    pub async fn replay(&self, tenant: TenantId, id: HookId, after: i64) -> Result<Hook> {
        let mut tx = self.db.begin().await?;
        let position = within(after, stream::reach(&mut tx, tenant).await?)?;
        if !hooks::set_position(&mut tx, tenant, id, position).await? {
            return Err(HookError::NotFound);
        }
        tx.commit().await?;
        self.get(tenant, id).await
    }

    /// Tries dead letters again: those of these numbers, or all. Answers how many.
    pub async fn revive(&self, tenant: TenantId, id: HookId, seqs: &[i64]) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        if hooks::find(&mut tx, tenant, id).await?.is_none() {
            return Err(HookError::NotFound);
        }
        let revived = hooks::revive(&mut tx, tenant, id, seqs, self.clock.now()).await?;
        tx.commit().await?;
        Ok(revived)
    }

    /// A page of dead letters after this one.
    pub async fn dead_letters(
        &self,
        tenant: TenantId,
        id: HookId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>> {
        self.get(tenant, id).await?;
        let mut tx = self.db.read().await?;
        Ok(hooks::dead(&mut tx, tenant, id, after, limit).await?)
    }

    fn check_url(&self, url: &str) -> Result<()> {
        self.egress.check(url).map_err(|problem| HookError::Invalid {
            field: "url",
            problem: problem.to_string(),
        })
    }
}

/// A number that the stream can be read after.
fn within(after: i64, Reach { first, last }: Reach) -> Result<i64> {
    if after > last || after < first - 1 {
        return Err(HookError::Invalid {
            field: "after",
            problem: format!("must be {} to {last}: events before are past retention", first - 1),
        });
    }
    Ok(after)
}

fn parse(text: SecretString) -> Result<Secret> {
    Secret::parse(text).ok_or_else(|| HookError::Invalid {
        field: "secret",
        problem: "must be `whsec_` and the base64 of 24 to 64 bytes".to_owned(),
    })
}
