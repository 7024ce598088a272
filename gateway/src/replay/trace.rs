//! One turn as its journal has it, for whoever wants to know why a plugin did what it did.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use self::source::Source;
use crate::domain::{TenantId, TurnId};
use crate::plugin_host::Compiler;
use crate::storage::Tx;
use crate::storage::replays::{self, Installed};
use crate::tenants::{SetupContext, SetupError, find_tenant};

type Result<T> = std::result::Result<T, SetupError>;

/// A turn of the tenant: when, about what, how it ended, and the journal, with the plugins by their names and traps with the
/// lines of their source. What the customer said is not in it.
pub async fn of(
    setup: &SetupContext,
    compiler: &Compiler,
    tenant: &str,
    turn: TurnId,
) -> Result<Value> {
    let tenant = find_tenant(setup, tenant).await?.id;
    let mut tx = setup.db.read().await?;
    let row = replays::turn(&mut tx, tenant, turn).await?;
    let row = row.ok_or_else(|| SetupError::not_found("turn of this tenant", &turn.to_string()))?;
    let mut journal: Value = serde_json::from_str(&row.journal).unwrap_or_default();
    without_words(&mut journal);
    let (mut plugins, mut digests) = (Map::new(), BTreeMap::new());
    for (id, version) in installations(&journal) {
        let row = installed(&mut tx, tenant, &id, version).await?;
        let name = row
            .as_ref()
            .map(|row| format!("{} {}", row.plugin, row.plugin_version));
        plugins.insert(id.clone(), json!(name));
        digests.extend(row.map(|row| ((id, None), row.digest)));
    }
    for (id, version) in on_trial(&journal) {
        let row = installed(&mut tx, tenant, &id, version).await?;
        digests.extend(row.map(|row| ((id, version), row.digest)));
    }
    drop(tx);
    let source = Source {
        setup,
        compiler,
        tenant,
        digests,
    };
    source.tell(&mut journal).await?;
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

async fn installed(
    tx: &mut Tx,
    tenant: TenantId,
    id: &str,
    version: Option<i64>,
) -> Result<Option<Installed>> {
    Ok(match id.parse() {
        Ok(id) => replays::installed(tx, tenant, id, version).await?,
        Err(_) => None,
    })
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
    // The last list knows the versions of those that answered.
    let (calls, seen) = (&journal["report"]["calls"], &journal["seen"]["plugins"]);
    let lists = [&journal["trials"], calls, seen];
    let rows = lists.into_iter().filter_map(Value::as_array).flatten();
    rows.filter_map(|row| {
        Some((
            row["installation"].as_str()?.to_owned(),
            row["version"].as_i64(),
        ))
    })
    .collect()
}

/// Versions on trial, of their installations.
fn on_trial(journal: &Value) -> BTreeSet<(String, Option<i64>)> {
    let trials = journal["trials"].as_array().into_iter().flatten();
    trials
        .filter_map(|row| {
            Some((
                row["installation"].as_str()?.to_owned(),
                row["seq"].as_i64(),
            ))
        })
        .collect()
}
