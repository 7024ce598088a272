//! Timers that are due while their plugin rests: they are held where they are, and let go when it runs again.
//!
//! The table has the truth. What this node has held it remembers, so that a plugin that runs again gets its timers at once;
//! what another node held, or this one in another life, is looked at again after a while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Occasions;
use crate::domain::{ConversationId, NumberId, Timestamp};
use crate::storage::installations::Rest;
use crate::storage::timers::{self, TimerKey};
use crate::storage::{Result, StorageError};

/// When a timer that is held is looked at again, a write for each. A guess between that and how late one may be whose holder
/// is gone.
const HELD: Duration = Duration::from_secs(300);
/// How often one of those behind an open breaker, or whose plugin could not be loaded, may try the plugin there.
const BROKEN: Duration = Duration::from_secs(30);

/// Plugins of numbers whose timers this node holds.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<(NumberId, String), Own>);

/// The timers of one plugin at one number.
#[derive(Debug)]
struct Own {
    /// When one tried the plugin last while it was broken. Before the first: since when they are held.
    tried_at: Timestamp,
    /// One of them is to be the next to try it.
    has_next: bool,
    /// Since the plugin rests no more: the last that was let go.
    released: (ConversationId, String),
}

impl Own {
    fn new(now: Timestamp) -> Self {
        Self {
            // It has just broken, or nobody knows: the first try has time.
            tried_at: now,
            has_next: false,
            released: NONE,
        }
    }
}

/// Before every timer.
const NONE: (ConversationId, String) = (ConversationId::from_raw(0), String::new());

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
        let own = self.0.entry(own).or_insert_with(|| Own::new(now));
        own.released = NONE;
        match rest {
            Rest::Broken if own.tried_at.plus(BROKEN) <= now => {
                (own.tried_at, own.has_next) = (now, false);
                None
            }
            Rest::Broken if !own.has_next => {
                own.has_next = true;
                Some(own.tried_at.plus(BROKEN))
            }
            _ => Some(now.plus(HELD)),
        }
    }
}

impl Occasions {
    /// Lets some timers of a plugin that rests no more be due; answers whether there may be more. An error leaves them for
    /// the next time.
    pub(super) async fn release(&self, held: &mut Held, most: i64) -> bool {
        let mut all = held.0.iter_mut();
        let over =
            all.find(|((number, plugin), _)| self.directory.rests(*number, plugin).is_none());
        let Some((whose, own)) = over else {
            return false;
        };
        match self.release_some(whose, &mut own.released, most).await {
            Ok(found) if found < most => {
                let whose = whose.clone();
                held.0.remove(&whose);
                true
            }
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(error = ?error, "timers that were held wait; trying again");
                false
            }
        }
    }

    /// Answers how many were found behind `after`, those of other nodes included. Only this number's: at another one the
    /// same plugin may rest.
    async fn release_some(
        &self,
        (number, plugin): &(NumberId, String),
        after: &mut (ConversationId, String),
        most: i64,
    ) -> Result<i64> {
        let snapshot = self.directory.snapshot();
        let Some(entry) = snapshot.number(*number) else {
            return Ok(0);
        };
        let (owned, now) = (self.owned.borrow().clone(), self.clock.now());
        let mut tx = self.db.read().await?;
        let whose = (entry.tenant.id, *number);
        let found = timers::held(&mut tx, whose, (plugin, after), now, most).await?;
        drop(tx);
        let Some((_, last)) = found.last() else {
            return Ok(0);
        };
        let last = (last.conversation, last.name.clone());
        let ours = found.iter().filter(|(bucket, _)| owned.owns(*bucket));
        let (buckets, mut keys): (Vec<_>, Vec<TimerKey>) = ours.cloned().unzip();
        if !keys.is_empty() {
            keys.sort_unstable();
            let leases = owned.leases_of(buckets);
            let leases = leases.ok_or(StorageError::Fenced(-1))?;
            let (mut tx, _) = self.lock(&leases, &keys).await?;
            timers::release_all_tenants(&mut tx, &keys, now).await?;
            tx.commit().await?;
        }
        *after = last;
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
        assert_eq!(paused, Some(now.plus(HELD)));
        let stopped = held.until(Some(Rest::Stopped), own, now.plus(BROKEN));
        assert_eq!(stopped, Some(now.plus(BROKEN).plus(HELD)));
        let mut broken = |at| held.until(Some(Rest::Broken), own, at);
        assert_eq!(broken(now), Some(now.plus(BROKEN)), "the next to try");
        assert_eq!(broken(now), Some(now.plus(HELD)), "and the others");
        let later = now.plus(BROKEN);
        assert_eq!(broken(later), None);
        assert_eq!(broken(later), Some(later.plus(BROKEN)));
        assert_eq!(broken(later), Some(later.plus(HELD)));
    }
}
