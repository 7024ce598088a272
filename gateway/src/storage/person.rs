//! One person's data, let go of: what hangs on the contact at once, what lies in tables that grow with traffic in steps
//! through their ids, because nothing there is found by person.

use super::{Result, Tx, execute, fetch_rows, on_backend, rows};
use crate::domain::{ContactId, IdentityKind, TenantId, Timestamp};
use crate::policy::{ConsentParts, ConsentState};
use crate::storage::people::IdentityKey;

/// The contact that speaks for this one, and everybody who became one with them, oldest first.
pub async fn all_of(tx: &mut Tx, tenant: TenantId, contact: ContactId) -> Result<Vec<ContactId>> {
    const INTO: &str = "SELECT merged_into FROM consent WHERE tenant = $1 AND contact = $2";
    const FROM: &str =
        "SELECT contact FROM consent WHERE merged_into <> 0 AND merged_into = $2 AND tenant = $1";
    let mut top = contact.raw();
    while let Some((into,)) = rows::one::<(i64,)>(tx, tenant, INTO, top).await? {
        if into == 0 {
            break;
        }
        top = into;
    }
    let mut found = vec![top];
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        let merged: Vec<(i64,)> = on_backend!(tx, |conn| sqlx::query_as(FROM)
            .bind(tenant.raw())
            .bind(id)
            .fetch_all(conn)
            .await)?;
        found.extend(merged.into_iter().map(|(id,)| id));
        next += 1;
    }
    found.sort_unstable();
    Ok(found.into_iter().map(ContactId::from_raw).collect())
}

/// Everything that a contact is or was known by.
pub async fn identities(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Vec<IdentityKey>> {
    const SQL: &str = "SELECT scope, kind, value FROM identity WHERE contact = $2 AND tenant = $1 ORDER BY kind, value";
    let rows: Vec<(String, i64, String)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(contact.raw())
        .fetch_all(conn)
        .await)?;
    let key = |(scope, kind, value)| {
        let kind = IdentityKind::from_code(kind)?;
        Some(IdentityKey {
            tenant,
            scope,
            kind,
            value,
        })
    };
    Ok(rows.into_iter().filter_map(key).collect())
}

/// A contact's conversations: with every number that the tenant has or had.
pub async fn conversations(tx: &mut Tx, tenant: TenantId, contact: ContactId) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT id FROM conversation WHERE contact = $2 AND number IN
        (SELECT id FROM number WHERE tenant = $1 UNION SELECT id FROM former_number WHERE tenant = $1)";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(contact.raw())
        .fetch_all(conn)
        .await)?)
}

/// Lets go of what hangs on the contact. Its row stays, and says nothing: records of the ledger name its id.
pub async fn blank_contact(tx: &mut Tx, tenant: TenantId, contact: ContactId) -> Result<()> {
    for sql in [
        "UPDATE contact SET display_name = '', phone = '', bsuid = '', parent_bsuid = '', username = '',
            external_id = '', attributes = '{}', version = version + 1 WHERE tenant = $1 AND id = $2",
        "DELETE FROM identity WHERE tenant = $1 AND contact = $2",
        "DELETE FROM consent_pending WHERE tenant = $1 AND contact = $2",
        "UPDATE consent SET pending = 0 WHERE tenant = $1 AND contact = $2",
    ] {
        execute!(tx, sqlx::query(sql).bind(tenant.raw()).bind(contact.raw()))?;
    }
    Ok(())
}

/// Lets go of what hangs on a conversation, and of where its history begins.
pub async fn blank_conversation(tx: &mut Tx, tenant: TenantId, conversation: i64) -> Result<()> {
    for sql in [
        "UPDATE conversation SET attributes = '{}', tags = '[]', language = '', referral = '', last_entry = 0,
            version = version + 1 WHERE tenant = $1 AND id = $2",
        "DELETE FROM conversation_note WHERE tenant = $1 AND conversation = $2",
        "DELETE FROM owner_log WHERE tenant = $1 AND conversation = $2",
        "DELETE FROM timer WHERE tenant = $1 AND conversation = $2",
        "DELETE FROM business_event WHERE tenant = $1 AND conversation = $2",
    ] {
        execute!(tx, sqlx::query(sql).bind(tenant.raw()).bind(conversation))?;
    }
    Ok(())
}

/// Lets go of what plugins remember of a person whose contacts and conversations are blank, and so locked: a turn of theirs
/// that is under way has committed its writes by now, or finds its conversation moved.
pub async fn forget_memory(tx: &mut Tx, tenant: TenantId, whom: &Person) -> Result<()> {
    lock_usage(tx, tenant).await?;
    let contacts = whom.contacts.iter().map(|id| format!("\u{1}p{id:x}/"));
    let conversations = whom.conversations.iter();
    let conversations = conversations.map(|id| format!("\u{1}c{id:x}/"));
    for prefix in contacts.chain(conversations) {
        forget_space(tx, tenant, &prefix).await?;
    }
    Ok(())
}

/// Whoever writes memory locks its plugin's usage first. Not locked by a statement that looks at the memory too: PostgreSQL lets
/// that wait for a lock, and then go on with what the memory was before.
async fn lock_usage(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    const SQL: &str =
        "SELECT plugin FROM plugin_kv_usage WHERE tenant = $1 ORDER BY tenant, plugin FOR UPDATE";
    // SQLite has one writer, and it is us.
    if tx.is_postgres() {
        execute!(tx, sqlx::query(SQL).bind(tenant.raw()))?;
    }
    Ok(())
}

/// What plugins remember under keys that begin so (`plugin_host::kv`), and what it counted for in their quota: bytes, as
/// [`KvKey::bytes`](super::kv::KvKey::bytes) has it.
async fn forget_space(tx: &mut Tx, tenant: TenantId, prefix: &str) -> Result<()> {
    let end = format!("{}0", &prefix[..prefix.len() - 1]);
    const USED: &str = "UPDATE plugin_kv_usage SET bytes = bytes - COALESCE((SELECT SUM(OCTET_LENGTH(item) + OCTET_LENGTH(value))
            FROM plugin_kv k WHERE k.tenant = $1 AND k.plugin = plugin_kv_usage.plugin AND k.item >= $2 AND k.item < $3), 0)
        WHERE tenant = $1";
    const GONE: &str = "DELETE FROM plugin_kv WHERE tenant = $1 AND item >= $2 AND item < $3";
    for sql in [USED, GONE] {
        execute!(
            tx,
            sqlx::query(sql).bind(tenant.raw()).bind(prefix).bind(&end)
        )?;
    }
    Ok(())
}

/// A table that grows with traffic, and what of it is one person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    Sends,
    Turns,
    PluginEvents,
    Events,
    Bodies,
    Audit,
}

impl Grown {
    /// In this order: what is found by its event goes before the event.
    pub const ALL: [Self; 6] = [
        Self::Sends,
        Self::Turns,
        Self::PluginEvents,
        Self::Events,
        Self::Bodies,
        Self::Audit,
    ];

    fn table(self) -> &'static str {
        match self {
            Self::Sends => "outbox",
            Self::Turns => "turn",
            Self::PluginEvents => "plugin_event",
            Self::Events => "inbound_event",
            Self::Bodies => "inbound_raw",
            Self::Audit => "audit_entry",
        }
    }

    /// Rows of one step: some milliseconds of the writer. Bodies are larger.
    fn step(self) -> i64 {
        match self {
            Self::Bodies => 500,
            _ => 2_000,
        }
    }
}

/// Where a step through a table's ids ends. `None`: there is nothing after this id.
pub async fn end_of_step_all_tenants(tx: &mut Tx, grown: Grown, after: i64) -> Result<Option<i64>> {
    let (table, most) = (grown.table(), grown.step());
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT MAX(id) FROM (SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT {most}) AS step"
    ));
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(after)
        .fetch_one(conn)
        .await)?)
}

/// Whom a step lets go of.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Person {
    pub contacts: Vec<i64>,
    pub conversations: Vec<i64>,
    /// Phones and user ids, as they stand in bodies.
    pub known_as: Vec<String>,
    /// Meta's ids of the tenant's numbers, as they stand there too.
    pub numbers: Vec<String>,
}

/// Lets go of a person's rows between two ids. Answers how many went, and how many must wait because something of them
/// is not done yet.
pub async fn forget_step(
    tx: &mut Tx,
    tenant: TenantId,
    grown: Grown,
    (after, end): (i64, i64),
    person: &Person,
) -> Result<(u64, u64)> {
    let mut done = (0, 0);
    match grown {
        Grown::Sends => {
            for contact in &person.contacts {
                const WHICH: &str =
                    "FROM outbox WHERE tenant = $1 AND id > $2 AND id <= $3 AND contact = $4";
                let receipts = format!(
                    "DELETE FROM receipt WHERE tenant = $1 AND outbox IN (SELECT id {WHICH})"
                );
                let range = (after, end);
                delete(tx, tenant, &receipts, range, *contact).await?;
                done.0 += delete(tx, tenant, &format!("DELETE {WHICH}"), range, *contact).await?;
            }
        }
        Grown::Turns | Grown::PluginEvents => {
            let table = grown.table();
            for conversation in &person.conversations {
                let sql = format!(
                    "DELETE FROM {table} WHERE tenant = $1 AND id > $2 AND id <= $3 AND conversation = $4"
                );
                done.0 += delete(tx, tenant, &sql, (after, end), *conversation).await?;
            }
        }
        Grown::Events => {
            for contact in &person.contacts {
                const WHICH: &str = "FROM inbound_event WHERE tenant = $1 AND id > $2 AND id <= $3 AND contact = $4 AND state";
                let sql = format!("DELETE {WHICH} <> 0");
                done.0 += delete(tx, tenant, &sql, (after, end), *contact).await?;
                done.1 += count(
                    tx,
                    tenant,
                    &format!("SELECT COUNT(*) {WHICH} = 0"),
                    (after, end),
                    *contact,
                )
                .await?;
            }
        }
        // `audit::erase`'s: what goes there is told there.
        Grown::Audit => {}
        Grown::Bodies => {
            for known_as in person
                .known_as
                .iter()
                .filter(|_| !person.numbers.is_empty())
            {
                let range = (after, end);
                let numbers = &person.numbers;
                let (gone, wait) = blank_bodies_all_tenants(tx, range, known_as, numbers).await?;
                done = (done.0 + gone, done.1 + wait);
            }
        }
    }
    Ok(done)
}

async fn delete(
    tx: &mut Tx,
    tenant: TenantId,
    sql: &str,
    (after, end): (i64, i64),
    whose: i64,
) -> Result<u64> {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    Ok(execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(after)
            .bind(end)
            .bind(whose)
    )?)
}

async fn count(
    tx: &mut Tx,
    tenant: TenantId,
    sql: &str,
    (after, end): (i64, i64),
    whose: i64,
) -> Result<u64> {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    let n: i64 = on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(tenant.raw())
        .bind(after)
        .bind(end)
        .bind(whose)
        .fetch_one(conn)
        .await)?;
    Ok(n.unsigned_abs())
}

/// Bodies name people by phone and user id, receipts' bodies too. Only those that name a number of the tenant are let go of:
/// the person may write with another tenant here. One that still waits, for anybody, stays.
async fn blank_bodies_all_tenants(
    tx: &mut Tx,
    (after, end): (i64, i64),
    known_as: &str,
    numbers: &[String],
) -> Result<(u64, u64)> {
    let has = |n: usize| match tx.is_postgres() {
        true => format!("position(${n} in body) > 0"),
        false => format!("instr(body, ${n}) > 0"),
    };
    let ours: Vec<String> = (4..4 + numbers.len()).map(has).collect();
    let which = format!(
        "id > $1 AND id <= $2 AND {} AND ({})",
        has(3),
        ours.join(" OR ")
    );
    let waits = "(attached_at = 0 OR id IN (SELECT part_of FROM inbound_raw WHERE attached_at = 0)
        OR id IN (SELECT raw FROM inbound_event WHERE state = 0))";
    let blank = tx.pick("x''", "''::bytea");
    let update = format!("UPDATE inbound_raw SET body = {blank} WHERE {which} AND NOT {waits}");
    let left = format!("SELECT COUNT(*) FROM inbound_raw WHERE {which}");
    let (update, left) = (sqlx::AssertSqlSafe(update), sqlx::AssertSqlSafe(left));
    let names = || std::iter::once(known_as).chain(numbers.iter().map(String::as_str));
    let gone = on_backend!(tx, |conn| {
        let mut query = sqlx::query(update).bind(after).bind(end);
        for name in names() {
            query = query.bind(name.as_bytes());
        }
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    let left: i64 = on_backend!(tx, |conn| {
        let mut query = sqlx::query_scalar(left).bind(after).bind(end);
        for name in names() {
            query = query.bind(name.as_bytes());
        }
        query.fetch_one(conn).await
    })?;
    Ok((gone, left.unsigned_abs()))
}

/// Meta's ids of the numbers that the tenant has or had.
pub async fn numbers(tx: &mut Tx, tenant: TenantId) -> Result<Vec<String>> {
    const SQL: &str = "SELECT phone_number_id FROM number WHERE tenant = $1
        UNION SELECT phone_number_id FROM former_number WHERE tenant = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .fetch_all(conn)
        .await)?)
}

/// Rejects of imports that name the person.
pub async fn forget_rejects(tx: &mut Tx, tenant: TenantId, person: &Person) -> Result<()> {
    for known_as in &person.known_as {
        const SQL: &str =
            "UPDATE job_reject SET item = '' WHERE tenant = $1 AND item LIKE '%' || $2 || '%'";
        execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(known_as))?;
    }
    Ok(())
}

/// Remembers what an erased person had stopped, under a pseudonym of what they were known by.
pub async fn keep_stops(
    tx: &mut Tx,
    tenant: TenantId,
    pseudonym: &[u8],
    state: &ConsentState,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO consent_erased (tenant, pseudonym, opt_out, since, meta_stopped_at,
            utility_stopped_at, topics_stopped, erased_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (tenant, pseudonym) DO UPDATE SET opt_out = excluded.opt_out, since = excluded.since,
            meta_stopped_at = excluded.meta_stopped_at, utility_stopped_at = excluded.utility_stopped_at,
            topics_stopped = excluded.topics_stopped, erased_at = excluded.erased_at";
    let parts = state.to_parts();
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(pseudonym)
            .bind(parts.opt_out)
            .bind(parts.since.unwrap_or(0))
            .bind(parts.meta_stopped_at.unwrap_or(0))
            .bind(parts.utility_stopped_at.unwrap_or(0))
            .bind(parts.topics_stopped)
            .bind(now.millis())
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Stopped {
    tenant: i64,
    pseudonym: Vec<u8>,
    opt_out: i64,
    since: i64,
    meta_stopped_at: i64,
    utility_stopped_at: i64,
    topics_stopped: i64,
}

/// What erased people had stopped, for those pseudonyms that are known.
pub async fn stops_of_all_tenants(
    tx: &mut Tx,
    pseudonyms: &[(TenantId, Vec<u8>)],
) -> Result<Vec<((TenantId, Vec<u8>), ConsentState)>> {
    let mut found = Vec::new();
    for run in super::batch::groups(tx, pseudonyms) {
        let sql = super::batch::rows(
            "SELECT e.tenant, e.pseudonym, e.opt_out, e.since, e.meta_stopped_at, e.utility_stopped_at, e.topics_stopped
             FROM (VALUES",
            2,
            ") AS v JOIN consent_erased e ON e.tenant = v.column1 AND e.pseudonym = v.column2",
        );
        let rows: Vec<Stopped> = fetch_rows!(tx, sql, run, |query, (tenant, pseudonym)| query
            .bind(tenant.raw())
            .bind(pseudonym))?;
        found.extend(rows.into_iter().filter_map(|row| {
            let some = |millis: i64| (millis != 0).then_some(millis);
            let state = ConsentState::from_parts(ConsentParts {
                opt_out: row.opt_out,
                since: some(row.since),
                meta_stopped_at: some(row.meta_stopped_at),
                utility_stopped_at: some(row.utility_stopped_at),
                topics_stopped: row.topics_stopped,
                ..ConsentParts::default()
            });
            state.map(|state| ((TenantId::from_raw(row.tenant), row.pseudonym), state))
        }));
    }
    Ok(found)
}
