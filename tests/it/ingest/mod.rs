//! Ingest from outside: what becomes of every kind of body, on both databases. No node runs: the endpoint receives, the
//! attacher attaches, and the rows are looked at (`whole_way` alone starts nodes).

mod accounts;
mod at_once;
mod backlog;
mod belonging;
mod chains;
mod codes;
mod consent;
pub(crate) mod desk;
mod endpoint;
mod events;
mod failures;
pub(crate) mod fixtures;
mod future;
pub(crate) mod locks;
mod moves;
mod owners;
mod people;
mod receipts;
pub(crate) mod sends;
mod state;
mod whole_way;
