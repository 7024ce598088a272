//! What a plugin wrote to its log, and its faults, as turns' journals have them.
//!
//! A turn gets its id when it begins and its row when it is committed, up to minutes later when its plugins ask slow servers.
//! So a turn may appear behind those that were read already: whoever follows a log reads the last seconds again each time,
//! and everything that is young twice a minute.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{Result, SetupContext};
use super::find_one;
use crate::domain::id as ids;
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
/// Between two readings of all of that, by somebody who follows: so late is a late turn told. Nearly all turns are committed
/// within `LATELY` of their beginning, and told at once. Guesses.
const WHOLE: Duration = Duration::from_secs(30);
const LATELY: Duration = Duration::from_secs(10);

/// The text was no [`LogCursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a log")]
pub struct NoCursor;

/// Where a log was read to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LogCursor {
    at: TurnId,
    /// From here on turns may have appeared behind this reader: everything is read again from here now and again.
    back: Option<TurnId>,
    /// When that was done last. None: it is being done.
    whole_at: Option<Timestamp>,
}

impl LogCursor {
    /// Lines of turns after this one.
    pub fn after(turn: TurnId) -> Self {
        Self {
            at: turn,
            back: None,
            whole_at: None,
        }
    }

    /// The turn up to which nothing is told again.
    pub fn settled(self) -> TurnId {
        self.back.unwrap_or(self.at)
    }

    /// Where to begin: where the last page ended, or behind all that may have had late turns since.
    fn begun(self, now: Timestamp) -> Self {
        match self.whole_at {
            Some(last) if last.plus(WHOLE) <= now => Self::after(self.settled()),
            _ => self,
        }
    }

    /// Everything up to `to` was read, at a time when turns after `settled` might still appear.
    fn over(self, to: TurnId, settled: TurnId) -> Self {
        // Only who reads all of it again has seen what was late, and may leave it behind.
        let is_whole = self.whole_at.is_none();
        let unsettled = (is_whole && to > settled).then_some(settled.max(self.at));
        Self {
            at: to,
            back: self.back.or(unsettled),
            ..self
        }
    }

    /// There is nothing more for now.
    fn ended(self, now: Timestamp) -> Self {
        let back = self.settled();
        let lately = turn_at(now.minus(LATELY));
        Self {
            at: lately.min(self.at).max(back),
            back: Some(back),
            whole_at: self.whole_at.or(Some(now)),
        }
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)?;
        self.back.map_or(Ok(()), |back| write!(f, ".{back}"))?;
        let whole_at = self.whole_at.map(Timestamp::millis);
        whole_at.map_or(Ok(()), |at| write!(f, ".{at}"))
    }
}

impl FromStr for LogCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> std::result::Result<Self, NoCursor> {
        fn read<T: FromStr>(part: &str) -> std::result::Result<T, NoCursor> {
            part.parse().map_err(|_| NoCursor)
        }
        let mut parts = text.splitn(3, '.');
        let at = parts.next().unwrap_or_default();
        let back = parts.next().map(read).transpose()?;
        let whole_at = parts.next().map(read).transpose()?;
        Ok(Self {
            at: read(at)?,
            back,
            whole_at: whole_at.map(Timestamp::from_millis),
        })
    }
}

impl From<LogCursor> for String {
    fn from(cursor: LogCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for LogCursor {
    type Error = NoCursor;

    fn try_from(text: String) -> std::result::Result<Self, NoCursor> {
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
/// is committed late; and again of the turns of the last seconds, and twice a minute of those of the last minutes.
pub async fn logs(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    after: Option<LogCursor>,
) -> Result<LogPage> {
    find_one(setup, tenant, id).await?;
    let now = setup.clock.now();
    let settled = turn_at(now.minus(UNSETTLED));
    let begin = || LogCursor::after(turn_at(now.minus(SINCE)));
    let mut next = after.unwrap_or_else(begin).begun(now);
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
                next: next.ended(now),
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

/// Turns after it began then, or later.
fn turn_at(at: Timestamp) -> TurnId {
    TurnId::from_raw(ids::first_id_at(at))
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

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    /// A turn that began so many seconds ago.
    fn ago(seconds: u64) -> TurnId {
        turn_at(NOW.minus(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_reader_goes_back_to_what_was_unsettled_as_it_came_by() {
        let first = LogCursor::after(ago(900)).over(ago(500), ago(150));
        assert_eq!(first, LogCursor::after(ago(500)));
        let second = first.over(ago(140), ago(150));
        // Time passes before the next page is asked for.
        let third = second.over(ago(1), ago(120)).ended(NOW);
        assert_eq!((third.at, third.settled()), (ago(10), ago(150)));
        assert_eq!(third.whole_at, Some(NOW));
    }

    #[test]
    fn only_the_last_seconds_are_read_again_until_all_of_it_is() {
        let ended = LogCursor::after(ago(900)).over(ago(1), ago(150)).ended(NOW);
        let soon = NOW.plus(WHOLE).minus(Duration::from_millis(1));
        let short = ended.begun(soon);
        assert_eq!(short, ended);
        // A short reading leaves nothing behind that may still be late, and puts no whole one off.
        let again = short.over(ago(0), ago(130)).ended(soon);
        assert_eq!((again.settled(), again.whole_at), (ago(150), Some(NOW)));
        assert_eq!(again.at, ago(0), "nothing has come since");
        let whole = again.begun(NOW.plus(WHOLE));
        assert_eq!(whole, LogCursor::after(ago(150)));
        let left = whole.over(ago(0), ago(120)).ended(NOW.plus(WHOLE));
        assert_eq!(left.settled(), ago(120));
    }

    #[test]
    fn nobody_goes_back_behind_where_they_began() {
        let young = LogCursor::after(ago(5)).over(ago(1), ago(150));
        assert_eq!(young.ended(NOW).at, ago(5));
        assert_eq!(young.settled(), ago(5));
    }

    #[test]
    fn a_cursor_reads_as_it_is_written() {
        let plain = LogCursor::after(turn(7));
        let back = plain.over(turn(9), turn(8));
        for cursor in [plain, back, back.ended(NOW)] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(turn(7).to_string().parse(), Ok(plain));
        assert!("".parse::<LogCursor>().is_err());
        assert!(format!("{back}.soon").parse::<LogCursor>().is_err());
    }
}
