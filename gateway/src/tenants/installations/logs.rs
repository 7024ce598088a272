//! What a plugin wrote to its log, and its faults, as turns' journals have them.
//!
//! A turn gets its id when it begins and its row when it is committed, up to minutes later when its plugins ask slow servers.
//! So a turn may appear behind those that were read already: whoever follows a log reads what is young again each time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{Result, SetupContext};
use super::find_one;
use crate::domain::id::{self as ids, IdError};
use crate::domain::{InstallationId, TenantId, Timestamp, TurnId};
use crate::storage::turns::{self, JournalRow};

/// Turns of the tenant that one page reads.
const JOURNALS: i64 = 500;
/// Windows of all tenants' turns that one page looks through for them: a fraction of a second.
const WINDOWS: usize = 10;
/// How far back a log begins when nobody says where.
const SINCE: Duration = Duration::from_secs(900);
/// Turns that are younger may still be under way: a candidate, the active version after it and a shadow ask other servers
/// for 40 seconds each (`plugins.http_requests` times `plugins.http_timeout`), and a commit may have to wait.
const UNSETTLED: Duration = Duration::from_secs(150);

/// Where a log was read to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LogCursor {
    at: TurnId,
    /// From here on turns may have appeared behind this reader: it goes back when it has come to the end.
    back: Option<TurnId>,
}

impl LogCursor {
    /// Lines of turns after this one.
    pub fn after(turn: TurnId) -> Self {
        Self {
            at: turn,
            back: None,
        }
    }

    /// The turn up to which nothing is told again.
    pub fn settled(self) -> TurnId {
        self.back.unwrap_or(self.at)
    }

    /// Everything up to `to` was read, at a time when turns after `settled` might still appear.
    fn over(self, to: TurnId, settled: TurnId) -> Self {
        let unsettled = (to > settled).then_some(settled.max(self.at));
        Self {
            at: to,
            back: self.back.or(unsettled),
        }
    }

    /// There is nothing more for now.
    fn ended(self) -> Self {
        Self::after(self.settled())
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)?;
        self.back.map_or(Ok(()), |back| write!(f, ".{back}"))
    }
}

impl FromStr for LogCursor {
    type Err = IdError;

    fn from_str(text: &str) -> std::result::Result<Self, IdError> {
        let (at, back) = match text.split_once('.') {
            Some((at, back)) => (at, Some(back.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            at: at.parse()?,
            back,
        })
    }
}

impl From<LogCursor> for String {
    fn from(cursor: LogCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for LogCursor {
    type Error = IdError;

    fn try_from(text: String) -> std::result::Result<Self, IdError> {
        text.parse()
    }
}

/// Some lines of a log. A turn's lines stand in one page.
#[derive(Debug)]
pub struct LogPage {
    /// Oldest first.
    pub lines: Vec<LogEntry>,
    pub next: LogCursor,
    /// Not all was read that there is.
    pub more: bool,
}

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

/// The next lines; without a cursor those of the last quarter of an hour. Turns that wrote nothing are passed over, a bounded
/// number at once.
///
/// Whoever reads on with `next` until there is no `more`, and then again and again, is told of every turn, also of one that
/// is committed late; and of the turns of the last minutes each time.
pub async fn logs(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    after: Option<LogCursor>,
) -> Result<LogPage> {
    find_one(setup, tenant, id).await?;
    let now = setup.clock.now();
    let settled = TurnId::from_raw(ids::first_id_at(now.minus(UNSETTLED)));
    let begin = || LogCursor::after(TurnId::from_raw(ids::first_id_at(now.minus(SINCE))));
    let mut next = after.unwrap_or_else(begin);
    let (mut found, mut left) = (Vec::new(), JOURNALS);
    for _ in 0..WINDOWS {
        // A transaction for each: others want the connection, and SQLite its log.
        let mut tx = setup.db.read().await?;
        let window = turns::journals_after(&mut tx, tenant, next.at, left).await?;
        drop(tx);
        found.extend(window.rows.iter().flat_map(|row| lines(row, id)));
        next = next.over(window.to, settled);
        if !window.more {
            return Ok(LogPage {
                lines: found,
                next: next.ended(),
                more: false,
            });
        }
        left -= window.rows.len() as i64;
        if left <= 0 {
            break;
        }
    }
    Ok(LogPage {
        lines: found,
        next,
        more: true,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(n: i64) -> TurnId {
        TurnId::from_raw(n)
    }

    #[test]
    fn a_reader_goes_back_to_what_was_unsettled_as_it_came_by() {
        let first = LogCursor::after(turn(10)).over(turn(50), turn(80));
        assert_eq!(first, LogCursor::after(turn(50)));
        let second = first.over(turn(90), turn(80));
        // Time passes before the next page is asked for.
        let third = second.over(turn(200), turn(150));
        assert_eq!((third.at, third.settled()), (turn(200), turn(80)));
        assert_eq!(third.ended(), LogCursor::after(turn(80)));
    }

    #[test]
    fn nobody_goes_back_behind_where_they_began() {
        let young = LogCursor::after(turn(95)).over(turn(99), turn(80));
        assert_eq!(young.ended(), LogCursor::after(turn(95)));
    }

    #[test]
    fn a_cursor_reads_as_it_is_written() {
        let plain = LogCursor::after(turn(7));
        for cursor in [plain, plain.over(turn(9), turn(8))] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(turn(7).to_string().parse(), Ok(plain));
        assert!("".parse::<LogCursor>().is_err());
    }
}
