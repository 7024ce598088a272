//! What a batch says of templates: news of their state, and receipts that charge another category than we know. Kept at
//! the end of the batch's transaction (`templates::keep` has the order of locks).

use std::collections::BTreeMap;

use serde_json::Value;

use super::split::Status;
use super::{AttachError, Attacher};
use crate::domain::account::{AccountNews, Subject};
use crate::domain::template::{Learnt, TemplateCategory, TemplateStatus};
use crate::domain::{DraftClass, OutboxId, ReceiptStatus, TenantId, Timestamp};
use crate::policy::TemplateFact;
use crate::storage::{Tx, outbox, receipts};
use crate::templates::Words;
use crate::templates::keep::{Said, Spoken, keep};

/// What was said of one template, by one webhook or receipt.
pub(super) struct Heard {
    pub tenant: TenantId,
    pub account: String,
    pub at: Timestamp,
    pub how: Learnt,
    pub spoken: Spoken,
}

/// The words of one piece of news. `latest`: is this the last that Meta said of a fact, by its own time?
pub(super) fn words(news: &AccountNews, latest: impl Fn(&str) -> bool) -> Option<Spoken> {
    let Subject::Template { name, language } = &news.subject else {
        return None;
    };
    let fact = |name: &str| {
        let fact = news.facts.iter().find(|fact| fact.name == name)?;
        latest(name).then(|| fact.value.clone())
    };
    let next = fact("next_category").map(|next| {
        let at = fact("next_category_at").and_then(|at| at.parse().ok());
        (next, at.map(Timestamp::from_secs))
    });
    let words = Words {
        meta_id: fact("id"),
        status: fact("status").and_then(|event| match TemplateStatus::after_event(&event)? {
            // A word that we do not know is kept as Meta wrote it.
            TemplateStatus::Other => Some(event),
            status => Some(status.word().to_owned()),
        }),
        rejected: fact("reason"),
        category: fact("category"),
        next_category: next,
        quality: fact("quality"),
        // The webhook has the words in another form, without what a send must fill: they are asked for again.
        stale: news
            .facts
            .iter()
            .any(|fact| fact.name.starts_with("component.")),
        ..Words::default()
    };
    (words != Words::default()).then(|| Spoken {
        name: name.clone(),
        language: language.clone(),
        words,
    })
}

pub(super) async fn apply(
    attacher: &Attacher,
    tx: &mut Tx,
    mut heard: Vec<Heard>,
    now: Timestamp,
) -> Result<(), AttachError> {
    // In one order whatever the batch: rows are locked by it. Of one template's, the order in which they came stays.
    heard.sort_by(|one, other| place(one).cmp(&place(other)));
    for one in heard {
        let said = Said {
            ids: &attacher.ids,
            tenant: one.tenant,
            account: &one.account,
            at: one.at,
            now,
            how: one.how,
            heard: attacher.ids.next(now),
        };
        keep(tx, said, std::slice::from_ref(&one.spoken)).await?;
    }
    Ok(())
}

fn place(heard: &Heard) -> (TenantId, &str, &str, &str) {
    let Spoken { name, language, .. } = &heard.spoken;
    (heard.tenant, &heard.account, name, language)
}

/// Receipts say what was charged (§6.4): Meta's last word on a category, if a webhook was lost. Asked of deliveries, which
/// are charged, and only of sends that claimed to be something else.
pub(super) async fn charged(
    tx: &mut Tx,
    statuses: &[Status],
    now: Timestamp,
) -> Result<Vec<Heard>, AttachError> {
    let mut told: BTreeMap<OutboxId, (&Status, TemplateCategory)> = BTreeMap::new();
    for status in statuses {
        if let Some((outbox, category)) = category(status) {
            told.insert(outbox, (status, category));
        }
    }
    let claims: Vec<(OutboxId, i64)> = told
        .iter()
        .map(|(outbox, (_, category))| (*outbox, class(*category).code()))
        .collect();
    let mut heard = Vec::new();
    for outbox in receipts::of_another_class_all_tenants(tx, &claims).await? {
        let Some((status, category)) = told.get(&outbox) else {
            continue;
        };
        let number = &status.entry.number;
        let Some(row) = outbox::find(tx, number.tenant, outbox).await? else {
            continue;
        };
        let known = status.entry.template(&row.draft.content, now);
        let (TemplateFact::Known(known), Some(template)) = (known, row.draft.content.template())
        else {
            continue;
        };
        if known.category != *category {
            heard.push(Heard {
                tenant: number.tenant,
                account: number.waba_id.clone(),
                at: status.receipt.at,
                how: Learnt::Receipt,
                spoken: Spoken {
                    name: template.name.clone(),
                    language: template.language.clone(),
                    words: Words {
                        category: Some(category.word().to_owned()),
                        ..Words::default()
                    },
                },
            });
        }
    }
    Ok(heard)
}

fn class(category: TemplateCategory) -> DraftClass {
    match category {
        TemplateCategory::Authentication => DraftClass::Authentication,
        TemplateCategory::Utility => DraftClass::Utility,
        TemplateCategory::Marketing => DraftClass::Marketing,
    }
}

fn category(status: &Status) -> Option<(OutboxId, TemplateCategory)> {
    let receipt = &status.receipt;
    if receipt.status != ReceiptStatus::Delivered {
        return None;
    }
    let pricing: Value = serde_json::from_str(receipt.pricing.as_deref()?).ok()?;
    let category = match pricing["category"].as_str()? {
        "marketing" | "marketing_lite" => TemplateCategory::Marketing,
        "utility" => TemplateCategory::Utility,
        "authentication" | "authentication_international" | "authentication-international" => {
            TemplateCategory::Authentication
        }
        _ => return None,
    };
    Some((receipt.outbox?, category))
}
