//! Group commit of webhook bodies: many POSTs, one transaction, all acknowledged together. What nothing stands before is
//! attached by the same transaction.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::attach::{AttachError, Attached, Attacher};
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
/// After bodies that could not be attached as they came. Whoever waits for a person that is held waits for 50 ms of each of these.
const REST: Duration = Duration::from_millis(500);

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
    /// writing what was queued. Without an attacher all bodies wait for one.
    pub fn new(
        db: Db,
        config: RawWriterConfig,
        (owned, wakeups): (Owned, Arc<Wakeups>),
        attacher: Option<Arc<Attacher>>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, bodies) = mpsc::channel(config.waiting);
        let writing = Writing {
            db: db.clone(),
            config,
            owned,
            wakeups,
            attacher,
        };
        (Self { db, queue }, writing.run(bodies))
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

/// The task that writes.
struct Writing {
    db: Db,
    config: RawWriterConfig,
    owned: Owned,
    wakeups: Arc<Wakeups>,
    attacher: Option<Arc<Attacher>>,
}

impl Writing {
    async fn run(self, mut bodies: mpsc::Receiver<Waiting>) {
        let mut gather = Gather::new(APART, ENOUGH.min(self.config.most));
        let mut group: Vec<Waiting> = Vec::new();
        // Where it could not be done bodies are only kept for a while: the next would wait for the same.
        let mut rests_until = Timestamp::from_millis(0);
        while bodies.recv_many(&mut group, self.config.most).await > 0 {
            gather.fill(&mut group, &mut bodies).await;
            gather.begin();
            let mut rows = Vec::with_capacity(group.len());
            let mut waiting = Vec::with_capacity(group.len());
            for mut one in group.drain(..) {
                rows.append(&mut one.rows);
                waiting.push(one.done);
            }
            let written = match self.at_once(&rows, &mut rests_until).await {
                Some(left) => Ok(left),
                None => self.keep(&rows).await.map(|()| Left::Waiting),
            };
            for done in waiting {
                // Whoever hung up will send it again; the event is known by then.
                let _ = done.send(written.as_ref().map(drop).map_err(|_| WriteError::Failed));
            }
            match written {
                Ok(left) => self.tell(&rows, left),
                Err(error) => {
                    tracing::error!(%error, rows = rows.len(), "webhook bodies could not be written")
                }
            }
        }
    }

    /// Takes the bodies in and attaches them, as far as none stands before them. `None`: they are still to be kept.
    async fn at_once(&self, rows: &[NewRaw], rests_until: &mut Timestamp) -> Option<Left> {
        let attacher = self.attacher.as_ref()?;
        if attacher.clock.now() < *rests_until {
            return None;
        }
        let done = async {
            let Some(at_once) = attacher.at_once(rows).await? else {
                return Ok(None);
            };
            let all = at_once.has_all(rows);
            let attached = attacher.take_in(rows, at_once).await?;
            Ok::<_, AttachError>(Some(Left::Attached { attached, all }))
        };
        done.await.unwrap_or_else(|error| {
            match error {
                AttachError::Many | AttachError::Late | AttachError::Race => {}
                error => {
                    tracing::info!(%error, "bodies are not attached as they come; they are kept first");
                }
            }
            *rests_until = attacher.clock.now().plus(REST);
            None
        })
    }

    async fn keep(&self, rows: &[NewRaw]) -> Result<()> {
        if let Some(attacher) = &self.attacher {
            attacher.waits(rows);
        }
        let mut tx = self.db.begin_urgent().await?;
        let held = CommitTimer::start("raw", rows.len());
        raw::append_all_tenants(&mut tx, rows, None).await?;
        let written = tx.write().await?;
        drop(held);
        written.lasts().await
    }

    fn tell(&self, rows: &[NewRaw], left: Left) {
        if let Left::Attached { attached, all } = left {
            if let Some(attacher) = &self.attacher {
                attacher.hand_on(attached);
            }
            if all {
                return;
            }
        }
        let owned = self.owned.borrow();
        let ours = |bucket: Bucket| owned.owns(bucket);
        if rows.iter().any(|row| ours(row.lane.bucket)) {
            self.wakeups.raw.notify_one();
        }
        if rows.iter().any(|row| !ours(row.lane.bucket)) {
            self.wakeups.raw_elsewhere();
        }
    }
}

/// What is left to be done for a group that was written.
enum Left {
    /// All of it waits to be attached.
    Waiting,
    /// What was attached has to be handed on; unless that is `all`, the rest waits.
    Attached { attached: Attached, all: bool },
}
