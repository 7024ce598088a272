//! What a plugin wrote to its log, and its faults, as turns' journals have them.

use serde_json::Value;

use super::super::{Result, SetupContext};
use super::find_one;
use crate::domain::{InstallationId, TenantId, Timestamp, TurnId};
use crate::storage::turns::{self, JournalRow};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub turn: TurnId,
    pub at: Timestamp,
    /// Of the version that wrote it: a version under trial has lines of its own.
    pub trial: bool,
    pub hook: String,
    /// `debug`, `info`, `warn`, `error`; `fault` for what the host says of a call that failed.
    pub level: String,
    pub message: String,
}

/// Lines of turns after this one, oldest first, and the turn to go on from. Turns that wrote nothing are passed over,
/// `most` of them at once.
pub async fn logs(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    after: TurnId,
    most: i64,
) -> Result<(Vec<LogEntry>, TurnId)> {
    find_one(setup, tenant, id).await?;
    let mut tx = setup.db.read().await?;
    let rows = turns::journals_after(&mut tx, tenant, after, most).await?;
    let last = rows.last().map_or(after, |row| row.id);
    Ok((rows.iter().flat_map(|row| lines(row, id)).collect(), last))
}

fn lines(row: &JournalRow, id: InstallationId) -> Vec<LogEntry> {
    let Ok(journal) = serde_json::from_str::<Value>(&row.journal) else {
        return Vec::new();
    };
    let own = id.to_string();
    let mut found = Vec::new();
    of_report(row, &journal["report"], &own, false, &mut found);
    for trial in journal["trials"].as_array().into_iter().flatten() {
        if trial["installation"] == own.as_str() {
            of_report(row, trial, &own, true, &mut found);
        }
    }
    found
}

fn of_report(row: &JournalRow, report: &Value, own: &str, trial: bool, found: &mut Vec<LogEntry>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |hook: &Value, level: String, message: String| LogEntry {
        turn: row.id,
        at: row.at,
        trial,
        hook: text(hook),
        level,
        message,
    };
    for line in report["logs"].as_array().into_iter().flatten() {
        if line["installation"] == own {
            found.push(entry(
                &line["hook"],
                text(&line["level"]),
                text(&line["message"]),
            ));
        }
    }
    for call in report["calls"].as_array().into_iter().flatten() {
        let fault = &call["outcome"]["fault"];
        if call["installation"] == own && fault.is_object() {
            let message = format!("{}: {}", text(&fault["kind"]), text(&fault["message"]));
            found.push(entry(&call["hook"], "fault".to_owned(), message));
        }
    }
}
