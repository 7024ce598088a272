//! Which metrics of a group's turns are counted: a plugin counts under few names a day, because their rows stay for a year.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use super::Finished;
use crate::domain::{TenantId, Timestamp};
use crate::pipeline::journal;
use crate::storage::plugin_events::{self, Metric, MetricDay};
use crate::storage::{Result, Tx};
use crate::sync::lock;

/// Different names under which one plugin may count at a tenant on one day (UTC). A guess: a page of charts has a dozen, and
/// whoever counts by product or person wants events. Nodes that meet the first turns of a day side by side may pass it by
/// what each of them takes in one commit.
const NAMES_A_DAY: usize = 200;
/// Plugins whose names of a day a node has in memory, 20 KiB each at most. When there are more, days that are over go, and if
/// that is not enough, all.
const PLUGINS: usize = 1_024;

/// Names that the database has of a day. They only become more, so what is known here holds.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct MetricNames(Mutex<HashMap<MetricDay, HashSet<String>>>);

impl MetricNames {
    /// May this be counted? None: the database has to be asked.
    fn allow(&self, day: &MetricDay, name: &str) -> Option<bool> {
        let known = self.lock();
        let names = known.get(day)?;
        match names.contains(name) {
            true => Some(true),
            false => (names.len() >= NAMES_A_DAY).then_some(false),
        }
    }

    fn learn(&self, days: &HashMap<MetricDay, HashSet<String>>) {
        let mut known = self.lock();
        if known.len() + days.len() > PLUGINS {
            let today = days.keys().map(|day| day.day).max();
            known.retain(|day, _| Some(day.day) >= today);
        }
        if known.len() + days.len() > PLUGINS {
            known.clear();
        }
        known.extend(days.iter().map(|(day, names)| (day.clone(), names.clone())));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MetricDay, HashSet<String>>> {
        lock(&self.0)
    }
}

/// Takes out of winners what would be a name too many, and notes it in their journals.
pub(super) async fn admit(
    tx: &mut Tx,
    known: &MetricNames,
    winners: &mut [&mut Finished],
) -> Result<()> {
    let stored = stored(tx, known, winners).await?;
    let (mut days, mut new) = (stored.clone(), BTreeSet::new());
    for turn in winners {
        let tenant = turn.event.tenant;
        let mut refused = Vec::new();
        turn.caused.metrics.retain(|_, metric| {
            let day = day(tenant, metric);
            let allowed = known
                .allow(&day, &metric.name)
                .unwrap_or_else(|| admit_one(&mut days, &day, &metric.name, &mut new));
            if !allowed {
                refused.push(format!("{}/{}", metric.plugin, metric.name));
            }
            allowed
        });
        journal::note_list(&mut turn.row.journal, "metrics_refused", &refused);
    }
    // Not before all are decided: what is forgotten for it would have to be asked for.
    known.learn(&stored);
    let new: Vec<(MetricDay, String)> = new.into_iter().collect();
    plugin_events::keep_names_all_tenants(tx, &new).await
}

/// The names of days of which this node does not know enough.
async fn stored(
    tx: &mut Tx,
    known: &MetricNames,
    winners: &[&mut Finished],
) -> Result<HashMap<MetricDay, HashSet<String>>> {
    let counted = winners.iter().flat_map(|turn| {
        let metrics = turn.caused.metrics.values();
        metrics.map(|metric| (day(turn.event.tenant, metric), &metric.name))
    });
    let unsure: BTreeSet<MetricDay> = counted
        .filter(|(day, name)| known.allow(day, name).is_none())
        .map(|(day, _)| day)
        .collect();
    let unsure: Vec<MetricDay> = unsure.into_iter().collect();
    let mut days = HashMap::<MetricDay, HashSet<String>>::new();
    for (day, name) in plugin_events::names_of_days_all_tenants(tx, &unsure).await? {
        days.entry(day).or_default().insert(name);
    }
    Ok(days)
}

fn admit_one(
    days: &mut HashMap<MetricDay, HashSet<String>>,
    day: &MetricDay,
    name: &str,
    new: &mut BTreeSet<(MetricDay, String)>,
) -> bool {
    let names = days.entry(day.clone()).or_default();
    if names.contains(name) {
        return true;
    }
    let fits = names.len() < NAMES_A_DAY;
    if fits {
        names.insert(name.to_owned());
        new.insert((day.clone(), name.to_owned()));
    }
    fits
}

fn day(tenant: TenantId, metric: &Metric) -> MetricDay {
    MetricDay {
        tenant,
        plugin: metric.plugin.clone(),
        day: plugin_events::day_of(Timestamp::from_millis(metric.hour)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> MetricDay {
        MetricDay {
            tenant: TenantId::from_raw(1),
            plugin: "p".to_owned(),
            day: 20_000,
        }
    }

    fn names(count: usize) -> HashMap<MetricDay, HashSet<String>> {
        [(today(), (0..count).map(|n| n.to_string()).collect())].into()
    }

    #[test]
    fn a_node_asks_until_a_name_is_known_or_the_day_is_full() {
        let known = MetricNames::default();
        assert_eq!(known.allow(&today(), "0"), None);
        known.learn(&names(NAMES_A_DAY - 1));
        assert_eq!(known.allow(&today(), "0"), Some(true));
        assert_eq!(known.allow(&today(), "new"), None);
        known.learn(&names(NAMES_A_DAY));
        assert_eq!(known.allow(&today(), "0"), Some(true));
        assert_eq!(known.allow(&today(), "new"), Some(false));
        let tomorrow = MetricDay {
            day: today().day + 1,
            ..today()
        };
        assert_eq!(known.allow(&tomorrow, "new"), None);
    }

    #[test]
    fn a_node_forgets_days_that_are_over_before_it_forgets_all() {
        let known = MetricNames::default();
        let of = |plugin: usize, day: i64| MetricDay {
            plugin: plugin.to_string(),
            day,
            ..today()
        };
        let some = |days: Vec<MetricDay>| {
            days.into_iter()
                .map(|day| (day, names(1)[&today()].clone()))
        };
        let day = today().day;
        known.learn(&some((0..PLUGINS).map(|n| of(n, day - 1)).collect()).collect());
        known.learn(&some(vec![of(0, day)]).collect());
        assert_eq!(known.allow(&of(0, day), "0"), Some(true));
        assert_eq!(known.allow(&of(1, day - 1), "0"), None, "over");
        known.learn(&some((1..PLUGINS).map(|n| of(n, day)).collect()).collect());
        assert_eq!(
            known.allow(&of(0, day), "0"),
            Some(true),
            "just as many as there may be"
        );
        known.learn(&some(vec![of(PLUGINS, day)]).collect());
        assert_eq!(known.allow(&of(0, day), "0"), None);
        assert_eq!(known.allow(&of(PLUGINS, day), "0"), Some(true));
    }

    #[test]
    fn the_last_name_of_a_day_is_taken_and_the_next_is_not() {
        let (mut days, mut new) = (names(NAMES_A_DAY - 1), BTreeSet::new());
        let mut admit = |name| admit_one(&mut days, &today(), name, &mut new);
        assert!(admit("last") && admit("last"));
        assert!(!admit("one more") && admit("0"));
        assert_eq!(
            new.into_iter().collect::<Vec<_>>(),
            [(today(), "last".to_owned())]
        );
    }
}
