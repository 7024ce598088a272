//! Group commit of webhook bodies: many POSTs, one transaction, all acknowledged together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::domain::{AppId, Bucket, Timestamp};
use crate::ownership::{Owned, Wakeups};
use crate::storage::raw::{self, NewRaw};
use crate::storage::{Db, Gather, Result, apps};
use crate::telemetry::CommitTimer;

/// How bodies are grouped.
#[derive(Debug, Clone, Copy)]
pub struct RawWriterConfig {
    /// Most rows in one transaction.
    pub most: usize,
    /// POSTs that may wait for their commit; beyond it they are answered 503 and Meta tries again.
    pub waiting: usize,
}

/// The body was not kept: Meta must not get its 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("too many webhooks wait to be written")]
    Full,
    #[error("the database did not take the body")]
    Failed,
}

/// How far apart commits begin, and how many bodies do not wait. Guesses: a commit takes a millisecond, and the budget of
/// a whole turn is ten.
const APART: Duration = Duration::from_millis(3);
const ENOUGH: usize = 32;

/// What one POST waits for.
struct Waiting {
    rows: Vec<NewRaw>,
    done: oneshot::Sender<Result<(), WriteError>>,
}

/// Takes bodies and answers when they are on disk.
#[derive(Debug, Clone)]
pub struct RawWriter {
    db: Db,
    queue: mpsc::Sender<Waiting>,
}

impl RawWriter {
    /// A handle, and the writing task for the caller to run and to watch. It ends when every handle is gone, after
    /// writing what was queued.
    pub fn new(
        db: Db,
        config: RawWriterConfig,
        owned: Owned,
        wakeups: Arc<Wakeups>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, bodies) = mpsc::channel(config.waiting);
        let told = Told { owned, wakeups };
        let writing = write(db.clone(), config, told, bodies);
        (Self { db, queue }, writing)
    }

    /// Returns when the rows are committed. Rows of one call are committed together.
    pub async fn append(&self, rows: Vec<NewRaw>) -> Result<(), WriteError> {
        let (done, answer) = oneshot::channel();
        self.queue
            .try_send(Waiting { rows, done })
            .map_err(|_| WriteError::Full)?;
        answer.await.unwrap_or(Err(WriteError::Failed))
    }

    /// Notes that Meta has verified the callback URL of an app. The handshake does not fail for it.
    pub async fn verified(&self, app: AppId, now: Timestamp) {
        let noted = async {
            let mut tx = self.db.begin_urgent().await?;
            apps::verified_all_tenants(&mut tx, app, now).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, %app, "that the callback URL was verified is not written down");
        }
    }
}

/// Who hears of bodies.
struct Told {
    owned: Owned,
    wakeups: Arc<Wakeups>,
}

async fn write(db: Db, config: RawWriterConfig, told: Told, mut bodies: mpsc::Receiver<Waiting>) {
    let mut gather = Gather::new(APART, ENOUGH.min(config.most));
    let mut group: Vec<Waiting> = Vec::new();
    let mut announced = None;
    while bodies.recv_many(&mut group, config.most).await > 0 {
        if !gather.is_enough(&group) {
            // Others may have the writer meanwhile.
            announced = None;
            gather.fill(&mut group, &mut bodies).await;
        }
        gather.begin();
        announced = announced.or_else(|| db.announce_urgent());
        let mut rows = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for mut one in group.drain(..) {
            rows.append(&mut one.rows);
            waiting.push(one.done);
        }
        let written = commit(&db, &rows).await;
        let answer = match &written {
            Ok(()) => Ok(()),
            Err(_) => Err(WriteError::Failed),
        };
        for done in waiting {
            // Whoever hung up will send it again; the event is known by then.
            let _ = done.send(answer);
        }
        match written {
            Ok(()) => told.of(&rows),
            Err(error) => {
                tracing::error!(%error, rows = rows.len(), "webhook bodies could not be written")
            }
        }
        if bodies.is_empty() {
            announced = None;
        }
    }
}

async fn commit(db: &Db, rows: &[NewRaw]) -> Result<()> {
    let mut tx = db.begin_urgent().await?;
    let _held = CommitTimer::start("raw", rows.len());
    raw::append_all_tenants(&mut tx, rows).await?;
    tx.commit().await
}

impl Told {
    fn of(&self, rows: &[NewRaw]) {
        let owned = self.owned.borrow();
        let ours = |bucket: Bucket| owned.owns(bucket);
        if rows.iter().any(|row| ours(row.bucket)) {
            self.wakeups.raw.notify_one();
        }
        if rows.iter().any(|row| !ours(row.bucket)) {
            self.wakeups.raw_elsewhere();
        }
    }
}
