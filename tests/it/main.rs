//! The one integration binary: what holds for the whole gateway, from outside. One link, one PostgreSQL cluster, one run.
//!
//! The harness is the library beside it (`tests/src`). A new area is a new module here, never a new binary.

mod api;
mod asking;
mod authors;
mod backlog;
mod bodies;
mod broken_part;
mod chaos;
mod codes;
mod command_line;
mod consents;
mod contract;
mod delivery;
mod demo;
mod events;
mod explain;
mod failing_disk;
mod guests;
mod harness;
mod ingest;
mod ingest_gap;
mod installing;
mod life;
mod loops;
mod neighbours;
mod occasions;
mod one_message;
mod outbound;
mod ownership;
mod people;
mod phone;
mod quality;
mod reference_plugins;
mod retention;
mod schema;
mod settings;
mod setup;
mod slots;
mod take_over;
mod templates;
mod tidy;
mod turns;
