//! Who works for what: slots, shares, life lines and wake-ups of nodes that share a database.

mod ground;
mod hand_over;
mod keepers;
mod slots;
mod wakeups;
