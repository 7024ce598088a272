//! Everything that delivery uses, and the real clock and dice.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::time::Clock;
use crate::domain::{AuditId, ConsentId, HoldId, IdGenerator, Timestamp};
use crate::graph::GraphClient;
use crate::metering::Meter;
use crate::ownership::UnderWay;
use crate::storage::Db;
use crate::storage::holds::Held;
use crate::sync::lock;

use super::config::DeliveryConfig;
use super::ports::{Credentials, Directory, Draw, Monotonic, Observer, Receipts};

/// What delivery works with. `app` fills it, tests fill it otherwise.
pub struct World {
    pub db: Db,
    pub graph: GraphClient,
    pub clock: Arc<dyn Clock>,
    pub monotonic: Arc<dyn Monotonic>,
    pub draw: Arc<dyn Draw>,
    pub credentials: Arc<dyn Credentials>,
    pub directory: Arc<dyn Directory>,
    pub receipts: Arc<dyn Receipts>,
    pub observer: Arc<dyn Observer>,
    pub meter: Arc<Meter>,
    /// What a bucket that is given up waits for.
    pub under_way: UnderWay,
    pub config: DeliveryConfig,
}

/// Holds that this node placed lately: the next answer with the same error does not place it again.
#[derive(Debug, Default)]
pub(super) struct Placed(Mutex<Vec<(Held, Timestamp)>>);

/// By then every node has read the hold, and would have refused to send.
const PLACED_LATELY: Duration = Duration::from_secs(60);

impl Placed {
    pub(super) fn is_new(&self, held: &Held, now: Timestamp) -> bool {
        let mut placed = lock(&self.0);
        placed.retain(|(_, at)| now.since(*at) < PLACED_LATELY);
        !placed.iter().any(|(other, _)| other == held)
    }

    pub(super) fn remember(&self, held: Held, now: Timestamp) {
        let mut placed = lock(&self.0);
        placed.push((held, now));
    }
}

/// The process's own monotonic clock.
#[derive(Debug)]
pub struct ProcessTime(Instant);

impl ProcessTime {
    #[allow(
        clippy::disallowed_methods,
        reason = "promise 4's two seconds are monotonic time"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Monotonic for ProcessTime {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Chance from a seed, ids from the node's generator.
#[derive(Debug)]
pub struct Chance {
    rng: Mutex<ChaCha8Rng>,
    ids: Arc<IdGenerator>,
    clock: Arc<dyn Clock>,
}

impl Chance {
    pub fn new(seed: u64, ids: Arc<IdGenerator>, clock: Arc<dyn Clock>) -> Self {
        let rng = Mutex::new(ChaCha8Rng::seed_from_u64(seed));
        Self { rng, ids, clock }
    }
}

impl Draw for Chance {
    fn jitter(&self) -> f64 {
        let mut rng = lock(&self.rng);
        // 53 bits are what a float between 0 and 1 holds.
        (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn hold_id(&self) -> HoldId {
        HoldId::from_raw(self.ids.next(self.clock.now()))
    }

    fn audit_id(&self) -> AuditId {
        AuditId::from_raw(self.ids.next(self.clock.now()))
    }

    fn consent_id(&self) -> ConsentId {
        ConsentId::from_raw(self.ids.next(self.clock.now()))
    }
}
