//! A turn with versions under trial: a canary that fails is replaced by the active version before anybody notices, and
//! shadows look on.
//!
//! Nothing is committed before all of it is over, so a run is thrown away by forgetting its report.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;

use super::journal::WriteLines;
use super::plugins::Cast;
use super::rollouts::{Once, part};
use super::turn::{Question, RETRIES, TurnInput, Turns};
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
    pub conversation: ConversationView,
    pub bindings: Vec<PluginBinding>,
    /// Which version each of them is.
    pub parts: Vec<Part>,
    pub broken: Vec<String>,
    pub unloaded: Vec<String>,
    pub trials: Vec<TrialLine>,
}

/// A version on trial, as the journal keeps it.
#[derive(Debug, Serialize)]
pub(super) struct TrialLine {
    installation: InstallationId,
    seq: i64,
    version: String,
    stage: Stage,
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
    calls: Vec<CallTrace>,
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
        spent: &AtomicU64,
    ) -> Result<Performed, Overload> {
        let question = self.question(input, turn, now, spent).await;
        let mut trials = Vec::new();
        let (mut gone, mut failures) = (HashSet::new(), Vec::new());
        let (mut cast, report) = loop {
            let cast = self.cast(input, &gone).await;
            if let Some(waits) = cast.waits {
                return Err(waits);
            }
            let report = self
                .ask_plugins(&question, cast.bindings.clone(), false)
                .await?;
            let mut failed = failed_canaries(&cast, &report, input.tries.retries);
            failed.retain(|(part, why)| *why != REJECTED || has_active(input, part));
            if failed.is_empty() {
                break (cast, report);
            }
            for (part, why) in &failed {
                trials.push(TrialLine::of(&cast, part, &report).after(why));
                gone.insert(part.installation);
            }
            failures.push((cast, report, failed));
        };
        for (cast, failure, failed) in &failures {
            for (part, why) in failed {
                let alike = rejects(&report, part.installation);
                self.note(input, (cast, failure), part, Some((*why, alike)));
            }
        }
        // A first version that failed has nobody behind it but the tenant's fallback, unless it is a number's own.
        let alone = input.entry.installations.iter();
        let alone = alone.filter(|one| {
            gone.contains(&one.id) && one.active().is_none() && !cast.has(&one.plugin)
        });
        let alone: Vec<String> = alone.map(|one| one.plugin.clone()).collect();
        cast.broken.extend(alone);
        if report.ending != Ending::Retry {
            for part in &cast.parts {
                self.note(input, (&cast, &report), part, None);
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

    /// Counts what a version did, if it was asked. `fell_back`: why the active version took over, and whether that rejects
    /// the same message, which nobody can then hold against the candidate.
    fn note(
        &self,
        input: &TurnInput,
        (cast, report): (&Cast, &TurnReport),
        part: &Part,
        fell_back: Option<(&'static str, bool)>,
    ) {
        let Some(mut once) = did(report, part.installation) else {
            return;
        };
        if let Some((why, alike)) = fell_back {
            once.fell_back = true;
            match why {
                REJECTED => once.rejected = !alike,
                fault => once.fault = once.fault.or(Some(fault)),
            }
        }
        self.count(input, cast, part, &once);
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
        let compares = once.fault.is_none()
            && played(installation).is_some()
            && met_the_same(&shown, report, installation.id);
        let of = |report| Wanted::of(report, installation.id);
        once.same = compares.then(|| of(&shown) == of(report));
        once.rejected &= !rejects(report, installation.id);
        self.count(question.input, &with_it, &part, &once);
        let mut line = TrialLine::of(&with_it, &part, &shown);
        line.same = once.same;
        Some(line)
    }
}

/// Canaries that could not end their part of the turn, and why.
fn failed_canaries(cast: &Cast, report: &TurnReport, retries: u32) -> Vec<(Part, &'static str)> {
    let failed = |part: &Part| {
        let mut calls = report.calls.iter();
        let last = calls.rfind(|call| call.installation == part.installation)?;
        match &last.outcome {
            CallOutcome::Fault(fault) if !fault.kind.is_ours() => Some(fault.kind.name()),
            CallOutcome::Retry { .. } if retries >= RETRIES => Some(ASKED_TOO_OFTEN),
            CallOutcome::Rejected(_) => Some(REJECTED),
            _ => None,
        }
    };
    let canaries = cast.parts.iter().filter(|part| part.stage == Stage::Canary);
    canaries
        .filter_map(|part| failed(part).map(|why| (*part, why)))
        .collect()
}

/// Is there a version that can answer in a candidate's place?
fn has_active(input: &TurnInput, candidate: &Part) -> bool {
    let mut installed = input.entry.installations.iter();
    installed.any(|one| one.id == candidate.installation && one.active().is_some())
}

/// Did an installation reject the message?
fn rejects(report: &TurnReport, installation: InstallationId) -> bool {
    let mut calls = report.calls.iter();
    let last = calls.rfind(|call| call.installation == installation);
    last.is_some_and(|call| matches!(call.outcome, CallOutcome::Rejected(_)))
}

/// What an installation did in a turn; `None`: it was not asked.
fn did(report: &TurnReport, installation: InstallationId) -> Option<Once> {
    let calls = report.calls.iter();
    let mut calls = calls
        .filter(|call| call.installation == installation)
        .peekable();
    calls.peek()?;
    let begin = Once {
        rejected: rejects(report, installation),
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
    fn of(report: &'a TurnReport, installation: InstallationId) -> Self {
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

/// Did both find what they read of their memory as the other did? Another turn may commit between the two.
fn met_the_same(one: &TurnReport, other: &TurnReport, installation: InstallationId) -> bool {
    let reads = |report| {
        let memory = memory(report, installation);
        memory.map_or(&[][..], |memory| memory.reads.as_slice())
    };
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
        let version = binding.map_or("", |binding| binding.plugin.version());
        let calls = report.calls.iter().filter(|call| call.installation == id);
        let logs = report.logs.iter().filter(|line| line.installation == id);
        Self {
            installation: id,
            seq: part.seq,
            version: version.to_owned(),
            stage: part.stage,
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
mod tests {
    use super::*;
    use crate::domain::TenantId;
    use crate::plugin_host::{Fault, FaultKind, Hook};

    const CANARY: InstallationId = InstallationId::from_raw(1);
    const ACTIVE: InstallationId = InstallationId::from_raw(2);

    fn cast() -> Cast {
        let part = |installation, stage| Part {
            tenant: TenantId::from_raw(9),
            installation,
            seq: 1,
            stage,
        };
        Cast {
            bindings: Vec::new(),
            parts: vec![part(CANARY, Stage::Canary), part(ACTIVE, Stage::Active)],
            rules: Vec::new(),
            broken: Vec::new(),
            unloaded: Vec::new(),
            waits: None,
        }
    }

    /// A turn in which one plugin was called, and this came of it.
    fn report(installation: InstallationId, outcome: CallOutcome) -> TurnReport {
        let call = CallTrace {
            fuel: 7,
            wall_us: 3,
            ..CallTrace::blank(installation, outcome)
        };
        TurnReport {
            calls: vec![call],
            ..TurnReport::blank(Ending::Unanswered)
        }
    }

    fn fault(kind: FaultKind) -> CallOutcome {
        CallOutcome::Fault(Fault {
            kind,
            hook: Hook::AutoReply,
            message: String::new(),
            frames: Vec::new(),
            offsets: Vec::new(),
        })
    }

    fn failed(report: &TurnReport, retries: u32) -> Option<&'static str> {
        let failed = failed_canaries(&cast(), report, retries);
        failed.first().map(|(_, why)| *why)
    }

    #[test]
    fn a_canary_fails_by_its_own_fault_alone() {
        let of_canary = |kind| failed(&report(CANARY, fault(kind)), 0);
        assert_eq!(of_canary(FaultKind::Trap), Some("trap"));
        assert_eq!(of_canary(FaultKind::OutOfFuel), Some("out_of_fuel"));
        assert_eq!(of_canary(FaultKind::Overload), None, "that is ours");
        assert_eq!(failed(&report(ACTIVE, fault(FaultKind::Trap)), 0), None);
        assert_eq!(failed(&report(CANARY, CallOutcome::Ok), 9), None);
        let rejected = || CallOutcome::Rejected("not for me".to_owned());
        assert_eq!(failed(&report(CANARY, rejected()), 0), Some("reject"));
        assert!(did(&report(CANARY, rejected()), CANARY).is_some_and(|once| once.rejected));
        assert_eq!(failed(&report(ACTIVE, rejected()), 0), None);
    }

    #[test]
    fn a_canary_that_asks_for_more_tries_than_there_are_has_failed() {
        let asks = report(CANARY, CallOutcome::Retry { after_ms: 50 });
        assert_eq!(failed(&asks, RETRIES - 1), None);
        assert_eq!(failed(&asks, RETRIES), Some("retry"));
    }

    fn remembering(reads: &[(&str, i64)], writes: &[(&str, KvWrite)]) -> TurnReport {
        let own = |key: &str| key.to_owned();
        let memory = |installation| KvEffects {
            installation,
            reads: reads.iter().map(|(key, seen)| (own(key), *seen)).collect(),
            writes: writes
                .iter()
                .map(|(key, write)| (own(key), write.clone()))
                .collect(),
        };
        TurnReport {
            kv: vec![memory(CANARY)],
            ..TurnReport::blank(Ending::Answered)
        }
    }

    fn same(one: &TurnReport, other: &TurnReport, installation: InstallationId) -> bool {
        Wanted::of(one, installation) == Wanted::of(other, installation)
    }

    #[test]
    fn who_remembers_something_else_wanted_something_else() {
        let set = |value: &str| KvWrite::Set(value.as_bytes().to_vec());
        let one = remembering(&[("read", 7)], &[("step", set("2"))]);
        assert!(same(&one, &remembering(&[], &[("step", set("2"))]), CANARY));
        for other in [
            remembering(&[], &[("step", set("3"))]),
            remembering(&[], &[("step", KvWrite::Add(2))]),
            remembering(&[], &[("stop", set("2"))]),
            remembering(&[], &[]),
        ] {
            assert!(!same(&one, &other, CANARY), "{other:?}");
            assert!(same(&one, &other, ACTIVE), "that is another's memory");
        }
        let nothing = TurnReport::blank(Ending::Answered);
        let only_read = remembering(&[("read", 7)], &[]);
        assert!(
            same(&nothing, &only_read, CANARY),
            "to look is to want nothing"
        );
    }

    #[test]
    fn requests_that_the_journal_has_no_room_for_are_compared_too() {
        let asking = |mark: &str| TurnReport {
            requests: vec![(CANARY, "first".to_owned()), (CANARY, mark.to_owned())],
            ..TurnReport::blank(Ending::Answered)
        };
        assert!(same(&asking("second"), &asking("second"), CANARY));
        assert!(!same(&asking("second"), &asking("another"), CANARY));
        assert!(same(&asking("second"), &asking("another"), ACTIVE));
    }

    #[test]
    fn what_moved_between_the_two_is_not_compared() {
        let one = remembering(&[("a", 1), ("b", 2)], &[]);
        let met = |reads| met_the_same(&one, &remembering(reads, &[]), CANARY);
        assert!(met(&[("a", 1), ("c", 9)]) && met(&[]));
        assert!(!met(&[("a", 1), ("b", 3)]));
        assert!(!met(&[("b", 0)]), "it is gone");
    }

    #[test]
    fn what_was_waited_for_other_servers_is_not_what_a_version_took() {
        let mut waited = report(CANARY, CallOutcome::Ok);
        waited.calls[0].wall_us = 5_000;
        waited.calls[0].waited_us = 4_000;
        let again = waited.calls[0].clone();
        waited.calls.push(again);
        let did_it = did(&waited, CANARY).expect("it was asked");
        assert_eq!(did_it.wall_us, 2_000);
    }

    #[test]
    fn who_was_not_asked_did_nothing() {
        let trapped = report(CANARY, fault(FaultKind::Trap));
        let did_it = did(&trapped, CANARY).expect("it was asked");
        assert_eq!(
            (did_it.fault, did_it.fuel, did_it.wall_us),
            (Some("trap"), 7, 3)
        );
        assert!(did(&trapped, ACTIVE).is_none());
    }
}
