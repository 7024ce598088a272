//! `vestibule serve`: one node, until it is told to stop.

use std::process::ExitCode;

use crate::app::{Node, StartOptions};
use crate::config::Config;
use crate::lifecycle::Shutdown;
use crate::telemetry::Recorder;

/// Runs a node. SIGTERM or SIGINT drains it; the second one, or the time limit, stops it where it stands. A part that breaks down
/// ends the node with a failure, so that whoever supervises the process starts it anew.
pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    let signals = tokio::spawn(shutdown.clone().on_signals(config.shutdown.soft_timeout));
    let options = StartOptions {
        // Several nodes share a PostgreSQL: when its schema moves is an operator's decision.
        migrate: config.sqlite_file().is_some(),
        recorder: Some(Recorder::install()),
        ..StartOptions::new(shutdown.clone())
    };
    let node = Node::start(config, options).await?;
    shutdown.soft().cancelled().await;
    let ended = node.finished().await;
    signals.abort();
    ended?;
    Ok(ExitCode::SUCCESS)
}
