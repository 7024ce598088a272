//! Setup: apps, tenants, credentials, numbers, holds, plugin installations. What an operator says, checked and stored.
//!
//! Each function is one change in one transaction, and bumps the counter by which running nodes notice it. Secrets
//! are sealed here and opened in [`setup`], nowhere else. Nothing here waits for the network,
//! but a promotion of a plugin's version for the nodes to load it.

pub mod apps;
mod ceiling;
pub mod credentials;
mod erasure;
mod error;
mod find;
pub mod holds;
pub mod installations;
pub mod keys;
pub mod limits;
pub mod numbers;
mod places;
pub mod plugin_keys;
pub mod removal;
mod revision;
pub mod secrets;
mod settings;
pub mod setup;
mod tenant;

use std::fmt::Display;
use std::sync::Arc;

use serde_json::Value;

pub use ceiling::GrantCeiling;
pub use erasure::EraseJob;
pub use error::SetupError;
pub(crate) use error::check_text;
pub use revision::{Expected, revision};
pub use settings::TenantSettings;
pub use setup::Setup;
pub use tenant::{
    add as add_tenant, all as all_tenants, create as create_tenant, find as find_tenant,
    page as page_of_tenants, revision_of as tenant_revision, set as set_tenant,
    set_if as set_tenant_if,
};

use crate::audit::{self, Actor, Record};
use crate::domain::{AuditId, Clock, IdGenerator, TenantId};
use crate::secrets::Keyring;
use crate::storage::{self, Db, Ending, Tx, notify};

/// For whom somebody speaks who gives grants to plugins, or says how far that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// The operator, and the gateway itself.
    Operator,
    /// Who answers for a tenant's data.
    Tenant,
    /// Who writes plugins.
    Author,
}

/// What every change needs.
#[derive(Debug, Clone)]
pub struct SetupContext {
    pub db: Db,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    /// `plugins.require_signature`: uploads without a good signature are refused.
    pub require_signature: bool,
    /// `plugins.uploads_per_tenant`: so many that stand in no installation.
    pub uploads_per_tenant: u32,
    /// Rung when what this node has read of setup is out of date.
    pub changed: Arc<tokio::sync::Notify>,
    /// Who asks: every change is recorded under this name.
    pub by: Actor,
    /// For whom they speak.
    pub giver: Giver,
    /// When a change is committed.
    pub ending: Ending,
}

impl SetupContext {
    /// In the gateway's own name, with what the configuration says by default.
    pub fn new(
        db: Db,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        ids: impl Into<Arc<IdGenerator>>,
    ) -> Self {
        Self {
            db,
            keyring,
            clock,
            ids: ids.into(),
            require_signature: false,
            uploads_per_tenant: 500,
            changed: Arc::default(),
            by: Actor::gateway(),
            giver: Giver::Operator,
            ending: Ending::default(),
        }
    }

    /// The same for somebody else.
    #[must_use]
    pub fn acting(&self, by: Actor) -> Self {
        Self { by, ..self.clone() }
    }

    /// For a step that others must see before the last one can be made: a request that is sent again may make it again.
    pub(crate) fn at_once(&self) -> Self {
        let ending = Ending::default();
        Self {
            ending,
            ..self.clone()
        }
    }

    /// Ends a change: the last that a service does for it.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<()> {
        Ok(self.ending.commit(tx).await?)
    }

    /// Ends one that nodes obey at once: they are woken, and need not wait for their next look.
    pub(crate) async fn commit_and_wake(&self, tx: Tx) -> Result<()> {
        self.commit(tx).await?;
        let (changed, db) = (self.changed.clone(), self.db.clone());
        self.ending.then(move || {
            changed.notify_one();
            tokio::spawn(async move {
                if let Err(error) = notify::send(&db, notify::SETUP_CHANGED).await {
                    tracing::debug!(%error, "other nodes were not woken; they look by themselves");
                }
            });
        });
        Ok(())
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.ids.next(self.clock.now())
    }

    /// Writes into the audit log, within the transaction of the change. `was` and `became` hold no secret.
    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        action: &'static str,
        object: impl Display,
        was: Option<Value>,
        became: Option<Value>,
    ) -> Result<()> {
        let record = Record {
            tenant,
            action,
            object: object.to_string(),
            was,
            became,
            by: &self.by,
        };
        let id = AuditId::from_raw(self.next_id());
        Ok(audit::append(tx, id, self.clock.now(), record).await?)
    }
}

/// Something is about to be added to a tenant, who must not be removed meanwhile. The operator's realm is always there.
pub(crate) async fn keep_tenant(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    match tenant == audit::OPERATOR || storage::tenants::keep(tx, tenant).await? {
        true => Ok(()),
        false => Err(SetupError::not_found("tenant", &tenant.to_string())),
    }
}

type Result<T, E = SetupError> = std::result::Result<T, E>;
