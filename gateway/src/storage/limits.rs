//! What limits count: what was begun with a person, whom a portfolio has reached, messages of a month.
//!
//! Written where a claim holds the person's consent row, and only for what the business begins; a reply costs nothing
//! here but its share of a sum (`metering`).

use std::collections::{BTreeMap, HashSet};

use super::{
    Db, Result, Tx, batch, execute, execute_rows, fetch_list, fetch_rows, forget, on_backend,
};
use crate::domain::{ContactId, DraftClass, NumberId, OutboxId, TenantId, Timestamp};

/// Something that the business began with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub contact: ContactId,
    pub outbox: OutboxId,
    pub tenant: TenantId,
    pub class: DraftClass,
    pub at: Timestamp,
}

/// What was begun with these people since.
pub async fn begun_all_tenants(
    tx: &mut Tx,
    contacts: &[ContactId],
    since: Timestamp,
) -> Result<Vec<Begun>> {
    let ids = batch::sorted(contacts.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let head =
            "SELECT contact, outbox, tenant, class, at FROM begun WHERE at > $1 AND contact IN";
        let sql = batch::any_of(head, 2, "");
        let rows: Vec<(i64, i64, i64, i64, i64)> = fetch_list!(tx, sql, [since.millis()], run)?;
        found.extend(
            rows.into_iter()
                .filter_map(|(contact, outbox, tenant, class, at)| {
                    Some(Begun {
                        contact: ContactId::from_raw(contact),
                        outbox: OutboxId::from_raw(outbox),
                        tenant: TenantId::from_raw(tenant),
                        class: DraftClass::from_code(class)?,
                        at: Timestamp::from_millis(at),
                    })
                }),
        );
    }
    Ok(found)
}

/// Adds what was begun. What is tried again was begun once: answers which are new.
pub async fn begin_all_tenants(tx: &mut Tx, begun: &[Begun]) -> Result<HashSet<OutboxId>> {
    let mut begun = begun.to_vec();
    let mut new = HashSet::new();
    begun.sort_unstable_by_key(|one| (one.contact, one.outbox));
    for run in batch::groups(tx, &begun) {
        let head = "INSERT INTO begun (contact, outbox, tenant, class, at) VALUES";
        let tail = "ON CONFLICT (contact, outbox) DO NOTHING RETURNING outbox";
        let sql = batch::rows(head, 5, tail);
        let added: Vec<(i64,)> = fetch_rows!(tx, sql, run, |query, one| {
            query
                .bind(one.contact.raw())
                .bind(one.outbox.raw())
                .bind(one.tenant.raw())
                .bind(one.class.code())
                .bind(one.at.millis())
        })?;
        new.extend(added.into_iter().map(|(id,)| OutboxId::from_raw(id)));
    }
    Ok(new)
}

/// Meta said at `at` that the person has had enough of businesses for now (131049): this message was held off.
pub async fn hold_off(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    outbox: OutboxId,
    at: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO begun (contact, outbox, tenant, class, at, held_off_at) VALUES ($1, $2, $3, $5, $4, $4)
        ON CONFLICT (contact, outbox) DO UPDATE SET held_off_at = excluded.held_off_at";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(contact.raw())
            .bind(outbox.raw())
            .bind(tenant.raw())
            .bind(at.millis())
            .bind(DraftClass::Marketing.code())
    )?;
    Ok(())
}

/// When each of these people was last held off since.
pub async fn held_off_all_tenants(
    tx: &mut Tx,
    contacts: &[ContactId],
    since: Timestamp,
) -> Result<Vec<(ContactId, Timestamp)>> {
    let ids = batch::sorted(contacts.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let head =
            "SELECT contact, MAX(held_off_at) FROM begun WHERE held_off_at > $1 AND contact IN";
        let sql = batch::any_of(head, 2, "GROUP BY contact");
        let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [since.millis()], run)?;
        found.extend(
            rows.into_iter()
                .map(|(of, at)| (ContactId::from_raw(of), Timestamp::from_millis(at))),
        );
    }
    Ok(found)
}

/// Somebody whom a portfolio messaged outside a window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    pub portfolio: String,
    pub contact: ContactId,
    pub tenant: TenantId,
    pub at: Timestamp,
}

/// Notes whom portfolios reach now, in the order of the key.
pub async fn reach_all_tenants(tx: &mut Tx, reached: &[Reached]) -> Result<()> {
    let by_key: BTreeMap<_, &Reached> = reached
        .iter()
        .map(|one| ((&one.portfolio, one.contact), one))
        .collect();
    let reached: Vec<&Reached> = by_key.into_values().collect();
    for run in batch::groups(tx, &reached) {
        let head = "INSERT INTO reached (portfolio, contact, tenant, at) VALUES";
        let tail = "ON CONFLICT (portfolio, contact) DO UPDATE SET at = excluded.at
            WHERE reached.at < excluded.at";
        let sql = batch::rows(head, 4, tail);
        execute_rows!(tx, sql, run, |query, one| query
            .bind(&one.portfolio)
            .bind(one.contact.raw())
            .bind(one.tenant.raw())
            .bind(one.at.millis()))?;
    }
    Ok(())
}

/// Which of these people a portfolio has reached since.
pub async fn reached_of_all_tenants(
    tx: &mut Tx,
    portfolio: &str,
    contacts: &[ContactId],
    since: Timestamp,
) -> Result<Vec<ContactId>> {
    let ids = batch::sorted(contacts.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::runs(&ids) {
        let head = "SELECT contact FROM reached WHERE portfolio = $1 AND at > $2 AND contact IN";
        let sql = batch::list(head, run.len(), 3, "");
        let rows: Vec<i64> = on_backend!(tx, |conn| {
            let mut query = sqlx::query_scalar(sql).bind(portfolio).bind(since.millis());
            for id in run {
                query = query.bind(id);
            }
            query.fetch_all(conn).await
        })?;
        found.extend(rows.into_iter().map(ContactId::from_raw));
    }
    Ok(found)
}

/// How many people a portfolio has reached since, and when the first of them was.
pub async fn people_all_tenants(
    tx: &mut Tx,
    portfolio: &str,
    since: Timestamp,
) -> Result<(i64, Option<Timestamp>)> {
    const SQL: &str = "SELECT COUNT(*), MIN(at) FROM reached WHERE portfolio = $1 AND at > $2";
    let (people, first): (i64, Option<i64>) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(portfolio)
        .bind(since.millis())
        .fetch_one(conn)
        .await)?;
    Ok((people, first.map(Timestamp::from_millis)))
}

/// How many people Meta lets portfolios message outside a window in 24 hours; -1: as many as there are. One that is not
/// here is not known.
pub async fn portfolio_limits_all_tenants(
    tx: &mut Tx,
    portfolios: &[&str],
) -> Result<BTreeMap<String, i64>> {
    let mut limits = BTreeMap::new();
    for run in batch::groups(tx, portfolios) {
        let head = "SELECT portfolio, people FROM portfolio_limit WHERE portfolio IN";
        let sql = batch::any_of(head, 1, "");
        let rows: Vec<(String, i64)> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        limits.extend(rows);
    }
    Ok(limits)
}

/// Meta told a tenant at `at` how many people its portfolio may message. An older word changes nothing.
pub async fn set_portfolio_limit(
    tx: &mut Tx,
    tenant: TenantId,
    portfolio: &str,
    people: i64,
    at: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO portfolio_limit (portfolio, tenant, people, at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (portfolio) DO UPDATE SET tenant = excluded.tenant, people = excluded.people, at = excluded.at
        WHERE portfolio_limit.at <= excluded.at";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(portfolio)
            .bind(tenant.raw())
            .bind(people)
            .bind(at.millis())
    )?;
    Ok(())
}

/// Messages of one class of a number in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthKey {
    pub tenant: TenantId,
    pub month: i64,
    pub number: NumberId,
    /// [`DraftClass::code`].
    pub class: i64,
}

/// Counts messages, in the order of the key. Answers how many each has now.
pub async fn count_all_tenants(
    tx: &mut Tx,
    more: &BTreeMap<MonthKey, i64>,
) -> Result<Vec<(MonthKey, i64)>> {
    let mut counted = Vec::with_capacity(more.len());
    for (key, more) in more {
        const SQL: &str = "INSERT INTO month_count (tenant, month, number, class, messages)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, month, number, class)
            DO UPDATE SET messages = month_count.messages + excluded.messages RETURNING messages";
        let now: i64 = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
            .bind(key.tenant.raw())
            .bind(key.month)
            .bind(key.number.raw())
            .bind(key.class)
            .bind(more)
            .fetch_one(conn)
            .await)?;
        counted.push((*key, now));
    }
    Ok(counted)
}

/// A tenant's messages of a month, by number and class.
pub async fn months_of(tx: &mut Tx, tenant: TenantId, month: i64) -> Result<Vec<(MonthKey, i64)>> {
    const SQL: &str = "SELECT number, class, messages FROM month_count
        WHERE tenant = $1 AND month = $2 ORDER BY number, class";
    let rows: Vec<(i64, i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(month)
        .fetch_all(conn)
        .await)?;
    let keyed = |(number, class, messages)| {
        let number = NumberId::from_raw(number);
        let key = MonthKey {
            tenant,
            month,
            number,
            class,
        };
        (key, messages)
    };
    Ok(rows.into_iter().map(keyed).collect())
}

/// Lets go of what nobody counts any more. Answers how many rows.
pub async fn forget_all_tenants(db: &Db, now: Timestamp) -> Result<u64> {
    const DAY: i64 = 86_400_000;
    const BEGUN: &str = "DELETE FROM begun WHERE (contact, outbox) IN
        (SELECT contact, outbox FROM begun WHERE at < $1 ORDER BY at LIMIT $2)";
    const REACHED: &str = "DELETE FROM reached WHERE (portfolio, contact) IN
        (SELECT portfolio, contact FROM reached WHERE at < $1 ORDER BY at LIMIT $2)";
    let begun = forget::in_steps_all_tenants(db, BEGUN, now.millis() - 8 * DAY).await?;
    let reached = forget::in_steps_all_tenants(db, REACHED, now.millis() - 2 * DAY).await?;
    Ok(begun + reached)
}
