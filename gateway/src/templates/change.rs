//! Changes of templates: our lint first, then Graph, then what Graph made of it is kept. Graph is asked with no transaction
//! open; what it did and we could not write is found by the next sync.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::keep::{Said, Spoken, keep};
use super::learn::Words;
use super::lint::{Finding, TemplateDraft, has_errors, lint};
use super::sync::spoken;
use crate::domain::template::{Learnt, TemplateStatus, is_position, variables};
use crate::domain::{TemplateId, TenantId};
use crate::graph::GraphClient;
use crate::graph::client::call::{CallError, Failed};
use crate::graph::client::templates::{CreatedTemplate, Wanted};
use crate::storage::templates::{self, Template};
use crate::storage::{StorageError, Tx, numbers};
use crate::tenants::{SetupContext, SetupError, credentials};

/// Of one call. Reviews that are made at once take Meta some seconds.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Languages of one name. Meta has some 70.
const LANGUAGES: usize = 100;
/// Numbers of a tenant that are looked through for an account.
const NUMBERS: i64 = 1_000;

/// Why a template was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the template has errors that Meta refuses")]
    Lint(Vec<Finding>),
    #[error(transparent)]
    Meta(#[from] Failed),
}

impl From<StorageError> for TemplateError {
    fn from(error: StorageError) -> Self {
        Self::Setup(error.into())
    }
}

type Result<T, E = TemplateError> = std::result::Result<T, E>;

/// A template as it stands now, and what the lint had to say.
#[derive(Debug, Clone)]
pub struct Changed {
    pub template: Template,
    pub warnings: Vec<Finding>,
}

/// What is to be edited; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct TemplateEdit {
    pub category: Option<String>,
    pub message_send_ttl_seconds: Option<i64>,
    pub components: Option<Vec<Value>>,
}

/// One more language of a template.
#[derive(Debug, Clone)]
pub struct NewLanguage {
    pub language: String,
    /// Its own words; `None`: those of the original.
    pub components: Option<Vec<Value>>,
}

/// What became of one language.
#[derive(Debug)]
pub struct Copied {
    pub language: String,
    pub outcome: Result<Changed>,
}

/// Makes changes through Graph.
#[derive(Debug, Clone)]
pub struct Changes {
    pub graph: GraphClient,
}

impl Changes {
    /// Submits a template for review. Its category is Meta's word, whatever was asked for.
    pub async fn create(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        account: &str,
        draft: &TemplateDraft,
    ) -> Result<Changed> {
        let warnings = passes(draft)?;
        let token = token(setup, tenant, account).await?;
        let created = self.submit(setup, tenant, account, &token, draft).await?;
        let mut tx = setup.db.begin().await?;
        let template = kept(setup, &mut tx, tenant, account, draft, created).await?;
        let became = Some(shown(&template));
        setup
            .record(
                &mut tx,
                tenant,
                "template.create",
                template.id,
                None,
                became,
            )
            .await?;
        setup.commit(tx).await?;
        Ok(Changed { template, warnings })
    }

    /// More languages of a template. All are looked at before the first is submitted; each has its own outcome.
    pub async fn copy(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: TemplateId,
        languages: Vec<NewLanguage>,
    ) -> Result<Vec<Copied>> {
        let original = find(setup, tenant, id).await?;
        let drafts = linted(&original, languages)?;
        let account = original.account.as_str();
        let token = token(setup, tenant, account).await?;
        let (mut submitted, mut busy) = (Vec::new(), None::<Failed>);
        for (draft, warnings) in drafts {
            let outcome = match &busy {
                // Who is asked to slow down does not ask for the next.
                Some(busy) => Err(busy.clone().into()),
                None => self.submit(setup, tenant, account, &token, &draft).await,
            };
            if let Err(TemplateError::Meta(failed @ Failed::Busy(..))) = &outcome {
                busy = Some(failed.clone());
            }
            submitted.push((draft, warnings, outcome));
        }
        let mut tx = setup.db.begin().await?;
        let mut copies = Vec::new();
        for (draft, warnings, outcome) in submitted {
            let language = draft.language.clone();
            let outcome = match outcome {
                Ok(created) => {
                    let template = kept(setup, &mut tx, tenant, account, &draft, created).await?;
                    Ok(Changed { template, warnings })
                }
                Err(error) => Err(error),
            };
            copies.push(Copied { language, outcome });
        }
        let made: Vec<&str> = copies
            .iter()
            .filter(|copy| copy.outcome.is_ok())
            .map(|copy| copy.language.as_str())
            .collect();
        let became = Some(json!({"name": original.name, "languages": made}));
        setup
            .record(&mut tx, tenant, "template.copy", id, None, became)
            .await?;
        setup.commit(tx).await?;
        Ok(copies)
    }

    /// Changes the words, and sends them through review again.
    pub async fn edit(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: TemplateId,
        edit: TemplateEdit,
    ) -> Result<Changed> {
        let old = find(setup, tenant, id).await?;
        may_be_edited(&old, &edit)?;
        let mut draft = draft_of(&old)?;
        let mut body = json!({});
        if let Some(category) = edit.category {
            body["category"] = json!(category);
            draft.category = category;
        }
        if let Some(ttl) = edit.message_send_ttl_seconds {
            body["message_send_ttl_seconds"] = json!(ttl);
            draft.message_send_ttl_seconds = Some(ttl);
        }
        let spoken = edit.components.is_some();
        if let Some(components) = edit.components {
            body["components"] = json!(components);
            draft.components = components;
            draft.parameter_format = format_of(&draft.components);
        }
        // Words that stay were Meta's to judge before.
        let warnings = match spoken {
            true => passes(&draft)?,
            false => Vec::new(),
        };
        let token = token(setup, tenant, &old.account).await?;
        let edited = self
            .graph
            .edit_template(&token, &old.meta_id, &body, TIMEOUT);
        if let Err(error) = edited.await {
            return Err(self.failed(setup, tenant, &old, error).await);
        }
        let template = self.look_up(setup, &token, &old, "template.edit").await?;
        Ok(Changed { template, warnings })
    }

    /// Deletes one language, or all of a name. What is kept of them stays, and says so.
    pub async fn delete(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        id: TemplateId,
        all_languages: bool,
    ) -> Result<Vec<Template>> {
        let old = find(setup, tenant, id).await?;
        if old.status == TemplateStatus::Disabled.word() {
            return Err(state(
                "Meta keeps a template that it has disabled: it cannot be deleted",
            ));
        }
        let (account, name) = (old.account.as_str(), old.name.as_str());
        let token = token(setup, tenant, account).await?;
        let one = (!all_languages).then_some(old.meta_id.as_str());
        if one == Some("") {
            return Err(state(
                "Meta's id of it is not known yet: sync the account first",
            ));
        }
        let deleted = self
            .graph
            .delete_template(&token, account, name, one, TIMEOUT);
        if let Err(error) = deleted.await {
            return Err(self.failed(setup, tenant, &old, error).await);
        }
        let mut tx = setup.db.begin().await?;
        let all = templates::languages(&mut tx, tenant, account, name).await?;
        let gone: Vec<Spoken> = all
            .into_iter()
            .filter(|row| all_languages || row.id == id)
            .map(|row| Spoken {
                name: row.name,
                language: row.language,
                words: Words {
                    status: Some(TemplateStatus::Deleted.word().to_owned()),
                    ..Words::default()
                },
            })
            .collect();
        keep(&mut tx, said(setup, tenant, account, Learnt::Answer), &gone).await?;
        let rows = templates::languages(&mut tx, tenant, account, name).await?;
        let was = Some(
            json!({"name": name, "languages": gone.iter().map(|one| &one.language).collect::<Vec<_>>()}),
        );
        setup
            .record(&mut tx, tenant, "template.delete", id, was, None)
            .await?;
        setup.commit(tx).await?;
        Ok(rows
            .into_iter()
            .filter(|row| all_languages || row.id == id)
            .collect())
    }

    async fn submit(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        account: &str,
        token: &SecretString,
        draft: &TemplateDraft,
    ) -> Result<CreatedTemplate> {
        let body = draft.body();
        let created = self.graph.create_template(token, account, &body, TIMEOUT);
        match created.await {
            Ok(created) => Ok(created),
            Err(error) if error.is_in_doubt() => {
                let words = Words {
                    asked_category: Some(draft.category.clone()),
                    stale: true,
                    ..Words::default()
                };
                let spoken = Spoken {
                    name: draft.name.clone(),
                    language: draft.language.clone(),
                    words,
                };
                self.doubt(setup, tenant, account, &spoken).await?;
                Err(problem(&error))
            }
            Err(error) => Err(problem(&error)),
        }
    }

    async fn failed(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        old: &Template,
        error: CallError,
    ) -> TemplateError {
        if error.is_in_doubt() {
            let stale = Spoken {
                name: old.name.clone(),
                language: old.language.clone(),
                words: Words {
                    stale: true,
                    ..Words::default()
                },
            };
            if let Err(error) = self.doubt(setup, tenant, &old.account, &stale).await {
                return error;
            }
        }
        problem(&error)
    }

    /// Has a template asked for again, whatever becomes of the request.
    async fn doubt(
        &self,
        setup: &SetupContext,
        tenant: TenantId,
        account: &str,
        spoken: &Spoken,
    ) -> Result<()> {
        let mut tx = setup.db.begin().await?;
        let said = said(setup, tenant, account, Learnt::Answer);
        keep(&mut tx, said, std::slice::from_ref(spoken)).await?;
        setup.at_once().commit(tx).await?;
        Ok(())
    }

    /// What Graph has of a name after an edit, which it answers with no more than "done".
    async fn look_up(
        &self,
        setup: &SetupContext,
        token: &SecretString,
        old: &Template,
        action: &'static str,
    ) -> Result<Template> {
        let wanted = Wanted {
            account: &old.account,
            name: Some(&old.name),
            after: None,
            limit: LANGUAGES,
        };
        let at = setup.clock.now();
        let listed = self.graph.list_templates(token, wanted, TIMEOUT).await;
        let (how, words) = match listed {
            Ok(page) => (
                Learnt::Sync,
                page.templates.into_iter().map(spoken).collect(),
            ),
            // The next look tells.
            Err(_) => {
                let stale = Words {
                    stale: true,
                    ..Words::default()
                };
                let one = Spoken {
                    name: old.name.clone(),
                    language: old.language.clone(),
                    words: stale,
                };
                (Learnt::Answer, vec![one])
            }
        };
        let said = Said {
            at,
            ..said(setup, old.tenant, &old.account, how)
        };
        let mut tx = setup.db.begin().await?;
        keep(&mut tx, said, &words).await?;
        let new = templates::find(&mut tx, old.tenant, old.id).await?;
        let new = new.unwrap_or_else(|| old.clone());
        let (was, became) = (Some(shown(old)), Some(shown(&new)));
        setup
            .record(&mut tx, old.tenant, action, old.id, was, became)
            .await?;
        setup.commit(tx).await?;
        Ok(new)
    }
}

/// A template of the tenant's.
pub async fn find(setup: &SetupContext, tenant: TenantId, id: TemplateId) -> Result<Template> {
    let mut tx = setup.db.read().await?;
    let found = templates::find(&mut tx, tenant, id).await?;
    Ok(found.ok_or_else(|| SetupError::not_found("template", &id.to_string()))?)
}

/// The account that is meant: the one that is named, or the only one there is.
pub async fn account(
    setup: &SetupContext,
    tenant: TenantId,
    named: Option<&str>,
) -> Result<String, SetupError> {
    let mut tx = setup.db.read().await?;
    let all = numbers::numbers_of(&mut tx, tenant, 0, NUMBERS).await?;
    let accounts: BTreeSet<String> = all.into_iter().map(|number| number.waba_id).collect();
    match (named, accounts.len()) {
        (Some(named), _) if accounts.contains(named) => Ok(named.to_owned()),
        (Some(named), _) => Err(SetupError::not_found("account", named)),
        (None, 1) => Ok(accounts.into_iter().next().unwrap_or_default()),
        (None, 0) => Err(SetupError::State("the tenant has no number yet".to_owned())),
        (None, _) => {
            let names = accounts.into_iter().collect::<Vec<_>>().join(", ");
            let problem = format!("must be named: the tenant has {names}");
            Err(SetupError::invalid("account", problem))
        }
    }
}

async fn token(setup: &SetupContext, tenant: TenantId, account: &str) -> Result<SecretString> {
    let mut tx = setup.db.read().await?;
    let all = numbers::numbers_of(&mut tx, tenant, 0, NUMBERS).await?;
    let number = all.iter().find(|number| number.waba_id == account);
    let number = number.ok_or_else(|| SetupError::not_found("account", account))?;
    Ok(credentials::token(setup, &mut tx, tenant, number.credential).await?)
}

fn passes(draft: &TemplateDraft) -> Result<Vec<Finding>> {
    let findings = lint(draft);
    match has_errors(&findings) {
        true => Err(TemplateError::Lint(findings)),
        false => Ok(findings),
    }
}

/// Every language with its warnings; an error in one of them refuses all.
fn linted(
    original: &Template,
    languages: Vec<NewLanguage>,
) -> Result<Vec<(TemplateDraft, Vec<Finding>)>> {
    let (mut drafts, mut errors) = (Vec::new(), Vec::new());
    for (place, new) in languages.into_iter().enumerate() {
        let mut draft = TemplateDraft {
            language: new.language,
            ..draft_of(original)?
        };
        if let Some(components) = new.components {
            draft.components = components;
            draft.parameter_format = format_of(&draft.components);
        }
        match passes(&draft) {
            Ok(warnings) => drafts.push((draft, warnings)),
            Err(TemplateError::Lint(findings)) => errors.extend(findings.into_iter().map(|one| {
                let at = format!("/languages/{place}{}", one.at);
                Finding { at, ..one }
            })),
            Err(other) => return Err(other),
        }
    }
    match errors.is_empty() {
        true => Ok(drafts),
        false => Err(TemplateError::Lint(errors)),
    }
}

/// A kept template as it would be submitted.
fn draft_of(row: &Template) -> Result<TemplateDraft> {
    let components: Vec<Value> = serde_json::from_str(&row.components)
        .map_err(|_| state("its words were not read from Meta yet: sync the account first"))?;
    Ok(TemplateDraft {
        name: row.name.clone(),
        language: row.language.clone(),
        category: row.category.clone(),
        parameter_format: format_of(&components),
        message_send_ttl_seconds: (row.ttl_seconds != 0).then_some(row.ttl_seconds),
        components,
    })
}

/// Graph wants to be told when variables have names.
fn format_of(components: &[Value]) -> Option<String> {
    let is_named = components.iter().any(|component| {
        let text = component["text"].as_str().unwrap_or_default();
        let names = variables(text);
        names.iter().any(|name| !is_position(name))
    });
    is_named.then(|| "NAMED".to_owned())
}

/// §6.5: states that can be edited, and the category that cannot.
fn may_be_edited(row: &Template, edit: &TemplateEdit) -> Result<()> {
    use TemplateStatus as S;
    let status = S::from_word(&row.status);
    if !matches!(status, Some(S::Approved | S::Rejected | S::Paused)) {
        let problem = format!(
            "it is {}: Meta lets approved, rejected and paused templates be edited",
            row.status
        );
        return Err(state(&problem));
    }
    let other = edit
        .category
        .as_ref()
        .is_some_and(|category| *category != row.category);
    if other && status == Some(S::Approved) {
        return Err(state("the category of an approved template is fixed"));
    }
    if row.meta_id.is_empty() {
        return Err(state(
            "Meta's id of it is not known yet: sync the account first",
        ));
    }
    Ok(())
}

fn state(problem: &str) -> TemplateError {
    SetupError::State(problem.to_owned()).into()
}

fn said<'a>(setup: &'a SetupContext, tenant: TenantId, account: &'a str, how: Learnt) -> Said<'a> {
    let now = setup.clock.now();
    Said {
        ids: &setup.ids,
        tenant,
        account,
        at: now,
        now,
        how,
        heard: setup.next_id(),
    }
}

async fn kept(
    setup: &SetupContext,
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    draft: &TemplateDraft,
    created: CreatedTemplate,
) -> Result<Template> {
    let (name, language) = (&draft.name, &draft.language);
    let words = Words {
        meta_id: Some(created.id),
        status: Some(created.status),
        asked_category: Some(draft.category.clone()),
        category: Some(created.category).filter(|category| !category.is_empty()),
        components: Some(json!(draft.components).to_string()),
        ttl_seconds: draft.message_send_ttl_seconds,
        ..Words::default()
    };
    let spoken = Spoken {
        name: name.clone(),
        language: language.clone(),
        words,
    };
    let said = said(setup, tenant, account, Learnt::Answer);
    keep(tx, said, std::slice::from_ref(&spoken)).await?;
    let rows = templates::languages(tx, tenant, account, name).await?;
    let row = rows.into_iter().find(|row| row.language == *language);
    Ok(row.ok_or_else(|| StorageError::Corrupt(format!("template {name} was not kept")))?)
}

fn problem(error: &CallError) -> TemplateError {
    let told = error.told("the template is looked up again, and then tells");
    TemplateError::Meta(told)
}

/// For the audit log: no words, which are long.
fn shown(row: &Template) -> Value {
    json!({
        "account": row.account,
        "name": row.name,
        "language": row.language,
        "status": row.status,
        "asked_category": row.asked_category,
        "category": row.category,
    })
}
