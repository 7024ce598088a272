//! The yardstick: a bare axum server that verifies the HMAC and group-commits the raw body, and does nothing else.
//!
//! Every budget is a ratio to it, measured in the same run on the same database kind, so that a table says something
//! about the gateway and little about the machine. It shares no code with the gateway on purpose.

use std::net::SocketAddr;
use std::str::FromStr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

/// Bodies in one transaction, and rows in one statement.
const GROUP: usize = 512;
const ROWS: usize = 64;

struct Waiting {
    body: Bytes,
    done: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Server {
    key: Hmac<Sha256>,
    queue: mpsc::Sender<Waiting>,
}

/// Serves until the process is killed.
pub async fn serve(listen: SocketAddr, database: &str, secret: &str) -> anyhow::Result<()> {
    let (queue, waiting) = mpsc::channel(8_192);
    let store = Store::open(database).await?;
    tokio::spawn(group_commit(store, waiting));
    let key = Hmac::new_from_slice(secret.as_bytes())?;
    let routes = Router::new()
        .route(crate::bodies::PATH, post(webhook))
        .with_state(Server { key, queue });
    let listener = tokio::net::TcpListener::bind(listen).await?;
    Ok(axum::serve(listener, routes).await?)
}

async fn webhook(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !is_signed(&server.key, &headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let (done, committed) = oneshot::channel();
    if server.queue.send(Waiting { body, done }).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match committed.await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn is_signed(key: &Hmac<Sha256>, headers: &HeaderMap, body: &[u8]) -> bool {
    let header = headers
        .get("x-hub-signature-256")
        .map(|value| value.as_bytes());
    let Some(digits) = header.and_then(|value| value.strip_prefix(b"sha256=")) else {
        return false;
    };
    let mut digest = [0; 32];
    let mut mac = key.clone();
    mac.update(body);
    hex::decode_to_slice(digits, &mut digest).is_ok() && mac.verify_slice(&digest).is_ok()
}

async fn group_commit(mut store: Store, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut next_id = 1;
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let stored = store.append(next_id, &group).await;
        next_id += i64::try_from(group.len()).expect("a small group");
        match stored {
            Ok(()) => group.drain(..).for_each(acknowledge),
            // Dropping the senders answers 500 to everybody of the group.
            Err(_) => group.clear(),
        }
    }
}

fn acknowledge(one: Waiting) {
    // Nobody waits any more when the connection broke; the body is stored all the same.
    let _ = one.done.send(());
}

enum Store {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

const BIND_ROW: &str = "(?, ?, ?)";

impl Store {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let mut store = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full);
            Self::Sqlite(options.connect().await?)
        } else {
            Self::Postgres(PgConnectOptions::from_str(url)?.connect().await?)
        };
        match &mut store {
            Self::Sqlite(db) => db
                .execute("CREATE TABLE raw (id INTEGER PRIMARY KEY, at INTEGER, body BLOB)")
                .await
                .map(drop)?,
            Self::Postgres(db) => db
                .execute("CREATE TABLE raw (id BIGINT PRIMARY KEY, at BIGINT, body BYTEA)")
                .await
                .map(drop)?,
        }
        Ok(store)
    }

    /// One transaction; returns after its commit is on disk.
    async fn append(&mut self, first_id: i64, group: &[Waiting]) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(db) => append_sqlite(db, first_id, group).await,
            Self::Postgres(db) => append_postgres(db, first_id, group).await,
        }
    }
}

async fn append_sqlite(
    db: &mut SqliteConnection,
    mut id: i64,
    group: &[Waiting],
) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    for rows in group.chunks(ROWS) {
        let text = format!(
            "INSERT INTO raw VALUES {}",
            vec![BIND_ROW; rows.len()].join(",")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for row in rows {
            query = query.bind(id).bind(0_i64).bind(&row.body[..]);
            id += 1;
        }
        query.execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Arrays instead of rows of binds: one prepared statement for every size of group.
async fn append_postgres(
    db: &mut PgConnection,
    first_id: i64,
    group: &[Waiting],
) -> sqlx::Result<()> {
    let ids: Vec<i64> = (first_id..).take(group.len()).collect();
    let bodies: Vec<&[u8]> = group.iter().map(|one| &one.body[..]).collect();
    let mut tx = db.begin().await?;
    sqlx::query(
        "INSERT INTO raw SELECT id, 0, body FROM unnest($1::bigint[], $2::bytea[]) AS t (id, body)",
    )
    .bind(ids)
    .bind(bodies)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
