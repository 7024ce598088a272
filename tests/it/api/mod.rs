//! The management API over HTTP, on both databases: a real node, a real client, status and body as they come.

mod audit;
mod business_events;
mod foundation;
mod ground;
mod jobs;
mod matrix;
mod openapi;
mod plugins;
mod resources;

pub(crate) use ground::Ground;
