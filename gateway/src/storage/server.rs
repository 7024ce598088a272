//! What the database server says of itself: for `doctor`.

use super::{Db, Result, on_backend};

/// Version and the settings on which promise 1 stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub version: String,
    /// `(name, value)`; on SQLite those of our own connections.
    pub settings: Vec<(&'static str, String)>,
}

const POSTGRES: [(&str, &str); 4] = [
    ("fsync", "SHOW fsync"),
    ("full_page_writes", "SHOW full_page_writes"),
    ("synchronous_commit", "SHOW synchronous_commit"),
    ("max_connections", "SHOW max_connections"),
];
const SQLITE: [(&str, &str); 1] = [(
    "journal_mode",
    "SELECT journal_mode FROM pragma_journal_mode",
)];

/// Asks the server. It touches no tenant's rows.
pub async fn server_all_tenants(db: &Db) -> Result<Server> {
    let mut tx = db.read().await?;
    let version = tx.pick("SELECT sqlite_version()", "SHOW server_version");
    let version: String = on_backend!(&mut tx, |conn| sqlx::query_scalar(version)
        .fetch_one(conn)
        .await)?;
    let asked: &[(&str, &str)] = if db.is_sqlite() { &SQLITE } else { &POSTGRES };
    let mut settings = Vec::new();
    for &(name, sql) in asked {
        let value = on_backend!(&mut tx, |conn| sqlx::query_scalar(sql)
            .fetch_one(conn)
            .await)?;
        settings.push((name, value));
    }
    Ok(Server { version, settings })
}
