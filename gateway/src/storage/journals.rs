//! Letting go of journals: a tenant's that are older than it wants, and what stands in those of one person.
//!
//! Turns have no index by tenant or conversation, they are written too often for one. So whoever wants those of one tenant
//! walks through all turns in the order of their ids, a bounded number of rows at a time.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::{Db, Result, Tx, batch, execute, execute_list, execute_rows, fetch_list, on_backend};
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

/// Turns that one transaction deletes: some milliseconds of the writer.
const DELETED: usize = 1_000;
/// Windows after which a walk says how far it is: one that is cut short goes on from there.
const SAVED: u64 = 64;

/// What a round of [`forget_all_tenants`] did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    pub turns: u64,
    /// Windows that were walked over.
    pub windows: u64,
}

/// Deletes the turns of these tenants from before a moment for each. All of them in one walk: a window is read once,
/// however many tenants let go of turns in it, and nothing is written where none does.
pub async fn forget_all_tenants(db: &Db, shorter: &[(TenantId, Timestamp)]) -> Result<Forgotten> {
    let mut walk = Walk::begin_all_tenants(db, shorter).await?;
    let mut forgotten = Forgotten::default();
    while let Some((from, until)) = walk.stretch() {
        const SQL: &str =
            "SELECT id, tenant FROM turn WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3";
        let mut tx = db.read().await?;
        let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| {
            sqlx::query_as(SQL)
                .bind(from)
                .bind(until)
                .bind(WINDOW)
                .fetch_all(conn)
                .await
        })?;
        drop(tx);
        let to = match rows.last() {
            Some((last, _)) if rows.len() as i64 == WINDOW => last + 1,
            _ => until,
        };
        forgotten.turns += delete_all_tenants(db, &walk.theirs(from, &rows)).await?;
        forgotten.windows += 1;
        walk.is_at(from, to);
        if forgotten.windows.is_multiple_of(SAVED) {
            walk.save_all_tenants(db).await?;
        }
    }
    walk.save_all_tenants(db).await?;
    Ok(forgotten)
}

/// Deletes turns by their ids, which are in order.
async fn delete_all_tenants(db: &Db, ids: &[i64]) -> Result<u64> {
    let mut gone = 0;
    for some in ids.chunks(DELETED) {
        let mut tx = db.begin().await?;
        for run in batch::groups(&tx, some) {
            // The range says which partitions.
            let head = "DELETE FROM turn WHERE id >= $1 AND id <= $2 AND id IN";
            let range = [run[0], run[run.len() - 1]];
            gone += execute_list!(
                &mut tx,
                batch::any_of(head, 3, ""),
                range,
                run.iter().copied()
            )?;
        }
        tx.commit().await?;
    }
    Ok(gone)
}

/// A walk over the turns of several tenants, each of which has a part of the way.
#[derive(Debug)]
struct Walk {
    parts: BTreeMap<i64, Part>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    /// What is before this is gone.
    from: i64,
    end: i64,
    moved: bool,
}

impl Walk {
    async fn begin_all_tenants(db: &Db, shorter: &[(TenantId, Timestamp)]) -> Result<Self> {
        let mut tx = db.read().await?;
        const SQL: &str = "SELECT tenant, gone_before FROM journal_bound";
        let bounds: Vec<(i64, i64)> =
            on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
        let bounds: HashMap<i64, i64> = bounds.into_iter().collect();
        let part = |(tenant, before): &(TenantId, Timestamp)| {
            let part = Part {
                from: bounds.get(&tenant.raw()).copied().unwrap_or(0),
                end: id::first_id_at(*before),
                moved: false,
            };
            (tenant.raw(), part)
        };
        Ok(Self {
            parts: shorter.iter().map(part).collect(),
        })
    }

    /// Where the next window begins, and how far it may reach at the most: the same tenants want all of it. Those of one
    /// age begin and end at one place, so there are few of these.
    fn stretch(&self) -> Option<(i64, i64)> {
        let open = || self.parts.values().filter(|part| part.from < part.end);
        let from = open().map(|part| part.from).min()?;
        let next = |part: &Part| match part.from > from {
            true => part.from,
            false => part.end,
        };
        Some((from, open().map(next).min()?))
    }

    /// Those of these turns that go, of a window that begins at `from`.
    fn theirs(&self, from: i64, rows: &[(i64, i64)]) -> Vec<i64> {
        let goes = |tenant: &i64| self.parts.get(tenant).is_some_and(|part| part.has(from));
        let theirs = rows.iter().filter(|(_, tenant)| goes(tenant));
        theirs.map(|(id, _)| *id).collect()
    }

    /// The window from `from` to `to` is done.
    fn is_at(&mut self, from: i64, to: i64) {
        for part in self.parts.values_mut().filter(|part| part.has(from)) {
            (part.from, part.moved) = (to, true);
        }
    }

    async fn save_all_tenants(&mut self, db: &Db) -> Result<()> {
        let moved = self.parts.iter().filter(|(_, part)| part.moved);
        let rows: Vec<(i64, i64)> = moved.map(|(tenant, part)| (*tenant, part.from)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        for run in batch::groups(&tx, &rows) {
            let head = "INSERT INTO journal_bound (tenant, gone_before) VALUES";
            // Another node may be further.
            let tail = "ON CONFLICT (tenant) DO UPDATE SET gone_before = excluded.gone_before
                WHERE journal_bound.gone_before < excluded.gone_before";
            let sql = batch::rows(head, 2, tail);
            execute_rows!(&mut tx, sql, run, |query, row| query
                .bind(row.0)
                .bind(row.1))?;
        }
        tx.commit().await?;
        for part in self.parts.values_mut() {
            part.moved = false;
        }
        Ok(())
    }
}

impl Part {
    /// Does it want the window that begins at `from`? It ends no later than the part does.
    fn has(&self, from: i64) -> bool {
        self.from <= from && from < self.end
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
