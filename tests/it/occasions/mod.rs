//! What gives a conversation a turn and is no message: timers, business events, receipts. On both databases, through a
//! whole node and the simulated Meta.

mod business;
mod ground;
mod metrics;
mod timers;
mod two_nodes;
