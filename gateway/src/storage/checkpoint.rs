//! SQLite's log is brought into the file beside the writer, not within somebody's commit.
//!
//! Left to itself SQLite does it in the commit that makes the log long enough: thousands of pages and two flushes, for
//! which every acknowledgement and every turn waits. Here a task does it over a connection of its own while others write.
//! The log begins anew only when all of it is in the file; so the few pages that came meanwhile are brought in while the
//! writer is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::embedded::{Connection, Options, Place};
use super::writer::WriterGate;
use super::{Result, StorageError};

/// Pages of the log from which on it is brought in: 16 MB.
const PAGES: i64 = 4_000;
/// Between two looks at the log, while anything is written.
const APART: Duration = Duration::from_millis(20);
/// Until the log is looked at again that somebody's reading has kept from being emptied.
const AGAIN: Duration = Duration::from_secs(1);

/// The one connection that brings the log in. Away once the database is closed.
#[derive(Debug)]
pub struct Checkpoints {
    connection: Mutex<Option<Connection>>,
    /// It is to be emptied, and could not be yet.
    to_empty: AtomicBool,
}

/// What SQLite answers to `wal_checkpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
struct Log {
    /// Not all of it could be done, because of others that read or do the same.
    busy: i64,
    /// Pages in the log, since it began anew.
    log: i64,
    /// Of those, how many are in the file too.
    checkpointed: i64,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Only says how long it is.
    Look,
    /// As far as it can be done without waiting for anybody.
    Passive,
    /// All of it, and nothing stays in the log.
    Truncate,
}

impl Checkpoints {
    /// Looks after the log until [`Checkpoints::close`], or until nobody has the gate any more.
    pub fn begin(
        options: &Options,
        gate: &Arc<WriterGate>,
        written: mpsc::Receiver<()>,
    ) -> Result<Arc<Self>> {
        let checkpoints = Arc::new(Self {
            connection: Mutex::new(Some(options.open()?)),
            to_empty: AtomicBool::default(),
        });
        let looking = checkpoints
            .clone()
            .look_after(Arc::downgrade(gate), written);
        tokio::spawn(looking);
        Ok(checkpoints)
    }

    async fn look_after(self: Arc<Self>, gate: Weak<WriterGate>, mut written: mpsc::Receiver<()>) {
        while self.is_due(&mut written).await {
            let Some(gate) = gate.upgrade() else { return };
            match self.look(&gate).await {
                Ok(()) => {}
                Err(StorageError::Sqlx(sqlx::Error::PoolClosed)) => return,
                Err(error) => {
                    tracing::warn!(%error, "SQLite's log could not be brought into the file");
                }
            }
            tokio::time::sleep(APART).await;
        }
    }

    /// Something was written, or the log is to be emptied. `false`: nobody will write any more.
    async fn is_due(&self, written: &mut mpsc::Receiver<()>) -> bool {
        let next = written.recv();
        if !self.to_empty.load(Ordering::Relaxed) {
            return next.await.is_some();
        }
        let next = tokio::time::timeout(AGAIN, next).await;
        next.is_err() || next == Ok(Some(()))
    }

    async fn look(&self, gate: &Arc<WriterGate>) -> Result<()> {
        if self.to_empty.load(Ordering::Relaxed) {
            return self.empty_log(gate).await;
        }
        let mut connection = self.connection.lock().await;
        let connection = connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let Log {
            log, checkpointed, ..
        } = checkpoint(connection, Mode::Look).await?;
        if log - checkpointed < PAGES {
            return Ok(());
        }
        checkpoint(connection, Mode::Passive).await?;
        let _permit = gate.enter(false).await;
        checkpoint(connection, Mode::Passive).await?;
        Ok(())
    }

    /// Leaves nothing in the log, at once or as soon as nobody reads any more what is in it.
    pub async fn empty_log(&self, gate: &Arc<WriterGate>) -> Result<()> {
        let mut connection = self.connection.lock().await;
        let connection = connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        // Most of it beside the writer.
        checkpoint(connection, Mode::Passive).await?;
        let _permit = gate.enter(false).await;
        let left = checkpoint(connection, Mode::Truncate).await?;
        self.to_empty.store(left.busy != 0, Ordering::Relaxed);
        Ok(())
    }

    pub async fn close(&self) {
        self.connection.lock().await.take();
    }
}

async fn checkpoint(connection: &mut Connection, mode: Mode) -> Result<Log> {
    let (sql, place) = match mode {
        Mode::Look => ("PRAGMA wal_checkpoint(NOOP)", Place::Here),
        Mode::Passive => ("PRAGMA wal_checkpoint(PASSIVE)", Place::Aside),
        Mode::Truncate => ("PRAGMA wal_checkpoint(TRUNCATE)", Place::Aside),
    };
    connection.work(place);
    Ok(sqlx::query_as(sql).fetch_one(connection).await?)
}

#[cfg(test)]
mod tests {
    use super::super::{Db, OpenOptions, Tx, on_backend, open};
    use super::*;

    struct Bench {
        folder: tempfile::TempDir,
        db: Db,
    }

    impl Bench {
        async fn open() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let url = format!("sqlite:{}", folder.path().join("v.db").display());
            let db = open(&OpenOptions::new(url)).await.expect("a database");
            let bench = Self { folder, db };
            bench.write("CREATE TABLE t (b BLOB)").await;
            bench
        }

        async fn write(&self, sql: &'static str) {
            let mut tx = self.db.begin().await.expect("begun");
            execute(&mut tx, sql).await;
            tx.commit().await.expect("a commit");
        }

        fn parts(&self) -> (&Arc<Checkpoints>, &Arc<WriterGate>) {
            match &self.db {
                Db::Sqlite {
                    checkpoints, gate, ..
                } => (checkpoints, gate),
                Db::Postgres(_) => unreachable!("opened as SQLite"),
            }
        }

        /// What stands in the log, whether or not it is in the file too.
        fn log_bytes(&self) -> u64 {
            let log = std::fs::metadata(self.folder.path().join("v.db-wal"));
            log.expect("a log").len()
        }
    }

    async fn execute(tx: &mut Tx, sql: &'static str) {
        on_backend!(tx, |conn| sqlx::query(sql).execute(conn).await.map(drop)).expect("executed");
    }

    async fn log(checkpoints: &Checkpoints) -> Log {
        let mut connection = checkpoints.connection.lock().await;
        let connection = connection.as_mut().expect("open");
        checkpoint(connection, Mode::Look).await.expect("looked at")
    }

    /// More than is left in the log.
    const MUCH: &str = "INSERT INTO t VALUES (zeroblob(20000000))";

    #[tokio::test]
    async fn a_long_log_is_brought_in_and_begins_anew() {
        let bench = Bench::open().await;
        let (checkpoints, gate) = bench.parts();
        bench.write("INSERT INTO t VALUES (zeroblob(20000))").await;
        checkpoints.look(gate).await.expect("looked at");
        let short = log(checkpoints).await;
        assert!(short.log > 0 && short.checkpointed == 0, "{short:?}");
        bench.write(MUCH).await;
        checkpoints.look(gate).await.expect("looked at");
        let Log {
            log: all,
            checkpointed,
            ..
        } = log(checkpoints).await;
        assert!(
            all > PAGES && checkpointed == all,
            "{checkpointed} of {all}"
        );
        bench.write("INSERT INTO t VALUES (zeroblob(10))").await;
        let anew = log(checkpoints).await;
        assert!(anew.log < 10, "{anew:?}");
        bench.db.close().await;
    }

    #[tokio::test]
    async fn writers_do_not_stand_still_while_a_log_is_brought_in_that_somebody_reads() {
        let bench = Bench::open().await;
        let (checkpoints, gate) = bench.parts();
        let mut reading = bench.db.read().await.expect("begun");
        execute(&mut reading, "SELECT COUNT(*) FROM t").await;
        bench.write(MUCH).await;
        checkpoints.look(gate).await.expect("looked at");
        bench.write("INSERT INTO t VALUES (zeroblob(10))").await;
        let seen = log(checkpoints).await;
        assert!(seen.checkpointed < seen.log, "{seen:?}");
        drop(reading);
        bench.db.close().await;
    }

    #[tokio::test]
    async fn what_is_read_keeps_the_log_from_being_emptied_only_as_long_as_it_is() {
        let bench = Bench::open().await;
        let (checkpoints, gate) = bench.parts();
        let mut reading = bench.db.read().await.expect("begun");
        execute(&mut reading, "SELECT COUNT(*) FROM t").await;
        bench.write("DELETE FROM t").await;
        bench.db.empty_log().await.expect("tried");
        assert!(bench.log_bytes() > 0, "somebody reads what is in it");
        drop(reading);
        checkpoints.look(gate).await.expect("looked at");
        assert_eq!(bench.log_bytes(), 0);
        bench.db.close().await;
        let closed = bench.db.empty_log().await;
        assert!(closed.is_err(), "{closed:?}");
    }
}
