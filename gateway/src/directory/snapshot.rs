//! One version of all setup, arranged for the hot path: everything that a message needs hangs on its number.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::attribute::AttributeKind;
use crate::domain::number::Number;
use crate::domain::{AppId, Bucket, NumberId, TenantId, Timestamp, Topics};
use crate::graph::VerifyingKeys;
use crate::policy::limits::LimitRules;
use crate::policy::{ActiveHold, WordBook};
use crate::storage::installations::{Installation, Rest};
use crate::templates::Registry;
use crate::tenants::{Setup, TenantSettings};

/// A Meta app as webhooks need it.
#[derive(Debug)]
pub struct AppEntry {
    pub id: AppId,
    pub verify_token: SecretString,
    pub keys: VerifyingKeys,
    /// Where bodies go that name no number that we know.
    pub bucket: Bucket,
}

/// A tenant as messages need it.
#[derive(Debug)]
pub struct TenantEntry {
    pub id: TenantId,
    pub name: String,
    pub settings: TenantSettings,
    pub words: WordBook,
    /// Its names for parts of marketing.
    pub topics: Topics,
    pub limits: Arc<LimitRules>,
    /// Attributes of contacts that it has defined.
    pub contact_kinds: Arc<BTreeMap<String, AttributeKind>>,
}

/// A number with all that hangs on it.
pub struct NumberEntry {
    pub number: Arc<Number>,
    pub tenant: Arc<TenantEntry>,
    pub token: Option<SecretString>,
    pub holds: Vec<ActiveHold>,
    /// What runs for it, in order.
    pub installations: Vec<Installation>,
    /// End of the last long time in which webhooks, of every number, could not be kept.
    pub ingest_gap_until: Option<Timestamp>,
    /// What is known of its account's templates.
    pub templates: Arc<Registry>,
}

impl NumberEntry {
    /// Why the plugin of this name does not run here for a while; none when it does, or will not again.
    pub fn rests(&self, plugin: &str) -> Option<Rest> {
        let named = self.installations.iter();
        rest_of(named.filter(|one| one.plugin == plugin).collect())
    }
}

/// Of all installations of one plugin. A version on trial runs in some turns only: in all others it is the one in service that is
/// missed.
fn rest_of(mut named: Vec<&Installation>) -> Option<Rest> {
    if named.iter().any(|one| one.serves()) {
        named.retain(|one| one.serves());
    }
    let runs = |one: &&Installation| one.rests().is_none() && !one.versions.is_empty();
    match named.iter().any(runs) {
        true => None,
        false => named.into_iter().find_map(Installation::rests),
    }
}

impl fmt::Debug for NumberEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberEntry")
            .field("number", &self.number.id)
            .finish_non_exhaustive()
    }
}

/// One version of all setup.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub version: i64,
    pub ingest_gap_until: Option<Timestamp>,
    apps: HashMap<String, Arc<AppEntry>>,
    apps_by_id: HashMap<AppId, Arc<AppEntry>>,
    default_app: Option<Arc<AppEntry>>,
    by_phone_number_id: HashMap<String, Arc<NumberEntry>>,
    by_id: HashMap<NumberId, Arc<NumberEntry>>,
    former: HashMap<NumberId, Arc<Number>>,
    rollouts: Vec<Installation>,
    stopped: BTreeSet<String>,
    /// A number that may speak for each WABA of a tenant.
    by_account: HashMap<(TenantId, String), Arc<NumberEntry>>,
}

impl Snapshot {
    pub fn new(setup: Setup, templates: &Arc<Registry>) -> Self {
        let mut snapshot = Self {
            version: setup.version,
            ingest_gap_until: setup.ingest_gap_until,
            former: setup
                .former
                .iter()
                .map(|number| (number.id, number.clone()))
                .collect(),
            rollouts: setup.rollouts().cloned().collect(),
            stopped: setup.stopped.clone(),
            ..Self::default()
        };
        for app in &setup.apps {
            let secrets: Vec<&[u8]> = app
                .secrets
                .iter()
                .map(|secret| secret.expose_secret().as_bytes())
                .collect();
            let entry = Arc::new(AppEntry {
                id: app.id,
                verify_token: app.verify_token.clone(),
                keys: VerifyingKeys::new(&secrets),
                bucket: Bucket::of(NumberId::from_raw(app.id.raw())),
            });
            snapshot.apps.insert(app.meta_app_id.clone(), entry.clone());
            snapshot.apps_by_id.insert(app.id, entry.clone());
            if app.is_default {
                snapshot.default_app = Some(entry);
            }
        }
        let mut tenants: HashMap<TenantId, Arc<TenantEntry>> = HashMap::new();
        for number in setup.numbers() {
            let Some(row) = setup.tenant(number.tenant) else {
                continue;
            };
            let tenant = tenants.entry(row.id).or_insert_with(|| {
                let (settings, problems) = TenantSettings::read(&row.settings);
                if !problems.is_empty() {
                    // They are checked when they are written: another version of the gateway did.
                    let (tenant, problems) = (row.id, problems.join("; "));
                    tracing::error!(%tenant, name = row.name, problems, "a tenant's settings do not read; what does holds");
                }
                let words = settings.word_book();
                let limits = Arc::new(settings.limits.rules());
                Arc::new(TenantEntry {
                    id: row.id,
                    name: row.name.clone(),
                    settings,
                    words,
                    topics: setup.topics(row.id),
                    limits,
                    contact_kinds: setup.contact_kinds(row.id),
                })
            });
            let entry = Arc::new(NumberEntry {
                number: number.clone(),
                tenant: tenant.clone(),
                token: setup.token(number).cloned(),
                holds: setup.holds(number),
                installations: setup.installations(number).cloned().collect(),
                ingest_gap_until: setup.ingest_gap_until,
                templates: templates.clone(),
            });
            let account = (number.tenant, number.waba_id.clone());
            match snapshot.by_account.entry(account) {
                Entry::Vacant(free) => drop(free.insert(entry.clone())),
                Entry::Occupied(mut other) if speaks_rather(&entry, other.get()) => {
                    other.insert(entry.clone());
                }
                Entry::Occupied(_) => {}
            }
            snapshot
                .by_phone_number_id
                .insert(number.phone_number_id.clone(), entry.clone());
            snapshot.by_id.insert(number.id, entry);
        }
        snapshot
    }

    /// The app of a callback URL: with Meta's id, or the default one.
    pub fn app(&self, meta_app_id: Option<&str>) -> Option<&Arc<AppEntry>> {
        match meta_app_id {
            Some(id) => self.apps.get(id),
            None => self.default_app.as_ref(),
        }
    }

    pub fn app_by_id(&self, id: AppId) -> Option<&Arc<AppEntry>> {
        self.apps_by_id.get(&id)
    }

    /// The number that a webhook names.
    pub fn number_named(&self, phone_number_id: &str) -> Option<&Arc<NumberEntry>> {
        self.by_phone_number_id.get(phone_number_id)
    }

    pub fn number(&self, id: NumberId) -> Option<&Arc<NumberEntry>> {
        self.by_id.get(&id)
    }

    /// A number that was taken away: nothing of it is done any more, and its past can be told.
    pub fn former(&self, id: NumberId) -> Option<&Arc<Number>> {
        self.former.get(&id)
    }

    /// Installations with a candidate, those of tenants without numbers too.
    pub fn rollouts(&self) -> &[Installation] {
        &self.rollouts
    }

    /// Digests that are stopped and still stand in installations, which run without them.
    pub fn stopped(&self) -> &BTreeSet<String> {
        &self.stopped
    }

    /// A number of a tenant's WABA: whose token speaks for the account.
    pub fn account(&self, tenant: TenantId, account: &str) -> Option<&Arc<NumberEntry>> {
        self.by_account.get(&(tenant, account.to_owned()))
    }

    /// WABAs that a tenant has a number of.
    pub fn accounts(&self) -> impl Iterator<Item = (TenantId, &str)> {
        self.by_account
            .keys()
            .map(|(tenant, account)| (*tenant, account.as_str()))
    }

    pub fn numbers(&self) -> impl Iterator<Item = &Arc<NumberEntry>> {
        self.by_id.values()
    }
}

/// One with a token, and of those always the same.
fn speaks_rather(one: &NumberEntry, other: &NumberEntry) -> bool {
    let rank = |entry: &NumberEntry| (entry.token.is_none(), entry.number.id);
    rank(one) < rank(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rollout::Stage;

    #[test]
    fn a_version_on_trial_does_not_run_for_one_in_service_that_rests() {
        let tenants = Installation::blank(1, None, &[Stage::Active]);
        let paused = Installation {
            paused: true,
            ..tenants.clone()
        };
        let number = Some(NumberId::from_raw(5));
        for stage in [Stage::Waiting, Stage::Shadow, Stage::Canary] {
            let own = Installation::blank(2, number, &[stage]);
            assert_eq!(rest_of(vec![&paused, &own]), Some(Rest::Paused), "{stage}");
            assert_eq!(rest_of(vec![&tenants, &own]), None, "{stage}");
            assert_eq!(rest_of(vec![&own]), None, "{stage}");
        }
        assert_eq!(rest_of(Vec::new()), None);
    }
}
