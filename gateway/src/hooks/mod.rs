//! Hooks out: a tenant's own systems follow its events by signed webhooks (Standard Webhooks, standardwebhooks.com).
//!
//! The stream is the queue: an endpoint has a position in it, so nothing is written for what goes well. An event that fails
//! is noted and tried again for a day, and the others go on; an endpoint that fails every time is left alone for growing
//! pauses, and its events wait in the stream. Each endpoint has its own task while it has work: a dead one costs
//! nobody else anything. At least once: a node that is killed between an answer and its record sends again, under the
//! same `webhook-id`.
//!
//! Order: events of one conversation go one after the other. One that fails does not hold back those behind it: they
//! overtake it, and `seq` tells.

mod backoff;
mod endpoints;
mod pump;
mod round;
mod sign;

pub use endpoints::{Endpoints, HookChange, NewHook, revision_of};
pub use pump::{Pump, PumpParts};
pub use sign::{SIGNATURE, Secret, TIMESTAMP, WEBHOOK_ID};
