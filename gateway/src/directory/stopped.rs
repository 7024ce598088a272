//! Installations of a stopped digest go on with what they can go back to: some at a time, on the node that owns the first
//! bucket.
//!
//! Nothing of the digest runs any more when this begins, so it has time: it leaves the writer to the traffic between two
//! steps. A step that another node makes at the same time, as a bucket changes hands, finds nothing left to do.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Directory;
use crate::domain::{Bucket, InstallationId};
use crate::ownership::Owned;
use crate::tenants::installations::{move_some, tell_moved};
use crate::tenants::{SetupContext, SetupError};

/// Between two steps: several times what one takes. A guess; 10,000 installations take half a minute.
const PAUSE: Duration = Duration::from_millis(30);
/// After a trouble, and to see whose the first bucket is.
const LOOK: Duration = Duration::from_secs(1);

/// Moves on what is left of stopped digests, whenever there is some, until told to end.
pub async fn keep(
    setup: SetupContext,
    directory: Arc<Directory>,
    owned: Owned,
    stop: CancellationToken,
) {
    let mut changed = directory.changes();
    while !stop.is_cancelled() {
        let mine = Bucket::all().next();
        let mine = mine.is_some_and(|first| owned.borrow().owns(first));
        let stopped = directory.snapshot().stopped().clone();
        for digest in stopped.iter().filter(|_| mine) {
            match move_all(&setup, digest, &stop).await {
                Ok(true) => {
                    tracing::info!(digest, "installations of a stopped digest go on without it")
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, digest, "installations of a stopped digest wait");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = changed.changed() => {}
            () = tokio::time::sleep(LOOK), if !stopped.is_empty() => {}
        }
    }
}

/// Wakes the nodes when it has moved something; `false`: nothing was left, or it was told to end.
async fn move_all(
    setup: &SetupContext,
    digest: &str,
    stop: &CancellationToken,
) -> Result<bool, SetupError> {
    let mut has_moved = false;
    let mut after = InstallationId::from_raw(0);
    while let Some(last) = move_some(setup, digest, after).await? {
        (after, has_moved) = (last, true);
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    if has_moved {
        tell_moved(setup).await?;
    }
    Ok(has_moved)
}
