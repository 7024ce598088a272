//! `vestibule demo`: a whole deployment on this machine, with the simulator as Meta and you as the customer.
//!
//! A gateway on SQLite in a fresh data folder, two tenants with two numbers each, the reference plugin `menu`. What you
//! type goes the real way: signed webhook, turn, policy, Graph call, receipts. Nothing leaves 127.0.0.1.

mod script;
mod show;
mod stage;

use std::process::ExitCode;

use clap::Args;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::output;
use stage::Stage;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Play a scripted conversation, print it, and fail if an expected reply is missing.
    #[arg(long)]
    script: bool,
}

const HELP: &str =
    "Type as the customer. /tap ID taps a button or row, /number 1..4 writes to another number,
/stop ends the demo. STOP, START and \"agent\" are words that the gateway itself obeys.";

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let stage = Stage::set().await?;
    let code = if arguments.script {
        script::play(&stage).await?
    } else {
        talk(&stage).await?
    };
    stage.strike().await;
    Ok(code)
}

async fn talk(stage: &Stage) -> anyhow::Result<ExitCode> {
    output::line(&stage.welcome());
    output::line(HELP);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut number = 0;
    output::prompt(&format!("{}> ", stage.names()[number]));
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line?,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(line) = line else { break };
        match line.trim() {
            "" => {}
            "/stop" | "/quit" | "/exit" => break,
            "/help" => output::line(HELP),
            text => match text.strip_prefix("/number ") {
                Some(other) => match other.trim().parse::<usize>() {
                    Ok(n @ 1..=4) => number = n - 1,
                    _ => output::line("numbers are 1 to 4"),
                },
                None => match stage.say(number, text).await {
                    Ok(heard) => output::line(&heard),
                    Err(error) => output::line(&format!("  {error:#}")),
                },
            },
        }
        output::prompt(&format!("{}> ", stage.names()[number]));
    }
    Ok(ExitCode::SUCCESS)
}
