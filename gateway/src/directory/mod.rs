//! Everything that is set up, in memory: apps, numbers, tenants, holds, installations. Read whole, replaced whole. What is
//! known of templates is more than that, and read as it changes.
//!
//! A node works from one [`Snapshot`] at a time; it is read again when the change counter moves. What must not be
//! stale (consent, owners, leases) is never asked here.

pub mod facts;
mod limits;
mod one;
pub mod rounds;
mod snapshot;
pub mod stopped;
mod unloadable;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::consent::pseudonym::Pseudonyms;
use crate::domain::NumberId;
use crate::ownership::Wakeups;
use crate::secrets::Keyring;
use crate::storage::installations::Rest;
use crate::storage::{Db, changes};
use crate::sync;
use crate::templates::Registry;
use crate::tenants::{Setup, SetupError};

pub use snapshot::{AppEntry, NumberEntry, Snapshot, TenantEntry};
pub use unloadable::Unloadable;

/// How often the change counter is looked at. A hold is obeyed everywhere after this at the latest.
const LOOK: Duration = Duration::from_millis(500);

/// The current snapshot, for everybody.
#[derive(Debug)]
pub struct Directory {
    db: Db,
    keyring: Arc<Keyring>,
    current: RwLock<Arc<Snapshot>>,
    templates: Arc<Registry>,
    unloadable: Unloadable,
    /// One reads at a time: who comes second finds that nothing is new.
    reading: Mutex<()>,
    version: watch::Sender<i64>,
    /// The last try to read it again failed.
    stale: AtomicBool,
}

impl Directory {
    pub async fn load(db: Db, keyring: Arc<Keyring>) -> Result<Self, SetupError> {
        let templates = Arc::new(Registry::new(db.clone()));
        templates.refresh().await?;
        let snapshot = read(&db, &keyring, &templates).await?;
        Ok(Self {
            templates,
            unloadable: Unloadable::default(),
            db,
            keyring,
            version: watch::Sender::new(snapshot.version),
            current: RwLock::new(Arc::new(snapshot)),
            reading: Mutex::default(),
            stale: AtomicBool::new(false),
        })
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        sync::read(&self.current).clone()
    }

    /// By which erased people are known again.
    pub fn pseudonyms(&self) -> Pseudonyms {
        Pseudonyms::new(self.keyring.pseudonym_key())
    }

    /// What is known of templates. It is read again with setup.
    pub fn templates(&self) -> &Arc<Registry> {
        &self.templates
    }

    /// What this node could not load.
    pub fn unloadable(&self) -> &Unloadable {
        &self.unloadable
    }

    /// Why the plugin of this name does not run for a number for a while, on this node.
    pub fn rests(&self, number: NumberId, plugin: &str) -> Option<Rest> {
        let snapshot = self.snapshot();
        let entry = snapshot.number(number)?;
        let is_out = || self.unloadable.keeps_out(&entry.installations, plugin);
        entry
            .rests(plugin)
            .or_else(|| is_out().then_some(Rest::Broken))
    }

    /// Moves when setup was read anew.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.version.subscribe()
    }

    /// Could setup be read when it was last looked at? While not, the old one stays, and bodies that may need the new
    /// one wait.
    pub fn is_fresh(&self) -> bool {
        !self.stale.load(Ordering::Relaxed)
    }

    /// Reads setup, and what is known of templates, again where it changed. Answers whether setup did.
    pub async fn refresh(&self) -> Result<bool, SetupError> {
        let changed = match self.templates.refresh().await {
            Ok(_) => self.read_again().await,
            Err(error) => Err(error.into()),
        };
        self.stale.store(changed.is_err(), Ordering::Relaxed);
        changed
    }

    async fn read_again(&self) -> Result<bool, SetupError> {
        let _alone = self.reading.lock().await;
        let mut tx = self.db.read().await?;
        let version = changes::setup_version_all_tenants(&mut tx).await?;
        drop(tx);
        if version == self.snapshot().version {
            return Ok(false);
        }
        let snapshot = Arc::new(read(&self.db, &self.keyring, &self.templates).await?);
        let version = snapshot.version;
        {
            let mut current = sync::write(&self.current);
            // Two may read at the same time: the older reading must not win.
            if version <= current.version {
                return Ok(false);
            }
            *current = snapshot;
        }
        self.version.send_replace(version);
        Ok(true)
    }

    /// Keeps the snapshot fresh until stopped.
    pub async fn keep_fresh(&self, wakeups: &Wakeups, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = wakeups.setup.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.refresh().await {
                Ok(true) => {
                    tracing::info!(version = self.snapshot().version, "setup was read again")
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "setup could not be read; the old one stays"),
            }
        }
    }
}

async fn read(
    db: &Db,
    keyring: &Keyring,
    templates: &Arc<Registry>,
) -> Result<Snapshot, SetupError> {
    let mut tx = db.read().await?;
    let setup = Setup::load(&mut tx, keyring).await?;
    Ok(Snapshot::new(setup, templates))
}
