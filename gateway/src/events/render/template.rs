//! What became of a template: which one, what changed, where that was learnt.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Rows;
use crate::domain::{StreamEvent, TenantId, Timestamp};
use crate::storage::template_history::{self, KeptChange};
use crate::storage::templates::{self, Template};
use crate::storage::{Result, Tx};

/// The lines that events point at, and the templates that those are of.
pub(super) struct Templates {
    changes: HashMap<i64, KeptChange>,
    templates: HashMap<i64, Template>,
}

impl Templates {
    pub(super) async fn read(tx: &mut Tx, tenant: TenantId, subjects: &[i64]) -> Result<Self> {
        let changes = template_history::by_ids(tx, tenant, subjects).await?;
        let ids: Vec<i64> = changes.iter().map(|change| change.template).collect();
        let rows = templates::by_ids(tx, tenant, &ids).await?;
        Ok(Self {
            changes: changes.into_iter().map(|row| (row.id, row)).collect(),
            templates: rows.into_iter().map(|row| (row.id.raw(), row)).collect(),
        })
    }
}

impl Rows<'_> {
    /// Components are long, and stand in the template itself.
    pub(super) fn template(&self, event: &StreamEvent) -> Value {
        let Some(change) = self.templates.changes.get(&event.subject) else {
            return json!({"what": event.note});
        };
        let template = self.templates.templates.get(&change.template);
        let short = |text: &String| (change.what != "components").then(|| text.clone());
        json!({
            "template": template.map(|row| json!({
                "id": row.id,
                "account": row.account,
                "name": row.name,
                "language": row.language,
                "status": row.status,
                "category": row.category,
                "quality": row.quality,
            })),
            "what": change.what,
            "was": short(&change.was),
            "became": short(&change.became),
            "learnt": change.learnt,
            "at": Timestamp::from_millis(change.at).to_string(),
        })
    }
}
