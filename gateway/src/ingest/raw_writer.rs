//! Group commit of webhook bodies: many POSTs, one transaction, all acknowledged together. What nothing stands before is
//! attached by the same transaction. While one group is flushed to disk the next is written.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::attach::{AttachError, Attached, Attacher};
use crate::domain::{AppId, Bucket, Timestamp};
use crate::ownership::{Owned, Wakeups};
use crate::storage::raw::{self, NewRaw};
use crate::storage::{Db, Gather, Result, Written, apps};
use crate::sync;
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
/// Groups that are written and wait for the disk, beyond which none is written: a disk that stands still is to be seen as 503.
const LASTING: usize = 8;
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

    /// Returns when the rows are on disk. Rows of one call are committed together.
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
        let mut lasting = JoinSet::new();
        loop {
            tokio::select! {
                came = bodies.recv_many(&mut group, self.config.most), if lasting.len() < LASTING => {
                    if came == 0 {
                        break;
                    }
                }
                Some(ended) = lasting.join_next() => {
                    sync::joined(ended);
                    continue;
                }
            }
            gather.fill(&mut group, &mut bodies).await;
            gather.begin();
            let mut rows = Vec::with_capacity(group.len());
            let mut waiting = Vec::with_capacity(group.len());
            for mut one in group.drain(..) {
                rows.append(&mut one.rows);
                waiting.push(one.done);
            }
            let wrote = match self.at_once(&rows, &mut rests_until).await {
                Some(wrote) => Ok(wrote),
                None => self.keep(&rows).await,
            };
            let written = wrote.map(|(left, written)| {
                // What comes of it is written behind it, and lasts no longer than it does.
                self.tell(&rows, left);
                written
            });
            lasting.spawn(answer(waiting, rows.len(), written));
        }
        lasting.join_all().await;
    }

    /// Takes the bodies in and attaches them, as far as none stands before them. `None`: they are still to be kept.
    async fn at_once(
        &self,
        rows: &[NewRaw],
        rests_until: &mut Timestamp,
    ) -> Option<(Left, Written)> {
        let attacher = self.attacher.as_ref()?;
        if attacher.clock.now() < *rests_until {
            return None;
        }
        let done = async {
            let Some(at_once) = attacher.at_once(rows).await? else {
                return Ok(None);
            };
            let all = at_once.has_all(rows);
            let (attached, written) = attacher.take_in(rows, at_once).await?;
            Ok::<_, AttachError>(Some((Left::Attached { attached, all }, written)))
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

    async fn keep(&self, rows: &[NewRaw]) -> Result<(Left, Written)> {
        if let Some(attacher) = &self.attacher {
            attacher.waits(rows);
        }
        let mut tx = self.db.begin_urgent().await?;
        let _held = CommitTimer::start("raw", rows.len());
        raw::append_all_tenants(&mut tx, rows, None).await?;
        Ok((Left::Waiting, tx.write().await?))
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

/// Answers those whose bodies were written, as soon as that lasts.
async fn answer(
    waiting: Vec<oneshot::Sender<Result<(), WriteError>>>,
    rows: usize,
    written: Result<Written>,
) {
    let lasts = async { written?.lasts().await }.await;
    if let Err(error) = &lasts {
        tracing::error!(%error, rows, "webhook bodies could not be written");
    }
    for done in waiting {
        // Whoever hung up will send it again; the event is known by then.
        let _ = done.send(lasts.as_ref().copied().map_err(|_| WriteError::Failed));
    }
}

/// What is left to be done for a group that was written.
enum Left {
    /// All of it waits to be attached.
    Waiting,
    /// What was attached has to be handed on; unless that is `all`, the rest waits.
    Attached { attached: Attached, all: bool },
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::SyncSender;

    use bytes::Bytes;
    use tokio::sync::watch;

    use super::*;
    use crate::domain::{NumberId, RawId};
    use crate::storage::raw::{Lane, Whose};
    use crate::storage::{self, OpenOptions, migrate};

    /// A writer of a database whose flushes end when they are let.
    struct Desk {
        writer: RawWriter,
        lets: SyncSender<bool>,
        _folder: tempfile::TempDir,
        _owned: watch::Sender<Arc<crate::ownership::OwnedBuckets>>,
    }

    impl Desk {
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let url = format!("sqlite:{}", folder.path().join("v.db").display());
            let db = storage::open(&OpenOptions::new(url)).await.expect("opened");
            migrate::migrate(&db, Timestamp::ZERO)
                .await
                .expect("migrated");
            let (db, lets) = db.held_back();
            let (owner, owned) = watch::channel(Arc::default());
            let config = RawWriterConfig {
                most: 16,
                waiting: 16,
            };
            let (writer, writing) = RawWriter::new(db, config, (owned, Arc::default()), None);
            tokio::spawn(writing);
            Self {
                writer,
                lets,
                _folder: folder,
                _owned: owner,
            }
        }

        /// A POST that waits for its answer.
        fn posts(&self, id: i64) -> tokio::task::JoinHandle<Result<(), WriteError>> {
            let writer = self.writer.clone();
            let row = NewRaw {
                id: RawId::from_raw(id),
                app: AppId::from_raw(1),
                lane: Lane {
                    bucket: Bucket::from_raw(0).expect("a bucket"),
                    whose: Whose::Number(NumberId::from_raw(1)),
                },
                part_of: None,
                received_at: Timestamp::from_millis(1),
                body: Bytes::from_static(b"{}"),
            };
            tokio::spawn(async move { writer.append(vec![row]).await })
        }

        /// Until so many bodies are written.
        async fn written(&self, bodies: i64) {
            loop {
                let mut tx = self.writer.db.glance().await.expect("begun");
                if raw::count_unattached_all_tenants(&mut tx)
                    .await
                    .expect("a count")
                    == bodies
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }

        async fn let_flush(&self, well: bool) {
            let lets = self.lets.clone();
            let sent = tokio::task::spawn_blocking(move || lets.send(well)).await;
            sent.expect("no panic").expect("somebody flushes");
        }
    }

    #[tokio::test]
    async fn the_next_group_is_written_while_one_waits_for_the_disk_and_each_is_answered_after_it()
    {
        let desk = Desk::new().await;
        let first = desk.posts(1);
        desk.written(1).await;
        let second = desk.posts(2);
        desk.written(2).await;
        assert!(!first.is_finished() && !second.is_finished());
        desk.let_flush(true).await;
        assert_eq!(first.await.expect("no panic"), Ok(()));
        assert!(!second.is_finished(), "its flush has to begin after it");
        desk.let_flush(true).await;
        assert_eq!(second.await.expect("no panic"), Ok(()));
    }

    #[tokio::test]
    async fn no_more_is_written_than_a_few_groups_beside_a_disk_that_stands_still() {
        let desk = Desk::new().await;
        let mut posts = Vec::new();
        for n in 1..=LASTING as i64 {
            posts.push(desk.posts(n));
            desk.written(n).await;
        }
        // One more waits, and so do all that the queue has places for; what comes then is refused.
        let more: Vec<_> = (0..17).map(|n| desk.posts(100 + n)).collect();
        let refused = futures::future::select_all(more).await;
        assert_eq!(refused.0.expect("no panic"), Err(WriteError::Full));
        desk.written(LASTING as i64).await;
        assert!(posts.iter().all(|post| !post.is_finished()));
    }

    #[tokio::test]
    async fn a_disk_that_refuses_acknowledges_nothing() {
        let desk = Desk::new().await;
        let post = desk.posts(1);
        desk.let_flush(false).await;
        assert_eq!(post.await.expect("no panic"), Err(WriteError::Failed));
        let next = desk.posts(2).await;
        assert_eq!(next.expect("no panic"), Err(WriteError::Failed));
    }
}
