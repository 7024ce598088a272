//! Setup: apps, tenants, credentials, numbers, holds, plugin installations. What an operator says, checked and stored.
//!
//! Each function is one change in one transaction, and bumps the counter by which running nodes notice it. Secrets
//! are sealed here and opened in [`setup`], nowhere else. Nothing here waits for the network,
//! but a promotion of a plugin's version for the nodes to load it.

pub mod apps;
pub mod credentials;
mod error;
mod find;
pub mod holds;
pub mod installations;
pub mod keys;
pub mod numbers;
mod places;
pub mod plugin_keys;
mod revision;
mod settings;
pub mod setup;
mod tenant;

use std::fmt::Display;
use std::sync::Arc;

use serde_json::Value;

pub use error::SetupError;
pub(crate) use error::check_text;
pub use revision::{Expected, revision};
pub use settings::TenantSettings;
pub use setup::Setup;
pub use tenant::{
    add as add_tenant, all as all_tenants, find as find_tenant, page as page_of_tenants,
    revision_of as tenant_revision, set as set_tenant, set_if as set_tenant_if,
};

use crate::audit::{self, Actor, Record};
use crate::domain::{AuditId, Clock, IdGenerator, TenantId};
use crate::secrets::Keyring;
use crate::storage::{Db, Tx};

/// What every change needs.
#[derive(Debug, Clone)]
pub struct SetupContext {
    pub db: Db,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    /// `plugins.require_signature`: uploads without a good signature are refused.
    pub require_signature: bool,
    /// Rung when what this node has read of setup is out of date.
    pub changed: Arc<tokio::sync::Notify>,
    /// Who asks: every change is recorded under this name.
    pub by: Actor,
}

impl SetupContext {
    /// The same for somebody else.
    #[must_use]
    pub fn acting(&self, by: Actor) -> Self {
        Self { by, ..self.clone() }
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

type Result<T, E = SetupError> = std::result::Result<T, E>;
