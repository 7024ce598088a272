//! Statements that carry many rows: the hot path writes dozens of turns with a handful of them.
//!
//! One text serves both databases, with its rows where `VALUES` stands. SQLite is given them value by value, for few
//! counts of rows, so that the number of different statements, and with it the prepared-statement cache, stays small.
//! PostgreSQL is given an array for each column: one statement for any number of rows, planned once.

use std::fmt::Write as _;

use sqlx::Arguments as _;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;

use super::Tx;

/// Rows that one statement may have. SQLite allows 32,766 parameters, PostgreSQL 65,535. With powers of two alone an
/// ordinary group would take four statements; with these it takes two, as a rule.
const SIZES: [usize; 12] = [64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Rows of one statement on PostgreSQL: some milliseconds of its locks.
const ARRAY: usize = 512;

/// Rows for one statement each: [`runs`] on SQLite, whole on PostgreSQL but for very many.
pub(super) fn groups<'a, T>(tx: &Tx, rows: &'a [T]) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
    let is_postgres = tx.is_postgres();
    cut(rows, move |left| match is_postgres {
        true => left.min(ARRAY),
        false => fitting(left),
    })
}

/// A statement around rows: `head` ends in `VALUES`, `tail` follows the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    head: &'a str,
    width: usize,
    tail: &'a str,
}

pub(super) fn rows<'a>(head: &'a str, width: usize, tail: &'a str) -> Rows<'a> {
    Rows { head, width, tail }
}

impl Rows<'_> {
    pub(super) fn by_value(self, rows: usize) -> AssertSqlSafe<String> {
        values(self.head, rows, self.width, 1, self.tail)
    }

    /// `VALUES` has names for its columns, which the array's are given too.
    pub(super) fn by_column(self) -> AssertSqlSafe<String> {
        let Self { head, width, tail } = self;
        let head = head.trim_end();
        let head = head.strip_suffix("VALUES").expect("the head of a list");
        let list = |mark: &str| {
            let one = |n| format!("{mark}{n}");
            (1..=width).map(one).collect::<Vec<_>>().join(",")
        };
        let (arrays, names) = (list("$"), list("column"));
        AssertSqlSafe(format!(
            "{head}SELECT * FROM UNNEST({arrays}) AS arrays ({names}) {tail}"
        ))
    }
}

/// A statement around a list for `IN`, with which `head` ends; its values are numbered from `first`.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnyOf<'a> {
    head: &'a str,
    first: usize,
    tail: &'a str,
}

pub(super) fn any_of<'a>(head: &'a str, first: usize, tail: &'a str) -> AnyOf<'a> {
    AnyOf { head, first, tail }
}

impl AnyOf<'_> {
    pub(super) fn by_value(self, items: usize) -> AssertSqlSafe<String> {
        list(self.head, items, self.first, self.tail)
    }

    pub(super) fn by_column(self) -> AssertSqlSafe<String> {
        let Self { head, first, tail } = self;
        let head = head.trim_end();
        let head = head.strip_suffix("IN").expect("the head of a list");
        AssertSqlSafe(format!("{head}= ANY (${first}) {tail}"))
    }
}

/// The columns of rows, filled value by value.
#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
    next: usize,
}

#[derive(Debug)]
enum Column {
    Unknown,
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Texts(Vec<String>),
    Blobs(Vec<Vec<u8>>),
}

/// A value that stands in a column.
#[derive(Debug)]
pub(super) enum Cell {
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Columns {
    pub(super) fn new(rows: Rows<'_>) -> Self {
        Self {
            columns: (0..rows.width).map(|_| Column::Unknown).collect(),
            next: 0,
        }
    }

    pub(super) fn bind(mut self, value: impl Into<Cell>) -> Self {
        let column = &mut self.columns[self.next];
        match (column, value.into()) {
            (Column::Integers(column), Cell::Integer(value)) => column.push(value),
            (Column::Reals(column), Cell::Real(value)) => column.push(value),
            (Column::Texts(column), Cell::Text(value)) => column.push(value),
            (Column::Blobs(column), Cell::Blob(value)) => column.push(value),
            (column @ Column::Unknown, value) => *column = Column::of(value),
            (column, value) => unreachable!("{value:?} in {column:?}"),
        }
        self.next = (self.next + 1) % self.columns.len();
        self
    }

    pub(super) fn arguments(self) -> sqlx::Result<PgArguments> {
        let mut arguments = PgArguments::default();
        for column in self.columns {
            let added = match column {
                Column::Integers(column) => arguments.add(column),
                Column::Reals(column) => arguments.add(column),
                Column::Texts(column) => arguments.add(column),
                Column::Blobs(column) => arguments.add(column),
                Column::Unknown => arguments.add(Vec::<i64>::new()),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }
}

impl Column {
    fn of(value: Cell) -> Self {
        match value {
            Cell::Integer(value) => Self::Integers(vec![value]),
            Cell::Real(value) => Self::Reals(vec![value]),
            Cell::Text(value) => Self::Texts(vec![value]),
            Cell::Blob(value) => Self::Blobs(vec![value]),
        }
    }
}

macro_rules! cells {
    ($($rust:ty => $kind:ident($value:ident: $made:expr)),+ $(,)?) => {$(
        impl From<$rust> for Cell {
            fn from($value: $rust) -> Self {
                Self::$kind($made)
            }
        }
    )+};
}

cells! {
    i64 => Integer(value: value),
    &i64 => Integer(value: *value),
    f64 => Real(value: value),
    String => Text(value: value),
    &String => Text(value: value.clone()),
    &str => Text(value: value.to_owned()),
    Vec<u8> => Blob(value: value),
    &Vec<u8> => Blob(value: value.clone()),
    &[u8] => Blob(value: value.to_vec()),
}

/// Cuts rows into runs of [`SIZES`], the largest first.
pub(super) fn runs<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    cut(rows, fitting)
}

/// The largest of [`SIZES`] that so many rows fill.
fn fitting(left: usize) -> usize {
    SIZES.into_iter().find(|size| *size <= left).unwrap_or(1)
}

/// Cuts rows; `size` says how many of those that are left come next.
fn cut<T>(rows: &[T], size: impl Fn(usize) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (run, after) = rest.split_at(size(rest.len()));
        rest = after;
        Some(run)
    })
}

/// Ids in ascending order, each once: cut by [`runs`], a statement a run, they lock their rows in one global order.
pub(super) fn sorted(ids: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// `{head} ($1,$2),($3,$4) {tail}` for `rows` rows of `width` values, numbered from `first`.
pub(super) fn values(
    head: &str,
    rows: usize,
    width: usize,
    first: usize,
    tail: &str,
) -> AssertSqlSafe<String> {
    let mut sql = String::with_capacity(head.len() + tail.len() + rows * width * 6 + 8);
    sql.push_str(head);
    let mut n = first;
    for row in 0..rows {
        sql.push(if row == 0 { ' ' } else { ',' });
        for column in 0..width {
            sql.push(if column == 0 { '(' } else { ',' });
            let _ = write!(sql, "${n}");
            n += 1;
        }
        sql.push(')');
    }
    sql.push(' ');
    sql.push_str(tail);
    AssertSqlSafe(sql)
}

/// Pads `items` with its last one up to the next power of two: for `IN ($1, …)` lists, where a repeat changes nothing.
///
/// Only for lists that are short by nature, such as the 256 buckets: a list that grows with traffic is cut by [`runs`].
pub(super) fn padded<T: Clone>(items: &[T]) -> Vec<T> {
    let mut padded = items.to_vec();
    if let Some(last) = items.last() {
        padded.resize(items.len().next_power_of_two(), last.clone());
    }
    padded
}

/// `{head} ($1,$2,…) {tail}`: a list for `IN`, numbered from `first`.
pub(super) fn list(head: &str, items: usize, first: usize, tail: &str) -> AssertSqlSafe<String> {
    values(head, 1, items, first, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_of_few_sizes_and_keep_the_order() {
        let rows: Vec<usize> = (0..253).collect();
        let cut: Vec<&[usize]> = runs(&rows).collect();
        assert_eq!(
            cut.iter().map(|run| run.len()).collect::<Vec<_>>(),
            [64, 64, 64, 48, 12, 1]
        );
        assert_eq!(cut.concat(), rows);
    }

    #[test]
    fn values_are_numbered() {
        assert_eq!(
            values("INSERT INTO t (a, b) VALUES", 2, 2, 1, "")
                .0
                .trim_end(),
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4)"
        );
        assert_eq!(
            list("x IN", 3, 2, "ORDER BY x").0,
            "x IN ($2,$3,$4) ORDER BY x"
        );
        assert_eq!(padded(&[1, 2, 3]), [1, 2, 3, 3]);
    }
}
