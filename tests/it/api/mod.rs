//! The management API over HTTP, on both databases: a real node, a real client, status and body as they come.

mod foundation;
mod ground;

pub(crate) use ground::Ground;
