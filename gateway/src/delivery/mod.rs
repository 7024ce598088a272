//! Delivery: what is in the outbox goes to Meta, paced, at most once by our doing, and what became of it is recorded.
//!
//! Four steps, each a file: [`claim`](self) (decide again, under the consent rows' locks), call (within 2 s, or given
//! back), classify (`outbox`), record (many answers in one commit). `queue`, `pacing` and `doubts` are pure and say
//! what may go when; `engine` is the one task that holds them. The database is the truth and every commit is fenced:
//! what is in memory may be lost or stale at any time. No transaction is open while a call is under way (promise 10).

mod address;
mod at_once;
mod call;
mod claim;
mod config;
mod doubts;
mod engine;
#[cfg(test)]
mod fixture;
mod intake;
mod limits;
mod pacing;
mod ports;
mod queue;
mod record;
mod scan;
mod world;

pub use at_once::ClaimsAtOnce;
pub use config::DeliveryConfig;
pub use engine::Delivery;
pub use intake::Intake;
pub use ports::{Bearing, Credentials, Directory, Draw, Monotonic, Observer, Receipts, SendTrace};
pub use world::{Chance, ProcessTime, World};
