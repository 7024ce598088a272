//! What sending needs to know of every template, in memory, read again by revision as it changes: no question to the
//! database on the way of a message.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use tokio::sync::Mutex;

use super::account::{Account, Entry};
use crate::domain::outbound::TemplateContent;
use crate::domain::{OutboundContent, TenantId, Timestamp};
use crate::graph::template::shape;
use crate::policy::TemplateFact;
use crate::storage::templates::{ForSending, changed_all_tenants, states};
use crate::storage::{Db, Result, Tx, changes, template_accounts};
use crate::sync;

/// Rows of one read.
const PAGE: i64 = 1_000;

/// Every account's templates.
#[derive(Debug)]
pub struct Registry {
    db: Db,
    known: RwLock<Known>,
    /// One reads at a time.
    read: Mutex<Read>,
}

/// How far it was read.
#[derive(Debug, Default)]
struct Read {
    /// The counter, before it was read.
    version: i64,
    /// The last row: its revision and id.
    row: (i64, i64),
}

type Key = (TenantId, String);

#[derive(Debug, Default)]
struct Known {
    /// Read whole at least once.
    synced: HashSet<Key>,
    accounts: HashMap<Key, Arc<Account>>,
}

impl Registry {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            known: RwLock::default(),
            read: Mutex::default(),
        }
    }

    /// One account's as it stands, for whoever works without a node: states and categories, not the shapes.
    pub async fn of_account(db: Db, tx: &mut Tx, tenant: TenantId, account: &str) -> Result<Self> {
        let registry = Self::new(db);
        if template_accounts::is_synced(tx, tenant, account).await? {
            registry.take(states(tx, tenant, account).await?);
            let mut known = sync::write(&registry.known);
            known.synced.insert((tenant, account.to_owned()));
        }
        Ok(registry)
    }

    /// Reads what has changed. Answers whether anything had.
    pub async fn refresh(&self) -> Result<bool> {
        let mut read = self.read.lock().await;
        let mut tx = self.db.read().await?;
        let version = changes::templates_version_all_tenants(&mut tx).await?;
        if version <= read.version {
            return Ok(false);
        }
        // Accounts first: what is synced must not be believed before its templates are read.
        let synced = template_accounts::changed_all_tenants(&mut tx, read.version).await?;
        loop {
            let rows = changed_all_tenants(&mut tx, read.row, PAGE).await?;
            let whole = (rows.len() as i64) < PAGE;
            if let Some(last) = rows.last() {
                read.row = (last.revision, last.id);
            }
            self.take(rows);
            if whole {
                break;
            }
        }
        read.version = version;
        sync::write(&self.known).synced.extend(synced);
        Ok(true)
    }

    fn take(&self, rows: Vec<ForSending>) {
        // Parsed before the lock: readers are sends.
        let entries: Vec<(ForSending, Option<Entry>)> = rows
            .into_iter()
            .map(|mut row| {
                let entry = Entry::of(&row, shape(&row.components));
                row.components = String::new();
                (row, entry)
            })
            .collect();
        let mut known = sync::write(&self.known);
        for (row, entry) in entries {
            let key = (TenantId::from_raw(row.tenant), row.account);
            let account = Arc::make_mut(known.accounts.entry(key).or_default());
            account.put(row.name, row.language, entry);
        }
    }

    /// An account's templates as they are known now. `None`: they were never read whole, so nobody knows.
    pub fn account(&self, tenant: TenantId, account: &str) -> Option<Arc<Account>> {
        let key = (tenant, account.to_owned());
        let known = sync::read(&self.known);
        let account = || known.accounts.get(&key).cloned().unwrap_or_default();
        known.synced.contains(&key).then(account)
    }

    /// What policy is told of the template that a draft names.
    pub fn fact(
        &self,
        tenant: TenantId,
        account: &str,
        content: &OutboundContent,
        now: Timestamp,
    ) -> TemplateFact {
        let Some(template) = content.template() else {
            return TemplateFact::NotATemplate;
        };
        let Some(account) = self.account(tenant, account) else {
            return TemplateFact::Unknown;
        };
        let entry = account.find(&template.name, &template.language);
        entry.map_or(TemplateFact::NoSuch, |entry| {
            TemplateFact::Known(entry.known(now))
        })
    }

    /// Settles which language a template goes out in, if the send leaves it to us. Where none fits it stays a wish, and
    /// policy refuses it.
    pub fn settle(
        &self,
        tenant: TenantId,
        account: &str,
        template: &mut TemplateContent,
        person: Option<&str>,
        default: Option<&str>,
    ) {
        if !template.wishes_languages() {
            return;
        }
        let known = sync::read(&self.known);
        let account = known.accounts.get(&(tenant, account.to_owned()));
        let wish = &template.language;
        let settled = account.and_then(|all| all.language(&template.name, wish, person, default));
        if let Some(language) = settled {
            template.language = language;
        }
    }

    /// How many are kept in memory.
    pub fn len(&self) -> usize {
        let known = sync::read(&self.known);
        known.accounts.values().map(|account| account.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
