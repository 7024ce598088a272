//! `vestibule plugin test`: is a plugin ready to be pushed? Its own tests, and the component looked at as an upload.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use vestibule_guest_build::{Profile, cargo};

use super::build::Built;
use super::sources::{Cargo, NotBuilt, Sources};
use crate::admin::{self, Local};
use crate::audit::OPERATOR;
use crate::cli::demo::stage;
use crate::cli::ended::ended;
use crate::cli::output;
use crate::cli::plugin::Signed;
use crate::clock::SystemClock;
use crate::domain::Clock;
use crate::plugin_host::inspect;
use crate::storage::migrate;
use crate::tenants::installations::{self, Authorship, NewUpload};
use crate::tenants::plugin_keys::{self, Signature};
use crate::tenants::{SetupContext, SetupError};

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The folder of a Rust package with its `plugin.toml`.
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    signed: Signed,
    /// The public key that the signature is to be good for. Ed25519: 32 bytes in base64.
    #[arg(long, requires = "signature", value_name = "BASE64")]
    public_key: Option<String>,
    /// For `cargo test`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Verdict {
    /// None: there is no component, or it is no plugin.
    built: Option<Built>,
    tests: Tests,
    /// Why it cannot be pushed, tests apart.
    problems: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Tests {
    Passed,
    Failed,
    /// What does not compile has no tests.
    NotRun,
}

impl Test {
    /// All that is wrong is told, and one thing is enough to fail.
    pub(in crate::cli) async fn run(self, json: bool) -> anyhow::Result<ExitCode> {
        // Before there is anything to be left behind.
        let ended = ended()?;
        tokio::select! {
            biased;
            () = ended => Ok(ExitCode::FAILURE),
            verdict = self.verdict(json) => verdict?.say(json),
        }
    }

    async fn verdict(&self, json: bool) -> anyhow::Result<Verdict> {
        let signature = self.signature()?;
        let sources = Sources::in_folder(&self.folder).await?;
        sources.ensure_target().await?;
        let component = match sources.build(Profile::Small, Cargo::Talks).await {
            Ok(guest) => guest.component,
            Err(error) => {
                let tests = match &error {
                    NotBuilt::Uncompiled(_) => Tests::NotRun,
                    NotBuilt::Refused(_) => self.tests(&sources, json).await?,
                };
                return Ok(Verdict {
                    built: None,
                    tests,
                    problems: vec![error.to_string()],
                });
            }
        };
        let built = match inspect(&component) {
            Ok(inspection) => {
                let name = format!("{}.wasm", inspection.manifest.name);
                let file = sources.package.target_dir.join(name);
                Some(Built::write(file, &component, &inspection.manifest)?)
            }
            // Told with the rest.
            Err(_) => None,
        };
        let tests = self.tests(&sources, json).await?;
        let problems = problems_of(
            Bytes::from(component),
            signature,
            self.public_key.as_deref(),
        );
        Ok(Verdict {
            built,
            tests,
            problems: problems.await?,
        })
    }

    fn signature(&self) -> anyhow::Result<Option<Signature>> {
        let Some(text) = self.signed.read()? else {
            return Ok(None);
        };
        ensure!(
            self.public_key.is_some(),
            "say with --public-key which key the signature is to be good for"
        );
        let signature = Signature::read(&text).context("the signature does not read")?;
        Ok(Some(signature))
    }

    async fn tests(&self, sources: &Sources, json: bool) -> anyhow::Result<Tests> {
        let mut command = tokio::process::Command::from(cargo());
        command.current_dir(&sources.folder).arg("test");
        command.args(&self.arguments).stdin(Stdio::null());
        if json {
            // Ours is for the one object.
            command.stdout(std::io::stderr());
        }
        let status = command.kill_on_drop(true).status().await;
        let status = status.context("cannot run cargo")?;
        Ok(match status.success() {
            true => Tests::Passed,
            false => Tests::Failed,
        })
    }
}

impl Verdict {
    fn say(self, json: bool) -> anyhow::Result<ExitCode> {
        let mut wrong = self.problems.clone();
        if self.tests == Tests::Failed {
            wrong.insert(0, "its tests fail".to_owned());
        }
        match (json, &self.built) {
            (true, _) => output::line(&serde_json::to_string(&self)?),
            (false, Some(built)) => output::line(&built.headline()),
            (false, None) => {}
        }
        if wrong.is_empty() {
            if !json {
                output::line("its tests pass, and a gateway would take it");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let listed: String = wrong.iter().map(|wrong| format!("\n  {wrong}")).collect();
        bail!("it is not ready to be pushed:{listed}");
    }
}

/// What an upload of it would be refused for, by the service that takes uploads: at a deployment with nothing in it, which is
/// gone when this returns.
async fn problems_of(
    component: Bytes,
    signature: Option<Signature>,
    public_key: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::Builder::new()
        .prefix("vestibule-test-")
        .tempdir()?;
    let local = empty_deployment(folder.path()).await?;
    let setup = &local.context.setup;
    let refused = match believe(setup, signature.as_ref(), public_key).await {
        Ok(()) => {
            let upload = NewUpload {
                realm: OPERATOR,
                wasm: component,
                signature,
                authorship: Authorship::Unsaid,
            };
            let uploaded = installations::upload(setup, &local.context.compiler, &upload).await;
            uploaded.map(drop)
        }
        refused => refused,
    };
    local.close().await?;
    match refused {
        Ok(()) => Ok(Vec::new()),
        Err(SetupError::Upload(problems)) => Ok(problems),
        Err(error) if error.is_refusal() => Ok(vec![error.to_string()]),
        Err(error) => Err(error.into()),
    }
}

/// The operator who is to be pushed to knows the key.
async fn believe(
    setup: &SetupContext,
    signature: Option<&Signature>,
    public_key: Option<&str>,
) -> Result<(), SetupError> {
    let Some((signature, key)) = signature.zip(public_key) else {
        return Ok(());
    };
    plugin_keys::add(setup, &signature.key, key).await.map(drop)
}

async fn empty_deployment(folder: &std::path::Path) -> anyhow::Result<Local> {
    let config = stage::config(folder, [])?;
    let lock = admin::lock(&config)?;
    let db = admin::open_database(&config).await?;
    migrate::migrate(&db, SystemClock.now()).await?;
    db.close().await;
    drop(lock);
    Ok(Local::open(&config).await?)
}
