//! One connection: the library's handle, and where its statements run.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use sqlx_core::Either;
use sqlx_core::describe::Describe;
use sqlx_core::error::Error;
use sqlx_core::executor::{Execute, Executor};
use sqlx_core::sql_str::SqlStr;
use sqlx_core::transaction::{Transaction, TransactionManager};

use super::run::{Answer, Asked, look_at};
use super::{Done, Embedded, Kind, Row, Statement, error, flush};
use crate::sync::{into_inner, lock};

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the thread that asks: for what takes some milliseconds at most.
    Here,
    /// On one of tokio's threads for blocking work.
    Aside,
}

/// What a connection is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    pub file: PathBuf,
    pub pragmas: Vec<(&'static str, String)>,
    pub statements: usize,
    pub place: Place,
}

#[derive(Debug)]
pub struct Connection {
    /// Away while a statement runs aside. Who gives up waiting for it has lost it: it is closed when the statement ends.
    /// The mutex is never waited for: it lets the futures that hold a connection be sent.
    db: Option<Mutex<rusqlite::Connection>>,
    place: Place,
}

/// A statement before this one took the connection with it.
fn lost() -> Error {
    Error::WorkerCrashed
}

impl Options {
    pub fn open(&self) -> Result<Connection, Error> {
        let db = rusqlite::Connection::open(&self.file).map_err(error::from)?;
        db.set_prepared_statement_cache_capacity(self.statements);
        for (name, value) in &self.pragmas {
            db.pragma_update(None, name, value).map_err(error::from)?;
        }
        Ok(Connection {
            db: Some(Mutex::new(db)),
            place: self.place,
        })
    }
}

impl Connection {
    /// Statements without values and without rows, at once and here: `BEGIN` and its like.
    pub fn at_once(&mut self, sql: &str) -> Result<(), Error> {
        self.here()?.execute_batch(sql).map_err(error::from)
    }

    /// The database's file, as SQLite names it.
    pub fn file(&mut self) -> Result<String, Error> {
        let sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
        let file = self.here()?.query_row(sql, [], |row| row.get(0));
        file.map_err(error::from)
    }

    fn here(&mut self) -> Result<&mut rusqlite::Connection, Error> {
        let db = self.db.as_mut().ok_or_else(lost)?;
        Ok(db.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same place for what is known to take longer, or no longer, than what the connection was opened for.
    pub fn work(&mut self, place: Place) {
        self.place = place;
    }

    pub fn is_in_transaction(&self) -> bool {
        self.db.as_ref().is_some_and(|db| !lock(db).is_autocommit())
    }

    /// Can it be used again?
    pub fn is_whole(&self) -> bool {
        self.db.is_some()
    }

    async fn run(&mut self, asked: Result<Asked, Error>) -> Result<Answer, Error> {
        let asked = asked?;
        if self.place == Place::Here {
            return asked.run(self.here()?);
        }
        self.aside(move |db| asked.run(db)).await
    }

    /// What was written to the database's file goes to the disk.
    pub async fn flush_file(&mut self) -> Result<(), Error> {
        self.aside(|db| flush::flush(db).map_err(error::from)).await
    }

    /// On a thread for blocking work.
    async fn aside<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut rusqlite::Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let db = self.db.take().ok_or_else(lost)?;
        let working = tokio::task::spawn_blocking(move || {
            let answer = work(&mut lock(&db));
            (answer, db)
        });
        let (answer, db) = working.await.map_err(|_| lost())?;
        self.db = Some(db);
        answer
    }
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Embedded;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Done, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Embedded>,
    {
        let asked = Asked::of(query);
        Box::pin(async move { Ok(self.run(asked).await?.done) })
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Embedded>,
    {
        let asked = Asked::of(query);
        Box::pin(async move { Ok(self.run(asked).await?.rows) })
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<Done, Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Embedded>,
    {
        let asked = Asked::of(query);
        stream::once(async move { self.run(asked).await })
            .flat_map(|answer| {
                stream::iter(match answer {
                    Ok(Answer { rows, done }) => {
                        let rows = rows.into_iter().map(|row| Ok(Either::Right(row)));
                        rows.chain([Ok(Either::Left(done))]).collect()
                    }
                    Err(error) => vec![Err(error)],
                })
            })
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Embedded>,
    {
        let asked = Asked::of(query);
        Box::pin(async move { Ok(self.run(asked).await?.rows.into_iter().next()) })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        _parameters: &'e [Kind],
    ) -> BoxFuture<'e, Result<Statement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move { look_at(self.here()?, sql) })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Embedded>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let Statement {
                parameters,
                columns,
                ..
            } = look_at(self.here()?, sql)?;
            Ok(Describe {
                nullable: vec![None; columns.len()],
                parameters: Some(Either::Right(parameters)),
                columns,
            })
        })
    }
}

impl sqlx_core::connection::Connection for Connection {
    type Database = Embedded;
    type Options = Options;

    async fn close(self) -> Result<(), Error> {
        let Some(db) = self.db else { return Ok(()) };
        into_inner(db)
            .close()
            .map_err(|(_, error)| error::from(error))
    }

    async fn close_hard(self) -> Result<(), Error> {
        self.close().await
    }

    async fn ping(&mut self) -> Result<(), Error> {
        self.at_once("SELECT 1")
    }

    async fn begin(&mut self) -> Result<Transaction<'_, Embedded>, Error> {
        Transaction::begin(self, None).await
    }

    fn shrink_buffers(&mut self) {}

    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn should_flush(&self) -> bool {
        false
    }
}

/// sqlx's way to open one by an address; ours come from [`Options::open`].
impl FromStr for Options {
    type Err = Error;

    fn from_str(address: &str) -> Result<Self, Error> {
        let known = sqlx::sqlite::SqliteConnectOptions::from_str(address)?;
        Ok(Self {
            file: known.get_filename().to_owned(),
            pragmas: Vec::new(),
            statements: 0,
            place: Place::Aside,
        })
    }
}

impl sqlx_core::connection::ConnectOptions for Options {
    type Connection = Connection;

    fn from_url(url: &sqlx_core::Url) -> Result<Self, Error> {
        url.as_str().parse()
    }

    async fn connect(&self) -> Result<Connection, Error> {
        self.open()
    }

    /// Statements are not logged, but for slow ones.
    fn log_statements(self, _level: log::LevelFilter) -> Self {
        self
    }

    fn log_slow_statements(self, _level: log::LevelFilter, _duration: Duration) -> Self {
        self
    }
}

#[derive(Debug)]
pub struct Transactions;

impl TransactionManager for Transactions {
    type Database = Embedded;

    async fn begin(connection: &mut Connection, statement: Option<SqlStr>) -> Result<(), Error> {
        connection.at_once(statement.as_ref().map_or("BEGIN", SqlStr::as_str))
    }

    async fn commit(connection: &mut Connection) -> Result<(), Error> {
        connection.at_once("COMMIT")
    }

    async fn rollback(connection: &mut Connection) -> Result<(), Error> {
        connection.at_once("ROLLBACK")
    }

    fn start_rollback(connection: &mut Connection) {
        // Should it fail, the next `BEGIN` says so.
        let _ = connection.at_once("ROLLBACK");
    }

    fn get_transaction_depth(connection: &Connection) -> usize {
        usize::from(connection.is_in_transaction())
    }
}
