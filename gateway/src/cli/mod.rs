//! The command line: verbs, their arguments, and what they print. The only place that prints.
//!
//! A verb that changes setup becomes an `admin::Command`; whether a running server or this process carries it out is
//! decided in [`ask`]. Secrets come from a file, an environment variable or standard input, never from an argument:
//! arguments are visible to every user of the machine.

mod ago;
mod ask;
mod author;
mod checklist;
mod consent;
mod contact;
mod credential;
mod demo;
mod doctor;
mod ended;
mod explain;
mod hold;
mod key;
mod meta_app;
mod migrate;
mod number;
mod output;
mod plugin;
mod plugin_logs;
mod replay;
mod secret;
mod secret_input;
mod serve;
mod sign;
mod simulator;
mod template;
mod tenant;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::admin::Command;
use crate::config::Config;
use crate::secrets::Keyring;
use crate::telemetry;

/// A WebAssembly plugin-hosting gateway for the WhatsApp Business Platform.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version)]
struct Cli {
    /// The configuration file. Without one: the defaults and VESTIBULE__… variables.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a node of the gateway.
    Serve,
    /// Try it: a whole deployment on this machine, with a simulated WhatsApp. Needs no configuration.
    Demo(demo::Arguments),
    /// Bring the database to the schema of this version.
    Migrate,
    /// Check configuration, database, keys and machine.
    Doctor(doctor::Arguments),
    /// Run a local WhatsApp: Graph's API and the customers' phones.
    Simulator(simulator::Arguments),
    /// Meta apps: whose webhooks are taken.
    #[command(subcommand)]
    App(meta_app::Verb),
    /// Tenants: businesses on this deployment.
    #[command(subcommand)]
    Tenant(tenant::Verb),
    /// Contacts: the people that a tenant writes with.
    #[command(subcommand)]
    Contact(contact::Verb),
    /// Access tokens for Graph.
    #[command(subcommand)]
    Credential(credential::Verb),
    /// Secrets that the gateway writes into plugins' requests.
    #[command(subcommand)]
    Secret(secret::Verb),
    /// Business phone numbers.
    #[command(subcommand)]
    Number(number::Verb),
    /// Plugins.
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Message templates: what Meta has, linted, submitted, deleted.
    #[command(subcommand)]
    Template(template::Verb),
    /// Holds: stop sending, for everything, a tenant, a number, a plugin or a credential.
    #[command(subcommand)]
    Hold(hold::Verb),
    /// What a number may send to a person now: in which forms, until when, at which price class, and what is missing.
    Permission {
        tenant: String,
        /// Its id, Meta's, or as it is displayed.
        number: String,
        /// A contact's id, or a phone.
        person: String,
    },
    /// Keys of the management API.
    #[command(subcommand)]
    Key(key::Verb),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// The consent ledger: verify, import, a person's file, erasure.
    #[command(subcommand)]
    Consent(consent::Verb),
    /// Print the OpenAPI document of the management API.
    Openapi,
    /// Why a message was sent, or was not: its chain, or the rule that stopped it. Or how things stand with a person.
    Explain(explain::Explain),
    /// Sends, looked at.
    #[command(subcommand)]
    Sends(SendsVerb),
    /// The keys that seal secrets.
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Copy the SQLite database while it is in use. (PostgreSQL: prints the command to use.)
    Backup {
        /// The new file.
        to: PathBuf,
    },
    /// What there is, and what waits.
    Status,
}

#[derive(Debug, Subcommand)]
enum PluginVerb {
    /// Begin a plugin: a folder with one that builds, has a test and answers.
    New(author::New),
    /// Build a plugin: Rust sources, or what another tool compiled, and `plugin.toml` become one component.
    Build(author::Build),
    /// Build a plugin, run its tests, and look at the component as an upload would be looked at. Fails when anything is wrong.
    Test(author::Test),
    /// Try a plugin while it is written: a simulated WhatsApp with a phone in the browser; what is saved goes live at once.
    Run(author::Run),
    #[command(flatten)]
    Setup(plugin::Verb),
    /// Try a candidate on the turns of the journal: would it have done the same? Nothing is sent.
    Replay(replay::Replay),
    /// Sign a component: the signature is put into the file.
    Sign(sign::Sign),
    /// Show one turn: calls, fuel, memory, effects, what policy decided, log, faults.
    Trace(trace::Trace),
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Read every sealed entry again and compare it with what was sealed. Fails when something was changed.
    Verify {
        /// A head that an earlier verification printed, "CHAIN SEQ:MAC": it must still be a place of the chain. May be
        /// given several times.
        #[arg(long = "head", value_name = "HEAD")]
        heads: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum SendsVerb {
    /// Sends that the person may have got twice or not at all: in doubt now, sent once more, or given up. Newest first.
    Doubts {
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Make a key file for the nodes of a PostgreSQL deployment to share.
    New {
        /// The new file.
        file: PathBuf,
    },
    /// Add a sealing key to the key file and wrap every secret under it.
    Rotate {
        /// Only wrap again: the new key stands in `secrets.keys` already.
        #[arg(long)]
        rewrap_only: bool,
    },
}

/// The whole life of the process, but for the compiling child.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(cli.config.as_deref())?;
    let is_quiet = |verb: &Verb| match verb {
        Verb::Demo(_) => true,
        Verb::Plugin(verb) => matches!(verb, PluginVerb::Run(_) | PluginVerb::Test(_)),
        _ => false,
    };
    if is_quiet(&cli.verb) {
        // What the verb itself says is to be read.
        config.log.level = "warn".to_owned();
    }
    telemetry::install_logs(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers(&config))
        .enable_all()
        .build()?;
    runtime.block_on(verb(&config, cli.json, cli.verb))
}

/// One for each core, and on SQLite one more: whoever writes there waits for the disk on the thread that it runs on.
fn workers(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores + usize::from(config.sqlite_file().is_some())
}

async fn verb(config: &Config, json: bool, verb: Verb) -> anyhow::Result<ExitCode> {
    let command = match verb {
        Verb::Demo(arguments) => return demo::run(&arguments).await,
        Verb::Serve => return serve::run(config).await,
        Verb::Migrate => return migrate::run(config).await,
        Verb::Doctor(arguments) => return doctor::run(config, json, &arguments).await,
        Verb::Simulator(arguments) => return simulator::run(config, arguments).await,
        Verb::Explain(asked) => return explain::run(config, json, asked).await,
        Verb::App(verb) => verb.command()?,
        Verb::Tenant(tenant::Verb::Checklist { tenant, say_stop }) => {
            return checklist::run(config, json, tenant, say_stop).await;
        }
        Verb::Tenant(verb @ tenant::Verb::Attest { .. }) => {
            return checklist::show(config, json, verb.command()?).await;
        }
        Verb::Tenant(verb) => verb.command()?,
        Verb::Contact(verb) => verb.command(),
        Verb::Credential(verb) => verb.command()?,
        Verb::Secret(verb) => verb.command()?,
        Verb::Number(verb) => verb.command(),
        Verb::Plugin(PluginVerb::Replay(asked)) => return replay::run(config, json, asked).await,
        Verb::Plugin(PluginVerb::Trace(asked)) => return trace::run(config, json, asked).await,
        Verb::Plugin(PluginVerb::New(asked)) => return done(asked.run()),
        Verb::Plugin(PluginVerb::Build(asked)) => return done(asked.run(json).await),
        Verb::Plugin(PluginVerb::Test(asked)) => return asked.run(json).await,
        Verb::Plugin(PluginVerb::Run(asked)) => return asked.run().await,
        Verb::Plugin(PluginVerb::Sign(asked)) => return done(sign::run(asked)),
        Verb::Plugin(PluginVerb::Setup(plugin::Verb::Logs(asked))) => {
            return done(plugin_logs::run(config, json, asked).await);
        }
        Verb::Plugin(PluginVerb::Setup(verb)) => verb.command()?,
        Verb::Template(template::Verb::Lint { file }) => return template::lint_file(&file, json),
        Verb::Template(verb) => verb.command()?,
        Verb::Hold(verb) => verb.command()?,
        Verb::Key(verb) => verb.command()?,
        Verb::Audit(AuditVerb::Verify { heads }) => Command::AuditVerify { heads },
        Verb::Consent(verb) => return consent::run(config, json, verb).await,
        Verb::Openapi => {
            output::line(crate::api::document::pretty().trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Sends(SendsVerb::Doubts { limit }) => Command::SendsDoubts { limit },
        Verb::Keys(KeysVerb::New { file }) => return new_keys(file),
        Verb::Keys(KeysVerb::Rotate { rewrap_only }) => Command::KeysRotate { rewrap_only },
        // The server's working directory is another one.
        Verb::Backup { to } => Command::Backup {
            to: std::path::absolute(to)?,
        },
        Verb::Status => Command::Status,
        Verb::Permission {
            tenant,
            number,
            person,
        } => Command::Permission {
            tenant,
            number,
            person,
        },
    };
    let answer = ask::ask(config, command).await?;
    output::answer(&answer, json);
    Ok(ExitCode::SUCCESS)
}

/// Has printed what there is to say.
fn done(ended: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    ended.map(|()| ExitCode::SUCCESS)
}

fn new_keys(path: PathBuf) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!path.exists(), "{} is there already", path.display());
    Keyring::of_file(path.clone())?;
    output::line(&format!("keys written to {}", path.display()));
    Ok(ExitCode::SUCCESS)
}
