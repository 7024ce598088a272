//! Everything that lives in one simulator: numbers, templates, faults, records, the way out. Its verbs are spread over
//! `send` (Graph side), `action` (customers) and `status`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Instant;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::config::{Checks, SimNumber, SimulatorConfig, StatusPolicy};
use super::counters::{Counters, CountersNow};
use super::error::GraphError;
use super::faults::Faults;
use super::identity::chat_key;
use super::media::MediaStore;
use super::number::{ChatRoom, Number};
use super::phone::{Stories, Watch};
use super::platform::Uploads;
use super::requests::RequestLog;
use super::template::Templates;
use super::violation::Violations;
use super::waba::Businesses;
use super::webhook::{Outlet, PostError, Target};
use super::wire::WireLog;
use crate::domain::Clock;
use crate::sync::{read, write};

/// Something was named that the simulator does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("no such number: {0}")]
    Number(String),
    #[error("neither a phone number nor a business-scoped user id: {0}")]
    Customer(String),
    #[error("no such message: {0}")]
    Message(String),
    #[error("no such account: {0}")]
    Waba(String),
    #[error("no such template: {0}")]
    Template(String),
    #[error("the message has no choice called {0}")]
    Choice(String),
}

/// State and counters in one look.
#[derive(Debug, Serialize)]
pub struct Overview {
    pub counters: CountersNow,
    /// Updates dispatched and not accepted yet.
    pub webhooks_waiting: usize,
    pub webhooks_held: usize,
    pub faults_waiting: usize,
    pub chat_items: usize,
    /// Phone number id → customers met.
    pub numbers: BTreeMap<String, usize>,
    pub templates: usize,
    pub statuses: StatusPolicy,
}

/// One simulated WhatsApp.
#[derive(Debug)]
pub struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) checks: Checks,
    pub(super) counters: Arc<Counters>,
    pub(super) faults: Faults,
    pub(super) violations: Violations,
    pub(super) requests: RequestLog,
    pub(super) outlet: Outlet,
    pub(super) media: MediaStore,
    pub(super) templates: Templates,
    pub(super) businesses: Businesses,
    pub(super) uploads: Uploads,
    pub(super) stories: Stories,
    pub(super) watch: Arc<Watch>,
    pub(super) wire: Arc<WireLog>,
    numbers: RwLock<HashMap<String, Arc<Number>>>,
    statuses: RwLock<Arc<StatusPolicy>>,
    room: Arc<ChatRoom>,
    app_secret: RwLock<String>,
    base_url: OnceLock<String>,
    run: u64,
}

/// Distinguishes simulators of one process whose clocks a test set to the same time.
static RUNS: AtomicU64 = AtomicU64::new(0);

impl World {
    pub(super) fn new(config: SimulatorConfig, stop: CancellationToken) -> Result<Self, PostError> {
        let counters = Arc::new(Counters::default());
        let target = config
            .webhook_url
            .as_deref()
            .map(|url| Target::parse(url, &config.app_secret))
            .transpose()?;
        let run = config.clock.now().millis().unsigned_abs() << 12;
        let run = run + RUNS.fetch_add(1, Ordering::Relaxed) % 4096;
        let watch = Arc::<Watch>::default();
        let wire = WireLog::keeping(
            config.record.requests,
            Arc::clone(&config.clock),
            Arc::clone(&watch),
        );
        let wire = Arc::new(wire);
        let world = Self {
            checks: config.checks,
            faults: Faults::default(),
            violations: Violations::keeping(config.record.violations),
            requests: RequestLog::keeping(config.record.requests, monotonic()),
            outlet: Outlet::start(
                config.webhooks,
                target,
                Arc::clone(&counters),
                Arc::clone(&wire),
                stop,
            ),
            media: MediaStore::keeping(config.record.media_bytes, run),
            stories: Stories::default(),
            wire,
            numbers: RwLock::default(),
            templates: Templates::default(),
            businesses: Businesses::default(),
            uploads: Uploads::default(),
            statuses: RwLock::new(Arc::new(config.statuses)),
            room: Arc::new(ChatRoom {
                limits: config.record,
                held: AtomicUsize::new(0),
                counters: Arc::clone(&counters),
                watch: Arc::clone(&watch),
            }),
            watch,
            app_secret: RwLock::new(config.app_secret),
            base_url: OnceLock::new(),
            run,
            counters,
            clock: config.clock,
        };
        for number in config.numbers {
            world.put_number(number);
        }
        for template in config.templates {
            world.put_template(template);
        }
        Ok(world)
    }

    /// Adds a number, or starts it afresh.
    pub fn put_number(&self, spec: SimNumber) {
        let id = spec.phone_number_id.clone();
        let number = Number::new(spec, self.checks, self.run, Arc::clone(&self.room));
        write(&self.numbers).insert(id, Arc::new(number));
        self.watch.wake();
    }

    /// Every number, in the order of their ids.
    pub(super) fn all_numbers(&self) -> Vec<Arc<Number>> {
        let mut all: Vec<_> = read(&self.numbers).values().cloned().collect();
        all.sort_unstable_by(|one, other| one.id().cmp(other.id()));
        all
    }

    /// Where it listens: what its own URLs begin with.
    pub(super) fn base_url(&self) -> &str {
        self.base_url.get().map_or("", String::as_str)
    }

    pub(super) fn listens_at(&self, base_url: String) {
        // It listens once.
        let _already_known = self.base_url.set(base_url);
    }

    /// # Errors
    /// There is no such number.
    pub fn number(&self, phone_number_id: &str) -> Result<Arc<Number>, Unknown> {
        read(&self.numbers)
            .get(phone_number_id)
            .cloned()
            .ok_or_else(|| Unknown::Number(phone_number_id.to_owned()))
    }

    /// The number and the key of the chat that `who` has with it.
    ///
    /// # Errors
    /// There is no such number, or `who` is nobody's identifier.
    pub fn chat_of(
        &self,
        phone_number_id: &str,
        who: &str,
    ) -> Result<(Arc<Number>, String), Unknown> {
        let number = self.number(phone_number_id)?;
        let key = chat_key(who, number.waba_id());
        let key = key.ok_or_else(|| Unknown::Customer(who.to_owned()))?;
        Ok((number, key))
    }

    pub fn status_policy(&self) -> Arc<StatusPolicy> {
        Arc::clone(&read(&self.statuses))
    }

    pub fn set_status_policy(&self, policy: StatusPolicy) {
        *write(&self.statuses) = Arc::new(policy);
    }

    /// Where webhooks go from now on; the secret stays unless a new one is given.
    ///
    /// # Errors
    /// The URL is not plain HTTP.
    pub fn set_webhook(&self, url: &str, app_secret: Option<&str>) -> Result<(), PostError> {
        let mut secret = write(&self.app_secret);
        let target = Target::parse(url, app_secret.unwrap_or(&secret))?;
        if let Some(new) = app_secret {
            new.clone_into(&mut secret);
        }
        self.outlet.set_target(target);
        Ok(())
    }

    /// A number's or account's own callback (§1.3), which must answer the handshake first. Empty takes it away.
    ///
    /// # Errors
    /// The URL is none that the simulator posts to, or nobody there knows the token.
    pub(super) async fn set_callback(
        &self,
        id: &str,
        url: &str,
        verify_token: &str,
    ) -> Result<(), GraphError> {
        if url.is_empty() {
            self.outlet.set_callback(id, None);
            return Ok(());
        }
        if url.len() > 200 {
            return Err(GraphError::too_long("override_callback_uri", 200));
        }
        let secret = read(&self.app_secret).clone();
        let wrong = |why: &str| GraphError::new(100, format!("override_callback_uri: {why}"));
        let target = Target::parse(url, &secret);
        let target = Arc::new(target.map_err(|error| wrong(&error.to_string()))?);
        let answered = self.outlet.handshake_with(&target, verify_token).await;
        match answered {
            Ok(true) => {}
            Ok(false) => return Err(wrong("the callback did not echo the challenge")),
            Err(error) => return Err(wrong(&error.to_string())),
        }
        self.outlet.set_callback(id, Some(Target::clone(&target)));
        Ok(())
    }

    pub fn overview(&self) -> Overview {
        let numbers = read(&self.numbers);
        Overview {
            counters: self.counters.now(),
            webhooks_waiting: self.outlet.waiting(),
            webhooks_held: self.outlet.held_count(),
            faults_waiting: self.faults.all().len(),
            chat_items: self.room.held.load(Ordering::Relaxed),
            numbers: numbers
                .iter()
                .map(|(id, number)| (id.clone(), number.customer_count()))
                .collect(),
            templates: self.templates().len(),
            statuses: self.status_policy().as_ref().clone(),
        }
    }
}

/// The monotonic clock of this machine.
#[allow(
    clippy::disallowed_methods,
    reason = "how long things took on this machine is the point; nothing is decided by it"
)]
pub(super) fn monotonic() -> Instant {
    Instant::now()
}
