//! SQLite's log is brought into the file beside the writer, not within somebody's commit.
//!
//! Left to itself SQLite does it in the commit that makes the log long enough: thousands of pages and two flushes, for
//! which every acknowledgement and every turn waits. Here a task copies the pages over a connection of its own while others
//! write. The log begins anew only when all of it is in the file and nobody reads it; so the few pages that came meanwhile
//! are brought in, and the file is flushed, while the writer is kept.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::embedded::{Connection, Options, Place, is_unflushed};
use super::flush::Flusher;
use super::writer::WriterGate;
use super::{Result, StorageError};
use crate::telemetry::names;

/// Pages of the log from which on it begins anew: 16 MB.
const PAGES: i64 = 4_000;
/// So many are brought in at a time: while the disk has those of a whole log to write, 40 ms, it keeps everybody's commit waiting.
const PART: i64 = 1_000;
/// Pages that may be brought in while the writer is kept, and in how many goes at most it comes down to that beside it.
const FEW: i64 = 256;
const GOES: usize = 4;
/// Between two looks at the log, while anything is written.
const APART: Duration = Duration::from_millis(20);
/// Until it is tried again, where somebody's reading was in the way.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the writer is kept for those who read: a hundredth of the time between two tries.
const PATIENCE_MS: &str = "5";

/// Bytes of the log from which on it is told: it is brought in from a sixtieth of that on, so something has long been in the
/// way. A guess: what a busy minute writes, and what most disks have.
const LONG: u64 = 1 << 30;

/// Who brings the log in. Away once the database is closed.
#[derive(Debug)]
pub struct Checkpoints(Mutex<Option<Held>>);

#[derive(Debug)]
struct Held {
    options: Options,
    connection: Connection,
    wish: Wish,
    flusher: Flusher,
    length: Length,
}

/// What is to become of the log, and has not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    Nothing,
    /// The next commit begins it anew.
    Anew,
    /// Nothing stays in it.
    Empty,
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

impl Log {
    fn left(self) -> i64 {
        self.log - self.checkpointed
    }

    /// What it takes of its file: a header, and one before each page (SQLite's file format, "The Write-Ahead Log").
    fn bytes(self, page: i64) -> u64 {
        let header = if self.log > 0 { 32 } else { 0 };
        u64::try_from(header + self.log * (24 + page)).unwrap_or(0)
    }
}

/// How long the log has been seen.
#[derive(Debug, Default)]
struct Length {
    /// When it was last told, in bytes; 0: it has not been long since.
    told: u64,
}

impl Length {
    /// Is it to be told? Where it becomes long, and each time it has doubled since.
    fn is_news(&mut self, bytes: u64) -> bool {
        if bytes < LONG {
            self.told = 0;
            return false;
        }
        let is_news = bytes >= self.told.saturating_mul(2);
        if is_news {
            self.told = bytes;
        }
        is_news
    }
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Only says how long it is.
    Look,
    /// As far as it can be done without waiting for anybody.
    Passive,
    /// All of it, and the next commit begins anew.
    Restart,
    /// The same, and nothing stays in the log.
    Truncate,
}

impl Checkpoints {
    /// Looks after the log until [`Checkpoints::close`], or until nobody has the gate any more.
    pub fn begin(
        mut options: Options,
        (gate, flusher): (&Arc<WriterGate>, Flusher),
        written: mpsc::Receiver<()>,
    ) -> Result<Arc<Self>> {
        options.place = Place::Aside;
        options
            .pragmas
            .push(("busy_timeout", PATIENCE_MS.to_owned()));
        let checkpoints = Arc::new(Self(Mutex::new(Some(Held {
            connection: options.open()?,
            options,
            wish: Wish::Nothing,
            flusher,
            length: Length::default(),
        }))));
        let looking = checkpoints
            .clone()
            .look_after(Arc::downgrade(gate), written);
        tokio::spawn(looking);
        Ok(checkpoints)
    }

    async fn look_after(self: Arc<Self>, gate: Weak<WriterGate>, mut written: mpsc::Receiver<()>) {
        let mut is_done = true;
        loop {
            if !is_done {
                tokio::time::sleep(AGAIN).await;
            } else if written.recv().await.is_none() {
                return;
            }
            let Some(gate) = gate.upgrade() else { return };
            is_done = match self.look(&gate).await {
                Ok(is_done) => is_done,
                Err(StorageError::Sqlx(sqlx::Error::PoolClosed) | StorageError::Disk) => return,
                Err(error) => {
                    tracing::warn!(%error, "SQLite's log could not be brought into the file");
                    false
                }
            };
            drop(gate);
            tokio::time::sleep(APART).await;
        }
    }

    /// Answers whether nothing is left to be done.
    async fn look(&self, gate: &Arc<WriterGate>) -> Result<bool> {
        let mut held = self.0.lock().await;
        let held = held.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        if !held.connection.is_whole() {
            held.connection = held.options.open()?;
        }
        let log = held.checkpoint(Mode::Look).await?;
        held.watch(log).await?;
        if log.log >= PAGES && log.left() > 0 {
            held.wish = held.wish.max(Wish::Anew);
        }
        held.fulfil(log, gate).await
    }

    /// Leaves nothing in the log, at once or as soon as nobody reads any more what is in it.
    pub async fn empty_log(&self, gate: &Arc<WriterGate>) -> Result<()> {
        let mut held = self.0.lock().await;
        let held = held.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        held.wish = Wish::Empty;
        let log = held.checkpoint(Mode::Look).await?;
        held.fulfil(log, gate).await.map(drop)
    }

    pub async fn close(&self) {
        self.0.lock().await.take();
    }
}

impl Held {
    /// Tells how long the log is.
    async fn watch(&mut self, log: Log) -> Result<()> {
        self.connection.work(Place::Here);
        let page: i64 = sqlx::query_scalar("PRAGMA page_size")
            .fetch_one(&mut self.connection)
            .await?;
        let bytes = log.bytes(page);
        metrics::gauge!(names::SQLITE_LOG_BYTES).set(bytes as f64);
        if self.length.is_news(bytes) {
            tracing::warn!(
                bytes,
                "SQLite's log grows: somebody has been reading for long, and until they end nothing leaves it \
                 (a backup, an sqlite3 shell, a tool that copies the file)"
            );
        }
        Ok(())
    }

    async fn fulfil(&mut self, mut log: Log, gate: &Arc<WriterGate>) -> Result<bool> {
        // Of a log that is not on disk nothing is brought anywhere.
        self.flusher.check()?;
        let mode = match self.wish {
            Wish::Nothing => {
                if log.left() >= PART {
                    self.go().await?;
                }
                return Ok(true);
            }
            Wish::Anew => Mode::Restart,
            Wish::Empty => Mode::Truncate,
        };
        for _ in 0..GOES {
            let before = std::mem::replace(&mut log, self.go().await?);
            // Only then did it take no time in which more would have come.
            if log.checkpointed - before.checkpointed <= FEW {
                break;
            }
        }
        if log.left() > FEW {
            // Somebody reads what was there before: to keep the writer would be for nothing.
            return Ok(false);
        }
        let _permit = gate.enter(false).await;
        let is_done = self.checkpoint(mode).await?.busy == 0;
        if is_done {
            self.wish = Wish::Nothing;
        }
        Ok(is_done)
    }

    /// Brings in what is there, beside the writer.
    async fn go(&mut self) -> Result<Log> {
        let log = self.checkpoint(Mode::Passive).await?;
        // SQLite does it only where nothing was written meanwhile: while the writer is kept.
        let flushed = self.connection.flush_file().await;
        self.kept(flushed)?;
        Ok(log)
    }

    async fn checkpoint(&mut self, mode: Mode) -> Result<Log> {
        let (sql, place) = match mode {
            Mode::Look => ("PRAGMA wal_checkpoint(NOOP)", Place::Here),
            Mode::Passive => ("PRAGMA wal_checkpoint(PASSIVE)", Place::Aside),
            Mode::Restart => ("PRAGMA wal_checkpoint(RESTART)", Place::Aside),
            Mode::Truncate => ("PRAGMA wal_checkpoint(TRUNCATE)", Place::Aside),
        };
        self.connection.work(place);
        let log = sqlx::query_as(sql).fetch_one(&mut self.connection).await;
        self.kept(log)
    }

    /// Where the disk has refused to keep the file nothing is written any more: what the kernel lost it does not say twice,
    /// and SQLite would try again and believe it.
    fn kept<T>(&self, done: Result<T, sqlx::Error>) -> Result<T> {
        done.map_err(|error| match is_unflushed(&error) {
            true => self.flusher.fail(&error),
            false => error.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::super::embedded::unflushed;
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
        let mut held = checkpoints.0.lock().await;
        let held = held.as_mut().expect("open");
        held.checkpoint(Mode::Look).await.expect("looked at")
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
    async fn what_comes_is_brought_in_by_parts_though_somebody_writes() {
        let bench = Bench::open().await;
        let (checkpoints, gate) = bench.parts();
        bench
            .write("INSERT INTO t VALUES (zeroblob(6000000))")
            .await;
        let _writing = gate.enter(false).await;
        assert!(checkpoints.look(gate).await.expect("looked at"));
        let seen = log(checkpoints).await;
        assert!((PART..PAGES).contains(&seen.log), "{seen:?}");
        assert_eq!(seen.left(), 0, "{seen:?}");
    }

    #[tokio::test]
    async fn where_the_disk_keeps_no_file_nothing_is_written_any_more() {
        let bench = Bench::open().await;
        let (checkpoints, _) = bench.parts();
        let mut held = checkpoints.0.lock().await;
        let held = held.as_mut().expect("open");
        let busy = held.kept::<()>(Err(sqlx::Error::PoolTimedOut));
        assert!(matches!(busy, Err(StorageError::Sqlx(_))), "{busy:?}");
        held.flusher.check().expect("as before");
        let refused = held.kept::<()>(Err(unflushed()));
        assert!(matches!(refused, Err(StorageError::Disk)), "{refused:?}");
        let checked = held.flusher.check();
        assert!(matches!(checked, Err(StorageError::Disk)), "{checked:?}");
    }

    #[tokio::test]
    async fn the_writer_is_not_kept_for_a_log_that_somebody_reads() {
        let bench = Bench::open().await;
        let (checkpoints, gate) = bench.parts();
        let mut reading = bench.db.read().await.expect("begun");
        execute(&mut reading, "SELECT COUNT(*) FROM t").await;
        bench.write(MUCH).await;
        let writing = gate.enter(false).await;
        // Would wait for the writer if it wanted it.
        assert!(!checkpoints.look(gate).await.expect("looked at"));
        drop(writing);
        let seen = log(checkpoints).await;
        assert!(seen.left() > FEW, "{seen:?}");
        drop(reading);
        assert!(checkpoints.look(gate).await.expect("looked at"));
        assert_eq!(log(checkpoints).await.left(), 0);
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
        assert!(checkpoints.look(gate).await.expect("looked at"));
        assert_eq!(bench.log_bytes(), 0);
        bench.db.close().await;
        let closed = bench.db.empty_log().await;
        assert!(closed.is_err(), "{closed:?}");
    }

    #[test]
    fn a_long_log_is_told_where_it_becomes_long_and_as_it_doubles() {
        let mut length = Length::default();
        let steps = [
            (LONG - 1, false),
            (LONG, true),
            (LONG + 1, false),
            (2 * LONG - 1, false),
            (2 * LONG + 1, true),
            (3 * LONG, false),
            (0, false),
            (LONG, true),
        ];
        for (step, (bytes, is_news)) in steps.into_iter().enumerate() {
            assert_eq!(length.is_news(bytes), is_news, "step {step}");
        }
    }

    #[tokio::test]
    async fn the_gauge_says_what_stands_in_the_log_while_somebody_reads_and_afterwards() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let told = || -> u64 {
            let page = page.render();
            let mut lines = page.lines();
            let value = lines.find_map(|line| line.strip_prefix(names::SQLITE_LOG_BYTES));
            let value = value.and_then(|value| value.trim().parse().ok());
            value.unwrap_or_else(|| panic!("no gauge: {page}"))
        };
        let bench = Bench::open().await;
        let (checkpoints, gate) = bench.parts();
        let mut reading = bench.db.read().await.expect("begun");
        execute(&mut reading, "SELECT COUNT(*) FROM t").await;
        for goes in 1..=2 {
            bench.write(MUCH).await;
            checkpoints.look(gate).await.expect("looked at");
            assert_eq!(told(), bench.log_bytes());
            assert!(told() > goes * 20_000_000, "{}", told());
        }
        drop(reading);
        assert!(checkpoints.look(gate).await.expect("looked at"));
        bench.write("INSERT INTO t VALUES (1)").await;
        checkpoints.look(gate).await.expect("looked at");
        assert!(told() < 100_000, "{}", told());
        bench.db.close().await;
    }
}
