//! Opening a database with the settings that the promises need.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;

use super::checkpoint::Checkpoints;
use super::embedded::{Options, Place, Pool};
use super::flush::Flusher;
use super::writer::WriterGate;
use super::{Db, Result, StorageError};

/// No transaction of ours waits for its own process this long.
const STANDSTILL: &str = "5s";

/// Prepared statements of a connection: some 40 texts in up to twelve sizes each (`batch`).
const STATEMENTS: usize = 600;

/// How to open it.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Connections for reading on SQLite, in all on PostgreSQL.
    pub connections: u32,
    /// Page cache of each SQLite connection.
    pub sqlite_cache_mib: u32,
}

impl OpenOptions {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 8,
            sqlite_cache_mib: 16,
        }
    }
}

/// Opens the database; a SQLite file is made when it is not there. Migrations are not run.
pub async fn open(options: &OpenOptions) -> Result<Db> {
    if options.url.starts_with("sqlite:") {
        open_sqlite(options)
    } else if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
        open_postgres(options).await
    } else {
        Err(StorageError::Url)
    }
}

fn open_sqlite(options: &OpenOptions) -> Result<Db> {
    let address = SqliteConnectOptions::from_str(&options.url)?;
    let cache = u64::from(options.sqlite_cache_mib) * 1024;
    let writing = Options {
        file: address.get_filename().to_owned(),
        pragmas: vec![
            ("busy_timeout", "10000".to_owned()),
            ("journal_mode", "WAL".to_owned()),
            // The log is flushed before it is brought into the file, and otherwise by [`Flusher`]: a commit is on disk
            // before it returns. Promise 1 stands on it.
            ("synchronous", "NORMAL".to_owned()),
            ("foreign_keys", "ON".to_owned()),
            ("cache_size", format!("-{cache}")),
            // [`Checkpoints`] does it.
            ("wal_autocheckpoint", "0".to_owned()),
            ("temp_store", "MEMORY".to_owned()),
            // What is erased is overwritten, not only unlinked.
            ("secure_delete", "ON".to_owned()),
        ],
        statements: STATEMENTS,
        place: Place::Here,
    };
    let mut reading = writing.clone();
    reading.pragmas.push(("query_only", "ON".to_owned()));
    reading.place = Place::Aside;
    let (gate, written) = WriterGate::new();
    let writer = Pool::open(writing.clone(), 1)?;
    // Not before the writer is open: SQLite takes the log away with the last connection that ends.
    let flusher = flusher(&writing)?;
    Ok(Db::Sqlite {
        checkpoints: Checkpoints::begin(writing, (&gate, flusher.clone()), written)?,
        flusher,
        writer,
        readers: Pool::open(reading, options.connections.max(1))?,
        gate,
    })
}

/// Who flushes the log. The file's name is asked of SQLite, which follows links and reads `file:` addresses.
fn flusher(writing: &Options) -> Result<Flusher> {
    let mut connection = writing.open()?;
    // Who reads makes the log, if there is none.
    connection.at_once("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1; COMMIT")?;
    Flusher::of(&connection.file()?)
}

async fn open_postgres(options: &OpenOptions) -> Result<Db> {
    let connect = PgConnectOptions::from_str(&options.url)?
        .application_name("vestibule")
        // A node that stands still in the middle of a transaction must not hold the locks by which its work moves on.
        .options([("idle_in_transaction_session_timeout", STANDSTILL)])
        .statement_cache_capacity(STATEMENTS);
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(4))
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .connect_with(connect)
        .await?;
    Ok(Db::Postgres(pool))
}

#[cfg(test)]
impl Db {
    /// The same database, whose flushes end when they are let.
    pub(crate) fn held_back(self) -> (Self, std::sync::mpsc::SyncSender<bool>) {
        let (lets, let_go) = std::sync::mpsc::sync_channel(0);
        let Self::Sqlite {
            writer,
            readers,
            gate,
            checkpoints,
            ..
        } = self
        else {
            unreachable!("opened as SQLite")
        };
        let flusher = Flusher::waiting_for(let_go);
        let db = Self::Sqlite {
            writer,
            readers,
            gate,
            checkpoints,
            flusher,
        };
        (db, lets)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::FutureExt as _;

    use super::super::{Conn, Tx, execute};
    use super::*;

    async fn opened(folder: &tempfile::TempDir, file: &str) -> Db {
        let url = format!("sqlite:{}", folder.path().join(file).display());
        let db = open(&OpenOptions::new(url)).await.expect("a database");
        let mut tx = db.begin().await.expect("begun");
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS t (a INTEGER)";
        execute!(&mut tx, sqlx::query(TABLE)).expect("a table");
        tx.commit().await.expect("a commit");
        db
    }

    async fn write(tx: &mut Tx) {
        execute!(tx, sqlx::query("INSERT INTO t VALUES (1)")).expect("a row");
    }

    /// How often the log is flushed for a transaction that writes.
    async fn flushes(db: &Db, begun: Result<Tx>) -> u64 {
        let Db::Sqlite { flusher, .. } = db else {
            unreachable!("opened as SQLite")
        };
        let before = flusher.count();
        let mut tx = begun.expect("begun");
        write(&mut tx).await;
        tx.commit().await.expect("a commit");
        flusher.count() - before
    }

    #[tokio::test]
    async fn only_what_may_wait_for_a_later_commit_does_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = opened(&folder, "v.db").await;
        assert_eq!(flushes(&db, db.begin().await).await, 1);
        for _ in 0..2 {
            assert_eq!(flushes(&db, db.begin_unsynced().await).await, 0);
            assert_eq!(flushes(&db, db.begin_unflushed().await).await, 0);
        }
        assert_eq!(flushes(&db, db.begin_urgent().await).await, 1);
        assert_eq!(flushes(&db, db.begin_unsynced().await).await, 0);
        assert_eq!(flushes(&db, db.begin().await).await, 1);
        let Db::Sqlite { flusher, .. } = &db else {
            unreachable!("opened as SQLite")
        };
        let before = flusher.count();
        db.lasts().await.expect("flushed");
        assert_eq!(flusher.count() - before, 1);
        db.close().await;
    }

    /// A commit that waits for its flush.
    async fn committing(db: &Db) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        let mut tx = db.begin().await.expect("begun");
        write(&mut tx).await;
        let mut lasting = Box::pin(tx.commit());
        assert!(futures::poll!(&mut lasting).is_pending());
        lasting
    }

    #[tokio::test]
    async fn others_write_while_a_commit_waits_for_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let (db, lets) = opened(&folder, "v.db").await.held_back();
        let mut lasting = committing(&db).await;
        let mut tx = db.begin_unsynced().await.expect("the writer is free");
        let sql = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM t");
        let Conn::Sqlite(loan, _) = &mut tx.conn else {
            unreachable!("opened as SQLite")
        };
        let rows = sql.fetch_one(&mut **loan).await.expect("a count");
        assert_eq!(rows, 1, "what waits for the disk is committed");
        tx.commit().await.expect("a commit");
        assert!(lasting.as_mut().now_or_never().is_none());
        lets.send(true).expect("it flushes");
        lasting.await.expect("a commit that lasts");
    }

    #[tokio::test]
    async fn after_a_flush_that_failed_nobody_begins() {
        let folder = tempfile::tempdir().expect("a folder");
        let (db, lets) = opened(&folder, "v.db").await.held_back();
        let lasting = committing(&db).await;
        let held = db.begin_unsynced().await.expect("begun");
        let mut waiting = Box::pin(db.begin_unsynced());
        assert!(futures::poll!(&mut waiting).is_pending());
        lets.send(false).expect("it flushes");
        let failed = lasting.await;
        assert!(matches!(failed, Err(StorageError::Disk)), "{failed:?}");
        drop(held);
        for refused in [waiting.await.map(drop), db.begin().await.map(drop)] {
            assert!(matches!(refused, Err(StorageError::Disk)), "{refused:?}");
        }
        db.glance().await.expect("what is there can be read");
    }

    #[tokio::test]
    async fn the_log_of_a_database_behind_a_link_is_the_one_that_is_flushed() {
        let folder = tempfile::tempdir().expect("a folder");
        opened(&folder, "real.db").await.close().await;
        let (real, link) = (folder.path().join("real.db"), folder.path().join("v.db"));
        std::os::unix::fs::symlink(real, link).expect("a link");
        let db = opened(&folder, "v.db").await;
        assert_eq!(flushes(&db, db.begin().await).await, 1);
        assert!(!folder.path().join("v.db-wal").exists());
        db.close().await;
    }
}
