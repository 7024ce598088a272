//! Why a message was sent, or was not: chains of real messages, refusals of the real gateway, and the go-live checklist.

mod chain;
mod digests;
mod refusals;
