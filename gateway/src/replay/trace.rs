//! One turn as its journal has it, for whoever wants to know why a plugin did what it did.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::{InstallationId, TenantId, TurnId};
use crate::storage::Tx;
use crate::storage::replays;
use crate::tenants::{SetupContext, SetupError, find_tenant};

type Result<T> = std::result::Result<T, SetupError>;

/// A turn of the tenant: when, about what, how it ended, and the journal, with the plugins by their names. What the
/// customer said is not in it.
pub async fn of(setup: &SetupContext, tenant: &str, turn: TurnId) -> Result<Value> {
    let tenant = find_tenant(setup, tenant).await?.id;
    let mut tx = setup.db.read().await?;
    let row = replays::turn(&mut tx, tenant, turn).await?;
    let row = row.ok_or_else(|| SetupError::not_found("turn of this tenant", &turn.to_string()))?;
    let mut journal: Value = serde_json::from_str(&row.journal).unwrap_or_default();
    without_words(&mut journal);
    let mut plugins = Map::new();
    for (id, version) in installations(&journal) {
        let name = name(&mut tx, tenant, &id, version).await?;
        plugins.insert(id, name);
    }
    Ok(json!({
        "turn": row.id,
        "conversation": row.conversation,
        "event": row.event.as_ref().map(|event| event.id),
        "at": row.at.to_string(),
        "outcome": row.outcome,
        "plugins": plugins,
        "journal": journal,
    }))
}

/// What plugins read of the conversation's past is told without its words.
fn without_words(journal: &mut Value) {
    let past = journal.pointer_mut("/report/host_answers/reads/past/said/Ok");
    for said in past.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(said) = said.as_object_mut() {
            said.remove("text");
        }
    }
}

/// Installations that calls or what was seen name, and their versions.
fn installations(journal: &Value) -> BTreeMap<String, Option<i64>> {
    // The second list knows the versions.
    let lists = [&journal["report"]["calls"], &journal["seen"]["plugins"]];
    let rows = lists.into_iter().filter_map(Value::as_array).flatten();
    rows.filter_map(|row| {
        Some((
            row["installation"].as_str()?.to_owned(),
            row["version"].as_i64(),
        ))
    })
    .collect()
}

async fn name(tx: &mut Tx, tenant: TenantId, id: &str, version: Option<i64>) -> Result<Value> {
    let Ok(id) = id.parse::<InstallationId>() else {
        return Ok(Value::Null);
    };
    let row = replays::installed(tx, tenant, id, version).await?;
    Ok(row.map_or(Value::Null, |row| {
        json!(format!("{} {}", row.plugin, row.plugin_version))
    }))
}
