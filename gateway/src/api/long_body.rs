//! A request body that may take long: a list, a plugin or a file over a line of any speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The listener gives each request one. An ordinary body has to be whole within the listener's time; whoever has
/// room for it, or reads it as it comes, says here that it may go on for as long as it goes on arriving.
#[derive(Debug, Clone, Default)]
pub struct LongBody(Arc<AtomicBool>);

impl LongBody {
    pub(super) fn allow(request: &axum::extract::Request) {
        // Without a listener there is no time either.
        if let Some(Self(allowed)) = request.extensions().get() {
            allowed.store(true, Ordering::Relaxed);
        }
    }

    pub fn is_allowed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl LongBody {
    pub(crate) fn allowed() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}
