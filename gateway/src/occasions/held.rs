//! Timers that are due while their plugin rests: they are held where they are, and let go when it runs again.
//!
//! The table has the truth. What this node has held it remembers, so that a plugin that runs again gets its timers at once;
//! what another node held, or this one in another life, is looked at again after a while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Occasions;
use crate::domain::{NumberId, Timestamp};
use crate::storage::installations::Rest;
use crate::storage::timers::{self, TimerKey};
use crate::storage::{Result, StorageError};

/// When a timer of a paused plugin is looked at again. A write for each; a guess between that and how late one may be whose
/// holder is gone.
const PAUSED: Duration = Duration::from_secs(300);
/// The same behind an open breaker, and how often one of them may try the plugin there.
const BROKEN: Duration = Duration::from_secs(30);

/// Plugins of numbers whose timers this node holds, and when one tried a broken one last.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<(NumberId, String), Timestamp>);

impl Held {
    /// When a timer that is due now is looked at again; none: it fires.
    pub(super) fn until(
        &mut self,
        rest: Option<Rest>,
        (number, plugin): (NumberId, &str),
        now: Timestamp,
    ) -> Option<Timestamp> {
        let rest = rest?;
        let own = (number, plugin.to_owned());
        // The breaker has just opened, or nobody knows: the first try has time.
        let tried = self.0.entry(own).or_insert(now);
        match rest {
            Rest::Paused => Some(now.plus(PAUSED)),
            Rest::Broken if tried.plus(BROKEN) <= now => {
                *tried = now;
                None
            }
            Rest::Broken => Some(now.plus(BROKEN)),
        }
    }
}

impl Occasions {
    pub(super) fn rests(&self, number: NumberId, plugin: &str) -> Option<Rest> {
        self.directory.snapshot().number(number)?.rests(plugin)
    }

    /// Lets timers of plugins that rest no more be due. An error leaves them for the next time.
    pub(super) async fn release(&self, held: &mut Held, most: i64) -> Result<()> {
        let over: Vec<(NumberId, String)> = (held.0.keys())
            .filter(|(number, plugin)| self.rests(*number, plugin).is_none())
            .cloned()
            .collect();
        for own in over {
            while self.release_some(&own, most).await? >= most {}
            held.0.remove(&own);
        }
        Ok(())
    }

    /// Answers how many were found.
    async fn release_some(&self, (number, plugin): &(NumberId, String), most: i64) -> Result<i64> {
        let snapshot = self.directory.snapshot();
        let Some(entry) = snapshot.number(*number) else {
            return Ok(0);
        };
        let owned = self.owned.borrow().clone();
        let mut tx = self.db.read().await?;
        let found = timers::held(&mut tx, entry.tenant.id, plugin, self.clock.now(), most).await?;
        drop(tx);
        let ours = found.iter().filter(|(bucket, _)| owned.owns(*bucket));
        let (buckets, mut keys): (Vec<_>, Vec<TimerKey>) = ours.cloned().unzip();
        if keys.is_empty() {
            return Ok(0);
        }
        keys.sort_unstable();
        let leases = owned.leases_of(buckets.into_iter());
        let leases = leases.ok_or(StorageError::Fenced(-1))?;
        let (mut tx, _) = self.lock(&leases, &keys).await?;
        timers::release_all_tenants(&mut tx, &keys).await?;
        tx.commit().await?;
        Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_plugin_holds_all_and_a_broken_one_is_tried_by_one_in_a_while() {
        let (own, now) = (
            (NumberId::from_raw(1), "echo"),
            Timestamp::from_millis(1_000),
        );
        let mut held = Held::default();
        assert_eq!(held.until(None, own, now), None);
        assert!(held.0.is_empty());
        let paused = held.until(Some(Rest::Paused), own, now);
        assert_eq!(paused, Some(now.plus(PAUSED)));
        assert_eq!(
            held.until(Some(Rest::Broken), own, now),
            Some(now.plus(BROKEN))
        );
        let later = now.plus(BROKEN);
        assert_eq!(held.until(Some(Rest::Broken), own, later), None);
        assert_eq!(
            held.until(Some(Rest::Broken), own, later),
            Some(later.plus(BROKEN))
        );
    }
}
