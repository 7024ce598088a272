//! What versions did here, on its way to the database, and what all nodes saw, on its way back.
//!
//! A version that was promoted lately is remembered until its watch is over, so what nobody judges of it is not kept: how long
//! its turns took would be 9 of 15 KB of a busy one, and an author may promote thousands on one day.
//!
//! Only what had a turn here is written and asked for again: the node whose turns come last hears of all that came before.

use std::collections::HashSet;

use super::{Once, Part, Rollouts, State, TOGETHER};
use crate::domain::rollout::{Rule, Sizes, Stage, Tally, Window};
use crate::domain::{ConversationId, Timestamp};
use crate::storage::Result;
use crate::storage::plugin_health;

/// What is counted of a version in a stage.
#[derive(Default)]
pub(super) struct Seen {
    /// What the database does not know yet.
    pending: Tally,
    /// What this node has told it.
    told: Tally,
    /// By what it is judged, and the fuel that it may take.
    rule: Option<(Rule, u64)>,
    window: Window,
    /// In service: what the version before it did there, once it was asked for.
    before: Option<Tally>,
    /// There is nothing to go back to.
    is_left_alone: bool,
}

impl Seen {
    pub(super) fn count(
        &mut self,
        stage: Stage,
        rule: (Rule, u64),
        (conversation, now): (ConversationId, Timestamp),
        once: &Once,
    ) {
        once.count(&mut self.pending);
        self.rule = Some(rule);
        if self.is_judged(stage, now) {
            let bounds = &rule.0.bounds;
            self.window.note(bounds, conversation, |tally| match stage {
                Stage::Active => once.count_untimed(tally),
                _ => once.count(tally),
            });
        } else if self.before.take().is_some() {
            // The watch is over.
            self.window = Window::default();
        }
    }

    /// Is it judged by its bounds?
    fn is_judged(&self, stage: Stage, now: Timestamp) -> bool {
        let turns = self.told.turns + self.pending.turns + self.window.turns_elsewhere();
        let watch = self.rule.and_then(|(rule, _)| rule.watch);
        let watched = !self.is_left_alone && watch.is_some_and(|watch| !watch.is_over(turns, now));
        stage.is_candidate() || (stage == Stage::Active && watched)
    }

    /// Must it go by its bounds?
    pub(super) fn verdict(&self, stage: Stage) -> Option<String> {
        let (rule, fuel_limit) = self.rule.as_ref()?;
        if stage.is_candidate() {
            return self.window.verdict(&rule.bounds, *fuel_limit);
        }
        let before = self.before.as_ref()?;
        self.window
            .verdict_in_service(&rule.bounds, before, *fuel_limit)
    }

    pub(super) fn leave_alone(&mut self) {
        self.is_left_alone = true;
        self.before = None;
        self.window = Window::default();
    }

    /// The version with which this one is compared.
    fn beside(&self, part: &Part) -> Option<Part> {
        let watch = self.rule.and_then(|(rule, _)| rule.watch)?;
        (part.stage == Stage::Active).then_some(Part {
            seq: watch.before,
            ..*part
        })
    }

    /// This node has told the database so much more.
    fn has_told(&mut self, stage: Stage, more: &Tally) {
        self.told.add(more);
        forget_unjudged(stage, &mut self.told);
    }

    /// Hears what all nodes have counted.
    fn hear(&mut self, stage: Stage, mut known: Tally, mut before: Option<Tally>) {
        for tally in before.iter_mut().chain([&mut known]) {
            forget_unjudged(stage, tally);
        }
        self.before = before;
        if let Some((rule, _)) = &self.rule {
            self.window.hear(&rule.bounds, known.since(&self.told));
        }
    }
}

/// Drops what versions in this stage are not judged by.
fn forget_unjudged(stage: Stage, tally: &mut Tally) {
    if stage == Stage::Active {
        tally.latency = Sizes::default();
    }
}

impl State {
    /// Versions whose counts are to be written now.
    pub(super) fn due(&self, all: bool, now: Timestamp) -> Vec<Part> {
        let due = self.seen.iter().filter(|(part, seen)| {
            // A version that is watched must know with what it is compared.
            let soon = seen.before.is_none() && seen.is_judged(part.stage, now);
            let soon = soon || part.stage.is_candidate() || self.is_ailing(part);
            seen.pending.turns > 0 && (all || soon)
        });
        due.map(|(part, _)| *part).collect()
    }
}

impl Rollouts {
    pub(super) async fn flush_or_say(&self, all: bool) {
        if let Err(error) = self.flush(all).await {
            tracing::warn!(error = ?error, "what plugins did was not added up yet");
        }
    }

    pub(super) async fn flush(&self, all: bool) -> Result<()> {
        let mut due = self.state().due(all, self.setup.clock.now());
        // One order for all nodes.
        due.sort_unstable();
        for parts in due.chunks(TOGETHER) {
            self.tell(parts).await?;
            self.learn(parts).await?;
        }
        if all {
            self.forget_idle();
        }
        self.hear_others().await
    }

    async fn tell(&self, parts: &[Part]) -> Result<()> {
        let taken: Vec<(Part, Tally)> = {
            let mut state = self.state();
            let mut take = |part: &Part| {
                let seen = state.seen.get_mut(part)?;
                Some((*part, std::mem::take(&mut seen.pending)))
            };
            parts.iter().filter_map(&mut take).collect()
        };
        let told = self.add(&taken).await;
        let mut state = self.state();
        for (part, tally) in &taken {
            let seen = state.seen.entry(*part).or_default();
            match told {
                Ok(()) => seen.has_told(part.stage, tally),
                Err(_) => seen.pending.add(tally),
            }
        }
        told
    }

    async fn add(&self, done: &[(Part, Tally)]) -> Result<()> {
        let node = i64::from(self.setup.ids.node());
        let mut tx = self.setup.db.begin().await?;
        plugin_health::add_all_tenants(&mut tx, node, done, self.setup.clock.now()).await?;
        tx.commit().await
    }

    /// What is judged by its bounds is judged by what all nodes saw, in one question for all of these.
    async fn learn(&self, parts: &[Part]) -> Result<()> {
        let now = self.setup.clock.now();
        let judged: Vec<(Part, Option<Part>)> = {
            let state = self.state();
            let seen = parts
                .iter()
                .filter_map(|part| Some((part, state.seen.get(part)?)));
            let judged = seen.filter(|(part, seen)| seen.is_judged(part.stage, now));
            judged
                .map(|(part, seen)| (*part, seen.beside(part)))
                .collect()
        };
        if judged.is_empty() {
            return Ok(());
        }
        let asked = judged
            .iter()
            .flat_map(|(part, before)| std::iter::once(*part).chain(*before));
        let asked: Vec<Part> = asked.collect();
        let mut tx = self.setup.db.read().await?;
        let known = plugin_health::of_parts_all_tenants(&mut tx, &asked).await?;
        drop(tx);
        let known = |part: &Part| known.get(part).cloned().unwrap_or_default();
        let mut state = self.state();
        for (part, before) in judged {
            let seen = state.seen.entry(part).or_default();
            seen.hear(part.stage, known(&part), before.as_ref().map(known));
            // What the other nodes saw may be what was missing.
            if let Some(why) = seen.verdict(part.stage) {
                state.passed(part, why);
            }
        }
        Ok(())
    }

    /// Lets go of what had no turn for a while, but for what is still judged: it shall not forget what it saw.
    fn forget_idle(&self) {
        let now = self.setup.clock.now();
        let mut state = self.state();
        state.counted_failures.clear();
        let judged = |part: &Part, seen: &super::Seen| seen.is_judged(part.stage, now);
        let mut waits = state.seen.iter();
        let standing = match waits.any(|(part, seen)| seen.pending.turns == 0 && judged(part, seen))
        {
            true => self.standing(),
            false => HashSet::new(),
        };
        state.seen.retain(|part, seen| {
            seen.pending.turns > 0 || (judged(part, seen) && standing.contains(part))
        });
    }

    /// Every version that is not retired.
    fn standing(&self) -> HashSet<Part> {
        let snapshot = self.directory.snapshot();
        let installed = snapshot.numbers().flat_map(|number| &number.installations);
        let versions = installed.flat_map(|one| {
            let versions = one.versions.iter();
            versions.map(move |version| super::part(one, version))
        });
        versions.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rollout::{Bounds, Watch};

    /// What is kept of a version that had some hundred turns of every length, and what the database was told of them.
    fn after_some_turns(stage: Stage) -> (Seen, Tally) {
        let now = Timestamp::from_secs(1_795_000_000);
        let watch = Watch {
            before: 1,
            since: now,
        };
        let rule = Rule {
            bounds: Bounds::default(),
            watch: (stage == Stage::Active).then_some(watch),
        };
        let mut seen = Seen::default();
        for n in 0..300 {
            let once = Once {
                fuel: 7,
                wall_us: 100 << (n % 9),
                ..Once::default()
            };
            let of = ConversationId::from_raw(n);
            seen.count(stage, (rule, 1_000), (of, now), &once);
        }
        let told = std::mem::take(&mut seen.pending);
        seen.has_told(stage, &told);
        let mut known = told.clone();
        known.add(&told);
        seen.hear(stage, known, Some(told.clone()));
        (seen, told)
    }

    /// Tallies that have times, and all.
    fn timed(seen: &Seen) -> (usize, usize) {
        let tallies = format!("{:?}", (&seen.told, &seen.window, &seen.before));
        let all = tallies.matches("latency: Sizes({").count();
        let none = tallies.matches("latency: Sizes({})").count();
        (all - none, all)
    }

    #[test]
    fn how_long_turns_took_is_kept_only_of_those_who_are_judged_by_it() {
        let (active, told) = after_some_turns(Stage::Active);
        let (times, all) = timed(&active);
        assert!(times == 0 && all > 5, "{times} of {all}");
        assert!(told.latency.quantile(0.5).is_some(), "its author is told");
        let before = active.before.as_ref().expect("it was heard");
        let fuel = |tally: &Tally| tally.fuel.quantile(1.0);
        assert!(fuel(before).is_some() && fuel(before) == fuel(&active.told));
        assert_eq!(active.window.turns_elsewhere(), 300);
        let (candidate, _) = after_some_turns(Stage::Canary);
        let (times, all) = timed(&candidate);
        assert!(times == all && all > 5, "{times} of {all}");
    }
}
