//! Webhooks out: updates wait in lanes, become signed bodies, are posted and posted again until somebody says 200.
//!
//! Neighbours: `status` and `action` make the updates; nothing here knows what a message means.

mod body;
mod callback;
mod json;
mod lane;
mod outlet;
mod post;
mod sign;

pub(super) use body::{Kind, Update};
pub(super) use json::ascii_json;
pub(super) use outlet::Outlet;
pub use outlet::{Flush, FlushOrder};
pub use post::PostError;
pub(super) use post::Target;
pub use sign::Signature;
