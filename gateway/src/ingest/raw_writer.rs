//! Group commit of webhook bodies: many POSTs, one transaction, all acknowledged together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::domain::{AppId, Bucket, Timestamp};
use crate::ownership::{Owned, Wakeups};
use crate::storage::raw::{self, NewRaw};
use crate::storage::{Db, Gather, Result, apps};
use crate::sync::Precedence;
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
/// When no body came for so long, there is no flood.
const CALM: Duration = Duration::from_millis(5);

/// What one POST waits for.
struct Waiting {
    rows: Vec<NewRaw>,
    since: Instant,
    done: oneshot::Sender<Result<(), WriteError>>,
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long somebody has waited decides who goes first, never what is stored"
)]
fn now() -> Instant {
    Instant::now()
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
        precedence: Precedence,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, bodies) = mpsc::channel(config.waiting);
        let told = Told {
            owned,
            wakeups,
            precedence,
        };
        let writing = write(db.clone(), config, told, bodies);
        (Self { db, queue }, writing)
    }

    /// Returns when the rows are committed. Rows of one call are committed together.
    pub async fn append(&self, rows: Vec<NewRaw>) -> Result<(), WriteError> {
        let (done, answer) = oneshot::channel();
        let since = now();
        self.queue
            .try_send(Waiting { rows, since, done })
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
    precedence: Precedence,
}

async fn write(db: Db, config: RawWriterConfig, told: Told, mut bodies: mpsc::Receiver<Waiting>) {
    let mut gather = Gather::new(APART, ENOUGH.min(config.most));
    let mut group: Vec<Waiting> = Vec::new();
    let mut announced = None;
    let mut usual = Duration::MAX;
    while told.next(&mut group, &mut bodies, config.most).await > 0 {
        if !gather.is_enough(&group) {
            // Others may have the writer meanwhile.
            announced = None;
            gather.fill(&mut group, &mut bodies).await;
        }
        gather.begin();
        announced = announced.or_else(|| db.announce_urgent());
        let longest = group.first().map(|first| first.since);
        let mut rows = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for mut one in group.drain(..) {
            rows.append(&mut one.rows);
            waiting.push(one.done);
        }
        let began = now();
        let written = commit(&db, &rows).await;
        usual = commits_usually(usual, now() - began);
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
        if let Some(longest) = longest {
            // A body waits for the commit before its own and for its own, however idle the node is.
            let without = (now() - longest).saturating_sub(2 * usual);
            told.precedence.waited(without);
        }
        if bodies.is_empty() {
            announced = None;
        }
    }
}

/// How long a commit takes when nobody is in its way: the shortest, which is forgotten slowly.
fn commits_usually(usual: Duration, took: Duration) -> Duration {
    took.min(usual.saturating_add(usual / 64))
}

async fn commit(db: &Db, rows: &[NewRaw]) -> Result<()> {
    let mut tx = db.begin_urgent().await?;
    let _held = CommitTimer::start("raw", rows.len());
    raw::append_all_tenants(&mut tx, rows).await?;
    tx.commit().await
}

impl Told {
    /// Waits for bodies. When none comes soon, nobody's is late any more.
    async fn next(
        &self,
        group: &mut Vec<Waiting>,
        bodies: &mut mpsc::Receiver<Waiting>,
        most: usize,
    ) -> usize {
        if self.precedence.is_late() {
            match timeout(CALM, bodies.recv_many(group, most)).await {
                Ok(came) => return came,
                Err(_) => self.precedence.calm(),
            }
        }
        bodies.recv_many(group, most).await
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_is_usual_and_a_commit_that_others_delay_is_not() {
        let ms = Duration::from_millis;
        let slow = (0..10).fold(Duration::MAX, |usual, _| commits_usually(usual, ms(40)));
        assert_eq!(slow, ms(40));
        let delayed = commits_usually(slow, ms(400));
        assert!(delayed < ms(41), "{delayed:?}");
        assert_eq!(commits_usually(delayed, ms(2)), ms(2));
        let slower = (0..200).fold(ms(2), |usual, _| commits_usually(usual, ms(30)));
        assert_eq!(slower, ms(30), "it is learnt");
    }
}
