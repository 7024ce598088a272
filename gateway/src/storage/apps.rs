//! Meta apps and their secrets: they belong to the operator, so to no tenant. Secrets are envelopes.

use sqlx::FromRow;

use super::{Result, Tx, changes, execute, on_backend, rows};
use crate::domain::{AppId, Timestamp};

/// A Meta app as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    /// Meta's id of it: the place in the callback URL.
    pub meta_app_id: String,
    pub name: String,
    /// Envelope: what Meta repeats in the handshake.
    pub verify_token: Vec<u8>,
    /// Does it answer at the callback URL without an app id?
    pub is_default: bool,
    pub created_at: Timestamp,
}

/// One of an app's secrets; while two are active, webhooks signed with either are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSecret {
    pub id: i64,
    pub app: AppId,
    /// Envelope.
    pub secret: Vec<u8>,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct AppRow {
    id: i64,
    meta_app_id: String,
    name: String,
    verify_token: Vec<u8>,
    is_default: i64,
    created_at: i64,
}

#[derive(FromRow)]
struct SecretRow {
    id: i64,
    app: i64,
    secret: Vec<u8>,
    created_at: i64,
}

/// Adds an app. `false`: one with this Meta id is there already, and nothing changed.
pub async fn insert_app_all_tenants(tx: &mut Tx, app: &App) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO app (id, meta_app_id, name, verify_token, is_default, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (meta_app_id) DO NOTHING";
    if app.is_default {
        execute!(
            tx,
            sqlx::query("UPDATE app SET is_default = 0 WHERE is_default = 1")
        )?;
    }
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(app.id.raw())
            .bind(&app.meta_app_id)
            .bind(&app.name)
            .bind(&app.verify_token)
            .bind(i64::from(app.is_default))
            .bind(app.created_at.millis())
    )?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(added == 1)
}

/// Adds a secret to an app; it is active at once.
pub async fn insert_app_secret_all_tenants(tx: &mut Tx, secret: &AppSecret) -> Result<()> {
    const SQL: &str =
        "INSERT INTO app_secret (id, app, secret, created_at) VALUES ($1, $2, $3, $4)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(secret.id)
            .bind(secret.app.raw())
            .bind(&secret.secret)
            .bind(secret.created_at.millis())
    )?;
    changes::bump_setup_all_tenants(tx).await
}

/// Retires every secret of an app but the newest. Answers how many.
pub async fn retire_older_secrets_all_tenants(
    tx: &mut Tx,
    app: AppId,
    now: Timestamp,
) -> Result<u64> {
    const SQL: &str = "UPDATE app_secret SET retired_at = $2 WHERE app = $1 AND retired_at = 0
        AND id < (SELECT MAX(id) FROM app_secret newest WHERE newest.app = $1)";
    let retired = execute!(tx, sqlx::query(SQL).bind(app.raw()).bind(now.millis()))?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(retired)
}

/// Lets go of an app with its secrets.
pub async fn delete_app_all_tenants(tx: &mut Tx, id: AppId) -> Result<()> {
    for sql in [
        "DELETE FROM app_secret WHERE app = $1",
        "DELETE FROM app WHERE id = $1",
    ] {
        execute!(tx, sqlx::query(sql).bind(id.raw()))?;
    }
    changes::bump_setup_all_tenants(tx).await
}

/// Meta has verified the callback URL of an app.
pub async fn verified_all_tenants(tx: &mut Tx, app: AppId, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE app SET verified_at = $2 WHERE id = $1 AND verified_at < $2";
    execute!(tx, sqlx::query(SQL).bind(app.raw()).bind(now.millis()))?;
    Ok(())
}

/// When Meta last verified it; `None`: never, or there is no such app.
pub async fn verified_at_all_tenants(tx: &mut Tx, app: AppId) -> Result<Option<Timestamp>> {
    let at: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT verified_at FROM app WHERE id = $1")
            .bind(app.raw())
            .fetch_optional(conn)
            .await
    })?;
    Ok(at.and_then(rows::moment))
}

/// Every app, oldest first.
pub async fn apps_all_tenants(tx: &mut Tx) -> Result<Vec<App>> {
    const SQL: &str =
        "SELECT id, meta_app_id, name, verify_token, is_default, created_at FROM app ORDER BY id";
    let rows: Vec<AppRow> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(App::from).collect())
}

/// Every secret that is not retired, oldest first.
pub async fn active_app_secrets_all_tenants(tx: &mut Tx) -> Result<Vec<AppSecret>> {
    const SQL: &str =
        "SELECT id, app, secret, created_at FROM app_secret WHERE retired_at = 0 ORDER BY id";
    let rows: Vec<SecretRow> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(AppSecret::from).collect())
}

impl From<AppRow> for App {
    fn from(row: AppRow) -> Self {
        Self {
            id: AppId::from_raw(row.id),
            meta_app_id: row.meta_app_id,
            name: row.name,
            verify_token: row.verify_token,
            is_default: row.is_default != 0,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}

impl From<SecretRow> for AppSecret {
    fn from(row: SecretRow) -> Self {
        Self {
            id: row.id,
            app: AppId::from_raw(row.app),
            secret: row.secret,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}
