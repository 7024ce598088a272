//! Vestibule: a WebAssembly plugin-hosting gateway for the WhatsApp Business Platform.
//!
//! Start at `ARCHITECTURE.md`; then read `pipeline`, the turn, which everything else serves.
//! Layers, outer to inner: cli → app → edges → services → mechanisms → [`domain`].

pub mod access;
pub mod admin;
pub mod api;
pub mod app;
pub mod audit;
pub mod checklist;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod console;
pub mod contacts;
pub mod delivery;
pub mod desk;
pub mod directory;
pub mod domain;
pub mod egress;
pub mod events;
pub mod explain;
pub mod graph;
pub mod hooks;
pub mod ingest;
pub mod jobs;
pub mod lifecycle;
pub mod metering;
pub mod occasions;
pub mod outbox;
pub mod outcalls;
pub mod ownership;
pub mod pipeline;
pub mod plugin_host;
pub mod policy;
pub mod reference_plugins;
pub mod replay;
pub mod secrets;
pub mod simulator;
pub mod storage;
pub mod sync;
pub mod telemetry;
pub mod templates;
pub mod tenants;
