//! Holds: stops on sending. Rows are never deleted; who stopped what, and when, stays.

use sqlx::FromRow;

use super::{Result, StorageError, Tx, changes, execute, on_backend, rows::moment};
use crate::domain::{CredentialId, HoldId, NumberId, TenantId, Timestamp};

/// What a hold stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Every send of the deployment.
    All,
    Tenant(TenantId),
    Number(TenantId, NumberId),
    Plugin(TenantId, String),
    /// A template in one language.
    Template(TenantId, HeldTemplate),
    /// Every template of a tenant.
    Templates(TenantId),
    Credential(TenantId, CredentialId),
    /// Every template that a number sends; its replies go on.
    NumberTemplates(TenantId, NumberId),
    /// What a number sends that is marketing; everything else goes on.
    NumberMarketing(TenantId, NumberId),
    /// Every answer of a number; what the business begins goes on.
    NumberReplies(TenantId, NumberId),
}

/// A template of one WABA: two accounts of a tenant may each have one of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTemplate {
    /// WABA; empty, as holds of before had it: every account of the tenant.
    pub account: String,
    pub name: String,
    pub language: String,
}

impl HeldTemplate {
    /// Is it one of that account?
    pub fn is_of(&self, account: &str) -> bool {
        self.account.is_empty() || self.account == account
    }
}

/// A hold as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub id: HoldId,
    pub held: Held,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: Timestamp,
    /// `None`: until somebody lifts it.
    pub until: Option<Timestamp>,
    pub lifted_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    scope: i64,
    target: i64,
    name: String,
    language: String,
    account: String,
    reason: String,
    placed_by: String,
    placed_at: i64,
    until_at: i64,
    lifted_at: i64,
}

/// Places a hold.
pub async fn insert_hold_all_tenants(tx: &mut Tx, hold: &Hold) -> Result<()> {
    const SQL: &str =
        "INSERT INTO hold (id, tenant, scope, target, name, language, account, reason, placed_by, placed_at, until_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let (tenant, scope, target) = hold.held.columns();
    let (name, language, account) = hold.held.texts();
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(hold.id.raw())
            .bind(tenant)
            .bind(scope)
            .bind(target)
            .bind(name)
            .bind(language)
            .bind(account)
            .bind(&hold.reason)
            .bind(&hold.placed_by)
            .bind(hold.placed_at.millis())
            .bind(hold.until.map_or(0, Timestamp::millis))
    )?;
    changes::bump_setup_all_tenants(tx).await
}

/// Is a stop that Meta told at `at` news? It is not while the same thing is held, nor when somebody has lifted such a
/// hold since: what Meta refused before that says nothing about now.
pub async fn is_news_all_tenants(
    tx: &mut Tx,
    held: &Held,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM hold
        WHERE tenant = $1 AND scope = $2 AND target = $3 AND name = $4 AND language = $5 AND account IN ('', $6)
            AND (lifted_at >= $7 OR (lifted_at = 0 AND (until_at = 0 OR until_at > $8)))";
    let (tenant, scope, target) = held.columns();
    let (name, language, account) = held.texts();
    let known: i64 = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant)
        .bind(scope)
        .bind(target)
        .bind(name)
        .bind(language)
        .bind(account)
        .bind(at.millis())
        .bind(now.millis())
        .fetch_one(conn)
        .await)?;
    Ok(known == 0)
}

/// Does a hold of this origin stop this already? Another's does not count: somebody may lift that one.
pub async fn is_held_by_all_tenants(
    tx: &mut Tx,
    held: &Held,
    placed_by: &str,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM hold
        WHERE tenant = $1 AND scope = $2 AND target = $3 AND name = $4 AND language = $5 AND account IN ('', $6)
            AND placed_by = $7 AND lifted_at = 0 AND (until_at = 0 OR until_at > $8)";
    let (tenant, scope, target) = held.columns();
    let (name, language, account) = held.texts();
    let held: i64 = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant)
        .bind(scope)
        .bind(target)
        .bind(name)
        .bind(language)
        .bind(account)
        .bind(placed_by)
        .bind(now.millis())
        .fetch_one(conn)
        .await)?;
    Ok(held > 0)
}

/// Lifts what a hold of this origin stops. Answers the holds that there were.
pub async fn lift_held_by_all_tenants(
    tx: &mut Tx,
    held: &Held,
    placed_by: &str,
    now: Timestamp,
) -> Result<Vec<Hold>> {
    const SQL: &str = "UPDATE hold SET lifted_at = $8
        WHERE tenant = $1 AND scope = $2 AND target = $3 AND name = $4 AND language = $5 AND account IN ('', $6)
            AND placed_by = $7 AND lifted_at = 0
        RETURNING id, tenant, scope, target, name, language, account, reason, placed_by, placed_at, until_at, lifted_at";
    let (tenant, scope, target) = held.columns();
    let (name, language, account) = held.texts();
    let lifted: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant)
        .bind(scope)
        .bind(target)
        .bind(name)
        .bind(language)
        .bind(account)
        .bind(placed_by)
        .bind(now.millis())
        .fetch_all(conn)
        .await)?;
    if !lifted.is_empty() {
        changes::bump_setup_all_tenants(tx).await?;
    }
    lifted.into_iter().map(Hold::try_from).collect()
}

/// Lifts a hold of any tenant or of all. `false`: there is none, or it was lifted before.
pub async fn lift_hold_all_tenants(tx: &mut Tx, hold: HoldId, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE hold SET lifted_at = $2 WHERE id = $1 AND lifted_at = 0";
    let lifted = execute!(tx, sqlx::query(SQL).bind(hold.raw()).bind(now.millis()))?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(lifted == 1)
}

/// Lifts what stops a number that goes. Answers how many there were.
pub async fn lift_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    now: Timestamp,
) -> Result<u64> {
    lift_of(tx, tenant, number.raw(), "scope IN (2, 7, 8, 9)", now).await
}

/// Lifts what stops a credential that goes. Answers how many there were.
pub async fn lift_of_credential(
    tx: &mut Tx,
    tenant: TenantId,
    credential: CredentialId,
    now: Timestamp,
) -> Result<u64> {
    lift_of(tx, tenant, credential.raw(), "scope = 5", now).await
}

async fn lift_of(
    tx: &mut Tx,
    tenant: TenantId,
    target: i64,
    scopes: &'static str,
    now: Timestamp,
) -> Result<u64> {
    let sql = sqlx::AssertSqlSafe(format!(
        "UPDATE hold SET lifted_at = $3 WHERE tenant = $1 AND target = $2 AND {scopes} AND lifted_at = 0"
    ));
    Ok(execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(target)
            .bind(now.millis())
    )?)
}

/// Holds that are not lifted, oldest first. Some may be over by their own time: whoever asks judges by its clock.
pub async fn holds_all_tenants(tx: &mut Tx) -> Result<Vec<Hold>> {
    const SQL: &str =
        "SELECT id, tenant, scope, target, name, language, account, reason, placed_by, placed_at, until_at, lifted_at
        FROM hold WHERE lifted_at = 0 ORDER BY id";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// A hold, whoever's and lifted or not.
pub async fn hold_all_tenants(tx: &mut Tx, id: HoldId) -> Result<Option<Hold>> {
    const SQL: &str =
        "SELECT id, tenant, scope, target, name, language, account, reason, placed_by, placed_at, until_at,
            lifted_at FROM hold WHERE id = $1";
    let row: Option<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(id.raw())
        .fetch_optional(conn)
        .await)?;
    row.map(Hold::try_from).transpose()
}

/// Holds in force after an id, oldest first, that bear on a tenant: its own and those of everything. Tenant 0: all.
pub async fn holds_of(
    tx: &mut Tx,
    tenant: TenantId,
    now: Timestamp,
    after: i64,
    most: i64,
) -> Result<Vec<Hold>> {
    const SQL: &str = "SELECT id, tenant, scope, target, name, language, account, reason, placed_by, placed_at, until_at,
            lifted_at FROM hold
        WHERE lifted_at = 0 AND ($1 = 0 OR tenant IN (0, $1)) AND (until_at = 0 OR until_at > $2) AND id > $3
        ORDER BY id LIMIT $4";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(now.millis())
        .bind(after)
        .bind(most)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(Hold::try_from).collect()
}

impl Held {
    /// `(tenant, scope, target)` as the table has them.
    fn columns(&self) -> (i64, i64, i64) {
        match self {
            Self::All => (0, 0, 0),
            Self::Tenant(tenant) => (tenant.raw(), 1, 0),
            Self::Number(tenant, number) => (tenant.raw(), 2, number.raw()),
            Self::Plugin(tenant, _) => (tenant.raw(), 3, 0),
            Self::Template(tenant, _) => (tenant.raw(), 4, 0),
            Self::Credential(tenant, credential) => (tenant.raw(), 5, credential.raw()),
            Self::Templates(tenant) => (tenant.raw(), 6, 0),
            Self::NumberTemplates(tenant, number) => (tenant.raw(), 7, number.raw()),
            Self::NumberReplies(tenant, number) => (tenant.raw(), 8, number.raw()),
            Self::NumberMarketing(tenant, number) => (tenant.raw(), 9, number.raw()),
        }
    }

    /// `(name, language, account)`, empty where they do not matter.
    fn texts(&self) -> (&str, &str, &str) {
        match self {
            Self::Plugin(_, name) => (name, "", ""),
            Self::Template(_, template) => (&template.name, &template.language, &template.account),
            _ => ("", "", ""),
        }
    }
}

impl TryFrom<Row> for Hold {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self> {
        let tenant = TenantId::from_raw(row.tenant);
        let held = match row.scope {
            0 => Held::All,
            1 => Held::Tenant(tenant),
            2 => Held::Number(tenant, NumberId::from_raw(row.target)),
            3 => Held::Plugin(tenant, row.name),
            4 => Held::Template(
                tenant,
                HeldTemplate {
                    account: row.account,
                    name: row.name,
                    language: row.language,
                },
            ),
            5 => Held::Credential(tenant, CredentialId::from_raw(row.target)),
            6 => Held::Templates(tenant),
            7 => Held::NumberTemplates(tenant, NumberId::from_raw(row.target)),
            8 => Held::NumberReplies(tenant, NumberId::from_raw(row.target)),
            9 => Held::NumberMarketing(tenant, NumberId::from_raw(row.target)),
            scope => return Err(StorageError::Corrupt(format!("hold scope {scope}"))),
        };
        Ok(Self {
            id: HoldId::from_raw(row.id),
            held,
            reason: row.reason,
            placed_by: row.placed_by,
            placed_at: Timestamp::from_millis(row.placed_at),
            until: moment(row.until_at),
            lifted_at: moment(row.lifted_at),
        })
    }
}
