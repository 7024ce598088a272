//! Look-ups of names: each on a thread of its own, in a room that bounds them.
//!
//! The machine's resolver blocks, and whoever stops waiting for it does not stop it: a name whose servers never answer keeps
//! its thread for ten seconds and more. So a look-up holds its place until it has truly ended, and its thread is none of
//! the runtime's, on which the database is read.

use std::error::Error;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use super::Room;
use crate::domain::TenantId;

/// Who knows the addresses of names: the machine's resolver, a script in tests.
pub trait Lookup: Send + Sync {
    /// Blocks for as long as it likes.
    fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own.
#[derive(Debug, Clone, Copy)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = (name, 0).to_socket_addrs()?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// How many are under way at once.
#[derive(Debug, Clone, Copy)]
pub struct LookupLimits {
    /// Each is a thread.
    pub most: usize,
    pub most_per_tenant: usize,
    /// Who finds no place waits for one, within the time of its request; else it is refused at once.
    pub wait: bool,
}

/// There is no place for another one.
#[derive(Debug, thiserror::Error)]
#[error("as many names are being looked up as can be")]
pub(super) struct Busy;

#[derive(Clone)]
pub(super) struct Lookups {
    lookup: Arc<dyn Lookup>,
    room: Room,
    wait: bool,
}

impl Lookups {
    pub(super) fn new(lookup: Arc<dyn Lookup>, limits: LookupLimits) -> Self {
        Self {
            lookup,
            room: Room::new(limits.most, limits.most_per_tenant),
            wait: limits.wait,
        }
    }

    /// What a name's addresses are, asked in a tenant's name.
    pub(super) async fn find(
        &self,
        tenant: TenantId,
        name: String,
    ) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        let place = match self.wait {
            true => self.room.wait(tenant).await,
            false => self.room.enter(tenant).map_err(|_| Busy)?,
        };
        let (lookup, (tell, told)) = (self.lookup.clone(), oneshot::channel());
        let look = move || {
            let found = lookup.lookup(&name);
            drop(place);
            // Perhaps nobody waits any more.
            let _ = tell.send(found);
        };
        let thread = thread::Builder::new().name("lookup".to_owned());
        thread.spawn(look).map_err(|_| Busy)?;
        let ended = |_| io::Error::other("the look-up ended without an answer");
        Ok(told.await.map_err(ended)??)
    }
}
