//! From a name to the addresses that may be connected to. Whoever connects connects to these and looks nothing up again.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::EgressConfig;
use super::lookups::Lookups;
use crate::domain::TenantId;

tokio::task_local! {
    /// Who asks: the client hands a name to its resolver and nothing with it.
    pub(super) static ASKS: TenantId;
}

/// In whose name a look-up counts that belongs to no request. There is none.
const NOBODY: TenantId = TenantId::from_raw(0);

/// Every address of the name is private or denied, or it has none.
#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
pub(super) struct NotPublic;

/// Resolves names, and leaves out what is not public.
pub(super) struct Guard {
    pub(super) lookups: Lookups,
    pub(super) config: Arc<EgressConfig>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (config, lookups) = (self.config.clone(), self.lookups.clone());
        let tenant = ASKS.try_with(|tenant| *tenant).unwrap_or(NOBODY);
        Box::pin(async move {
            let found = lookups.find(tenant, name.as_str().to_owned()).await?;
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| config.allows(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if allowed.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
