//! What a gateway that runs in the same process tells about one customer's message. The simulator knows nothing of
//! gateways: whoever composes both (`vestibule demo`) fills this in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

use super::super::wamid;
use super::super::world::World;
use crate::domain::Timestamp;
use crate::sync::lock;

/// Enough to scroll back through an afternoon of trying things out.
const KEPT: usize = 500;

/// One message's way through the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The customer's message.
    pub wamid: String,
    /// What the customer wrote, as one line.
    pub said: String,
    pub steps: Vec<Step>,
    /// Message ids of what was sent because of it.
    pub sends: Vec<String>,
}

/// One thing that the gateway did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `event`, `gateway`, `plugin`, `log`, `policy`, `graph`, `receipts` or `turn`: the page has a sign for each.
    pub stage: &'static str,
    pub title: String,
    pub detail: String,
    /// How long it took.
    pub cost_us: Option<u64>,
    /// It was refused or failed.
    pub bad: bool,
}

/// A story in its place.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    pub id: u64,
    pub at: Timestamp,
    pub number: String,
    pub customer: String,
    #[serde(flatten)]
    story: Story,
}

#[derive(Debug, Default)]
pub(crate) struct Stories {
    expected: AtomicBool,
    next: AtomicU64,
    kept: Mutex<VecDeque<Arc<Told>>>,
}

impl Stories {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Told>>> {
        lock(&self.kept)
    }

    /// Does a gateway tell anything here?
    pub fn expected(&self) -> bool {
        self.expected.load(Ordering::Relaxed)
    }

    pub fn after(&self, id: u64) -> Vec<Arc<Told>> {
        let kept = self.kept();
        kept.iter().filter(|told| told.id > id).cloned().collect()
    }
}

impl World {
    /// From now on the phone page has a panel for what the gateway tells.
    pub fn expect_stories(&self) {
        self.stories.expected.store(true, Ordering::Relaxed);
    }

    /// Shows a story on the phone page; one about a message that is not of this simulator is dropped.
    pub fn tell(&self, story: Story) {
        let Some(id) = wamid::read(&story.wamid) else {
            return;
        };
        let told = Arc::new(Told {
            id: self.stories.next.fetch_add(1, Ordering::Relaxed) + 1,
            at: self.clock.now(),
            number: id.phone_number_id,
            customer: id.customer,
            story,
        });
        let mut kept = self.stories.kept();
        kept.push_back(told);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        drop(kept);
        self.watch.wake();
    }
}
