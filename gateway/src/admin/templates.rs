//! Templates by the command line: what is asked for, and what is answered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Answer, record};
use super::context::AdminContext;
use super::error::AdminError;
use crate::domain::{TemplateId, TenantId, Timestamp};
use crate::storage::templates::{Filter, Place, Template};
use crate::storage::{template_history, templates};
use crate::templates::change::{Changes, account, find};
use crate::templates::lint::Severity;
use crate::templates::sync::begin;
use crate::templates::{Finding, TemplateDraft, TemplateError};
use crate::tenants::{SetupContext, SetupError, find_tenant};

/// What can be asked for about templates.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum TemplateCommand {
    Sync {
        tenant: String,
        /// WABA; `None`: the only one there is.
        account: Option<String>,
    },
    List {
        tenant: String,
        account: Option<String>,
        name: Option<String>,
        status: Option<String>,
        /// With those that Meta has no longer.
        gone: bool,
    },
    Show {
        tenant: String,
        template: TemplateId,
    },
    Create {
        tenant: String,
        account: Option<String>,
        draft: Box<TemplateDraft>,
    },
    Delete {
        tenant: String,
        template: TemplateId,
        all_languages: bool,
    },
}

/// Rows of one list. More than an account may have.
const MOST: i64 = 10_000;
/// Changes that are shown of one template.
const CHANGES: i64 = 100;
/// A sync that is asked for puts the daily one off as if it had been that.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

impl TemplateCommand {
    /// Its name in logs and metrics.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "template_sync",
            Self::List { .. } => "template_list",
            Self::Show { .. } => "template_show",
            Self::Create { .. } => "template_create",
            Self::Delete { .. } => "template_delete",
        }
    }
}

pub(super) async fn execute(
    context: &AdminContext,
    command: TemplateCommand,
) -> Result<Answer, AdminError> {
    let setup = &context.setup;
    let changes = Changes {
        graph: context.graph.clone(),
    };
    match command {
        TemplateCommand::Sync {
            tenant,
            account: named,
        } => {
            let tenant = id(setup, &tenant).await?;
            let account = account(setup, tenant, named.as_deref()).await?;
            let next = setup.clock.now().plus(DAY);
            let job = begin(setup, tenant, &account, next).await?;
            Ok(Answer::Record(record! {
                "account" => account,
                "job" => job.id,
                "state" => job.state.text(),
                "note" => "a running node does it",
            }))
        }
        TemplateCommand::List {
            tenant,
            account,
            name,
            status,
            gone,
        } => {
            let tenant = id(setup, &tenant).await?;
            let filter = Filter {
                account: account.unwrap_or_default(),
                name: name.unwrap_or_default(),
                status: status.unwrap_or_default(),
                gone,
                ..Filter::default()
            };
            let mut tx = setup.db.read().await.map_err(SetupError::from)?;
            let rows = templates::page(&mut tx, tenant, &filter, &Place::default(), MOST).await;
            let rows = rows.map_err(SetupError::from)?;
            Ok(Answer::List(rows.iter().map(short).collect()))
        }
        TemplateCommand::Show { tenant, template } => show(setup, &tenant, template).await,
        TemplateCommand::Create {
            tenant,
            account: named,
            draft,
        } => {
            let tenant = id(setup, &tenant).await?;
            let account = account(setup, tenant, named.as_deref()).await?;
            let created = changes.create(setup, tenant, &account, &draft).await;
            let created = created.map_err(refusal)?;
            let mut answer = short(&created.template);
            let warnings: Vec<String> = created.warnings.iter().map(line).collect();
            answer.insert("warnings".to_owned(), serde_json::json!(warnings));
            Ok(Answer::Record(answer))
        }
        TemplateCommand::Delete {
            tenant,
            template,
            all_languages,
        } => {
            let tenant = id(setup, &tenant).await?;
            let deleted = changes.delete(setup, tenant, template, all_languages).await;
            let deleted = deleted.map_err(refusal)?;
            Ok(Answer::List(deleted.iter().map(short).collect()))
        }
    }
}

async fn show(
    setup: &SetupContext,
    tenant: &str,
    template: TemplateId,
) -> Result<Answer, AdminError> {
    let tenant = id(setup, tenant).await?;
    let row = find(setup, tenant, template).await.map_err(refusal)?;
    let mut tx = setup.db.read().await.map_err(SetupError::from)?;
    let changes = template_history::page(&mut tx, tenant, template, i64::MAX, CHANGES).await;
    let changes = changes.map_err(SetupError::from)?;
    let history: Vec<String> = changes
        .iter()
        .map(|change| {
            let at = Timestamp::from_millis(change.at);
            let (what, learnt) = (&change.what, &change.learnt);
            match what.as_str() {
                "components" => format!("{at} {what} changed ({learnt})"),
                _ => format!("{at} {what} {} -> {} ({learnt})", change.was, change.became),
            }
        })
        .collect();
    let mut answer = short(&row);
    let components: Value = serde_json::from_str(&row.components).unwrap_or(Value::Null);
    answer.insert("asked_category".to_owned(), row.asked_category.into());
    answer.insert("next_category".to_owned(), row.next_category.into());
    answer.insert("rejected_reason".to_owned(), row.rejected.into());
    answer.insert("components".to_owned(), components);
    answer.insert("history".to_owned(), serde_json::json!(history));
    Ok(Answer::Record(answer))
}

async fn id(setup: &SetupContext, tenant: &str) -> Result<TenantId, AdminError> {
    Ok(find_tenant(setup, tenant).await?.id)
}

fn short(row: &Template) -> std::collections::BTreeMap<String, Value> {
    record! {
        "id" => row.id,
        "account" => row.account,
        "name" => row.name,
        "language" => row.language,
        "status" => if row.gone_at.is_some() { "GONE" } else { row.status.as_str() },
        "category" => row.category,
        "quality" => row.quality,
    }
}

/// One line of a lint.
pub fn line(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let Finding {
        code,
        at,
        problem,
        mend,
        ..
    } = finding;
    format!("{severity}[{code}] {at}: {problem}. {mend}")
}

fn refusal(error: TemplateError) -> AdminError {
    match error {
        TemplateError::Setup(error) => error.into(),
        TemplateError::Lint(findings) => {
            let lines: Vec<String> = findings.iter().map(line).collect();
            AdminError::Refused(lines.join("\n"))
        }
        TemplateError::Meta(failed) => failed.into(),
    }
}
