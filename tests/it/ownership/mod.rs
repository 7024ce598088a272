//! Who works for what: slots, shares, life lines and wake-ups of nodes that share a database.

mod ground;
mod keepers;
mod slots;
mod wakeups;
