//! The one integration binary: what holds for the whole gateway, from outside. One link, one PostgreSQL cluster, one run.
//!
//! The harness is the library beside it (`tests/src`). A new area is a new module here, never a new binary.

mod bodies;
mod chaos;
mod delivery;
mod demo;
mod guests;
mod harness;
mod ingest;
mod neighbours;
mod one_message;
mod schema;
mod setup;
mod take_over;
mod tidy;
