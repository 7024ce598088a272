//! The management API over HTTP, on both databases: a real node, a real client, status and body as they come.

mod audit;
mod business_events;
mod foundation;
pub(crate) mod ground;
mod idempotency;
mod jobs;
mod matrix;
pub(crate) mod media;
mod openapi;
mod plugin_authors;
mod plugin_grants;
mod plugin_rows;
mod plugins;
mod removals;
mod resources;
mod round_trip;

pub(crate) use ground::Ground;
