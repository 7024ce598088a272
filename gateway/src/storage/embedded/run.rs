//! Running one statement on a connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::Value as Raw;
use sqlx_core::error::Error;
use sqlx_core::executor::Execute;
use sqlx_core::sql_str::SqlStr;

use super::{Column, Embedded, Row, Statement, error};

/// Whoever runs the gateway is told about a statement that took longer.
const SLOW: Duration = Duration::from_secs(1);

/// How many rows a statement changed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Done {
    changed: u64,
}

impl Done {
    pub fn rows_affected(&self) -> u64 {
        self.changed
    }
}

impl Extend<Done> for Done {
    fn extend<T: IntoIterator<Item = Done>>(&mut self, others: T) {
        self.changed += others.into_iter().map(|done| done.changed).sum::<u64>();
    }
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Asked {
    sql: SqlStr,
    values: Vec<Raw>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    pub(super) done: Done,
}

impl Asked {
    pub(super) fn of<'q>(mut query: impl Execute<'q, Embedded>) -> Result<Self, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        Ok(Self {
            values: arguments.unwrap_or_default().0,
            sql: query.sql(),
        })
    }

    pub(super) fn run(self, db: &rusqlite::Connection) -> Result<Answer, Error> {
        let began = now();
        let text = numbered(self.sql.as_str());
        let mut statement = db.prepare_cached(&text).map_err(error::from)?;
        let answer = answer(db, &mut statement, &self.values);
        let took = began.elapsed();
        if took > SLOW {
            tracing::warn!(statement = %text, ?took, "a slow statement");
        }
        answer.map_err(error::from)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long SQLite took, for the log; nothing is decided by it"
)]
fn now() -> Instant {
    Instant::now()
}

fn answer(
    db: &rusqlite::Connection,
    statement: &mut rusqlite::Statement<'_>,
    values: &[Raw],
) -> rusqlite::Result<Answer> {
    for (value, number) in values.iter().zip(1_usize..) {
        statement.raw_bind_parameter(number, value)?;
    }
    let columns: Arc<[Column]> = columns(statement).into();
    let mut answer = Answer::default();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let value = |ordinal| row.get::<_, Raw>(ordinal);
        answer.rows.push(Row {
            values: (0..columns.len()).map(value).collect::<Result<_, _>>()?,
            columns: columns.clone(),
        });
    }
    drop(rows);
    answer.done.changed = db.changes();
    Ok(answer)
}

fn columns(statement: &rusqlite::Statement<'_>) -> Vec<Column> {
    let names = statement.column_names().into_iter().enumerate();
    let column = |(ordinal, name): (usize, &str)| Column {
        ordinal,
        name: name.to_owned(),
    };
    names.map(column).collect()
}

pub(super) fn look_at(db: &rusqlite::Connection, sql: SqlStr) -> Result<Statement, Error> {
    let statement = db
        .prepare_cached(&numbered(sql.as_str()))
        .map_err(error::from)?;
    Ok(Statement {
        parameters: statement.parameter_count(),
        columns: columns(&statement),
        sql,
    })
}

/// PostgreSQL's `$1` is a *name* to SQLite, numbered by where it stands; its own word for the first value is `?1`.
fn numbered(sql: &str) -> Cow<'_, str> {
    if !sql.contains('$') {
        return sql.into();
    }
    let mut parts = sql.split('$');
    let mut text = String::with_capacity(sql.len());
    text.extend(parts.next());
    for part in parts {
        let is_parameter = part.starts_with(|first: char| first.is_ascii_digit());
        text.push(if is_parameter { '?' } else { '$' });
        text.push_str(part);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_numbers() {
        assert_eq!(
            numbered("SELECT a WHERE b IN ($2,$3) AND c = $2 LIMIT $1"),
            "SELECT a WHERE b IN (?2,?3) AND c = ?2 LIMIT ?1"
        );
        assert_eq!(numbered("SELECT d->>'$.x'"), "SELECT d->>'$.x'");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }
}
