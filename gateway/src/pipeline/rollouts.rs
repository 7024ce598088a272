//! Candidates on this node, and what was promoted lately: which conversations they get, what they did, and when they must go.
//!
//! Counted in memory and judged at once; added to the database's counts once a second (active versions that do well: less
//! often), so that all nodes judge by what all of them saw (`counts`). [`Rollouts::keep`] also loads what is to come into service
//! and says so.

mod counts;
mod elsewhere;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Plugins;
use crate::directory::Directory;
use crate::domain::breaker::{BreakerRule, Probing, Recent};
use crate::domain::rollout::{Rule, Stage, Tally};
use crate::domain::{ConversationId, EventId, InstallationId};
use crate::storage::StorageError;
use crate::storage::installations::Installation;
use crate::storage::plugin_health::{self, Part};
use crate::storage::plugin_versions::Version;
use crate::sync::lock;
use crate::telemetry::names;
use crate::tenants::SetupContext;
use crate::tenants::installations::{Tripped, close_breaker, roll_back_by_itself, step_back, trip};
use counts::Seen;

/// How often candidates' counts go to the database, and come back with those of other nodes.
const FLUSH: Duration = Duration::from_secs(1);
/// Every so many of these those of all versions go there: nobody waits for them.
const ALL_EVERY: u32 = 15;
/// Versions whose counts share a transaction, so that SQLite's writer is not held for thousands.
const TOGETHER: usize = 64;

/// What one version did in one turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Once {
    pub fuel: u64,
    pub wall_us: u64,
    pub fault: Option<&'static str>,
    /// In shadow: did it want what the active version did?
    pub same: Option<bool>,
    /// The active version had to take the turn over.
    pub fell_back: bool,
    /// It rejected the message, and of a candidate: the active version did not.
    pub rejected: bool,
}

impl Once {
    fn count(&self, tally: &mut Tally) {
        self.count_untimed(tally);
        tally.latency.note(self.wall_us);
    }

    /// Without the time that it took, which nobody judges in service.
    fn count_untimed(&self, tally: &mut Tally) {
        tally.turns += 1;
        tally.fuel.note(self.fuel);
        tally.fell_back += u64::from(self.fell_back);
        tally.rejected += u64::from(self.rejected);
        match self.same {
            Some(true) => tally.same += 1,
            Some(false) => tally.different += 1,
            None => {}
        }
        if let Some(kind) = self.fault {
            *tally.faults.entry(kind.to_owned()).or_default() += 1;
        }
    }
}

/// What all rollouts of this node share.
pub struct Rollouts {
    setup: SetupContext,
    directory: Arc<Directory>,
    /// The node's name, of this life.
    holder: String,
    sticky: Hmac<Sha256>,
    breaking: BreakerRule,
    state: Mutex<State>,
    /// A version must go, or a breaker can close.
    news: Notify,
}

#[derive(Default)]
struct State {
    seen: HashMap<Part, Seen>,
    /// Must go, and why. It gets no turn here any more, whatever the database says yet.
    tripped: HashMap<Part, String>,
    /// Candidates of which the database knows that they are loaded here.
    reported: HashSet<(InstallationId, i64)>,
    /// What versions in service did lately.
    recent: HashMap<Part, Recent>,
    /// Those that must go, and why.
    broken: HashMap<Part, String>,
    /// Those that passed a bound after their promotion, and why.
    worse: HashMap<Part, String>,
    /// Those that single turns try, because their breakers are open.
    probing: HashMap<Part, Probing>,
    /// Those that did well.
    mended: HashSet<Part>,
    /// Whose faults on which events were counted lately: a turn that waits meets its canary again and again.
    counted_failures: HashSet<(Part, EventId)>,
}

impl State {
    /// Has passed a bound.
    fn passed(&mut self, part: Part, why: String) {
        let gone = match part.stage {
            Stage::Active => &mut self.worse,
            _ => &mut self.tripped,
        };
        gone.entry(part).or_insert(why);
    }
}

impl Rollouts {
    /// `key`: which conversations a canary gets depends on it, so that nobody outside can choose.
    pub fn new(
        setup: SetupContext,
        directory: Arc<Directory>,
        holder: String,
        key: &[u8; 32],
        breaking: BreakerRule,
    ) -> Arc<Self> {
        let mut sticky =
            <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        sticky.update(b"vestibule canary");
        Arc::new(Self {
            setup,
            directory,
            holder,
            sticky,
            breaking,
            state: Mutex::default(),
            news: Notify::new(),
        })
    }

    /// The version that answers a conversation.
    pub(super) fn choose<'a>(
        &self,
        installation: &'a Installation,
        conversation: ConversationId,
    ) -> Option<&'a Version> {
        let candidate = installation.candidate();
        let canary = candidate.filter(|version| {
            version.stage == Stage::Canary
                && self.draws(conversation, installation.id, version)
                && !self.is_tripped(&part(installation, version))
        });
        canary.or_else(|| self.serving(installation, conversation))
    }

    /// The version in service, unless its breaker is open and this turn is none that tries it.
    pub(super) fn serving<'a>(
        &self,
        installation: &'a Installation,
        conversation: ConversationId,
    ) -> Option<&'a Version> {
        let active = installation.active()?;
        let Some(breaker) = installation.open_breaker() else {
            return Some(active);
        };
        let (part, now) = (part(installation, active), self.setup.clock.now());
        let mut state = self.state();
        let probing = state.probing.entry(part).or_default();
        probing.admit(breaker, now, conversation).then_some(active)
    }

    /// The version that looks on.
    pub(super) fn shadow<'a>(&self, installation: &'a Installation) -> Option<&'a Version> {
        installation.candidate().filter(|version| {
            version.stage == Stage::Shadow
                && !installation.paused
                && !self.is_tripped(&part(installation, version))
        })
    }

    /// The same conversations as long as the canary runs; a larger share has those of the smaller one in it.
    fn draws(&self, conversation: ConversationId, id: InstallationId, version: &Version) -> bool {
        let mut mac = self.sticky.clone();
        mac.update(&conversation.raw().to_be_bytes());
        mac.update(&id.raw().to_be_bytes());
        mac.update(&version.seq.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        let drawn = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        i64::from(drawn % 100) < version.percent
    }

    fn is_tripped(&self, part: &Part) -> bool {
        self.state().tripped.contains_key(part)
    }

    /// Counts a turn of a version, and judges it: a candidate by its bounds, one in service by what it did in the last minute,
    /// and by its bounds too when it was promoted lately. `rule` has the fuel that it may take beside it.
    pub(super) fn note(
        &self,
        part: Part,
        rule: (Rule, u64),
        conversation: ConversationId,
        once: &Once,
    ) {
        let mut state = self.state();
        if part.stage == Stage::Active {
            self.judge(&mut state, part, conversation, once.fault.is_some());
        }
        let seen = state.seen.entry(part).or_default();
        seen.count(
            part.stage,
            rule,
            (conversation, self.setup.clock.now()),
            once,
        );
        if let Some(why) = seen.verdict(part.stage) {
            state.passed(part, why);
            self.news.notify_one();
        }
    }

    /// Is it the first time lately that this version fails on this event? From now on it is not.
    pub(super) fn is_first_failure(&self, part: Part, event: EventId) -> bool {
        self.state().counted_failures.insert((part, event))
    }

    fn judge(&self, state: &mut State, part: Part, of: ConversationId, faulty: bool) {
        let (rule, now) = (&self.breaking, self.setup.clock.now());
        if let Some(probing) = state.probing.get_mut(&part) {
            if probing.note(rule, now, faulty) {
                state.mended.insert(part);
                self.news.notify_one();
            }
            return;
        }
        let recent = state.recent.entry(part).or_default();
        recent.note(rule, now, of, faulty);
        if let Some(why) = recent.verdict(rule) {
            state.broken.entry(part).or_insert(why);
            self.news.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Until stopped: takes out what must go, brings counts to the database, loads candidates.
    pub async fn keep(self: Arc<Self>, plugins: Arc<Plugins>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(FLUSH);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changed = self.directory.changes();
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.news.notified() => {}
                Ok(()) = changed.changed() => self.load_candidates(&plugins).await,
                _ = tick.tick() => {
                    ticks = ticks.wrapping_add(1);
                    self.load_candidates(&plugins).await;
                    self.flush_or_say(ticks.is_multiple_of(ALL_EVERY)).await;
                }
            }
            self.take_out().await;
            self.step_back().await;
            self.work_breakers().await;
        }
        self.flush_or_say(true).await;
    }

    /// Takes out what failed in service, closes what is well again, forgets what is neither.
    async fn work_breakers(&self) {
        let (broken, mended) = {
            let state = self.state();
            (state.broken.clone(), state.mended.clone())
        };
        for (part, why) in broken {
            match trip(&self.setup, &part, &why, &self.breaking).await {
                Ok(tripped) => say_tripped(&part, &why, &tripped),
                Err(error) => {
                    tracing::warn!(%error, "a version that fails could not be taken out yet");
                    continue;
                }
            }
            if self.setup_is_read().await {
                let mut state = self.state();
                state.broken.remove(&part);
                state.recent.remove(&part);
            }
        }
        for part in mended {
            match close_breaker(&self.setup, &part).await {
                Ok(true) => {
                    metrics::counter!(names::PLUGIN_BREAKERS, "what" => "closed").increment(1);
                    let (installation, version) = (part.installation, part.seq);
                    tracing::info!(%installation, version, "a plugin is well again; its breaker is closed");
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "a breaker could not be closed yet");
                    continue;
                }
            }
            if self.setup_is_read().await {
                self.state().mended.remove(&part);
            }
        }
        self.forget_what_is_over();
    }

    async fn setup_is_read(&self) -> bool {
        let read = self.directory.refresh().await;
        if let Err(error) = &read {
            tracing::debug!(%error, "setup could not be read after a change of a breaker");
        }
        read.is_ok()
    }

    fn forget_what_is_over(&self) {
        let now = self.setup.clock.now();
        let mut state = self.state();
        let State {
            recent, probing, ..
        } = &mut *state;
        recent.retain(|_, recent| {
            recent.forget_old(&self.breaking, now);
            !recent.is_empty()
        });
        if probing.is_empty() {
            return;
        }
        let snapshot = self.directory.snapshot();
        let installed = snapshot.numbers().flat_map(|number| &number.installations);
        let open: HashSet<(InstallationId, i64)> = installed
            .filter_map(|row| Some((row.id, row.open_breaker()?.seq)))
            .collect();
        probing.retain(|part, _| open.contains(&(part.installation, part.seq)));
    }

    /// Goes back from what is worse than before.
    async fn step_back(&self) {
        let worse = self.state().worse.clone();
        for (part, why) in worse {
            let tripped = match step_back(&self.setup, &part, &why).await {
                Ok(tripped) => tripped,
                Err(error) => {
                    tracing::warn!(%error, "a version that was promoted lately could not be taken out yet");
                    continue;
                }
            };
            say_tripped(&part, &why, &tripped);
            if self.setup_is_read().await {
                let mut state = self.state();
                state.worse.remove(&part);
                // Where there is nothing to go back to, nothing is said a second time.
                if let Some(seen) = state.seen.get_mut(&part) {
                    seen.leave_alone();
                }
            }
        }
    }

    async fn take_out(&self) {
        let tripped = self.state().tripped.clone();
        for (part, why) in tripped {
            match roll_back_by_itself(&self.setup, &part, &why).await {
                Ok(true) => {
                    metrics::counter!(names::PLUGIN_ROLLBACKS, "stage" => part.stage.word())
                        .increment(1);
                    let (installation, version) = (part.installation, part.seq);
                    tracing::warn!(%installation, version, why, "a candidate was rolled back by itself");
                }
                Ok(false) => {}
                // It gets no turn here, and the next tick tries again.
                Err(error) => {
                    tracing::warn!(%error, "a candidate could not be rolled back yet");
                    continue;
                }
            }
            // What is read from now on knows it as retired.
            if let Err(error) = self.directory.refresh().await {
                tracing::debug!(%error, "setup could not be read; the candidate stays out");
                continue;
            }
            self.state().tripped.remove(&part);
        }
    }

    /// Loads what may come into service and says so, or why it cannot be loaded.
    async fn load_candidates(&self, plugins: &Plugins) {
        let snapshot = self.directory.snapshot();
        let mut candidates = HashSet::new();
        for installation in snapshot.rollouts() {
            let Some(version) = installation.candidate() else {
                continue;
            };
            candidates.insert((installation.id, version.seq));
            if let Err(error) = self.load(plugins, installation, version).await {
                tracing::warn!(error = ?error, "that a plugin is loaded could not be said yet");
            }
        }
        let mut state = self.state();
        state.reported.retain(|known| candidates.contains(known));
    }

    async fn load(
        &self,
        plugins: &Plugins,
        installation: &Installation,
        version: &Version,
    ) -> Result<(), StorageError> {
        let key = (installation.id, version.seq);
        if self.state().reported.contains(&key) {
            return Ok(());
        }
        let problem = match plugins.binding(installation, version).await {
            Ok(_) => String::new(),
            Err(error) if error.passes() => return Ok(()),
            Err(error) => error.to_string(),
        };
        let (tenant, id, holder) = (installation.tenant, installation.id, &self.holder);
        let mut tx = self.setup.db.begin().await?;
        plugin_health::report_loaded(&mut tx, tenant, id, version.seq, holder, &problem).await?;
        tx.commit().await?;
        self.state().reported.insert(key);
        Ok(())
    }
}

fn say_tripped(part: &Part, why: &str, tripped: &Tripped) {
    let (installation, version) = (part.installation, part.seq);
    match tripped {
        Tripped::RolledBack(to) => {
            metrics::counter!(names::PLUGIN_ROLLBACKS, "stage" => "active").increment(1);
            tracing::warn!(%installation, version, why, to, "a version in service was rolled back by itself");
        }
        Tripped::Opened => {
            metrics::counter!(names::PLUGIN_BREAKERS, "what" => "opened").increment(1);
            tracing::warn!(%installation, version, why, "a plugin's breaker opened: turns fall back without it");
        }
        Tripped::Nothing => {}
    }
}

/// A version as it is counted.
pub(super) fn part(installation: &Installation, version: &Version) -> Part {
    Part {
        tenant: installation.tenant,
        installation: installation.id,
        seq: version.seq,
        stage: version.stage,
    }
}
