//! Plugins' memory in a commit: locked, checked for lost races and for room, written once per key.
//!
//! Turns are taken in one after another, each upon what those before it left. One that read what has moved, or that
//! finds its plugin's room used up, lost: nothing of it is taken, and when it runs again it sees how things are now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{TenantId, Timestamp};
use crate::plugin_host::{KvEffects, KvWrite};
use crate::storage::kv::{self, KvKey, KvOwner, KvValue};
use crate::storage::{Result, Tx};

use super::Finished;

/// What one turn does to plugins' memory: by the plugin's name.
type TurnKv = [(String, KvEffects)];

/// The turn lost: it is to run again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// The memory that a group of turns looked at, as it will be.
#[derive(Debug, Default)]
pub(super) struct GroupMemory {
    stored: HashMap<KvKey, KvValue>,
    /// None: deleted.
    after: BTreeMap<KvKey, Option<KvValue>>,
    /// Bytes of each plugin, before and after.
    used: BTreeMap<KvOwner, (i64, i64)>,
    /// Bytes that one plugin may remember at one tenant.
    most: i64,
}

impl GroupMemory {
    /// Locks and reads what the group's turns read or write: first the plugins' rows of usage, then keys.
    pub(super) async fn lock(tx: &mut Tx, group: &[Finished], most: i64) -> Result<Self> {
        let (mut owners, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for turn in group {
            for (plugin, effects) in &turn.kv {
                let key = |item: &str| key(turn.event.tenant, plugin, item);
                keys.extend(effects.reads.iter().map(|(item, _)| key(item)));
                keys.extend(effects.writes.keys().map(|item| key(item)));
                if !effects.writes.is_empty() {
                    owners.insert(key("").owner());
                }
            }
        }
        let owners: Vec<KvOwner> = owners.into_iter().collect();
        let keys: Vec<KvKey> = keys.into_iter().collect();
        let used = kv::lock_usage_all_tenants(tx, &owners).await?;
        let stored = kv::read_all_tenants(tx, &keys, true).await?;
        Ok(Self {
            stored: stored.into_iter().collect(),
            after: BTreeMap::new(),
            used: used
                .into_iter()
                .map(|(owner, bytes)| (owner, (bytes, bytes)))
                .collect(),
            most,
        })
    }

    /// Takes a turn's writes in, or says that it lost. Answers the keys of additions that could not be made: a value
    /// that is no number is left as it is, because the turn that added blindly has long returned.
    pub(super) fn take(
        &mut self,
        tenant: TenantId,
        turn: &TurnKv,
        (version, at): (i64, Timestamp),
    ) -> Result<Vec<String>, Lost> {
        if self.is_stale(tenant, turn, at) {
            return Err(Lost);
        }
        let mut writes = BTreeMap::<KvKey, Option<KvValue>>::new();
        let mut not_added = Vec::new();
        for (plugin, effects) in turn {
            for (item, write) in &effects.writes {
                let key = key(tenant, plugin, item);
                let kept = |value: &Vec<u8>, expires_at| KvValue {
                    value: value.clone(),
                    version,
                    expires_at,
                };
                let value = match write {
                    KvWrite::Set(value) => Some(kept(value, 0)),
                    KvWrite::SetUntil(value, until) => Some(kept(value, until.millis())),
                    KvWrite::Delete => None,
                    KvWrite::Add(delta) => {
                        // Upon what the turn itself wrote before, if it did.
                        let own = writes.get(&key).map(Option::as_ref);
                        let before = own.unwrap_or_else(|| self.now(&key));
                        let before = before.filter(|value| value.lives(at));
                        let Some(sum) = added(before, *delta) else {
                            not_added.push(format!("{plugin}/{}", readable(item)));
                            continue;
                        };
                        // What ends by itself keeps its end.
                        Some(kept(&sum, before.map_or(0, |value| value.expires_at)))
                    }
                };
                writes.insert(key, value);
            }
        }
        self.make_room(&writes)?;
        self.after.extend(writes);
        Ok(not_added)
    }

    fn is_stale(&self, tenant: TenantId, turn: &TurnKv, at: Timestamp) -> bool {
        turn.iter().any(|(plugin, effects)| {
            effects.reads.iter().any(|(item, seen)| {
                let key = key(tenant, plugin, item);
                let stored = self.stored.get(&key).filter(|value| value.lives(at));
                let version = stored.map_or(0, |value| value.version);
                self.after.contains_key(&key) || version != *seen
            })
        })
    }

    fn now(&self, key: &KvKey) -> Option<&KvValue> {
        match self.after.get(key) {
            Some(value) => value.as_ref(),
            None => self.stored.get(key),
        }
    }

    /// Counts the writes, of all owners or of none.
    fn make_room(&mut self, writes: &BTreeMap<KvKey, Option<KvValue>>) -> Result<(), Lost> {
        let mut growth: BTreeMap<KvOwner, i64> = BTreeMap::new();
        for (key, value) in writes {
            let bytes = |value: Option<&KvValue>| value.map_or(0, |value| key.bytes(&value.value));
            *growth.entry(key.owner()).or_default() += bytes(value.as_ref()) - bytes(self.now(key));
        }
        let used = |owner: &KvOwner| self.used.get(owner).map_or(0, |(_, now)| *now);
        // Who shrinks may, however full it is.
        let fits = |(owner, growth): (&KvOwner, &i64)| {
            *growth <= 0 || used(owner).saturating_add(*growth) <= self.most
        };
        if !growth.iter().all(fits) {
            return Err(Lost);
        }
        for (owner, growth) in growth {
            self.used.entry(owner).or_default().1 += growth;
        }
        Ok(())
    }

    /// Writes what was taken in: one write per key, and each plugin's usage where it moved.
    pub(super) async fn write(&mut self, tx: &mut Tx) -> Result<()> {
        let (mut puts, mut gone) = (Vec::new(), Vec::new());
        for (key, value) in std::mem::take(&mut self.after) {
            match value {
                Some(value) => puts.push((key, value)),
                None => gone.push(key),
            }
        }
        kv::put_all_tenants(tx, &puts).await?;
        kv::delete_all_tenants(tx, &gone).await?;
        let moved: Vec<(KvOwner, i64)> = self
            .used
            .iter()
            .filter(|(_, (before, now))| before != now)
            .map(|(owner, (_, now))| (owner.clone(), *now))
            .collect();
        kv::set_usage_all_tenants(tx, &moved).await
    }

    /// What plugins remember in all, once this is committed.
    pub(super) fn into_used(self) -> impl Iterator<Item = (KvOwner, i64)> {
        self.used.into_iter().map(|(owner, (_, now))| (owner, now))
    }
}

fn key(tenant: TenantId, plugin: &str, item: &str) -> KvKey {
    KvKey {
        tenant,
        plugin: plugin.to_owned(),
        item: item.to_owned(),
    }
}

/// A key as people read it: spaces of the memory are told apart by a control character.
fn readable(item: &str) -> String {
    item.replace(char::is_control, "")
}

/// The sum as decimal text, as the plugin host reads numbers; none when the value is no number or the sum does not fit.
fn added(before: Option<&KvValue>, delta: i64) -> Option<Vec<u8>> {
    let number = match before {
        None => 0,
        Some(value) => std::str::from_utf8(&value.value)
            .ok()?
            .parse::<i64>()
            .ok()?,
    };
    Some(number.checked_add(delta)?.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstallationId;

    const TENANT: TenantId = TenantId::from_raw(1);
    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn memory(stored: &[(&str, &str)], most: i64) -> GroupMemory {
        let mut memory = GroupMemory {
            most,
            ..GroupMemory::default()
        };
        let mut used = 0;
        for (item, value) in stored {
            let key = key(TENANT, "p", item);
            let value = value.as_bytes().to_vec();
            used += key.bytes(&value);
            let kept = KvValue {
                value,
                version: 7,
                expires_at: 0,
            };
            memory.stored.insert(key, kept);
        }
        memory
            .used
            .insert(key(TENANT, "p", "").owner(), (used, used));
        memory
    }

    fn turn(reads: &[(&str, i64)], writes: &[(&str, KvWrite)]) -> Vec<(String, KvEffects)> {
        let effects = KvEffects {
            installation: InstallationId::from_raw(1),
            reads: reads
                .iter()
                .map(|(item, seen)| ((*item).to_owned(), *seen))
                .collect(),
            writes: writes
                .iter()
                .map(|(item, write)| ((*item).to_owned(), write.clone()))
                .collect(),
        };
        vec![("p".to_owned(), effects)]
    }

    fn set(value: &str) -> KvWrite {
        KvWrite::Set(value.as_bytes().to_vec())
    }

    fn value(memory: &GroupMemory, item: &str) -> Option<String> {
        let value = memory.now(&key(TENANT, "p", item))?;
        Some(String::from_utf8_lossy(&value.value).into_owned())
    }

    fn used(memory: &GroupMemory) -> i64 {
        memory.used[&key(TENANT, "p", "").owner()].1
    }

    #[test]
    fn who_read_what_an_earlier_turn_of_the_group_wrote_lost() {
        let mut memory = memory(&[("k", "old")], 1000);
        let first = turn(&[("k", 7)], &[("k", set("new"))]);
        assert_eq!(memory.take(TENANT, &first, (8, NOW)), Ok(vec![]));
        let second = turn(&[("k", 7)], &[("k", set("newer"))]);
        assert_eq!(memory.take(TENANT, &second, (9, NOW)), Err(Lost));
        assert_eq!(value(&memory, "k").as_deref(), Some("new"));
    }

    #[test]
    fn who_read_another_version_or_missed_a_new_key_lost() {
        let mut memory = memory(&[("k", "v")], 1000);
        for seen in [0, 6] {
            assert_eq!(
                memory.take(TENANT, &turn(&[("k", seen)], &[]), (8, NOW)),
                Err(Lost)
            );
        }
        assert_eq!(
            memory.take(TENANT, &turn(&[("absent", 0)], &[]), (8, NOW)),
            Ok(vec![])
        );
    }

    #[test]
    fn blind_additions_of_a_group_add_up() {
        let mut memory = memory(&[("n", "40")], 1000);
        for version in [8, 9] {
            let one = turn(&[], &[("n", KvWrite::Add(1)), ("new", KvWrite::Add(5))]);
            assert_eq!(memory.take(TENANT, &one, (version, NOW)), Ok(vec![]));
        }
        assert_eq!(value(&memory, "n").as_deref(), Some("42"));
        assert_eq!(value(&memory, "new").as_deref(), Some("10"));
    }

    #[test]
    fn additions_of_one_turn_stand_upon_what_it_wrote_before() {
        let mut memory = memory(&[("n", "40"), ("set", "1"), ("gone", "1")], 1000);
        let first = [
            ("n", KvWrite::Add(1)),
            ("new", KvWrite::Add(5)),
            ("set", set("7")),
            ("gone", KvWrite::Delete),
        ];
        let second = ["n", "new", "set", "gone"].map(|item| (item, KvWrite::Add(1)));
        let one = [turn(&[], &first), turn(&[], &second)].concat();
        assert_eq!(memory.take(TENANT, &one, (8, NOW)), Ok(vec![]));
        let now = ["n", "new", "set", "gone"].map(|item| value(&memory, item));
        let now = now.each_ref().map(Option::as_deref);
        assert_eq!(now, [Some("42"), Some("6"), Some("8"), Some("1")]);
        let bytes = "n42".len() + "new6".len() + "set8".len() + "gone1".len();
        assert_eq!(used(&memory), i64::try_from(bytes).expect("few"));
    }

    #[test]
    fn adding_to_what_is_no_number_or_overflows_changes_nothing_and_is_told() {
        let full = i64::MAX.to_string();
        let mut memory = memory(&[("name", "Ines"), ("full", &full)], 1000);
        let add = turn(
            &[],
            &[
                ("full", KvWrite::Add(1)),
                ("n", KvWrite::Add(1)),
                ("name", KvWrite::Add(1)),
            ],
        );
        let told = vec!["p/full".to_owned(), "p/name".to_owned()];
        assert_eq!(memory.take(TENANT, &add, (8, NOW)), Ok(told));
        assert_eq!(value(&memory, "name").as_deref(), Some("Ines"));
        assert_eq!(value(&memory, "full"), Some(full));
        assert_eq!(value(&memory, "n").as_deref(), Some("1"));
    }

    #[test]
    fn who_does_not_fit_lost_and_takes_no_room() {
        let mut memory = memory(&[("k", "123")], 10);
        let fits = turn(&[], &[("a", set("12345"))]);
        assert_eq!(memory.take(TENANT, &fits, (8, NOW)), Ok(vec![]));
        assert_eq!(used(&memory), 10);
        let more = turn(&[], &[("b", set(""))]);
        assert_eq!(memory.take(TENANT, &more, (9, NOW)), Err(Lost));
        let swap = turn(&[], &[("a", KvWrite::Delete), ("b", set("1234"))]);
        assert_eq!(memory.take(TENANT, &swap, (10, NOW)), Ok(vec![]));
        assert_eq!(used(&memory), 9);
    }

    #[test]
    fn who_shrinks_may_though_the_quota_was_lowered_below_it() {
        let mut memory = memory(&[("k", "1234567890")], 5);
        assert_eq!(
            memory.take(TENANT, &turn(&[], &[("k", set("123456789"))]), (8, NOW)),
            Ok(vec![])
        );
        assert_eq!(
            memory.take(TENANT, &turn(&[], &[("k", set("1234567890"))]), (9, NOW)),
            Err(Lost)
        );
    }

    #[test]
    fn what_has_ended_is_absent_and_what_is_added_to_keeps_its_end() {
        let soon = NOW.millis() + 1;
        let mut memory = memory(&[("gone", "5"), ("lives", "5")], 1000);
        for (item, end) in [("gone", NOW.millis()), ("lives", soon)] {
            let value = memory.stored.get_mut(&key(TENANT, "p", item));
            value.expect("stored").expires_at = end;
        }
        let add = turn(
            &[("gone", 0)],
            &[("gone", KvWrite::Add(1)), ("lives", KvWrite::Add(1))],
        );
        assert_eq!(memory.take(TENANT, &add, (8, NOW)), Ok(vec![]));
        let now = |item| memory.now(&key(TENANT, "p", item)).cloned();
        let end = |item| now(item).map(|value| (value.value, value.expires_at));
        assert_eq!(end("gone"), Some((b"1".to_vec(), 0)));
        assert_eq!(end("lives"), Some((b"6".to_vec(), soon)));
    }
}
