//! `vestibule simulator`: a local WhatsApp as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use secrecy::ExposeSecret;

use super::{output, secret_input};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::lifecycle::Shutdown;
use crate::simulator::{SimNumber, Simulator, SimulatorConfig, SimulatorSetup};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where Graph's API and the customers' phones are. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7700", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// TOML file with everything that follows and more (docs/simulator.md).
    #[arg(long, value_name = "FILE")]
    setup: Option<PathBuf>,
    /// Where webhooks go, like http://127.0.0.1:8080/webhooks/whatsapp.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// File with the app secret that signs webhooks; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Environment variable with the app secret.
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// File with the access token that sends of the numbers below must carry.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Environment variable with the access token.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// A business number, as PHONE_NUMBER_ID:WABA_ID:DIGITS. May be given several times.
    #[arg(long = "number", value_name = "NUMBER")]
    numbers: Vec<NumberArgument>,
}

/// `3001:2001:4915112345678`
#[derive(Debug, Clone)]
struct NumberArgument {
    phone_number_id: String,
    waba_id: String,
    display_number: String,
}

impl FromStr for NumberArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        match parts[..] {
            [phone_number_id, waba_id, display_number] if parts.iter().all(digits) => Ok(Self {
                phone_number_id: phone_number_id.to_owned(),
                waba_id: waba_id.to_owned(),
                display_number: display_number.to_owned(),
            }),
            _ => Err("expected PHONE_NUMBER_ID:WABA_ID:DIGITS, digits only"),
        }
    }
}

/// Messages a second that Meta allows a new number (facts §6.7).
const THROUGHPUT: u32 = 80;

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let simulator = Simulator::start(simulator_config(arguments)?).await?;
    output::line(&format!("Graph and phones: {}", simulator.base_url()));
    let shutdown = Shutdown::new();
    let soft = shutdown.soft().clone();
    tokio::select! {
        done = shutdown.on_signals(config.shutdown.soft_timeout) => done?,
        () = soft.cancelled() => {}
    }
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What the file says, and what the arguments say beyond it.
fn simulator_config(arguments: Arguments) -> anyhow::Result<SimulatorConfig> {
    let mut setup = match &arguments.setup {
        Some(file) => read_setup(file)?,
        None => SimulatorSetup::default(),
    };
    if let Some(url) = arguments.webhook_url {
        setup.webhook_url = Some(url);
    }
    if arguments.secret_file.is_some() || arguments.secret_env.is_some() {
        let (file, variable) = (arguments.secret_file, arguments.secret_env);
        let secret = secret_input::one("the app secret", file.as_deref(), variable.as_deref())?;
        setup.app_secret = secret.expose_secret().to_owned();
    }
    if !arguments.numbers.is_empty() {
        let (file, variable) = (arguments.token_file, arguments.token_env);
        let token = secret_input::one("the access token", file.as_deref(), variable.as_deref())?;
        let numbers = arguments.numbers.into_iter();
        setup.numbers.extend(numbers.map(|number| SimNumber {
            phone_number_id: number.phone_number_id,
            waba_id: number.waba_id,
            display_number: number.display_number,
            throughput: THROUGHPUT,
            access_token: token.expose_secret().to_owned(),
        }));
    }
    Ok(setup.listening(arguments.listen, Arc::new(SystemClock)))
}

fn read_setup(file: &Path) -> anyhow::Result<SimulatorSetup> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a setup file", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_three_runs_of_digits() {
        let number: NumberArgument = "3001:2001:4915112345678".parse().expect("a number");
        assert_eq!(number.display_number, "4915112345678");
        for wrong in ["3001:2001", "3001:2001:+49", "3001::49", "a:b:c", "1:2:3:4"] {
            assert!(wrong.parse::<NumberArgument>().is_err(), "{wrong}");
        }
    }
}
