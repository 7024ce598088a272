//! A request body that may take long: a list, a plugin or a file over a line of any speed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The listener gives each request one. An ordinary body has to be whole within the listener's time; whoever has
/// room for it, or reads it as it comes, says here that it may go on for as long as it goes on arriving.
#[derive(Debug, Clone, Default)]
pub struct LongBody(Arc<OnceLock<Option<Duration>>>);

impl LongBody {
    /// It holds nothing that others wait for.
    pub(super) fn allow(request: &axum::extract::Request) {
        Self::say(request, None);
    }

    /// And no longer than this, from its head to its end: it holds what others wait for.
    pub(super) fn allow_for(request: &axum::extract::Request, most: Duration) {
        Self::say(request, Some(most));
    }

    /// Who was first knows what it holds.
    fn say(request: &axum::extract::Request, most: Option<Duration>) {
        // Without a listener there is no time either.
        if let Some(Self(allowed)) = request.extensions().get() {
            let _ = allowed.set(most);
        }
    }

    pub fn is_allowed(&self) -> bool {
        self.0.get().is_some()
    }

    /// Its end, however it goes on arriving.
    pub fn most(&self) -> Option<Duration> {
        self.0.get().copied().flatten()
    }
}

#[cfg(test)]
impl LongBody {
    pub(crate) fn allowed(most: Option<Duration>) -> Self {
        let long = Self::default();
        let _ = long.0.set(most);
        long
    }
}
