//! Delivery end to end: a real database of each kind, a scripted Graph, a clock that the test moves, and an engine that
//! can be dropped at any moment, as a crash drops it.

mod graph;
mod ground;
mod outbox_rows;

mod at_once;
mod codes;
mod crash;
mod deferred;
mod doubt;
mod errors;
mod gates;
mod merges;
mod moved;
mod opt_out_races;
mod order;
