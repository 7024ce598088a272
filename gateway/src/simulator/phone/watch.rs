//! Waking the pages that are open. Chats change thousands of times a second under load and nobody looks then, so a
//! change costs one relaxed read while no page is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

#[derive(Debug, Default)]
pub(crate) struct Watch {
    open: AtomicUsize,
    changed: Notify,
}

impl Watch {
    /// Something that a page shows has changed.
    pub fn wake(&self) {
        if self.open.load(Ordering::Relaxed) > 0 {
            self.changed.notify_waiters();
        }
    }

    pub fn open(self: &Arc<Self>) -> Watching {
        self.open.fetch_add(1, Ordering::Relaxed);
        Watching(Arc::clone(self))
    }
}

/// A page that is open, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching(Arc<Watch>);

impl Watching {
    pub fn changed(&self) -> Notified<'_> {
        self.0.changed.notified()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
