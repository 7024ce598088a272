//! What follows the turns' work and brings them some: the event stream, the desk of people and clients, hooks out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Shared;
use crate::config::Config;
use crate::delivery::Intake;
use crate::desk::Desk;
use crate::egress::{Egress, EgressConfig, LookupLimits};
use crate::events::{Sealed, Sealer};
use crate::hooks::{Endpoints, Pump, PumpParts};
use crate::occasions::Occasions;
use crate::secrets::SystemEntropy;
use crate::storage::events::PendingEvent;

/// Of a connection to an endpoint, its name's look-up included.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// Of endpoints' names. A guess: after a start thousands of them are asked for at once, and each takes milliseconds.
const LOOKUPS: LookupLimits = LookupLimits {
    most: 64,
    most_per_tenant: 16,
    wait: true,
};

/// What others of the node are handed of it.
#[derive(Clone)]
pub struct Followers {
    pub desk: Desk,
    pub endpoints: Endpoints,
    pub occasions: Occasions,
    /// Moves when events were sealed.
    pub sealed: Sealed,
}

impl Shared {
    pub(super) fn start_followers(
        &self,
        config: &Config,
        intake: Intake,
        events: mpsc::Sender<Vec<PendingEvent>>,
    ) -> anyhow::Result<Followers> {
        let stop = self.shutdown.soft().clone();
        let (sealer, sealed) = Sealer::new(
            self.db.clone(),
            self.clock.clone(),
            self.ids.clone(),
            self.owned.clone(),
        );
        self.parts.work("event sealer", sealer.run(stop.clone()));
        let desk = Desk {
            db: self.db.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            directory: self.directory.clone(),
            owned: self.owned.clone(),
            wakeups: self.wakeups.clone(),
            sends: Arc::new(move |rows| intake.offer(rows)),
        };
        self.parts
            .work("desk", desk.clone().keep_time(stop.clone()));
        let occasions = Occasions {
            db: self.db.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            directory: self.directory.clone(),
            owned: self.owned.clone(),
            events,
        };
        self.parts
            .work("timers", occasions.clone().keep_time(stop.clone()));
        let egress = Egress::new(EgressConfig {
            allow_private_addresses: config.hooks.allow_private_addresses,
            denied_networks: config.hooks.denied_networks.clone(),
            connect_timeout: CONNECT.min(config.hooks.timeout),
            timeout: config.hooks.timeout,
            plain_hosts: Vec::new(),
            lookups: LOOKUPS,
        })?;
        let pump = Pump::new(
            PumpParts {
                db: self.db.clone(),
                clock: self.clock.clone(),
                ids: self.ids.clone(),
                directory: self.directory.clone(),
                keyring: self.keyring.clone(),
                owned: self.owned.clone(),
                egress: egress.clone(),
                retry_for: config.hooks.retry_for,
            },
            sealed.clone(),
        );
        self.parts.work("hooks", pump.run(stop));
        let endpoints = Endpoints {
            entropy: Arc::new(SystemEntropy),
            egress,
        };
        Ok(Followers {
            occasions,
            desk,
            endpoints,
            sealed,
        })
    }
}
