//! What sending needs to know of every template, in memory, read again by revision as it changes: no question to the
//! database on the way of a message.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use tokio::sync::Mutex;

use super::language::choose;
use crate::domain::outbound::TemplateContent;
use crate::domain::template::{TemplateCategory, TemplateShape, TemplateStatus};
use crate::domain::{OutboundContent, TenantId, Timestamp};
use crate::graph::template::shape;
use crate::policy::{KnownTemplate, TemplateFact};
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

type Account = (TenantId, String);

#[derive(Debug, Default)]
struct Known {
    /// Read whole at least once.
    synced: std::collections::HashSet<Account>,
    /// By name, then by language.
    accounts: HashMap<Account, HashMap<String, BTreeMap<String, Entry>>>,
}

#[derive(Debug, Clone)]
struct Entry {
    status: TemplateStatus,
    category: TemplateCategory,
    /// What it is charged as from then on.
    next: Option<(TemplateCategory, Timestamp)>,
    shape: Option<Arc<TemplateShape>>,
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
                let entry = entry(&row);
                row.components = String::new();
                (row, entry)
            })
            .collect();
        let mut known = sync::write(&self.known);
        for (row, entry) in entries {
            let account = (TenantId::from_raw(row.tenant), row.account);
            let names = known.accounts.entry(account).or_default();
            let languages = names.entry(row.name).or_default();
            match entry {
                Some(entry) => drop(languages.insert(row.language, entry)),
                None => drop(languages.remove(&row.language)),
            }
        }
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
        let account = (tenant, account.to_owned());
        let known = sync::read(&self.known);
        if !known.synced.contains(&account) {
            return TemplateFact::Unknown;
        }
        let names = known.accounts.get(&account);
        let languages = names.and_then(|names| names.get(&template.name));
        let entry = languages.and_then(|languages| languages.get(&template.language));
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
        let names = known.accounts.get(&(tenant, account.to_owned()));
        let Some(languages) = names.and_then(|names| names.get(&template.name)) else {
            return;
        };
        let approved: Vec<&str> = languages
            .iter()
            .filter(|(_, entry)| entry.status == TemplateStatus::Approved)
            .map(|(language, _)| language.as_str())
            .collect();
        if let Some(language) = choose(&template.language, &approved, person, default) {
            template.language = language;
        }
    }

    /// How many are kept in memory.
    pub fn len(&self) -> usize {
        let known = sync::read(&self.known);
        let names = known.accounts.values().flat_map(HashMap::values);
        names.map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entry {
    fn known(&self, now: Timestamp) -> KnownTemplate {
        KnownTemplate {
            status: self.status,
            category: match self.next {
                Some((next, at)) if at <= now => next,
                _ => self.category,
            },
            shape: self.shape.clone(),
        }
    }
}

/// `None`: it is there no more.
fn entry(row: &ForSending) -> Option<Entry> {
    if row.gone_at != 0 {
        return None;
    }
    // What nobody has named yet, and what this version cannot name, needs the consent of marketing.
    let category =
        |word: &str| TemplateCategory::from_word(word).unwrap_or(TemplateCategory::Marketing);
    let next = (!row.next_category.is_empty() && row.next_category_at != 0).then(|| {
        let at = Timestamp::from_millis(row.next_category_at);
        (category(&row.next_category), at)
    });
    Some(Entry {
        status: TemplateStatus::from_word(&row.status).unwrap_or(TemplateStatus::Other),
        category: category(&row.category),
        next,
        shape: shape(&row.components).map(Arc::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ForSending {
        ForSending {
            revision: 1,
            id: 1,
            tenant: 1,
            account: "99".to_owned(),
            name: "sale".to_owned(),
            language: "en".to_owned(),
            status: "APPROVED".to_owned(),
            category: "UTILITY".to_owned(),
            next_category: "MARKETING".to_owned(),
            next_category_at: 1_000,
            components: r#"[{"type":"BODY","text":"Hi {{1}}, hello."}]"#.to_owned(),
            gone_at: 0,
        }
    }

    #[test]
    fn an_announced_category_counts_from_its_time_on() {
        let entry = entry(&row()).expect("an entry");
        let category = |ms| entry.known(Timestamp::from_millis(ms)).category;
        assert_eq!(category(999), TemplateCategory::Utility);
        assert_eq!(category(1_000), TemplateCategory::Marketing);
    }

    #[test]
    fn what_nobody_can_name_is_judged_as_marketing_and_not_sent_by_its_state() {
        let strange = ForSending {
            status: "SUPERB".to_owned(),
            category: "NEWS".to_owned(),
            next_category: String::new(),
            components: String::new(),
            ..row()
        };
        let known = entry(&strange).expect("an entry").known(Timestamp::ZERO);
        assert_eq!(known.status, TemplateStatus::Other);
        assert_eq!(known.category, TemplateCategory::Marketing);
        assert_eq!(known.shape, None);
        assert!(
            entry(&ForSending {
                gone_at: 5,
                ..row()
            })
            .is_none()
        );
    }
}
