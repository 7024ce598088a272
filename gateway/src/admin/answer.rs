//! What a command brought about, for people and programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::number::Number;
use crate::storage::apps::App;
use crate::storage::holds::{Held, Hold};
use crate::storage::outbox::OutboxRow;
use crate::storage::tenants::Tenant;
use crate::tenants::TenantSettings;

/// An answer: one record, or several of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Record(BTreeMap<String, serde_json::Value>),
    List(Vec<BTreeMap<String, serde_json::Value>>),
}

/// `record! { "id" => …, }`: a record of whatever serde can write.
macro_rules! record {
    ($($name:literal => $value:expr,)*) => {
        std::collections::BTreeMap::from([$(($name.to_owned(), serde_json::json!($value)),)*])
    };
}
pub(super) use record;

impl Answer {
    pub(super) fn app(app: &App) -> Self {
        Self::Record(record! {
            "id" => app.id,
            "meta_app_id" => app.meta_app_id,
            "name" => app.name,
            "callback_path" => format!("/webhooks/whatsapp/{}", app.meta_app_id),
            "default" => app.is_default,
        })
    }

    /// With its settings as they hold, defaults included.
    pub(super) fn tenant(tenant: &Tenant) -> Self {
        let (settings, problems) = TenantSettings::read(&tenant.settings);
        let mut record = tenant_record(tenant);
        record.insert("settings".to_owned(), serde_json::json!(settings));
        if !problems.is_empty() {
            record.insert("problems".to_owned(), serde_json::json!(problems));
        }
        Self::Record(record)
    }

    pub(super) fn tenants(tenants: &[Tenant]) -> Self {
        Self::List(tenants.iter().map(tenant_record).collect())
    }

    pub(super) fn number(number: &Number) -> Self {
        Self::Record(record! {
            "id" => number.id,
            "tenant" => number.tenant,
            "app" => number.app,
            "credential" => number.credential,
            "portfolio" => number.portfolio,
            "waba_id" => number.waba_id,
            "phone_number_id" => number.phone_number_id,
            "display_number" => number.display_number,
            "time_zone" => number.time_zone,
            "throughput" => number.throughput,
            "bucket" => number.bucket(),
        })
    }

    pub(super) fn hold(hold: &Hold) -> Self {
        Self::Record(hold_record(hold))
    }

    /// Without text and person: who may see those is not asked here.
    pub(super) fn sends(rows: &[OutboxRow]) -> Self {
        let record = |row: &OutboxRow| {
            record! {
                "id" => row.draft.id,
                "tenant" => row.draft.tenant,
                "number" => row.draft.number,
                "conversation" => row.draft.conversation,
                "kind" => row.draft.content.kind(),
                "state" => row.state.word(),
                "attempts" => row.attempts,
                "doubts" => row.doubts,
                "changed_at" => row.changed_at.to_string(),
                "reason" => row.reason,
            }
        };
        Self::List(rows.iter().map(record).collect())
    }

    pub(super) fn holds(holds: &[Hold]) -> Self {
        Self::List(holds.iter().map(hold_record).collect())
    }
}

fn tenant_record(tenant: &Tenant) -> BTreeMap<String, serde_json::Value> {
    record! {
        "id" => tenant.id,
        "name" => tenant.name,
        "created_at" => tenant.created_at.to_string(),
    }
}

fn hold_record(hold: &Hold) -> BTreeMap<String, serde_json::Value> {
    record! {
        "id" => hold.id,
        "held" => held(&hold.held),
        "reason" => hold.reason,
        "by" => hold.placed_by,
        "placed_at" => hold.placed_at.to_string(),
        "until" => hold.until.map(|until| until.to_string()),
    }
}

fn held(held: &Held) -> String {
    match held {
        Held::All => "everything".to_owned(),
        Held::Tenant(tenant) => format!("tenant {tenant}"),
        Held::Number(_, number) => format!("number {number}"),
        Held::Plugin(tenant, plugin) => format!("plugin {plugin} of tenant {tenant}"),
        Held::Template(tenant, template) => {
            let (name, language) = (&template.name, &template.language);
            match template.account.as_str() {
                "" => format!("template {name} ({language}) of tenant {tenant}"),
                account => format!("template {name} ({language}) of account {account}"),
            }
        }
        Held::Templates(tenant) => format!("every template of tenant {tenant}"),
        Held::NumberTemplates(_, number) => format!("every template of number {number}"),
        Held::NumberMarketing(_, number) => format!("marketing of number {number}"),
        Held::NumberReplies(_, number) => format!("every answer of number {number}"),
        Held::Credential(_, credential) => format!("credential {credential}"),
    }
}
