//! Setup: apps, tenants, credentials, numbers, holds, plugin installations. What an operator says, checked and stored.
//!
//! Each function is one change in one transaction, and bumps the counter by which running nodes notice it. Secrets
//! are sealed here and opened in [`setup`], nowhere else. Nothing here waits for the network.

pub mod apps;
pub mod credentials;
mod error;
mod find;
pub mod holds;
pub mod installations;
pub mod keys;
pub mod numbers;
mod places;
mod settings;
pub mod setup;
mod tenant;

use std::sync::Arc;

pub use error::SetupError;
pub use settings::TenantSettings;
pub use setup::Setup;
pub use tenant::{add as add_tenant, all as all_tenants, find as find_tenant, set as set_tenant};

use crate::domain::{Clock, IdGenerator};
use crate::secrets::Keyring;
use crate::storage::Db;

/// What every change needs.
#[derive(Debug, Clone)]
pub struct SetupContext {
    pub db: Db,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
}

impl SetupContext {
    fn next_id(&self) -> i64 {
        self.ids.next(self.clock.now())
    }
}

type Result<T, E = SetupError> = std::result::Result<T, E>;
