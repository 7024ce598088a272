//! Endpoints as tenants set them up: added, changed, removed, sent back to a number; dead letters looked at and revived.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::sign::Secret;
use crate::domain::{HookId, StreamKind, TenantId, Timestamp};
use crate::egress::Egress;
use crate::secrets::{Entropy, Place};
use crate::storage::hooks::{self, Delivery, Hook};
use crate::storage::stream::{self, Reach};
use crate::tenants::{Expected, SetupContext, SetupError, keep_tenant, revision};

/// Endpoints that one tenant may have. A guess: each reads the whole stream.
const MOST: usize = 20;
/// An old secret signs for at most so long beside the one that replaces it.
const OVERLAP_MOST: Duration = Duration::from_secs(30 * 86_400);

/// What changes of endpoints work with, beside the context of every change. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub entropy: Arc<dyn Entropy>,
    /// Says which URLs are asked at all.
    pub egress: Egress,
}

type Result<T, E = SetupError> = std::result::Result<T, E>;

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

/// Where the one before lies, while it signs too.
pub(super) fn old_place(tenant: TenantId, id: HookId) -> Place {
    Place {
        column: "old_secret",
        ..place(tenant, id)
    }
}

/// What an endpoint says, without its secret: for its revision and the audit log.
fn shown(hook: &Hook) -> Value {
    let kinds: Vec<&str> = hook.kinds.iter().map(|kind| kind.word()).collect();
    json!({"url": hook.url, "types": kinds, "enabled": hook.enabled})
}

/// By which somebody who edits says what they have read.
pub fn revision_of(hook: &Hook) -> String {
    revision(&json!({"hook": shown(hook), "version": hook.version}))
}

fn unknown(id: HookId) -> SetupError {
    SetupError::NotFound {
        what: "hook",
        name: id.to_string(),
    }
}

impl Endpoints {
    /// Adds an endpoint; answers it with its secret, which is not shown again.
    pub async fn add(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        new: NewHook,
    ) -> Result<(Hook, Secret)> {
        self.check_url(&new.url)?;
        let secret = match new.secret {
            Some(text) => parse(text)?,
            None => Secret::generate(&*self.entropy)?,
        };
        let id = HookId::from_raw(setup.next_id());
        let mut tx = setup.db.begin().await?;
        keep_tenant(&mut tx, tenant).await?;
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        let others = hooks::list(&mut tx, tenant, HookId::from_raw(0), most).await?;
        if others.len() >= MOST {
            return Err(invalid(
                "the tenant",
                format!("may have at most {MOST} endpoints"),
            ));
        }
        let reach = stream::reach(&mut tx, tenant).await?;
        let hook = Hook {
            id,
            tenant,
            secret: setup.keyring.seal(place(tenant, id), secret.text())?,
            url: new.url,
            kinds: new.kinds,
            enabled: new.enabled,
            version: 1,
            position: within(new.after.unwrap_or(reach.last), reach)?,
            failures: 0,
            next_try_at: Timestamp::ZERO,
            last_error: String::new(),
            created_at: setup.clock.now(),
            old_secret: Vec::new(),
            old_secret_until: Timestamp::ZERO,
            answered_at: None,
        };
        hooks::insert_hook(&mut tx, tenant, &hook).await?;
        let became = Some(shown(&hook));
        setup
            .record(&mut tx, tenant, "hook.create", id, None, became)
            .await?;
        setup.commit(tx).await?;
        Ok((hook, secret))
    }

    pub async fn get(&self, setup: &SetupContext, tenant: TenantId, id: HookId) -> Result<Hook> {
        let mut tx = setup.db.read().await?;
        let found = hooks::find(&mut tx, tenant, id).await?;
        found.ok_or_else(|| unknown(id))
    }

    pub async fn page(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        after: i64,
        most: i64,
    ) -> Result<Vec<Hook>> {
        let mut tx = setup.db.read().await?;
        Ok(hooks::list(&mut tx, tenant, HookId::from_raw(after), most).await?)
    }

    /// Changes an endpoint, and tries it again at once if it was left alone.
    pub async fn change(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: HookId,
        expected: &Expected,
        change: HookChange,
    ) -> Result<Hook> {
        if let Some(url) = &change.url {
            self.check_url(url)?;
        }
        let mut tx = setup.db.begin().await?;
        let found = hooks::find(&mut tx, tenant, id).await?;
        let mut hook = found.ok_or_else(|| unknown(id))?;
        expected.check(&revision_of(&hook))?;
        let was = Some(shown(&hook));
        hook.url = change.url.unwrap_or(hook.url);
        hook.kinds = change.kinds.unwrap_or(hook.kinds);
        hook.enabled = change.enabled.unwrap_or(hook.enabled);
        if let Some(text) = change.secret {
            hook.secret = setup.keyring.seal(place(tenant, id), parse(text)?.text())?;
            hook.old_secret = Vec::new();
            hook.old_secret_until = Timestamp::ZERO;
        }
        if !hooks::update_hook(&mut tx, tenant, &hook, hook.version).await? {
            return Err(SetupError::Changed);
        }
        let became = Some(shown(&hook));
        setup
            .record(&mut tx, tenant, "hook.update", id, was, became)
            .await?;
        let hook = hooks::find(&mut tx, tenant, id).await?;
        setup.commit(tx).await?;
        hook.ok_or_else(|| unknown(id))
    }

    /// Gives an endpoint a new secret, its own or one that is made here; the old one signs beside it for `overlap`. Answers
    /// the endpoint with the new secret, which is not shown again.
    pub async fn rotate(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: HookId,
        secret: Option<SecretString>,
        overlap: Duration,
    ) -> Result<(Hook, Secret)> {
        if overlap > OVERLAP_MOST {
            let problem = "must be at most 30 days".to_owned();
            return Err(invalid("the overlap", problem));
        }
        let secret = match secret {
            Some(text) => parse(text)?,
            None => Secret::generate(&*self.entropy)?,
        };
        let mut tx = setup.db.begin().await?;
        let found = hooks::find(&mut tx, tenant, id).await?;
        let mut hook = found.ok_or_else(|| unknown(id))?;
        let old = setup.keyring.open(place(tenant, id), &hook.secret)?;
        hook.old_secret = setup.keyring.seal(old_place(tenant, id), &old)?;
        hook.old_secret_until = setup.clock.now().plus(overlap);
        hook.secret = setup.keyring.seal(place(tenant, id), secret.text())?;
        if !hooks::update_hook(&mut tx, tenant, &hook, hook.version).await? {
            return Err(SetupError::Changed);
        }
        let until = hook.old_secret_until.to_string();
        let became = Some(json!({"old_secret_until": until}));
        setup
            .record(&mut tx, tenant, "hook.rotate", id, None, became)
            .await?;
        let hook = hooks::find(&mut tx, tenant, id).await?;
        setup.commit(tx).await?;
        Ok((hook.ok_or_else(|| unknown(id))?, secret))
    }

    /// Removes an endpoint with its dead letters.
    pub async fn remove(&self, setup: &SetupContext, tenant: TenantId, id: HookId) -> Result<()> {
        let mut tx = setup.db.begin().await?;
        let found = hooks::find(&mut tx, tenant, id).await?;
        let was = shown(&found.ok_or_else(|| unknown(id))?);
        hooks::delete_hook(&mut tx, tenant, id).await?;
        setup
            .record(&mut tx, tenant, "hook.delete", id, Some(was), None)
            .await?;
        setup.commit(tx).await
    }

    /// Delivers everything after this number, again if need be.
    pub async fn replay(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: HookId,
        after: i64,
    ) -> Result<Hook> {
        let mut tx = setup.db.begin().await?;
        if hooks::find(&mut tx, tenant, id).await?.is_none() {
            return Err(unknown(id));
        }
        let position = within(after, stream::reach(&mut tx, tenant).await?)?;
        hooks::set_position(&mut tx, tenant, id, position).await?;
        let hook = hooks::find(&mut tx, tenant, id).await?;
        let became = Some(json!({"position": position}));
        setup
            .record(&mut tx, tenant, "hook.replay", id, None, became)
            .await?;
        setup.commit(tx).await?;
        hook.ok_or_else(|| unknown(id))
    }

    /// Tries dead letters again: those of these numbers, or all. Answers how many.
    pub async fn revive(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: HookId,
        seqs: &[i64],
    ) -> Result<u64> {
        let mut tx = setup.db.begin().await?;
        if hooks::find(&mut tx, tenant, id).await?.is_none() {
            return Err(unknown(id));
        }
        let revived = hooks::revive(&mut tx, tenant, id, seqs, setup.clock.now()).await?;
        let became = Some(json!({"revived": revived}));
        setup
            .record(&mut tx, tenant, "hook.revive", id, None, became)
            .await?;
        setup.commit(tx).await?;
        Ok(revived)
    }

    /// A page of dead letters after this one.
    pub async fn dead_letters(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: HookId,
        after: i64,
        most: i64,
    ) -> Result<Vec<Delivery>> {
        self.get(setup, tenant, id).await?;
        let mut tx = setup.db.read().await?;
        Ok(hooks::dead(&mut tx, tenant, id, after, most).await?)
    }

    fn check_url(&self, url: &str) -> Result<()> {
        let checked = self.egress.check(url);
        checked.map_err(|problem| invalid("the URL", problem.to_string()))
    }
}

fn invalid(field: &'static str, problem: String) -> SetupError {
    SetupError::Invalid { field, problem }
}

/// A number that the stream can be read after.
fn within(after: i64, Reach { first, last }: Reach) -> Result<i64> {
    if after > last || after < first - 1 {
        let problem = format!(
            "must be {} to {last}: events before are past retention",
            first - 1
        );
        return Err(invalid("the number", problem));
    }
    Ok(after)
}

fn parse(text: SecretString) -> Result<Secret> {
    let form = "must be `whsec_` and the base64 of 24 to 64 bytes";
    Secret::parse(text).ok_or_else(|| invalid("the hook's secret", form.to_owned()))
}
