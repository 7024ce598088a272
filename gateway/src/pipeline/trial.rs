//! A turn with versions under trial: a canary that fails is replaced by the active version before anybody notices, and
//! shadows look on.
//!
//! Nothing is committed before all of it is over, so a run is thrown away by forgetting its report.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::journal::WriteLines;
use super::plugins::{Cast, Unloaded};
use super::rollouts::{Once, part};
use super::turn::{Question, RETRIES, Spent, TurnInput, Turns, awaits_load};
use crate::domain::rollout::Stage;
use crate::domain::{InstallationId, Timestamp, TurnId};
use crate::plugin_host::{
    CallOutcome, CallTrace, ConversationView, Effect, Ending, KvEffects, KvWrite, LogLine,
    Overload, PluginBinding, Route, TurnReport,
};
use crate::storage::installations::Installation;
use crate::storage::plugin_health::Part;
use crate::storage::plugin_versions::Version;
use crate::telemetry::PluginTurn;

/// What the plugins of a turn did, and those on trial beside them.
pub(super) struct Performed {
    pub report: TurnReport,
    /// As they saw it.
    pub conversation: Arc<ConversationView>,
    pub bindings: Vec<PluginBinding>,
    /// Which version each of them is.
    pub parts: Vec<Part>,
    pub broken: Vec<String>,
    pub unloaded: Vec<Unloaded>,
    pub trials: Vec<TrialLine>,
}

/// A version on trial, as the journal keeps it.
#[derive(Debug, Serialize)]
pub(super) struct TrialLine {
    installation: InstallationId,
    seq: i64,
    /// For traces, as `asked` is: the journal has it by the installation.
    #[serde(skip)]
    pub(super) plugin: String,
    pub(super) version: String,
    pub(super) stage: Stage,
    #[serde(skip)]
    pub(super) asked: Option<Instant>,
    /// Why the active version answered in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    fell_back: Option<&'static str>,
    /// Did it want what the active version did?
    #[serde(skip_serializing_if = "Option::is_none")]
    same: Option<bool>,
    ending: Ending,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Route>,
    /// What it wanted; nothing of it was applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effects: Vec<Effect>,
    /// What it would remember.
    #[serde(skip_serializing_if = "Option::is_none")]
    kv: Option<WriteLines>,
    pub(super) calls: Vec<CallTrace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<LogLine>,
}

/// How long a turn waits for a shadow. Its fuel bounds it to some milliseconds of work; this is for a busy machine, where
/// customers come first.
const SHADOW: Duration = Duration::from_millis(250);

/// A candidate that asks for more time than a plugin may is as good as faulty.
const ASKED_TOO_OFTEN: &str = "retry";
/// A candidate that rejects a message may be the only one who does: the active version is asked.
const REJECTED: &str = "reject";

impl Turns {
    /// Runs the plugins that this conversation gets; shadows after them.
    pub(super) async fn perform(
        &self,
        input: &TurnInput,
        turn: TurnId,
        now: Timestamp,
        spent: &Spent,
    ) -> Result<Performed, Overload> {
        let question = self.question(input, turn, now, spent).await;
        let installed = &input.entry.installations;
        let mut trials = Vec::new();
        let (mut gone, mut rejections) = (HashSet::new(), Vec::new());
        let (mut cast, report) = loop {
            let cast = self.cast(input, &gone).await;
            if let Some(waits) = cast.waits {
                return Err(waits);
            }
            if awaits_load(&input.event, &cast.unloaded, now) {
                return Err(Overload::NotLoaded);
            }
            let report = self
                .ask_plugins(&question, cast.bindings.clone(), false)
                .await?;
            let failed = failed_canaries(installed, &cast, &report, input.tries.retries);
            if failed.is_empty() {
                break (cast, report);
            }
            let mut rejected = Vec::new();
            for (part, why) in failed {
                trials.push(TrialLine::of(&cast, &part, &report).after(why));
                gone.insert(part.installation);
                match why {
                    REJECTED => rejected.push(part),
                    fault => self.note_fault(input, (&cast, &report), &part, fault),
                }
            }
            rejections.push((cast, report, rejected));
        };
        for (cast, rejection, parts) in &rejections {
            for part in parts {
                self.note_rejection(input, (cast, rejection), part, &report);
            }
        }
        // A first version that failed has nobody behind it but the tenant's fallback, unless it is a number's own.
        let alone = installed.iter().filter(|one| {
            gone.contains(&one.id) && one.active().is_none() && !cast.has(&one.plugin)
        });
        let alone: Vec<String> = alone.map(|one| one.plugin.clone()).collect();
        cast.broken.extend(alone);
        if report.ending != Ending::Retry {
            for part in &cast.parts {
                if let Some(once) = did_at_last(&report, part) {
                    self.count(input, &cast, part, &once);
                }
            }
            self.shadows(&question, (&cast, &report), &mut trials).await;
        }
        Ok(Performed {
            report,
            conversation: question.conversation,
            bindings: cast.bindings,
            parts: cast.parts,
            broken: cast.broken,
            unloaded: cast.unloaded,
            trials,
        })
    }

    /// Who plays: canaries where the conversation is theirs and they have not failed in this turn.
    async fn cast(&self, input: &TurnInput, gone: &HashSet<InstallationId>) -> Cast {
        let conversation = input.event.conversation;
        let choose = |installation| self.rollouts.choose(installation, conversation);
        self.plugins
            .cast(&input.entry, |installation| {
                match gone.contains(&installation.id) {
                    true => self.rollouts.serving(installation, conversation),
                    false => choose(installation),
                }
            })
            .await
    }

    /// Counts a fault of a canary, at once: whoever takes over may have to wait, and others meet the candidate meanwhile. A
    /// turn that waits runs again and again, and its fault is one.
    fn note_fault(
        &self,
        input: &TurnInput,
        (cast, report): (&Cast, &TurnReport),
        part: &Part,
        fault: &'static str,
    ) {
        if !self.rollouts.is_first_failure(*part, input.event.id) {
            return;
        }
        if let Some(mut once) = did(report, part.installation) {
            once.fell_back = true;
            once.fault = once.fault.or(Some(fault));
            self.count(input, cast, part, &once);
        }
    }

    /// Counts what a canary rejected, once it is known what came of the message without it.
    fn note_rejection(
        &self,
        input: &TurnInput,
        (cast, rejection): (&Cast, &TurnReport),
        part: &Part,
        instead: &TurnReport,
    ) {
        let behind = behind(&input.entry.installations, part.installation);
        let once = did(rejection, part.installation);
        if let (Some(mut once), Some(counts)) = (once, counts_against(instead, behind)) {
            // A turn that loses a race runs again.
            if !self.rollouts.is_first_failure(*part, input.event.id) {
                return;
            }
            once.fell_back = true;
            once.rejected = counts;
            self.count(input, cast, part, &once);
        }
    }

    fn count(&self, input: &TurnInput, cast: &Cast, part: &Part, once: &Once) {
        let place = cast.parts.iter().position(|other| other == part);
        let rule = place.and_then(|place| cast.rules.get(place));
        let binding = place.and_then(|place| cast.bindings.get(place));
        if let (Some(rule), Some(binding)) = (rule, binding) {
            let did = PluginTurn {
                fuel: once.fuel,
                wall_us: once.wall_us,
                faulty: once.fault.is_some(),
            };
            let named = (binding.plugin.name(), binding.plugin.version());
            let meters = &self.watchers.meters;
            meters.note(self.clock.now(), part.tenant, named, did);
            let rule = (*rule, binding.limits.fuel);
            self.rollouts
                .note(*part, rule, input.event.conversation, once);
        }
    }

    /// Runs each candidate in shadow in the place of its active version, with everybody else as they were, and compares.
    async fn shadows(
        &self,
        question: &Question<'_>,
        real: (&Cast, &TurnReport),
        trials: &mut Vec<TrialLine>,
    ) {
        for installation in &question.input.entry.installations {
            let Some(version) = self.rollouts.shadow(installation) else {
                continue;
            };
            let shadow = self.shadow(question, real, (installation, version));
            // Who had no time or no room has shown nothing.
            if let Ok(Some(line)) = tokio::time::timeout(SHADOW, shadow).await {
                trials.push(line);
            }
        }
    }

    async fn shadow(
        &self,
        question: &Question<'_>,
        (cast, report): (&Cast, &TurnReport),
        (installation, version): (&Installation, &Version),
    ) -> Option<TrialLine> {
        let part = part(installation, version);
        let played = |other: &Installation| {
            let mut parts = cast.parts.iter();
            parts
                .find(|part| part.installation == other.id)
                .map(|part| part.seq)
        };
        let with_it = self
            .plugins
            .cast(&question.input.entry, |other| {
                match other.id == installation.id {
                    true => Some(version),
                    false => {
                        let seq = played(other)?;
                        other.versions.iter().find(|version| version.seq == seq)
                    }
                }
            })
            .await;
        // It does not load, which the report of the node says.
        if !with_it.parts.contains(&part) {
            return None;
        }
        let plugins = with_it.bindings.clone();
        let shown = self.ask_plugins(question, plugins, true).await.ok()?;
        let mut once = did(&shown, installation.id)?;
        let installed = &question.input.entry.installations;
        let compared = answering(installed, installation, cast)
            .map(|answering| ((&shown, installation.id), (report, answering)))
            .filter(|(shown, real)| once.fault.is_none() && met_the_same(*shown, *real));
        once.same = compared.map(|(shown, real)| Wanted::of(shown) == Wanted::of(real));
        let behind = behind(&question.input.entry.installations, installation.id);
        once.rejected &= counts_against(report, behind) == Some(true);
        self.count(question.input, &with_it, &part, &once);
        let mut line = TrialLine::of(&with_it, &part, &shown);
        line.same = once.same;
        Some(line)
    }
}

/// Canaries that could not end their part of the turn, and why.
fn failed_canaries(
    installed: &[Installation],
    cast: &Cast,
    report: &TurnReport,
    retries: u32,
) -> Vec<(Part, &'static str)> {
    let canaries = cast.parts.iter().filter(|part| part.stage == Stage::Canary);
    let failed = canaries.filter_map(|part| {
        let last = last_call(report, part.installation)?;
        let why = failure(last, retries)?;
        // What nobody else can be asked about is rejected for good.
        let stands = why == REJECTED && behind(installed, part.installation).is_none();
        (!stands).then_some((*part, why))
    });
    failed.collect()
}

/// Why a canary whose last call ended so has to leave the turn, if it has to.
fn failure(last: &CallTrace, retries: u32) -> Option<&'static str> {
    match &last.outcome {
        CallOutcome::Fault(fault) if !fault.kind.is_ours() => Some(fault.kind.name()),
        CallOutcome::Retry { .. } if retries >= RETRIES => Some(ASKED_TOO_OFTEN),
        CallOutcome::Rejected(_) => Some(REJECTED),
        _ => None,
    }
}

/// Whose version answered where this one looked on: its own active one, or else that of the tenant's installation, whose place a
/// number's own one is to take. `None`: nobody's.
fn answering(
    installed: &[Installation],
    shadow: &Installation,
    cast: &Cast,
) -> Option<InstallationId> {
    let played = |id: InstallationId| cast.parts.iter().any(|part| part.installation == id);
    let mut others = installed.iter();
    match played(shadow.id) {
        true => Some(shadow.id),
        false => others
            .find(|other| shadow.takes_place_of(other) && played(other.id))
            .map(|other| other.id),
    }
}

/// Whose active version can answer in a candidate's place: that of its own installation, or else that of the tenant's,
/// whose place a number's own one is to take. `None`: it is the first of its plugin there, and compared with nobody.
fn behind(installed: &[Installation], candidate: InstallationId) -> Option<InstallationId> {
    let own = installed.iter().find(|one| one.id == candidate)?;
    if own.active().is_some() {
        return Some(own.id);
    }
    let mut others = installed.iter();
    let tenants = others
        .find(|other| own.takes_place_of(other) && other.active().is_some() && !other.paused)?;
    Some(tenants.id)
}

/// Does it count against a candidate that it rejected what came to this end? Only where the version behind it answers: who
/// faults or rejects as well shows nothing. `None`: nobody knows yet, the message is tried once more.
fn counts_against(instead: &TurnReport, behind: Option<InstallationId>) -> Option<bool> {
    let last = behind.and_then(|behind| last_call(instead, behind));
    let answers = last.is_some_and(|call| matches!(call.outcome, CallOutcome::Ok));
    (instead.ending != Ending::Retry).then_some(answers)
}

fn last_call(report: &TurnReport, installation: InstallationId) -> Option<&CallTrace> {
    let mut calls = report.calls.iter();
    calls.rfind(|call| call.installation == installation)
}

/// What a version did in the run that is kept. What a canary rejected there nobody else could be asked about, so it is no
/// mistake: as in service, to reject is an answer.
fn did_at_last(report: &TurnReport, part: &Part) -> Option<Once> {
    let mut once = did(report, part.installation)?;
    once.rejected &= part.stage == Stage::Active;
    Some(once)
}

/// What an installation did in a turn; `None`: it was not asked.
fn did(report: &TurnReport, installation: InstallationId) -> Option<Once> {
    let calls = report.calls.iter();
    let mut calls = calls
        .filter(|call| call.installation == installation)
        .peekable();
    calls.peek()?;
    let last = last_call(report, installation);
    let begin = Once {
        rejected: last.is_some_and(|call| matches!(call.outcome, CallOutcome::Rejected(_))),
        ..Once::default()
    };
    Some(calls.fold(begin, |mut once, call| {
        once.fuel += call.fuel;
        // What it waited for is its server's, and ours: a bound on latency is for what the version does.
        once.wall_us += call.wall_us.saturating_sub(call.waited_us);
        if let CallOutcome::Fault(fault) = &call.outcome
            && !fault.kind.is_ours()
        {
            once.fault = Some(fault.kind.name());
        }
        once
    }))
}

/// What is compared: what it asked for, of the gateway and of others, what it remembers, and where the turn went by it.
#[derive(Debug, PartialEq)]
struct Wanted<'a> {
    effects: Vec<&'a Effect>,
    writes: Option<&'a BTreeMap<String, KvWrite>>,
    requests: Vec<&'a str>,
    route: Option<&'a Route>,
    ending: Ending,
}

impl<'a> Wanted<'a> {
    fn of((report, installation): (&'a TurnReport, InstallationId)) -> Self {
        let requests = report.requests.iter();
        let requests = requests.filter(|(of, _)| *of == installation);
        let writes = memory(report, installation).map(|memory| &memory.writes);
        Self {
            effects: effects(report, installation).collect(),
            writes: writes.filter(|writes| !writes.is_empty()),
            requests: requests.map(|(_, mark)| mark.as_str()).collect(),
            route: report.route.as_ref(),
            ending: report.ending,
        }
    }
}

type Played<'a> = (&'a TurnReport, InstallationId);

/// Did both find what they read of their memory as the other did? Another turn may commit between the two. A number's own
/// installation and the tenant's share it.
fn met_the_same(one: Played<'_>, other: Played<'_>) -> bool {
    fn reads<'a>((report, installation): Played<'a>) -> &'a [(String, i64)] {
        let memory = memory(report, installation);
        memory.map_or(&[][..], |memory| memory.reads.as_slice())
    }
    let seen: HashMap<&str, i64> = reads(one)
        .iter()
        .map(|(key, version)| (key.as_str(), *version))
        .collect();
    let moved = |(key, version): &(String, i64)| {
        seen.get(key.as_str())
            .is_some_and(|before| before != version)
    };
    !reads(other).iter().any(moved)
}

fn memory(report: &TurnReport, installation: InstallationId) -> Option<&KvEffects> {
    let mut all = report.kv.iter();
    all.find(|memory| memory.installation == installation)
}

fn effects(report: &TurnReport, installation: InstallationId) -> impl Iterator<Item = &Effect> {
    let own = report.effects.iter();
    let own = own.filter(move |effect| effect.installation == installation);
    own.map(|effect| &effect.effect)
}

impl TrialLine {
    fn of(cast: &Cast, part: &Part, report: &TurnReport) -> Self {
        let id = part.installation;
        let binding = cast
            .bindings
            .iter()
            .find(|binding| binding.installation == id);
        let (plugin, version) = binding.map_or(("", ""), |binding| {
            (binding.plugin.name(), binding.plugin.version())
        });
        let calls = report.calls.iter().filter(|call| call.installation == id);
        let logs = report.logs.iter().filter(|line| line.installation == id);
        Self {
            installation: id,
            seq: part.seq,
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            stage: part.stage,
            asked: report.asked,
            fell_back: None,
            same: None,
            ending: report.ending,
            route: report.route.clone(),
            effects: effects(report, id).cloned().collect(),
            kv: memory(report, id).and_then(WriteLines::of),
            calls: calls.cloned().collect(),
            logs: logs.cloned().collect(),
        }
    }

    fn after(mut self, why: &'static str) -> Self {
        self.fell_back = Some(why);
        self
    }
}

#[cfg(test)]
mod tests;
