//! What Meta says of accounts, numbers, templates and flows: every word of it is kept, the latest holds.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{Result, Tx, execute, on_backend};
use crate::domain::{EventId, TenantId, Timestamp};

/// What a fact is about. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKind {
    Account = 1,
    Number = 2,
    Template = 3,
    Flow = 4,
}

impl FactKind {
    pub const ALL: [Self; 4] = [Self::Account, Self::Number, Self::Template, Self::Flow];

    /// Stable word for clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Number => "number",
            Self::Template => "template",
            Self::Flow => "flow",
        }
    }
}

/// One thing that Meta said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    /// WABA; a portfolio where Meta names that.
    pub account: String,
    pub kind: FactKind,
    /// Meta's phone-number id, a template's name, a flow's id; empty for the account.
    pub name: String,
    /// Of a template, else empty.
    pub language: String,
    pub fact: String,
    pub at: Timestamp,
    pub value: String,
    pub event: EventId,
}

/// Keeps a fact. `true`: it is the latest of its name, so what follows from it is to be done.
///
/// Of two in Meta's same second, whole as its times are, the one that comes later holds.
pub async fn record(tx: &mut Tx, tenant: TenantId, row: &FactRow) -> Result<bool> {
    const INSERT: &str =
        "INSERT INTO account_fact (tenant, account, kind, name, language, fact, at, value, event)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant, account, kind, name, language, fact, at)
            DO UPDATE SET value = excluded.value, event = excluded.event";
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(tenant.raw())
            .bind(&row.account)
            .bind(row.kind as i64)
            .bind(&row.name)
            .bind(&row.language)
            .bind(&row.fact)
            .bind(row.at.millis())
            .bind(&row.value)
            .bind(row.event.raw())
    )?;
    const LATER: &str =
        "SELECT COUNT(*) FROM account_fact WHERE tenant = $1 AND account = $2 AND kind = $3
        AND name = $4 AND language = $5 AND fact = $6 AND at > $7";
    let later: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar(LATER)
            .bind(tenant.raw())
            .bind(&row.account)
            .bind(row.kind as i64)
            .bind(&row.name)
            .bind(&row.language)
            .bind(&row.fact)
            .bind(row.at.millis())
            .fetch_one(conn)
            .await
    })?;
    Ok(later == 0)
}

/// A fact as it stands today.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Standing {
    pub account: String,
    pub kind: i64,
    pub name: String,
    pub language: String,
    pub fact: String,
    pub at: i64,
    pub value: String,
}

/// Where a fact stands in the order of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(pub String, pub i64, pub String, pub String, pub String);

impl Standing {
    pub fn place(&self) -> Place {
        let Self {
            account,
            name,
            language,
            fact,
            ..
        } = self.clone();
        Place(account, self.kind, name, language, fact)
    }
}

/// Which facts are asked for; what is empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub account: String,
    /// One of [`FactKind`]; 0: any.
    pub kind: i64,
    pub name: String,
}

/// The latest of every fact of a tenant, by subject and name, after a place.
pub async fn standing(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    after: &Place,
    most: i64,
) -> Result<Vec<Standing>> {
    const SQL: &str = "SELECT account, kind, name, language, fact, at, value FROM account_fact f
        WHERE tenant = $1 AND (account, kind, name, language, fact) > ($2, $3, $4, $5, $6)
            AND ($7 = '' OR account = $7) AND ($8 = 0 OR kind = $8) AND ($9 = '' OR name = $9)
            AND NOT EXISTS (SELECT 1 FROM account_fact l
                WHERE l.tenant = f.tenant AND l.account = f.account AND l.kind = f.kind AND l.name = f.name
                    AND l.language = f.language AND l.fact = f.fact AND l.at > f.at)
        ORDER BY account, kind, name, language, fact LIMIT $10";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(&after.0)
            .bind(after.1)
            .bind(&after.2)
            .bind(&after.3)
            .bind(&after.4)
            .bind(&filter.account)
            .bind(filter.kind)
            .bind(&filter.name)
            .bind(most)
            .fetch_all(conn)
            .await
    })?)
}
