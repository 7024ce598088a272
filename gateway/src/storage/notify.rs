//! PostgreSQL's LISTEN and NOTIFY, one channel. SQLite has one process and needs none.

use sqlx::postgres::PgListener;

use super::{Db, Result};

const CHANNEL: &str = "vestibule";

/// The word that says that setup changed.
pub const SETUP_CHANGED: &str = "setup";

/// Wakes every listening node, this one too.
pub async fn send(db: &Db, word: &str) -> Result<()> {
    if let Db::Postgres(pool) = db {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(word)
            .execute(pool)
            .await?;
    }
    Ok(())
}

/// Hears words until the connection breaks.
pub async fn listen(db: &Db, mut heard: impl FnMut(&str)) -> Result<()> {
    let Db::Postgres(pool) = db else {
        return Ok(());
    };
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        heard(listener.recv().await?.payload());
    }
}
