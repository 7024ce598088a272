//! Who must answer first, and who waits meanwhile.
//!
//! Meta waits for its 200, nobody for a turn: the body is on disk. But both run on the same cores, and under a flood turns
//! and attaching would take them all. So whoever acknowledges says when it is late, and the others begin nothing new
//! until it is not; never for longer than [`HOLD`] at a time, so that they go on, slowly, however long the flood lasts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Whoever waited so long for an acknowledgement is late. A guess: a tenth of what is allowed (design.md §8), and over what a
/// commit takes that others come in front of.
const LATE: Duration = Duration::from_millis(10);
/// A hold lasts no longer: the others begin something every so often, whatever happens. A guess: half of what is allowed.
const HOLD: Duration = Duration::from_millis(50);

/// Shared by who goes first and who holds back. Cheap to clone; each clone is the same.
#[derive(Debug, Clone)]
pub struct Precedence {
    late: Arc<watch::Sender<bool>>,
    hold: Duration,
}

impl Default for Precedence {
    fn default() -> Self {
        Self::holding(HOLD)
    }
}

impl Precedence {
    fn holding(hold: Duration) -> Self {
        Self {
            late: Arc::new(watch::Sender::new(false)),
            hold,
        }
    }

    /// The one who has waited longest of those that go first, has waited so long.
    pub fn waited(&self, longest: Duration) {
        let late = longest >= LATE;
        self.late
            .send_if_modified(|before| std::mem::replace(before, late) != late);
    }

    /// Nobody waits.
    pub fn calm(&self) {
        self.waited(Duration::ZERO);
    }

    pub fn is_late(&self) -> bool {
        *self.late.borrow()
    }

    /// Returns when those that go first are not late any more, or after [`HOLD`].
    pub async fn give_way(&self) {
        let mut late = self.late.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = timeout(self.hold, late.wait_for(|late| !late)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn nobody_holds_back_for_who_is_on_time() {
        let precedence = Precedence::holding(LONG);
        precedence.waited(LATE - Duration::from_millis(1));
        assert_eq!(precedence.give_way().now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn others_hold_back_until_nobody_is_late() {
        let precedence = Precedence::holding(LONG);
        precedence.waited(LATE);
        let other = precedence.clone();
        let mut held = std::pin::pin!(other.give_way());
        assert_eq!(
            (precedence.is_late(), held.as_mut().now_or_never()),
            (true, None)
        );
        precedence.calm();
        held.await;
    }

    #[tokio::test]
    async fn a_hold_ends_whatever_happens() {
        let precedence = Precedence::holding(Duration::ZERO);
        precedence.waited(LONG);
        precedence.give_way().await;
        assert!(precedence.is_late());
    }
}
