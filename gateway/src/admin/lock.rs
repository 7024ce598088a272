//! The data folder: its owner's alone, and one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Why the data folder could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{0} cannot be used")]
    Io(String, #[source] io::Error),
    #[error("another process of Vestibule works on {0}")]
    Taken(String),
}

/// Held by whoever has the SQLite database open. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock(File);

impl Drop for DataLock {
    /// Closing would do but for a child that is being started just now: until its program runs it has the file open too.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Makes the data folder (mode 0700) when it is not there.
pub fn prepare_data_dir(dir: &Path) -> Result<(), LockError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| LockError::Io(dir.display().to_string(), error))
}

impl DataLock {
    /// Takes the lock file, or fails at once when somebody has it.
    pub fn acquire(file: &Path) -> Result<Self, LockError> {
        let name = || file.display().to_string();
        let open = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(file)
            .map_err(|error| LockError::Io(name(), error))?;
        match flock(&open, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(open)),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let dir = file.parent().unwrap_or(file);
                Err(LockError::Taken(dir.display().to_string()))
            }
            Err(error) => Err(LockError::Io(name(), error.into())),
        }
    }
}

/// Removes what an earlier process left at a path, if anything.
pub(super) fn remove_leftover(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
