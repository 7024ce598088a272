//! A database for one test, of either kind, and the way to run one test body on both.

use sqlx::{
    Connection, Database, Executor, FromRow, IntoArguments, PgConnection, SqliteConnection,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use vestibule::domain::Timestamp;
use vestibule::storage::{self, Db, OpenOptions};

use crate::postgres::{self, FreshDatabase};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A fresh database, migrated, nobody else's. Processes can share it by its URL; it goes with the value.
#[derive(Debug)]
pub struct TestDatabase {
    pub kind: Kind,
    pub url: String,
    _whole: Whole,
}

/// What goes when the value goes.
#[derive(Debug)]
enum Whole {
    Folder { _folder: TempDir },
    Database { _database: FreshDatabase },
}

impl TestDatabase {
    /// `None`: the machine has no PostgreSQL (and is not CI).
    pub async fn fresh(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sqlite => Some(Self::sqlite().await),
            Kind::Postgres => Self::postgres().await,
        }
    }

    async fn sqlite() -> Self {
        static MIGRATED: OnceCell<Vec<u8>> = OnceCell::const_new();
        let migrated = MIGRATED.get_or_init(migrated_file).await;
        let database = Self::in_a_folder();
        let file = database.file().expect("SQLite");
        std::fs::write(file, migrated).expect("a database's file");
        database
    }

    /// SQLite, and nothing in it yet.
    fn in_a_folder() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("vestibule.db").display());
        Self {
            kind: Kind::Sqlite,
            url,
            _whole: Whole::Folder { _folder: folder },
        }
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite:")
    }

    async fn postgres() -> Option<Self> {
        let cluster = postgres::shared()?;
        let database = FreshDatabase::create(cluster)
            .await
            .unwrap_or_else(|error| panic!("no fresh database: {error:#}"));
        Some(Self {
            kind: Kind::Postgres,
            url: database.url(),
            _whole: Whole::Database {
                _database: database,
            },
        })
    }

    /// The answer of a query that counts: a look from outside, for what no code of the gateway asks.
    pub async fn count(&self, query: &'static str) -> i64 {
        let asked = match self.kind {
            Kind::Sqlite => count(SqliteConnection::connect(&self.url).await, query).await,
            Kind::Postgres => count(PgConnection::connect(&self.url).await, query).await,
        };
        asked.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// Something that no code of the gateway does, done from outside.
    pub async fn execute(&self, statement: &'static str) {
        let done = match self.kind {
            Kind::Sqlite => execute(SqliteConnection::connect(&self.url).await, statement).await,
            Kind::Postgres => execute(PgConnection::connect(&self.url).await, statement).await,
        };
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// The answers of a query for texts.
    pub async fn texts(&self, query: &'static str) -> Vec<String> {
        let asked = match self.kind {
            Kind::Sqlite => texts(SqliteConnection::connect(&self.url).await, query).await,
            Kind::Postgres => texts(PgConnection::connect(&self.url).await, query).await,
        };
        asked.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// A connection pool of its own. Close it, or let it go with the test.
    pub async fn open(&self) -> Db {
        storage::open(&OpenOptions::new(&self.url))
            .await
            .expect("an open database")
    }
}

/// Migrating takes longer than most tests: it is done once.
async fn migrated_file() -> Vec<u8> {
    let database = TestDatabase::in_a_folder();
    let db = database.open().await;
    storage::migrate::migrate(&db, now())
        .await
        .expect("a migrated database");
    // The last connection brings the log into the file.
    db.close().await;
    let file = database.file().expect("SQLite");
    std::fs::read(file).expect("the database's file")
}

async fn count<C>(connection: sqlx::Result<C>, query: &'static str) -> sqlx::Result<i64>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
    for<'q> <C::Database as Database>::Arguments: IntoArguments<C::Database>,
    (i64,): for<'r> FromRow<'r, <C::Database as Database>::Row>,
{
    let (count,) = sqlx::query_as(query).fetch_one(&mut connection?).await?;
    Ok(count)
}

async fn execute<C>(connection: sqlx::Result<C>, statement: &'static str) -> sqlx::Result<()>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    connection?.execute(statement).await?;
    Ok(())
}

async fn texts<C>(connection: sqlx::Result<C>, query: &'static str) -> sqlx::Result<Vec<String>>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
    for<'q> <C::Database as Database>::Arguments: IntoArguments<C::Database>,
    (String,): for<'r> FromRow<'r, <C::Database as Database>::Row>,
{
    let rows: Vec<(String,)> = sqlx::query_as(query).fetch_all(&mut connection?).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Runs one test body on SQLite and, where there is one, on PostgreSQL. A panic says which it was.
pub async fn for_each_database(body: impl AsyncFn(TestDatabase)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(database) = TestDatabase::fresh(kind).await else {
            continue;
        };
        eprintln!("on {kind:?}: {}", database.url);
        body(database).await;
    }
}

/// The real time: partitions of the schema are made from it on.
#[allow(
    clippy::disallowed_methods,
    reason = "the harness is outside of what must be deterministic"
)]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    Timestamp::from_millis(
        i64::try_from(since.as_millis()).expect("a clock before the year 292 million"),
    )
}
