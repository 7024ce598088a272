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
/// To see whose the first bucket is, and after a trouble.
const LOOK: Duration = Duration::from_secs(1);
/// After one trouble after the other, unless setup changes meanwhile. What cannot be moved waits for somebody who mends it.
const LOOK_MOST: Duration = Duration::from_secs(60);

/// Moves on what is left of stopped digests, whenever there is some, until told to end.
pub async fn keep(
    setup: SetupContext,
    directory: Arc<Directory>,
    owned: Owned,
    stop: CancellationToken,
) {
    let mut changed = directory.changes();
    let mut look = LOOK;
    while !stop.is_cancelled() {
        let mine = Bucket::all().next();
        let mine = mine.is_some_and(|first| owned.borrow().owns(first));
        let stopped = directory.snapshot().stopped().clone();
        let mut is_troubled = false;
        for digest in stopped.iter().filter(|_| mine) {
            match move_all(&setup, digest, &stop).await {
                Ok(Walk { moved, failed }) => {
                    is_troubled |= failed > 0;
                    if moved > 0 {
                        tracing::info!(
                            digest,
                            moved,
                            failed,
                            "installations of a stopped digest go on without it"
                        );
                    }
                }
                Err(error) => {
                    is_troubled = true;
                    tracing::warn!(%error, digest, "installations of a stopped digest wait");
                }
            }
        }
        look = match is_troubled {
            true => (look * 2).min(LOOK_MOST),
            false => LOOK,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = changed.changed() => {}
            () = tokio::time::sleep(look), if !stopped.is_empty() => {}
        }
    }
}

/// One way through the installations of a digest.
#[derive(Debug, Default)]
struct Walk {
    moved: u64,
    failed: u64,
}

/// Wakes the nodes when it has moved something, unless it was told to end: they look by themselves.
async fn move_all(
    setup: &SetupContext,
    digest: &str,
    stop: &CancellationToken,
) -> Result<Walk, SetupError> {
    let mut walk = Walk::default();
    let mut after = InstallationId::from_raw(0);
    while let Some(step) = move_some(setup, digest, after).await? {
        after = step.last;
        walk.moved += step.moved;
        walk.failed += step.failed;
        tokio::select! {
            () = stop.cancelled() => return Ok(walk),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    if walk.moved > 0 {
        tell_moved(setup).await?;
    }
    Ok(walk)
}
