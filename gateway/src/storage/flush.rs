//! SQLite's log goes to the disk beside the writer: a commit is written, the next one begins, and who must know that it
//! lasts waits for a flush that began after it. One flush serves all who asked before it began.
//!
//! SQLite would flush within the commit, while nobody else can write. What is seen in between is what a machine that
//! loses its power may forget; the log has the order of commits, so nothing that was built upon it outlives it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::{Result, StorageError};

/// Flushes when asked, on a thread of its own, until it is dropped.
#[derive(Debug, Clone)]
pub struct Flusher {
    asked: Sender<oneshot::Sender<bool>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The disk has refused once. What it lost is not known, and a later flush would not say: nothing is written any more.
    failed: AtomicBool,
    /// Flushes so far.
    count: AtomicU64,
}

impl Flusher {
    /// For the log of this database.
    pub(super) fn of(database: &Path) -> Result<Self> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        Self::start(move || flush(&log))
    }

    fn start(flush: impl FnMut() -> io::Result<()> + Send + 'static) -> Result<Self> {
        let (asked, asking) = channel();
        let state = Arc::<State>::default();
        let keeping = state.clone();
        std::thread::Builder::new()
            .name("flush".to_owned())
            .spawn(move || keep_flushing(&asking, &keeping, flush))
            .map_err(sqlx::Error::Io)?;
        Ok(Self { asked, state })
    }

    /// Everything that was committed before is on disk when it returns.
    pub(super) async fn flush(&self) -> Result<()> {
        let (done, flushed) = oneshot::channel();
        // Should the thread be gone, `done` is too.
        let _ = self.asked.send(done);
        match flushed.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(StorageError::Disk),
        }
    }

    /// Refuses to begin what could not last.
    pub(super) fn check(&self) -> Result<()> {
        match self.state.failed.load(Ordering::Acquire) {
            true => Err(StorageError::Disk),
            false => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.state.count.load(Ordering::Acquire)
    }
}

fn keep_flushing(
    asking: &Receiver<oneshot::Sender<bool>>,
    state: &State,
    mut flush: impl FnMut() -> io::Result<()>,
) {
    while let Ok(first) = asking.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(asking.try_iter()).collect();
        if !state.failed.load(Ordering::Acquire)
            && let Err(error) = flush()
        {
            tracing::error!(%error, "SQLite's log could not be flushed to disk; nothing is written any more");
            state.failed.store(true, Ordering::Release);
        }
        state.count.fetch_add(1, Ordering::AcqRel);
        let lasts = !state.failed.load(Ordering::Acquire);
        for done in waiting {
            // Whoever gave up waiting is not told.
            let _ = done.send(lasts);
        }
    }
}

/// Opened anew each time: SQLite makes another log when it has removed one, which it does only when all of it is in the
/// database, and flushed.
fn flush(log: &Path) -> io::Result<()> {
    match File::open(log) {
        Ok(log) => log.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn one_flush_serves_all_who_asked_before_it_began() {
        let (begins, begun) = sync_channel(0);
        let (goes_on, go_on) = sync_channel::<()>(0);
        let flusher = Flusher::start(move || {
            begins.send(()).expect("somebody watches");
            go_on.recv().map_err(io::Error::other)
        });
        let flusher = flusher.expect("a thread");
        let ask = || {
            let flusher = flusher.clone();
            tokio::spawn(async move { flusher.flush().await })
        };
        let first = ask();
        let watch = move || {
            begun.recv().expect("it flushes");
            begun
        };
        let begun = tokio::task::spawn_blocking(watch).await.expect("begun");
        let (second, third) = (flusher.clone(), flusher.clone());
        let mut late = Box::pin(async move { tokio::join!(second.flush(), third.flush()) });
        // Both have asked.
        assert!(futures::poll!(&mut late).is_pending());
        goes_on.send(()).expect("it waits");
        first.await.expect("no panic").expect("flushed");
        assert!(
            futures::poll!(&mut late).is_pending(),
            "served by a flush that began before"
        );
        let rest = move || {
            begun.recv().expect("it flushes");
            goes_on.send(()).expect("it waits");
        };
        tokio::task::spawn_blocking(rest).await.expect("flushed");
        let (second, third) = late.await;
        assert!(second.is_ok() && third.is_ok());
        assert_eq!(flusher.count(), 2);
    }

    #[tokio::test]
    async fn after_a_flush_that_failed_nothing_is_written() {
        let mut results = vec![Ok(()), Err(io::Error::other("no disk")), Ok(())];
        let flusher = Flusher::start(move || results.pop().expect("another flush")).expect("one");
        flusher.check().expect("nothing has failed");
        flusher.flush().await.expect("flushed");
        for _ in 0..2 {
            let failed = flusher.flush().await;
            assert!(matches!(failed, Err(StorageError::Disk)), "{failed:?}");
            let checked = flusher.check();
            assert!(matches!(checked, Err(StorageError::Disk)), "{checked:?}");
        }
    }

    #[test]
    fn a_log_that_is_not_there_needs_no_flush_and_one_that_cannot_be_read_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        flush(&folder.path().join("v.db-wal")).expect("nothing to do");
        std::fs::write(folder.path().join("v.db"), b"").expect("written");
        assert!(flush(&folder.path().join("v.db").join("v.db-wal")).is_err());
        std::fs::write(folder.path().join("v.db-wal"), b"frames").expect("written");
        flush(&folder.path().join("v.db-wal")).expect("flushed");
    }
}
