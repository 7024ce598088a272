//! Words about templates, kept: rows, history, what followers are told, and the revision that nodes read by.
//!
//! One order of locks everywhere: the rows by name and language, holds, the counter of revisions. So it stands at the end
//! of whatever transaction it is part of.

use std::collections::{HashMap, HashSet};

use super::learn::{Changed, Words, learn};
use crate::domain::account::{Cause, by_error};
use crate::domain::template::{Learnt, TemplateStatus};
use crate::domain::{
    AuditId, ConversationId, IdGenerator, StreamEvent, StreamKind, TemplateId, TenantId, Timestamp,
};
use crate::storage::holds::{Held, HeldTemplate};
use crate::storage::template_history::{self, NewChange};
use crate::storage::templates::{self, Template};
use crate::storage::{Result, StorageError, Tx, changes};
use crate::tenants::holds::lift_by_gateway;

/// "Template disabled" (facts §7.4): for good, so a list that says what we took for true before ends nothing. It may be
/// behind the send that met the error; another word about its status is news.
const DISABLED: i64 = 132_016;

/// What was said of one language version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    pub name: String,
    pub language: String,
    pub words: Words,
}

/// Of whose templates something was said, when and by what.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub ids: &'a IdGenerator,
    pub tenant: TenantId,
    pub account: &'a str,
    /// When it was true, by whoever said it.
    pub at: Timestamp,
    pub now: Timestamp,
    pub how: Learnt,
    /// Of the pass that saw it, or an id of now: what is heard of later than a pass began is not gone by that pass.
    pub heard: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    pub new: usize,
    pub changed: usize,
}

/// Takes what was said in.
pub async fn keep(tx: &mut Tx, said: Said<'_>, spoken: &[Spoken]) -> Result<Kept> {
    let names: Vec<&str> = spoken.iter().map(|one| one.name.as_str()).collect();
    let rows = templates::lock_named(tx, said.tenant, said.account, &names).await?;
    let mut round = Round::new(said);
    let mut rows: HashMap<(String, String), Template> = rows
        .into_iter()
        .map(|row| ((row.name.clone(), row.language.clone()), row))
        .collect();
    let mut met = HashSet::new();
    for one in spoken {
        let key = (one.name.clone(), one.language.clone());
        // A list that moves while it is read may show one twice.
        if !met.insert(key.clone()) {
            continue;
        }
        match rows.remove(&key) {
            Some(row) => round.known(row, &one.words),
            // Gone before it was known: nothing to tell.
            None if one.words.gone => {}
            None => round.unknown(one),
        }
    }
    round.write(tx).await
}

/// Rows of which a pass has seen nothing.
pub async fn forget_unheard(tx: &mut Tx, said: Said<'_>, rows: Vec<Template>) -> Result<Kept> {
    let mut round = Round::new(said);
    let gone = Words {
        gone: true,
        ..Words::default()
    };
    for row in rows {
        round.known(row, &gone);
    }
    round.write(tx).await
}

/// What one call writes.
struct Round<'a> {
    said: Said<'a>,
    new: Vec<Template>,
    changed: Vec<Template>,
    same: Vec<i64>,
    history: Vec<NewChange>,
    /// Approved, and whether that is news: what stopped them goes.
    approved: Vec<(HeldTemplate, bool)>,
}

impl<'a> Round<'a> {
    fn new(said: Said<'a>) -> Self {
        Self {
            said,
            new: Vec::new(),
            changed: Vec::new(),
            same: Vec::new(),
            history: Vec::new(),
            approved: Vec::new(),
        }
    }

    fn known(&mut self, mut row: Template, words: &Words) {
        let (was_stale, said) = (row.refetch, self.said);
        let before = quiet(&row);
        let changes = learn(&mut row, words, said.at, said.how);
        let approved = words.status.as_deref() == Some(TemplateStatus::Approved.word())
            && row.status == TemplateStatus::Approved.word();
        let news = changes.iter().any(|change| change.what == "status");
        if approved && (news || was_stale) {
            self.approved.push((held(&row), news));
        }
        if changes.is_empty() && quiet(&row) == before {
            self.same.push(row.id.raw());
            return;
        }
        row.heard = row.heard.max(if words.gone { 0 } else { said.heard });
        row.changed_at = said.now;
        for change in changes {
            self.note(row.id, change);
        }
        self.changed.push(row);
    }

    fn unknown(&mut self, one: &Spoken) {
        let said = self.said;
        let none = Timestamp::ZERO;
        let mut row = Template {
            id: TemplateId::from_raw(said.ids.next(said.now)),
            tenant: said.tenant,
            account: said.account.to_owned(),
            name: one.name.clone(),
            language: one.language.clone(),
            meta_id: String::new(),
            status: String::new(),
            status_at: none,
            asked_category: String::new(),
            category: String::new(),
            category_at: none,
            next_category: String::new(),
            next_category_at: None,
            quality: String::new(),
            quality_at: none,
            rejected: String::new(),
            components: String::new(),
            ttl_seconds: 0,
            heard: said.heard,
            gone_at: None,
            refetch: false,
            created_at: said.now,
            changed_at: said.now,
        };
        learn(&mut row, &one.words, said.at, said.how);
        // Told of, and never read.
        row.refetch |= row.components.is_empty();
        let became =
            serde_json::json!({"status": row.status, "category": row.category}).to_string();
        let was = String::new();
        self.note(
            row.id,
            Changed {
                what: "seen",
                was,
                became,
            },
        );
        self.new.push(row);
    }

    fn note(&mut self, template: TemplateId, change: Changed) {
        self.history.push(NewChange {
            id: self.said.ids.next(self.said.now),
            template,
            at: self.said.at,
            what: change.what,
            was: change.was,
            became: change.became,
            learnt: self.said.how.word(),
        });
    }

    async fn write(self, tx: &mut Tx) -> Result<Kept> {
        let said = self.said;
        let kept = Kept {
            new: self.new.len(),
            changed: self.changed.len(),
        };
        // A list says everything at once; other words say one thing, and nothing of the others.
        let read_at = match said.how {
            Learnt::Sync => said.at,
            _ => Timestamp::ZERO,
        };
        templates::hear(tx, said.tenant, &self.same, said.heard, read_at).await?;
        for (held, news) in self.approved {
            lift(tx, said, held, news).await?;
        }
        if kept == Kept::default() {
            return Ok(kept);
        }
        let revision = changes::bump_templates_all_tenants(tx).await?;
        let added = templates::insert(tx, said.tenant, &self.new, revision).await?;
        if added < self.new.len() as u64 {
            return Err(StorageError::Raced);
        }
        for row in &self.changed {
            templates::update(tx, said.tenant, row, revision).await?;
        }
        template_history::append(tx, said.tenant, &self.history).await?;
        for change in &self.history {
            tell(tx, said, change);
        }
        Ok(kept)
    }
}

/// What changes without a line in the history.
fn quiet(row: &Template) -> (String, String, String, i64, bool) {
    let Template {
        meta_id,
        asked_category,
        rejected,
        ..
    } = row.clone();
    (
        meta_id,
        asked_category,
        rejected,
        row.ttl_seconds,
        row.refetch,
    )
}

/// A first look at an account is no news of thousands; what happens after it is.
fn tell(tx: &mut Tx, said: Said<'_>, change: &NewChange) {
    if change.what == "seen" && said.how == Learnt::Sync {
        return;
    }
    let none = ConversationId::from_raw(0);
    let event = StreamEvent::new(said.tenant, none, StreamKind::TemplateChanged, said.now);
    tx.tell(event.about(change.id).noting(change.what));
}

fn held(row: &Template) -> HeldTemplate {
    HeldTemplate {
        account: row.account.clone(),
        name: row.name.clone(),
        language: row.language.clone(),
    }
}

/// Holds that a template's state has placed, whichever way it was met, end with it.
async fn lift(tx: &mut Tx, said: Said<'_>, held: HeldTemplate, news: bool) -> Result<()> {
    let held = Held::Template(said.tenant, held);
    let for_good = by_error(DISABLED);
    for origin in Cause::TemplateState.origins() {
        if !news && for_good.contains(&origin) {
            continue;
        }
        let entry = || AuditId::from_raw(said.ids.next(said.now));
        let why = "Meta has approved it again";
        lift_by_gateway(tx, (&held, &origin), why, said.now, entry).await?;
    }
    Ok(())
}
