//! Letting go of journals: a tenant's that are older than it wants, and what stands in those of one person.
//!
//! Turns have no index by tenant or conversation, they are written too often for one. So both walk through all turns in
//! the order of their ids, a bounded number of rows at a time.

use serde_json::json;

use super::{Db, Result, Tx, batch, execute, fetch_list, on_backend};
use crate::domain::{ContactId, TenantId, Timestamp, TurnId, id};

/// Turns of all tenants that one step walks over: some milliseconds of the writer.
const WINDOW: i64 = 5_000;

/// A tenant's rows out of one window of all tenants' turns. A quiet tenant's next row may lie behind millions of others':
/// whoever looks for it goes on window by window, and nobody waits for a connection or for SQLite's log meanwhile.
#[derive(Debug)]
pub struct Window<T> {
    pub rows: Vec<T>,
    /// The turn up to which this was all.
    pub to: TurnId,
    /// Turns come after that one, of whomever.
    pub more: bool,
}

/// A stretch of ids, as many turns of all tenants as a window has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub after: i64,
    /// The last turn of it.
    pub last: i64,
    full: bool,
}

impl Stretch {
    /// `most`: as many rows were asked for.
    pub fn window<T>(self, rows: Vec<T>, most: i64, id: impl Fn(&T) -> TurnId) -> Window<T> {
        match rows.last() {
            Some(row) if rows.len() as i64 >= most => Window {
                to: id(row),
                more: true,
                rows,
            },
            _ => Window {
                rows,
                to: TurnId::from_raw(self.last),
                more: self.full,
            },
        }
    }
}

/// The stretch after a turn, or from the first on that the tenant's own retention has left; `before`: no further.
pub(super) async fn stretch(
    tx: &mut Tx,
    tenant: TenantId,
    after: TurnId,
    before: Option<Timestamp>,
) -> Result<Stretch> {
    const SQL: &str = "SELECT MAX(id), COUNT(*) FROM
        (SELECT id FROM turn WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS coming";
    let after = after.raw().max(bound(tx, tenant).await? - 1);
    let end = before.map_or(i64::MAX, id::first_id_at);
    let (last, turns): (Option<i64>, i64) = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(after)
            .bind(end)
            .bind(WINDOW)
            .fetch_one(conn)
            .await
    })?;
    Ok(Stretch {
        after,
        last: last.unwrap_or(after),
        full: turns == WINDOW,
    })
}

/// The last turn of the window after this one; none when nothing comes.
async fn window_end_all_tenants(tx: &mut Tx, after: i64) -> Result<Option<i64>> {
    const SQL: &str =
        "SELECT MAX(id) FROM (SELECT id FROM turn WHERE id > $1 ORDER BY id LIMIT $2) AS coming";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(after)
            .bind(WINDOW)
            .fetch_one(conn)
            .await
    })?)
}

/// Deletes a tenant's turns from before a moment. Answers how many went.
pub async fn forget(db: &Db, tenant: TenantId, before: Timestamp) -> Result<u64> {
    let end = id::first_id_at(before);
    let mut gone = 0;
    loop {
        let mut tx = db.begin().await?;
        let from = bound(&mut tx, tenant).await?;
        if from >= end {
            return Ok(gone);
        }
        // The bound itself is not gone yet.
        let last = window_end_all_tenants(&mut tx, from - 1).await?;
        let to = last.map_or(end, |last| (last + 1).min(end));
        const SQL: &str = "DELETE FROM turn WHERE id >= $1 AND id < $2 AND tenant = $3";
        gone += execute!(
            &mut tx,
            sqlx::query(SQL).bind(from).bind(to).bind(tenant.raw())
        )?;
        const BOUND: &str = "INSERT INTO journal_bound (tenant, gone_before) VALUES ($1, $2)
            ON CONFLICT (tenant) DO UPDATE SET gone_before = excluded.gone_before";
        execute!(&mut tx, sqlx::query(BOUND).bind(tenant.raw()).bind(to))?;
        tx.commit().await?;
    }
}

async fn bound(tx: &mut Tx, tenant: TenantId) -> Result<i64> {
    const SQL: &str = "SELECT gone_before FROM journal_bound WHERE tenant = $1";
    let bound: Option<i64> = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .fetch_optional(conn)
        .await)?;
    Ok(bound.unwrap_or(0))
}

/// What one step of an erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    pub turns: i64,
    /// Where the next step goes on; none: that was all.
    pub next: Option<i64>,
}

/// Takes what a person said, and what plugins saw and did of it, out of the journals of these contacts, for turns after
/// this one. When and how each turn ended, and which plugins it had, stay.
pub async fn erase(
    tx: &mut Tx,
    tenant: TenantId,
    contacts: &[ContactId],
    after: i64,
) -> Result<Erased> {
    let Some(end) = window_end_all_tenants(tx, after).await? else {
        return Ok(Erased {
            turns: 0,
            next: None,
        });
    };
    let contacts: Vec<i64> = contacts.iter().map(|contact| contact.raw()).collect();
    let mut turns = 0;
    for run in batch::groups(tx, &contacts) {
        let head = "SELECT t.id, t.journal FROM turn t JOIN conversation c ON c.id = t.conversation
            WHERE t.tenant = $1 AND t.id > $2 AND t.id <= $3 AND c.contact IN";
        let sql = batch::any_of(head, 4, "");
        let rows: Vec<(i64, String)> = fetch_list!(tx, sql, [tenant.raw(), after, end], run)?;
        for (id, journal) in rows {
            const SQL: &str = "UPDATE turn SET journal = $1 WHERE id = $2 AND tenant = $3";
            let rest = without_person(&journal);
            execute!(tx, sqlx::query(SQL).bind(rest).bind(id).bind(tenant.raw()))?;
            turns += 1;
        }
    }
    Ok(Erased {
        turns,
        next: Some(end),
    })
}

/// A replay must still know whose turn it was, to say why it left it out.
fn without_person(journal: &str) -> String {
    let journal: serde_json::Value = serde_json::from_str(journal).unwrap_or_default();
    let plugins = &journal["seen"]["plugins"];
    let plugins = plugins.as_array().map_or(&[][..], Vec::as_slice);
    json!({"erased": true, "seen": {"plugins": plugins}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_journal_is_which_plugins_it_had() {
        let journal = r#"{"message":"text","report":{"effects":[{"effect":"hi"}]},
            "seen":{"display_name":"Ines","plugins":[{"installation":"ins_1","version":2,"setup":"x"}]}}"#;
        assert_eq!(
            without_person(journal),
            r#"{"erased":true,"seen":{"plugins":[{"installation":"ins_1","setup":"x","version":2}]}}"#
        );
        assert_eq!(
            without_person("{}"),
            r#"{"erased":true,"seen":{"plugins":[]}}"#
        );
    }
}
