//! Statements that carry many rows: the hot path writes dozens of turns with a handful of them.
//!
//! The same `VALUES` list serves both databases. Row counts are few, so that the number of different statements, and with
//! it the prepared-statement cache, stays small.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

/// Rows that one statement may have. SQLite allows 32,766 parameters, PostgreSQL 65,535. With powers of two alone an
/// ordinary group would take four statements; with these it takes two, as a rule.
const SIZES: [usize; 12] = [64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Cuts rows into runs of [`SIZES`], the largest first.
pub(super) fn runs<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let fits = |size: &usize| *size <= rest.len();
        let take = SIZES.into_iter().find(fits).unwrap_or(1);
        let (run, after) = rest.split_at(take);
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
