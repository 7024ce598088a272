//! A version in service that fails is judged by what all nodes see of it: each says once a second what its own turns came
//! to, as long as one of them failed lately, and hears what the others say.

use super::{Part, Rollouts, State, TOGETHER};
use crate::domain::breaker::Recent;
use crate::storage::Result;
use crate::storage::plugin_health;

impl State {
    /// Is it in service and failed here lately?
    pub(super) fn is_ailing(&self, part: &Part) -> bool {
        self.recent.get(part).is_some_and(Recent::has_faults)
    }

    /// Those that failed here lately. When there are very many, not all of them every second: something else is wrong.
    fn ailing(&self) -> Vec<Part> {
        let parts = self.recent.keys().filter(|part| self.is_ailing(part));
        parts.take(TOGETHER).copied().collect()
    }
}

impl Rollouts {
    /// Hears what other nodes saw of the versions that fail here, and judges those anew.
    pub(super) async fn hear_others(&self) -> Result<()> {
        let ailing = self.state().ailing();
        if ailing.is_empty() {
            return Ok(());
        }
        let own = i64::from(self.setup.ids.node());
        let mut tx = self.setup.db.read().await?;
        for part in ailing {
            let mut counted = plugin_health::by_node(&mut tx, part.tenant, &part).await?;
            counted.remove(&own);
            let now = self.setup.clock.now();
            let mut state = self.state();
            let Some(recent) = state.recent.get_mut(&part) else {
                continue;
            };
            recent.hear(&self.breaking, now, counted);
            if let Some(why) = recent.verdict(&self.breaking) {
                state.broken.entry(part).or_insert(why);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
