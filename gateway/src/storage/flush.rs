//! SQLite's log goes to the disk beside the writer: a commit is written, the next one begins, and who must know that it
//! lasts waits for a flush that began after it. One flush serves all who asked before it began.
//!
//! SQLite would flush within the commit, while nobody else can write. What is seen in between is what a machine that
//! loses its power may forget; the log has the order of commits, so nothing that was built upon it outlives it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    #[cfg(test)]
    count: std::sync::atomic::AtomicU64,
}

/// Why a flush came to nothing.
#[derive(Debug)]
enum Failed {
    /// Nothing was asked of the disk: who asked is told, and the next may fare better.
    Open(io::Error),
    Disk(io::Error),
}

impl Flusher {
    /// For the log that SQLite has beside this file, which is the database as SQLite names it: a link has been followed.
    /// The log is there.
    pub(super) fn of(database: &str) -> Result<Self> {
        let mut log = Log::open(format!("{database}-wal").into()).map_err(sqlx::Error::Io)?;
        Self::start(move || log.flush())
    }

    fn start(flush: impl FnMut() -> Result<(), Failed> + Send + 'static) -> Result<Self> {
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

    /// The disk has refused to keep the file that the log is brought into.
    pub(super) fn fail(&self, error: &sqlx::Error) -> StorageError {
        tracing::error!(%error, "SQLite's file could not be flushed to disk; nothing is written any more");
        self.state.failed.store(true, Ordering::Release);
        StorageError::Disk
    }

    /// One whose flushes end when they are told how.
    #[cfg(test)]
    pub(super) fn waiting_for(told: Receiver<bool>) -> Self {
        let flush = move || match told.recv() {
            Ok(true) => Ok(()),
            _ => Err(Failed::Disk(io::Error::other("told so"))),
        };
        Self::start(flush).expect("a thread")
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.state.count.load(Ordering::Acquire)
    }
}

fn keep_flushing(
    asking: &Receiver<oneshot::Sender<bool>>,
    state: &State,
    mut flush: impl FnMut() -> Result<(), Failed>,
) {
    while let Ok(first) = asking.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(asking.try_iter()).collect();
        let lasts = !state.failed.load(Ordering::Acquire)
            && match flush() {
                Ok(()) => true,
                Err(Failed::Open(error)) => {
                    tracing::error!(%error, "SQLite's log could not be opened to be flushed");
                    false
                }
                Err(Failed::Disk(error)) => {
                    tracing::error!(%error, "SQLite's log could not be flushed to disk; nothing is written any more");
                    state.failed.store(true, Ordering::Release);
                    false
                }
            };
        #[cfg(test)]
        state.count.fetch_add(1, Ordering::AcqRel);
        for done in waiting {
            // Whoever gave up waiting is not told.
            let _ = done.send(lasts);
        }
    }
}

/// The log, held open: a new descriptor would need one that is free, and would not be told of an error that the kernel has told
/// another one.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        Ok(Self { path, file })
    }

    fn flush(&mut self) -> Result<(), Failed> {
        if self.is_another().map_err(Failed::Open)? {
            // SQLite removes its log only when all of it is in the database, and flushed.
            self.file = File::open(&self.path).map_err(Failed::Open)?;
        }
        self.file.sync_data().map_err(Failed::Disk)
    }

    /// Has SQLite made a new one? Where none is, it goes on with the one that it has.
    fn is_another(&self) -> io::Result<bool> {
        let there = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            there => there?,
        };
        let held = self.file.metadata()?;
        Ok((held.dev(), held.ino()) != (there.dev(), there.ino()))
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
            go_on.recv().expect("somebody lets it go on");
            Ok(())
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
        let disk = || Failed::Disk(io::Error::other("no disk"));
        let mut results = vec![Ok(()), Err(disk()), Ok(())];
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

    #[tokio::test]
    async fn a_log_that_cannot_be_opened_fails_those_who_asked_only() {
        let open = || Failed::Open(io::Error::other("too many open files"));
        let mut results = vec![Ok(()), Err(open())];
        let flusher = Flusher::start(move || results.pop().expect("another flush")).expect("one");
        assert!(flusher.flush().await.is_err());
        flusher.check().expect("the disk is well");
        flusher.flush().await.expect("flushed");
    }

    #[test]
    fn a_log_that_was_made_anew_is_the_one_that_is_flushed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.db-wal");
        assert!(Log::open(path.clone()).is_err());
        std::fs::write(&path, b"frames").expect("written");
        let mut log = Log::open(path.clone()).expect("a log");
        log.flush().expect("flushed");
        std::fs::rename(&path, folder.path().join("old")).expect("moved");
        log.flush().expect("flushed, wherever it is");
        std::fs::write(&path, b"others").expect("written");
        assert!(log.is_another().expect("both are there"));
        log.flush().expect("flushed");
        assert!(!log.is_another().expect("both are there"));
    }
}
