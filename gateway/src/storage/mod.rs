//! The only user of sqlx: one SQL text for SQLite and PostgreSQL, functions that take the tenant first or end in
//! `_all_tenants`, and no decision that belongs to somebody else.
//!
//! Portable subset (design.md §6): integers and times are BIGINT, enums small integers or TEXT, `$1` placeholders,
//! no NULL. Hot statements carry many rows ([`batch`]). Where the databases differ, the SQL string is chosen by
//! [`Tx::pick`] and the binds are shared.

pub mod account_facts;
pub mod addresses;
pub mod api_keys;
pub mod apps;
pub mod attestations;
pub mod audit;
pub mod backup;
pub mod batch;
pub mod buckets;
pub mod business_events;
pub mod chains;
pub mod changes;
mod checkpoint;
pub mod claims;
pub mod compile_work;
pub mod components;
pub mod consent_imports;
pub mod consent_pages;
pub mod consents;
pub mod contacts;
pub mod conversations;
pub mod counts;
pub mod credentials;
mod embedded;
mod ending;
pub mod entry_points;
pub mod envelopes;
pub mod erase;
pub mod events;
mod flush;
pub mod forget;
pub mod former_numbers;
mod gather;
pub mod history;
pub mod holds;
pub mod hooks;
pub mod idempotency;
pub mod ingest_life;
pub mod installations;
pub mod jobs;
pub mod journals;
pub mod kv;
pub mod limits;
pub mod migrate;
pub mod nodes;
pub mod notes;
pub mod notify;
pub mod numbers;
mod open;
pub mod outbox;
pub mod partitions;
pub mod people;
pub mod person;
pub mod plugin_events;
pub mod plugin_health;
pub mod plugin_sight;
pub mod plugin_trust;
pub mod plugin_versions;
pub mod races;
pub mod raw;
pub mod readiness;
pub mod receipts;
pub mod refusals;
pub mod replay_reports;
pub mod replays;
mod rows;
pub mod secrets;
pub mod server;
pub mod standing;
pub mod stream;
pub mod take_overs;
pub mod template_accounts;
pub mod template_history;
pub mod templates;
pub mod tenants;
pub mod timers;
pub mod turns;
pub mod users;
pub mod wamids;
mod writer;

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Transaction};

use crate::domain::StreamEvent;

use embedded::Place;

pub use ending::{Change, Ending};
pub use gather::Gather;
pub use open::{OpenOptions, open};

/// What went wrong in the database.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("the database refused a statement")]
    Sqlx(#[from] sqlx::Error),
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("not a database URL that Vestibule knows: expected `sqlite:PATH` or `postgres://…`")]
    Url,
    /// Another node owns the bucket by now: nothing of this transaction may be committed.
    #[error("the lease of bucket {0} was lost")]
    Fenced(i64),
    #[error("a row does not read as what it should be: {0}")]
    Corrupt(String),
    /// What belongs into the row could not be made.
    #[error("a row could not be written: {0}")]
    Unmade(String),
    /// Another transaction wrote first what this one found free.
    #[error("another transaction was faster")]
    Raced,
    #[error("what was written did not reach the disk: nothing is written until a new start")]
    Disk,
}

impl StorageError {
    /// Did it fail because somebody else was faster? The same from its beginning finds what they did.
    pub fn is_lost_race(&self) -> bool {
        const DEADLOCK: &str = "40P01";
        match self {
            Self::Raced => true,
            Self::Sqlx(sqlx::Error::Database(error)) => {
                error.is_unique_violation() || error.code().as_deref() == Some(DEADLOCK)
            }
            _ => false,
        }
    }
}

pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// An open database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// One writing connection, several reading ones, one process.
    Sqlite {
        writer: Arc<embedded::Pool>,
        readers: Arc<embedded::Pool>,
        gate: Arc<writer::WriterGate>,
        checkpoints: Arc<checkpoint::Checkpoints>,
        flusher: flush::Flusher,
    },
    Postgres(PgPool),
}

/// An open transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    conn: Conn,
    /// What it will have done, for the tenants' event streams: one row, written as it commits.
    told: Vec<StreamEvent>,
}

#[derive(Debug)]
enum Conn {
    /// With its turn at the writer, unless it only reads. The turn ends after the connection is back.
    Sqlite(embedded::Loan, Option<Writing>),
    Postgres(Postgres),
}

/// A turn at SQLite's writer.
#[derive(Debug)]
struct Writing {
    _permit: writer::WriterPermit,
    /// Who is asked once it has committed, if it has to last then.
    flusher: Option<flush::Flusher>,
}

#[derive(Debug)]
enum Postgres {
    Writing(Transaction<'static, sqlx::Postgres>),
    /// Without a transaction, which would be two more ways to the server and back: each statement of one sees what was
    /// committed before it all the same.
    Reading(PoolConnection<sqlx::Postgres>),
}

impl Postgres {
    fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Writing(tx) => tx,
            Self::Reading(connection) => connection,
        }
    }
}

/// Runs one expression with the connection of either database.
macro_rules! on_backend {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match &mut ($tx).conn {
            $crate::storage::Conn::Sqlite(loan, _) => {
                let $conn = &mut **loan;
                $body
            }
            $crate::storage::Conn::Postgres(postgres) => {
                let $conn = postgres.connection();
                $body
            }
        }
    };
}
pub(crate) use on_backend;

/// Executes a query on either database and answers how many rows it touched.
macro_rules! execute {
    ($tx:expr, $query:expr) => {
        $crate::storage::on_backend!($tx, |conn| $query
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))
    };
}
pub(crate) use execute;

/// Executes a statement around [`batch::rows`]: `bind` adds one row's values to the query.
macro_rules! execute_rows {
    ($tx:expr, $sql:expr, $rows:expr, |$query:ident, $row:pat_param| $bind:expr) => {
        $crate::storage::with_rows!($tx, $sql, $rows, query_with, |$query, $row| $bind, |conn| {
            $query.execute(conn).await.map(|done| done.rows_affected())
        })
    };
}
pub(crate) use execute_rows;

/// The same for a statement that answers rows.
macro_rules! fetch_rows {
    ($tx:expr, $sql:expr, $rows:expr, |$query:ident, $row:pat_param| $bind:expr) => {
        $crate::storage::with_rows!(
            $tx,
            $sql,
            $rows,
            query_as_with,
            |$query, $row| $bind,
            |conn| { $query.fetch_all(conn).await }
        )
    };
}
pub(crate) use fetch_rows;

macro_rules! with_rows {
    ($tx:expr, $sql:expr, $rows:expr, $make:ident, |$query:ident, $row:pat_param| $bind:expr, |$conn:ident| $run:expr) => {
        match &mut ($tx).conn {
            $crate::storage::Conn::Sqlite(loan, _) => {
                let $conn = &mut **loan;
                let mut $query = sqlx::$make(
                    $sql.by_value($rows.len()),
                    $crate::storage::embedded::Arguments::default(),
                );
                for $row in $rows {
                    $query = $bind;
                }
                $run
            }
            $crate::storage::Conn::Postgres(postgres) => {
                let $conn = postgres.connection();
                let mut $query = $crate::storage::batch::Columns::new($sql);
                for $row in $rows {
                    $query = $bind;
                }
                match $query.arguments() {
                    Ok(arguments) => {
                        let $query = sqlx::$make($sql.by_column(), arguments);
                        $run
                    }
                    Err(error) => Err(error),
                }
            }
        }
    };
}
pub(crate) use with_rows;

/// Fetches all rows of a statement around [`batch::any_of`]; `first` are the values before the list.
macro_rules! fetch_list {
    ($tx:expr, $sql:expr, $first:expr, $list:expr) => {
        $crate::storage::with_list!($tx, $sql, $first, $list, query_as, |query, conn| {
            query.fetch_all(conn).await
        })
    };
}
pub(crate) use fetch_list;

/// The same for a statement that answers no rows.
macro_rules! execute_list {
    ($tx:expr, $sql:expr, $first:expr, $list:expr) => {
        $crate::storage::with_list!($tx, $sql, $first, $list, query, |query, conn| {
            query.execute(conn).await.map(|done| done.rows_affected())
        })
    };
}
pub(crate) use execute_list;

macro_rules! with_list {
    ($tx:expr, $sql:expr, $first:expr, $list:expr, $make:ident, |$query:ident, $conn:ident| $run:expr) => {{
        let list: Vec<_> = $list.into_iter().collect();
        match &mut ($tx).conn {
            $crate::storage::Conn::Sqlite(loan, _) => {
                let $conn = &mut **loan;
                let mut $query = sqlx::$make($sql.by_value(list.len()));
                for value in $first {
                    $query = $query.bind(value);
                }
                for value in list {
                    $query = $query.bind(value);
                }
                $run
            }
            $crate::storage::Conn::Postgres(postgres) => {
                let $conn = postgres.connection();
                let mut $query = sqlx::$make($sql.by_column());
                for value in $first {
                    $query = $query.bind(value);
                }
                let $query = $query.bind(list);
                $run
            }
        }
    }};
}
pub(crate) use with_list;

/// How somebody comes to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Before all others.
    Urgent,
    InLine,
    /// In line, and not for long in that of PostgreSQL's locks.
    Brief,
    /// In line, and the commit need not be on disk when it returns.
    Unsynced,
    /// Nor on PostgreSQL.
    Unflushed,
}

impl Db {
    /// A transaction that may write. On SQLite it holds the one writer until it ends.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_as(Turn::InLine).await
    }

    /// The same, before everybody who called [`Db::begin`]: for acknowledgements.
    pub async fn begin_urgent(&self) -> Result<Tx> {
        self.begin_as(Turn::Urgent).await
    }

    /// The same as [`Db::begin`], for what can do without: where a row is locked for longer, its statement fails.
    pub async fn begin_brief(&self) -> Result<Tx> {
        self.begin_as(Turn::Brief).await
    }

    /// The same as [`Db::begin`], for what nobody outside is told before a later commit of the other kind: on SQLite it
    /// is on disk with that one, not by itself. SQLite's log has the order of commits, so a machine that loses its power
    /// loses such commits from the last one backwards, and nothing that was built upon one outlives it; a process that is
    /// killed loses none. PostgreSQL, which can come back without them under a living node, waits for the disk.
    pub async fn begin_unsynced(&self) -> Result<Tx> {
        self.begin_as(Turn::Unsynced).await
    }

    /// The same for what is counted before anything rests upon it: PostgreSQL does not wait for the disk either, and may come
    /// back without it under a living node. A later commit of another kind takes it to the disk too.
    pub async fn begin_unflushed(&self) -> Result<Tx> {
        self.begin_as(Turn::Unflushed).await
    }

    async fn begin_as(&self, turn: Turn) -> Result<Tx> {
        ending::check_no_change_waits();
        Ok(Tx::new(match self {
            Self::Sqlite {
                writer,
                gate,
                flusher,
                ..
            } => {
                let urgent = turn == Turn::Urgent;
                let lasts = !matches!(turn, Turn::Unsynced | Turn::Unflushed);
                // One transaction after another on this thread would otherwise keep it from those whom the last one woke.
                tokio::task::yield_now().await;
                let permit = gate.enter(urgent).await;
                flusher.check()?;
                let mut connection = writer.borrow().await?;
                connection.at_once("BEGIN IMMEDIATE")?;
                let writing = Writing {
                    _permit: permit,
                    flusher: lasts.then(|| flusher.clone()),
                };
                Conn::Sqlite(connection, Some(writing))
            }
            Self::Postgres(pool) => Conn::Postgres(Postgres::Writing(match turn {
                Turn::Unflushed => {
                    let unflushed = "BEGIN; SET LOCAL synchronous_commit = off";
                    pool.begin_with(unflushed).await?
                }
                Turn::Brief => {
                    let brief = "BEGIN; SET LOCAL lock_timeout = '50ms'";
                    pool.begin_with(brief).await?
                }
                _ => pool.begin().await?,
            })),
        }))
    }

    /// A transaction that only reads: one moment's view on SQLite; on PostgreSQL each statement has its own.
    pub async fn read(&self) -> Result<Tx> {
        self.look(Place::Aside).await
    }

    /// The same for what reads a few rows by an index: on SQLite on the thread that asks, which no other can do meanwhile.
    pub async fn glance(&self) -> Result<Tx> {
        self.look(Place::Here).await
    }

    async fn look(&self, place: Place) -> Result<Tx> {
        ending::check_no_change_waits();
        Ok(Tx::new(match self {
            Self::Sqlite { readers, .. } => {
                let mut connection = readers.borrow().await?;
                connection.work(place);
                connection.at_once("BEGIN")?;
                Conn::Sqlite(connection, None)
            }
            Self::Postgres(pool) => Conn::Postgres(Postgres::Reading(pool.acquire().await?)),
        }))
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// Brings everything from SQLite's log into the file and empties the log, so that what was let go of is in neither: at
    /// once, or as soon as nobody reads any more what was there before. PostgreSQL's own log is its operator's.
    pub async fn empty_log(&self) -> Result<()> {
        if let Self::Sqlite {
            gate, checkpoints, ..
        } = self
        {
            checkpoints.empty_log(gate).await?;
        }
        Ok(())
    }

    /// All that was committed is on disk when it returns: for what leaves the gateway outside of any commit.
    pub async fn lasts(&self) -> Result<()> {
        match self {
            Self::Sqlite { flusher, .. } => flusher.flush().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite {
                writer,
                readers,
                checkpoints,
                ..
            } => {
                checkpoints.close().await;
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// What is committed, and may be forgotten by a machine that loses its power.
#[derive(Debug)]
#[must_use]
pub struct Written(Option<flush::Flusher>);

impl Written {
    pub async fn lasts(self) -> Result<()> {
        match self.0 {
            Some(flusher) => flusher.flush().await,
            None => Ok(()),
        }
    }
}

impl Tx {
    fn new(conn: Conn) -> Self {
        Self {
            conn,
            told: Vec::new(),
        }
    }

    /// Commits; what must last does when it returns.
    pub async fn commit(self) -> Result<()> {
        self.write().await?.lasts().await
    }

    /// Commits, and leaves waiting for SQLite's disk to the caller.
    pub async fn write(mut self) -> Result<Written> {
        let told = std::mem::take(&mut self.told);
        stream::append_all_tenants(&mut self, &told).await?;
        match self.conn {
            Conn::Sqlite(mut connection, writing) => {
                connection.at_once("COMMIT")?;
                // Others write while this one waits for the disk.
                drop(connection);
                return Ok(Written(writing.and_then(|writing| writing.flusher)));
            }
            Conn::Postgres(Postgres::Writing(tx)) => tx.commit().await?,
            Conn::Postgres(Postgres::Reading(_)) => {}
        }
        Ok(Written(None))
    }

    /// Says what this transaction does, for whoever follows the tenant's events. It gets its number after the commit.
    pub fn tell(&mut self, event: StreamEvent) {
        self.told.push(event);
    }

    /// The text that this database understands, where the two differ.
    pub(crate) fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.conn {
            Conn::Sqlite(..) => sqlite,
            Conn::Postgres(_) => postgres,
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.conn, Conn::Postgres(_))
    }
}
