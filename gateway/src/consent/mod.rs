//! The consent ledger: every statement about being written to, with its evidence, in a sealed chain.
//!
//! A record is appended in the transaction that changes the `consent` row, which stays the projection for the hot path.
//! The rules of what a statement does are `policy::consent`'s. What a record says of a person can be erased: the chain
//! binds hashes only, and [`verify`] finds any change to what was sealed.

pub mod block_watch;
pub mod blocks;
pub mod erase;
pub mod file;
pub mod import;
pub mod opt_in;
pub mod pages;
pub mod pseudonym;
mod record;
pub mod rows;
pub mod tell;
pub mod topics;
mod verify;

pub use record::{
    Evidence, Statement, append, changes, digest_of, record_block_by_meta, record_stop_by_meta,
};
pub use verify::{Report, Verification, VerifyJob, verify};

/// The name of this ledger among those that are sealed.
pub const LEDGER: &str = "consent";
