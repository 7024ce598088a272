//! A copy of a SQLite database while it is in use.

use std::path::Path;

use super::{Db, Result, StorageError};

/// Writes the whole database, as of one moment, into a file. Readers and the writer go on meanwhile.
///
/// `None` on PostgreSQL, whose own tools do it. The file must not exist, or be empty.
pub async fn copy_into_all_tenants(db: &Db, file: &Path) -> Result<Option<()>> {
    let Db::Sqlite { readers, .. } = db else {
        return Ok(None);
    };
    let name = file
        .to_str()
        .ok_or_else(|| StorageError::Corrupt("a file name that is not UTF-8".to_owned()))?;
    let mut connection = readers.borrow().await?;
    // It changes no row, but SQLite counts it among the statements that `query_only` refuses.
    sqlx::query("PRAGMA query_only = off")
        .execute(&mut *connection)
        .await?;
    let copied = sqlx::query("VACUUM INTO $1")
        .bind(name)
        .execute(&mut *connection)
        .await;
    sqlx::query("PRAGMA query_only = on")
        .execute(&mut *connection)
        .await?;
    copied?;
    Ok(Some(()))
}
