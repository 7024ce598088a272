//! Versions of plugins that this node could not load when it tried last. In service they may be, and run on other nodes.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::domain::InstallationId;
use crate::domain::rollout::Stage;
use crate::storage::installations::Installation;
use crate::storage::plugin_versions::Version;
use crate::sync::lock;

/// By installation and version.
#[derive(Debug, Default)]
pub struct Unloadable(Mutex<HashSet<(InstallationId, i64)>>);

impl Unloadable {
    /// What came of a try.
    pub fn tried(&self, version: (InstallationId, i64), is_loaded: bool) {
        let mut all = lock(&self.0);
        match is_loaded {
            true => all.remove(&version),
            false => all.insert(version),
        };
    }

    /// Drops what is installed no more.
    pub fn retain(&self, is_installed: impl Fn(&(InstallationId, i64)) -> bool) {
        lock(&self.0).retain(is_installed);
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
        !missed.is_empty() && missed.iter().all(|version| all.contains(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NumberId;

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
        unloadable.tried(key(&tenants, 2), false);
        assert!(!is_out(&both[..1]));
        unloadable.tried(key(&tenants, 1), false);
        assert!(is_out(&both[..1]));
        assert!(!is_out(&both), "the number's own runs");
        assert!(!unloadable.keeps_out(&both, "another"));
        unloadable.tried(key(&own, 1), false);
        assert!(is_out(&both));
        let paused = Installation {
            paused: true,
            ..tenants.clone()
        };
        assert!(!is_out(&[paused]), "it rests by itself");
        unloadable.tried(key(&tenants, 1), true);
        assert!(!is_out(&both));
        unloadable.retain(|version| *version != key(&own, 1));
        assert!(!is_out(&[own]));
        let first = Installation::blank(3, None, &[Stage::Canary]);
        unloadable.tried(key(&first, 1), false);
        assert!(
            is_out(std::slice::from_ref(&first)),
            "nobody else would run"
        );
        let shadow = Installation::blank(4, number, &[Stage::Shadow]);
        assert!(is_out(&[first, shadow]), "it only looks on");
    }
}
