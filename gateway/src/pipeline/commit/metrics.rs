//! Which metrics of a group's turns are counted: a plugin counts under few names a day, because their rows stay for a year.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use super::Finished;
use crate::domain::TenantId;
use crate::pipeline::journal;
use crate::storage::plugin_events::{self, Metric, MetricDay};
use crate::storage::{Result, Tx};
use crate::sync::lock;

/// Different names under which one plugin may count at a tenant on one day (UTC). A guess: a page of charts has a dozen, and
/// whoever counts by product or person wants events. Nodes that meet the first turns of a day side by side may pass it by
/// what each of them takes in one commit.
const NAMES_A_DAY: usize = 200;
/// Plugins whose names a node has in memory, 20 KiB each at most; when there are more, it begins anew.
const PLUGINS: usize = 1_024;

const DAY_MS: i64 = 86_400_000;

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
    let mut days = stored(tx, known, winners).await?;
    let mut new = BTreeSet::new();
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
    known.learn(&days);
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
        day: metric.hour.div_euclid(DAY_MS),
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
