//! All setup in memory, with its secrets opened: what a node works from, and reads again when the counter moves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use secrecy::SecretString;

use super::installations::standing;
use super::{GrantCeiling, Result, places};
use crate::domain::attribute::AttributeKind;
use crate::domain::number::Number;
use crate::domain::{AppId, CredentialId, TenantId, Timestamp, Topics};
use crate::policy::{ActiveHold, HoldScope};
use crate::secrets::Keyring;
use crate::storage::holds::{Held, Hold};
use crate::storage::installations::Installation;
use crate::storage::tenants::Tenant;
use crate::storage::{
    Tx, apps, changes, consents, contacts, credentials, former_numbers, holds, ingest_life,
    installations, numbers, plugin_trust, tenants,
};

/// A Meta app that takes webhooks.
#[derive(Debug)]
pub struct SetupApp {
    pub id: AppId,
    pub meta_app_id: String,
    pub is_default: bool,
    pub verify_token: SecretString,
    /// A webhook signed with any of them is taken.
    pub secrets: Vec<SecretString>,
}

/// One version of all setup.
#[derive(Debug)]
pub struct Setup {
    /// The change counter when it was read, or a little before.
    pub version: i64,
    pub apps: Vec<SetupApp>,
    tenants: HashMap<TenantId, Tenant>,
    /// By Meta's phone-number id.
    numbers: HashMap<String, Arc<Number>>,
    /// Numbers that are gone, for what is told of their past.
    pub former: Vec<Arc<Number>>,
    tokens: HashMap<CredentialId, SecretString>,
    holds: Vec<Hold>,
    installations: HashMap<TenantId, Vec<Installation>>,
    /// Digests that are stopped and still stand somewhere. They are in none of the installations here, which know that
    /// they wait for another one.
    pub stopped: BTreeSet<String>,
    contact_kinds: HashMap<TenantId, Arc<BTreeMap<String, AttributeKind>>>,
    topics: HashMap<TenantId, Topics>,
    /// End of the last long time in which webhooks could not be kept.
    pub ingest_gap_until: Option<Timestamp>,
}

impl Setup {
    /// Reads everything. An envelope that does not open is an error: a node without its keys must not half-work.
    pub async fn load(tx: &mut Tx, keyring: &Keyring) -> Result<Self> {
        let version = changes::setup_version_all_tenants(tx).await?;
        let numbers = numbers::numbers_all_tenants(tx).await?;
        let mut by_tenant: HashMap<_, Vec<_>> = HashMap::new();
        let installed = installations::installations_all_tenants(tx).await?;
        // Read after them: a stop moves their generations in its own commit, and so does another ceiling of grants.
        let stops = plugin_trust::stopped_all_tenants(tx).await?;
        let tenants: HashMap<_, _> = tenants::tenants_all_tenants(tx)
            .await?
            .into_iter()
            .map(|tenant| (tenant.id, tenant))
            .collect();
        let mut stopped = BTreeSet::new();
        let ceilings: HashMap<TenantId, GrantCeiling> = tenants
            .values()
            .map(|tenant| (tenant.id, GrantCeiling::of(&tenant.settings)))
            .collect();
        for mut installation in installed {
            if let Some(ceiling) = ceilings.get(&installation.tenant) {
                withhold(ceiling, &mut installation);
            }
            let gone = installation.cut_out(|version| stops.contains(&version.digest));
            stopped.extend(gone.into_iter().map(|version| version.digest));
            by_tenant
                .entry(installation.tenant)
                .or_default()
                .push(installation);
        }
        Ok(Self {
            version,
            apps: load_apps(tx, keyring).await?,
            tenants,
            numbers: numbers
                .into_iter()
                .map(|number| (number.phone_number_id.clone(), Arc::new(number)))
                .collect(),
            former: former_numbers::all_tenants(tx)
                .await?
                .into_iter()
                .map(|former| Arc::new(former.number))
                .collect(),
            tokens: load_tokens(tx, keyring).await?,
            holds: holds::holds_all_tenants(tx).await?,
            installations: by_tenant,
            stopped,
            contact_kinds: load_kinds(tx).await?,
            topics: load_topics(tx).await?,
            ingest_gap_until: ingest_life::gap_until_all_tenants(tx).await?,
        })
    }

    /// The app of a callback URL: with Meta's id, or the default one.
    pub fn app(&self, meta_app_id: Option<&str>) -> Option<&SetupApp> {
        self.apps.iter().find(|app| match meta_app_id {
            Some(id) => app.meta_app_id == id,
            None => app.is_default,
        })
    }

    pub fn tenant(&self, tenant: TenantId) -> Option<&Tenant> {
        self.tenants.get(&tenant)
    }

    /// Attributes of contacts that a tenant has defined.
    pub fn contact_kinds(&self, tenant: TenantId) -> Arc<BTreeMap<String, AttributeKind>> {
        self.contact_kinds.get(&tenant).cloned().unwrap_or_default()
    }

    /// The tenant's names for parts of marketing.
    pub fn topics(&self, tenant: TenantId) -> Topics {
        self.topics.get(&tenant).cloned().unwrap_or_default()
    }

    /// The number that a webhook names.
    pub fn number(&self, phone_number_id: &str) -> Option<&Arc<Number>> {
        self.numbers.get(phone_number_id)
    }

    pub fn numbers(&self) -> impl Iterator<Item = &Arc<Number>> {
        self.numbers.values()
    }

    /// The access token that a number sends with.
    pub fn token(&self, number: &Number) -> Option<&SecretString> {
        self.tokens.get(&number.credential)
    }

    /// Holds that bear on a number's sends, for policy to judge.
    pub fn holds(&self, number: &Number) -> Vec<ActiveHold> {
        holds_on(&self.holds, number)
    }

    /// Installations with a candidate.
    pub fn rollouts(&self) -> impl Iterator<Item = &Installation> {
        let all = self.installations.values().flatten();
        all.filter(|installation| installation.candidate().is_some())
    }

    /// What is installed for a number, in order: of one plugin, the number's own rather than the tenant's.
    pub fn installations(&self, number: &Number) -> impl Iterator<Item = &Installation> {
        let of_tenant = self.installations.get(&number.tenant);
        standing(of_tenant.map_or(&[], Vec::as_slice), number.id)
    }
}

/// What a node works from has the grants that are used: given, and not above the tenant's ceiling.
fn withhold(ceiling: &GrantCeiling, installation: &mut Installation) {
    for version in &mut installation.versions {
        version.grants = ceiling.within(&version.grants);
    }
}

/// Those of these holds that bear on a number's sends.
pub fn holds_on(holds: &[Hold], number: &Number) -> Vec<ActiveHold> {
    let active = |hold: &Hold| {
        Some(ActiveHold {
            id: hold.id,
            scope: scope(&hold.held, number)?,
            reason: hold.reason.clone(),
            until: hold.until,
        })
    };
    holds.iter().filter_map(active).collect()
}

fn scope(held: &Held, number: &Number) -> Option<HoldScope> {
    let of = |tenant: &TenantId| *tenant == number.tenant;
    Some(match held {
        Held::All => HoldScope::All,
        Held::Tenant(tenant) if of(tenant) => HoldScope::Tenant,
        Held::Number(tenant, id) if of(tenant) && *id == number.id => HoldScope::Number,
        Held::Plugin(tenant, name) if of(tenant) => HoldScope::Plugin { name: name.clone() },
        Held::Template(tenant, template) if of(tenant) && template.is_of(&number.waba_id) => {
            HoldScope::Template {
                name: template.name.clone(),
                language: template.language.clone(),
            }
        }
        Held::Templates(tenant) if of(tenant) => HoldScope::Templates,
        Held::NumberTemplates(tenant, id) if of(tenant) && *id == number.id => HoldScope::Templates,
        Held::NumberMarketing(tenant, id) if of(tenant) && *id == number.id => HoldScope::Marketing,
        Held::NumberReplies(tenant, id) if of(tenant) && *id == number.id => HoldScope::Replies,
        Held::Credential(tenant, id) if of(tenant) && *id == number.credential => {
            HoldScope::Credential
        }
        _ => return None,
    })
}

async fn load_kinds(
    tx: &mut Tx,
) -> Result<HashMap<TenantId, Arc<BTreeMap<String, AttributeKind>>>> {
    let mut kinds: HashMap<TenantId, BTreeMap<String, AttributeKind>> = HashMap::new();
    for (tenant, name, word) in contacts::definitions_all_tenants(tx).await? {
        if let Some(kind) = AttributeKind::from_word(&word) {
            kinds.entry(tenant).or_default().insert(name, kind);
        }
    }
    let shared = kinds
        .into_iter()
        .map(|(tenant, kinds)| (tenant, Arc::new(kinds)));
    Ok(shared.collect())
}

async fn load_topics(tx: &mut Tx) -> Result<HashMap<TenantId, Topics>> {
    let mut topics: HashMap<TenantId, Vec<(String, u8)>> = HashMap::new();
    for row in consents::topics_all_tenants(tx).await? {
        if let Ok(bit) = u8::try_from(row.bit) {
            let of_tenant = topics.entry(TenantId::from_raw(row.tenant)).or_default();
            of_tenant.push((row.name, bit));
        }
    }
    let topics = topics.into_iter();
    Ok(topics
        .map(|(tenant, all)| (tenant, Topics::new(all)))
        .collect())
}

async fn load_apps(tx: &mut Tx, keyring: &Keyring) -> Result<Vec<SetupApp>> {
    let secrets = apps::active_app_secrets_all_tenants(tx).await?;
    let mut loaded = Vec::new();
    for app in apps::apps_all_tenants(tx).await? {
        let own = secrets.iter().filter(|secret| secret.app == app.id);
        loaded.push(SetupApp {
            id: app.id,
            verify_token: keyring.open(places::verify_token(app.id), &app.verify_token)?,
            secrets: own
                .map(|secret| keyring.open(places::app_secret(secret.id), &secret.secret))
                .collect::<Result<_, _>>()?,
            meta_app_id: app.meta_app_id,
            is_default: app.is_default,
        });
    }
    Ok(loaded)
}

async fn load_tokens(
    tx: &mut Tx,
    keyring: &Keyring,
) -> Result<HashMap<CredentialId, SecretString>> {
    let mut tokens = HashMap::new();
    for credential in credentials::credentials_all_tenants(tx).await? {
        let place = places::token(credential.tenant, credential.id);
        tokens.insert(credential.id, keyring.open(place, &credential.token)?);
    }
    Ok(tokens)
}
