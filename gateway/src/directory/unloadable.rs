//! Versions of plugins that this node could not load when it tried last. In service they may be, and run on other nodes.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::domain::rollout::Stage;
use crate::domain::{InstallationId, Timestamp};
use crate::storage::installations::Installation;
use crate::storage::plugin_versions::Version;
use crate::sync::lock;

/// A failure that nothing was tried for so long after is over: the next one is another.
const ANOTHER: Duration = Duration::from_secs(60);

/// By installation and version.
#[derive(Debug, Default)]
pub struct Unloadable(Mutex<HashMap<(InstallationId, i64), Failed>>);

#[derive(Debug, Clone, Copy)]
struct Failed {
    since: Timestamp,
    last: Timestamp,
}

impl Unloadable {
    /// What came of a try.
    pub fn tried(&self, version: (InstallationId, i64), is_loaded: bool, now: Timestamp) {
        let mut all = lock(&self.0);
        if is_loaded {
            all.remove(&version);
        } else {
            let new = Failed {
                since: now,
                last: now,
            };
            let failed = all.entry(version).or_insert(new);
            if failed.last.plus(ANOTHER) < now {
                *failed = new;
            }
            failed.last = now;
        }
    }

    /// Since when none of an installation's versions could be loaded that were tried.
    pub fn since(&self, installation: InstallationId) -> Option<Timestamp> {
        let all = lock(&self.0);
        let own = all.iter().filter(|((id, _), _)| *id == installation);
        own.map(|(_, failed)| failed.since).max()
    }

    /// Drops what is installed no more.
    pub fn retain(&self, is_installed: impl Fn(&(InstallationId, i64)) -> bool) {
        lock(&self.0).retain(|version, _| is_installed(version));
    }

    /// Is there a plugin of this name that would run, if it could be loaded? A candidate counts only in canary and where no version
    /// is in service: in all other turns it is the version in service that is missed.
    pub(super) fn keeps_out(&self, installed: &[Installation], plugin: &str) -> bool {
        let all = lock(&self.0);
        if all.is_empty() {
            return false;
        }
        let awake = |one: &&Installation| one.plugin == plugin && one.rests().is_none();
        let versions = |of: fn(&Installation) -> Option<&Version>| {
            let named = installed.iter().filter(awake);
            let keys = named.filter_map(|one| Some((one.id, of(one)?.seq)));
            keys.collect::<Vec<_>>()
        };
        let mut missed = versions(Installation::active);
        if missed.is_empty() {
            missed = versions(|one| one.candidate().filter(|new| new.stage == Stage::Canary));
        }
        !missed.is_empty() && missed.iter().all(|version| all.contains_key(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NumberId;

    const AT: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn since_when_it_is_so_does_not_move_with_another_try() {
        let unloadable = Unloadable::default();
        let id = InstallationId::from_raw(1);
        let later = AT.plus(Duration::from_secs(20));
        assert_eq!(unloadable.since(id), None);
        unloadable.tried((id, 1), false, AT);
        unloadable.tried((id, 1), false, later);
        assert_eq!(unloadable.since(id), Some(AT));
        let next_day = later.plus(Duration::from_secs(86_400));
        unloadable.tried((id, 9), false, AT);
        unloadable.tried((id, 9), false, next_day);
        assert_eq!(unloadable.since(id), Some(next_day), "another failure");
        unloadable.tried((id, 9), true, next_day);
        // The version that came in its place is the last that was missed.
        unloadable.tried((id, 2), false, later);
        assert_eq!(unloadable.since(id), Some(later));
        unloadable.tried((id, 2), true, later);
        assert_eq!(unloadable.since(id), Some(AT));
        assert_eq!(unloadable.since(InstallationId::from_raw(2)), None);
    }

    #[test]
    fn a_plugin_is_kept_out_while_none_of_what_serves_can_be_loaded() {
        let unloadable = Unloadable::default();
        let tenants = Installation::blank(1, None, &[Stage::Active, Stage::Canary]);
        let number = Some(NumberId::from_raw(5));
        let own = Installation::blank(2, number, &[Stage::Active]);
        let key = |of: &Installation, seq| (of.id, seq);
        let both = [tenants.clone(), own.clone()];
        let is_out = |installed: &[Installation]| unloadable.keeps_out(installed, "menu");
        assert!(!is_out(&both));
        // A candidate that cannot be loaded leaves its place to the version in service.
        unloadable.tried(key(&tenants, 2), false, AT);
        assert!(!is_out(&both[..1]));
        unloadable.tried(key(&tenants, 1), false, AT);
        assert!(is_out(&both[..1]));
        assert!(!is_out(&both), "the number's own runs");
        assert!(!unloadable.keeps_out(&both, "another"));
        unloadable.tried(key(&own, 1), false, AT);
        assert!(is_out(&both));
        let paused = Installation {
            paused: true,
            ..tenants.clone()
        };
        assert!(!is_out(&[paused]), "it rests by itself");
        unloadable.tried(key(&tenants, 1), true, AT);
        assert!(!is_out(&both));
        unloadable.retain(|version| *version != key(&own, 1));
        assert!(!is_out(&[own]));
        let first = Installation::blank(3, None, &[Stage::Canary]);
        unloadable.tried(key(&first, 1), false, AT);
        assert!(
            is_out(std::slice::from_ref(&first)),
            "nobody else would run"
        );
        let shadow = Installation::blank(4, number, &[Stage::Shadow]);
        assert!(is_out(&[first, shadow]), "it only looks on");
    }
}
