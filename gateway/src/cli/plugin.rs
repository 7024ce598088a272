//! `vestibule plugin …`

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};

use super::plugin_logs::Logs;
use crate::admin::{
    Command, PluginAuthor, PluginCommand, PluginInstall, PluginSet, PluginSource, PluginTerms,
};
use crate::domain::InstallationId;
use crate::domain::rollout::Stage;
use crate::reference_plugins;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Upload a component; nothing runs by it. Everything that is wrong with it is told at once.
    Push {
        /// The component file, or `reference:NAME`.
        component: PathBuf,
        /// Name or id of the tenant. Default: the upload is for every tenant.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        author: Author,
        #[command(flatten)]
        signed: Signed,
    },
    /// Bring a version into service, or as a candidate into its trial.
    Install(Install),
    /// Change settings, grants, position or bounds of what is installed; what is left out stays.
    Set(Set),
    /// What is installed: the active version and the candidate of each.
    List {
        /// Name or id of the tenant. Default: all tenants.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// What is uploaded.
    Uploads {
        /// Name or id of the tenant. Default: what is for every tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Versions of an installation, those to which it can be rolled back too.
    Versions { installation: InstallationId },
    /// Move a candidate on: waiting, shadow, canary, active.
    Promote {
        installation: InstallationId,
        /// Where to. Default: the next stage.
        #[arg(long)]
        stage: Option<Stage>,
        /// Of the conversations, for a canary. Default: 10.
        #[arg(long)]
        percent: Option<i64>,
        #[command(flatten)]
        state: State,
    },
    /// Let nothing of an installation run, or nothing of its candidate.
    Pause {
        installation: InstallationId,
        /// Only the candidate; the active version goes on.
        #[arg(long)]
        candidate: bool,
    },
    /// Let a paused installation run again.
    Resume { installation: InstallationId },
    /// Go back at once: the candidate goes; without one the last good version comes back.
    Rollback {
        installation: InstallationId,
        /// The number of the version to go back to (`plugin versions`).
        #[arg(long)]
        to: Option<i64>,
        #[command(flatten)]
        state: State,
    },
    /// Take an installation out of service.
    Remove { installation: InstallationId },
    /// Stop an upload everywhere, whoever installed it.
    Stop {
        digest: String,
        /// For those who meet it.
        #[arg(long)]
        reason: String,
    },
    /// Lift the stop of an upload.
    Allow { digest: String },
    /// How an upload does, wherever it is installed.
    Health {
        digest: String,
        /// Name or id of the tenant: what it sees, who may be the upload's author. Default: all tenants.
        #[arg(long)]
        tenant: Option<String>,
        /// Instead: which versions of the plugin stand in how many installations.
        #[arg(long)]
        in_use: bool,
    },
    /// What a plugin wrote to its log, and its faults, in the last quarter of an hour.
    Logs(Logs),
    /// Keys whose signatures of uploads are believed.
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Believe a key.
    Add {
        name: String,
        /// Ed25519: 32 bytes in base64.
        public_key: String,
    },
    /// All keys, those that are revoked too.
    List,
    /// Believe a key no more. What it signed stays installed.
    Revoke { name: String },
}

#[derive(Debug, Args)]
pub(super) struct Author {
    /// Name or id of the tenant that wrote an upload for every tenant: it sees how all installations do, not whose they are.
    #[arg(long, value_name = "TENANT", conflicts_with = "tenant")]
    author: Option<String>,
    /// Nobody is named as its author any more.
    #[arg(long, conflicts_with_all = ["author", "tenant"])]
    no_author: bool,
}

#[derive(Debug, Args)]
pub(super) struct Signed {
    /// File with an Ed25519 signature of the component's bytes, 64 bytes.
    #[arg(long, requires = "key", value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The name of the key that made it.
    #[arg(long, requires = "signature")]
    key: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct State {
    /// You answer for it that both versions understand the memory that they share.
    #[arg(long)]
    state_is_safe: bool,
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The component file, or the digest of an upload; `reference:menu`, `reference:faq`, `reference:department-router`,
    /// `reference:contact-enricher` and `reference:order-lookup` are the plugins that come with the gateway.
    component: PathBuf,
    /// Name or id of the tenant.
    #[arg(long)]
    tenant: String,
    /// One number of the tenant: Meta's id, our id, or as it is displayed. Default: all its numbers.
    #[arg(long)]
    number: Option<String>,
    #[command(flatten)]
    terms: Terms,
    /// Where it begins: waiting, shadow, canary or active.
    #[arg(long, default_value_t = Stage::Active)]
    stage: Stage,
    /// Of the conversations, for a canary.
    #[arg(long, default_value_t = 10)]
    percent: i64,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    signed: Signed,
}

/// What a version runs under. What is left out stays as it is, or as the version before has it.
#[derive(Debug, Args)]
pub(super) struct Terms {
    #[command(flatten)]
    settings: Settings,
    /// What it may use, of what its manifest asks for. May be given several times: all that it gets.
    #[arg(long = "grant", value_name = "NAME")]
    grants: Vec<String>,
    /// It may use nothing that is granted.
    #[arg(long, conflicts_with = "grants")]
    no_grants: bool,
    /// Plugins of a turn run in this order; numbers below zero are for those that come first.
    #[arg(long, allow_negative_numbers = true)]
    position: Option<i64>,
    /// When a candidate goes by itself, or a version that was promoted lately, a JSON object like {"fault_percent": 1}; what is
    /// left out of it is the default.
    #[arg(long, value_name = "JSON")]
    bounds: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// The plugin's settings, a JSON object: all of them.
    #[arg(long = "settings", value_name = "JSON")]
    settings: Option<String>,
    /// File with the plugin's settings.
    #[arg(long, conflicts_with = "settings", value_name = "FILE")]
    settings_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    installation: InstallationId,
    #[command(flatten)]
    terms: Terms,
    /// Settings and grants of the candidate, not of the active version.
    #[arg(long)]
    candidate: bool,
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(Command::Plugin(match self {
            Self::Push {
                component,
                tenant,
                author,
                signed,
            } => PluginCommand::Push {
                tenant,
                component: STANDARD.encode(bytes_of(&component)?),
                signature: signed.read()?,
                author: author.read(),
            },
            Self::Install(install) => PluginCommand::Install(Box::new(install.read()?)),
            Self::Set(set) => PluginCommand::Set(Box::new(set.read()?)),
            Self::List { tenant } => PluginCommand::List { tenant },
            Self::Uploads { tenant } => PluginCommand::Uploads { tenant },
            Self::Versions { installation } => PluginCommand::Versions { installation },
            Self::Promote {
                installation,
                stage,
                percent,
                state,
            } => PluginCommand::Promote {
                installation,
                stage,
                percent,
                state_is_safe: state.state_is_safe,
            },
            Self::Pause {
                installation,
                candidate,
            } => PluginCommand::Pause {
                installation,
                only_candidate: candidate,
            },
            Self::Resume { installation } => PluginCommand::Resume { installation },
            Self::Rollback {
                installation,
                to,
                state,
            } => PluginCommand::Rollback {
                installation,
                to,
                state_is_safe: state.state_is_safe,
            },
            Self::Remove { installation } => PluginCommand::Remove { installation },
            Self::Stop { digest, reason } => PluginCommand::Stop { digest, reason },
            Self::Allow { digest } => PluginCommand::Allow { digest },
            Self::Health {
                digest,
                tenant,
                in_use,
            } => PluginCommand::Health {
                digest,
                tenant,
                in_use,
            },
            Self::Logs(asked) => asked.command(),
            Self::Key(Key::Add { name, public_key }) => PluginCommand::KeyAdd { name, public_key },
            Self::Key(Key::List) => PluginCommand::KeyList,
            Self::Key(Key::Revoke { name }) => PluginCommand::KeyRevoke { name },
        }))
    }
}

impl Author {
    fn read(self) -> PluginAuthor {
        match self.author {
            Some(tenant) => PluginAuthor::Tenant(tenant),
            None if self.no_author => PluginAuthor::Nobody,
            None => PluginAuthor::Unsaid,
        }
    }
}

impl Signed {
    /// As the gateway reads it, `NAME:BASE64`.
    pub(super) fn read(&self) -> anyhow::Result<Option<String>> {
        let (Some(file), Some(key)) = (&self.signature, &self.key) else {
            return Ok(None);
        };
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Some(format!("{key}:{}", STANDARD.encode(bytes))))
    }
}

impl Install {
    fn read(self) -> anyhow::Result<PluginInstall> {
        Ok(PluginInstall {
            tenant: self.tenant,
            number: self.number,
            source: match digest(&self.component) {
                Some(digest) => PluginSource::Digest(digest),
                None => PluginSource::Component {
                    component: STANDARD.encode(bytes_of(&self.component)?),
                    signature: self.signed.read()?,
                },
            },
            terms: self.terms.read()?,
            stage: self.stage,
            percent: self.percent,
            state_is_safe: self.state.state_is_safe,
        })
    }
}

impl Set {
    fn read(self) -> anyhow::Result<PluginSet> {
        let terms = self.terms.read()?;
        ensure!(
            terms != PluginTerms::default(),
            "nothing to change: give settings, grants, a position or bounds"
        );
        Ok(PluginSet {
            installation: self.installation,
            terms,
            of_candidate: self.candidate,
        })
    }
}

impl Settings {
    /// As they are now: a file may have changed since.
    pub(super) fn read(&self) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.settings_file else {
            return Ok(self.settings.clone());
        };
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Some(text))
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.settings_file.as_deref()
    }
}

impl Terms {
    fn read(self) -> anyhow::Result<PluginTerms> {
        let bounds = self.bounds.as_deref().map(serde_json::from_str);
        let grants = self.no_grants || !self.grants.is_empty();
        Ok(PluginTerms {
            config: self.settings.read()?,
            grants: grants.then(|| self.grants.into_iter().collect()),
            position: self.position,
            bounds: bounds.transpose().context("the bounds do not read")?,
        })
    }
}

/// A digest has the length that no sensible file name has.
fn digest(component: &Path) -> Option<String> {
    let text = component.to_str()?;
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    (text.len() == 64 && hex).then(|| text.to_ascii_lowercase())
}

/// The bytes of a file, or of a plugin that comes with the gateway.
pub(super) fn bytes_of(file: &Path) -> anyhow::Result<Vec<u8>> {
    if let Some(name) = file
        .to_str()
        .and_then(|name| name.strip_prefix("reference:"))
    {
        let component = reference_plugins::named(name).with_context(|| {
            let names: Vec<_> = reference_plugins::ALL
                .iter()
                .map(|(name, _)| *name)
                .collect();
            format!(
                "there is no reference plugin `{name}`, but {}",
                names.join(", ")
            )
        })?;
        return Ok(component.to_vec());
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
