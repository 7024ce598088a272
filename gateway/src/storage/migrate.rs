//! Bringing a database to the schema of this build. Both folders hold the same migrations (a test compares them).

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::{Db, Result, partitions};
use crate::domain::Timestamp;

/// Partitions are made for what may come until the first node's round of retention.
const FOUR_WEEKS: Duration = Duration::from_secs(28 * 86_400);

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Runs what has not run yet. Several nodes may call it at once: PostgreSQL serialises them by an advisory lock.
pub async fn migrate(db: &Db, now: Timestamp) -> Result<()> {
    match db {
        Db::Sqlite { writer, .. } => {
            // By sqlx's own driver, for which it has them.
            let file = SqliteConnectOptions::new().filename(&writer.options().file);
            let one = SqlitePoolOptions::new().max_connections(1);
            let pool = one.connect_with(file).await?;
            SQLITE.run(&pool).await?;
            pool.close().await;
        }
        Db::Postgres(pool) => POSTGRES.run(pool).await?,
    }
    partitions::ensure(db, now, FOUR_WEEKS, FOUR_WEEKS).await
}

/// How many migrations this build knows, and how many of them the database has.
pub async fn pending(db: &Db) -> Result<usize> {
    let known = match db {
        Db::Sqlite { .. } => &SQLITE,
        Db::Postgres(_) => &POSTGRES,
    };
    let mut tx = db.read().await?;
    let applied: Vec<i64> = super::on_backend!(&mut tx, |conn| {
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(conn)
            .await
    })
    .unwrap_or_default();
    Ok(known
        .iter()
        .filter(|migration| !applied.contains(&migration.version))
        .count())
}
