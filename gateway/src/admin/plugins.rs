//! Plugins by the command line: what is asked for, and what is answered.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, record};
use super::context::AdminContext;
use super::error::AdminError;
use super::plugin_health;
use crate::audit::OPERATOR;
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, TenantId};
use crate::storage::installations::Installation;
use crate::storage::plugin_versions::Version;
use crate::tenants::installations::{
    self, Authorship, InstallationChange, LogCursor, LogEntry, NewInstallation, NewUpload,
    Promotion, Rollback, Source, Uploaded,
};
use crate::tenants::plugin_keys::{self, Signature};
use crate::tenants::{Expected, SetupContext, SetupError, find_tenant};

/// What can be asked for about plugins.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum PluginCommand {
    Push {
        /// `None`: for every tenant.
        tenant: Option<String>,
        /// Base64.
        component: String,
        /// `NAME:BASE64`.
        signature: Option<String>,
        author: PluginAuthor,
    },
    Install(Box<PluginInstall>),
    Set(Box<PluginSet>),
    List {
        /// `None`: of all tenants.
        tenant: Option<String>,
    },
    Uploads {
        tenant: Option<String>,
    },
    Versions {
        installation: InstallationId,
    },
    Promote {
        installation: InstallationId,
        stage: Option<Stage>,
        percent: Option<i64>,
        state_is_safe: bool,
    },
    Pause {
        installation: InstallationId,
        only_candidate: bool,
    },
    Resume {
        installation: InstallationId,
    },
    Rollback {
        installation: InstallationId,
        to: Option<i64>,
        state_is_safe: bool,
    },
    Remove {
        installation: InstallationId,
    },
    Stop {
        digest: String,
        reason: String,
    },
    Allow {
        digest: String,
    },
    Health {
        digest: String,
        /// `None`: at all tenants.
        tenant: Option<String>,
        /// In how many installations versions of the plugin stand, not how they do.
        in_use: bool,
    },
    Logs {
        installation: InstallationId,
        /// Go on from here; `None`: a quarter of an hour ago.
        after: Option<LogCursor>,
    },
    KeyAdd {
        name: String,
        public_key: String,
    },
    KeyList,
    KeyRevoke {
        name: String,
    },
}

/// Who wrote an upload for every tenant.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginAuthor {
    /// What was said stays.
    #[default]
    Unsaid,
    Nobody,
    /// A tenant, by name or id.
    Tenant(String),
}

/// A plugin to install.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginInstall {
    pub tenant: String,
    pub number: Option<String>,
    pub source: PluginSource,
    pub terms: PluginTerms,
    pub stage: Stage,
    pub percent: i64,
    pub state_is_safe: bool,
}

/// What a version runs under; what is left out stays.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginTerms {
    /// JSON object.
    pub config: Option<String>,
    pub grants: Option<BTreeSet<String>>,
    pub position: Option<i64>,
    pub bounds: Option<Bounds>,
}

/// What is to be changed of an installation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginSet {
    pub installation: InstallationId,
    pub terms: PluginTerms,
    /// Settings and grants of the candidate.
    pub of_candidate: bool,
}

/// What is installed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginSource {
    Digest(String),
    Component {
        /// Base64.
        component: String,
        /// `NAME:BASE64`.
        signature: Option<String>,
    },
}

impl PluginInstall {
    /// A component that is to be active at once for every number of the tenant, without settings and grants.
    pub fn new(tenant: &str, component: &[u8]) -> Self {
        Self {
            tenant: tenant.to_owned(),
            number: None,
            source: PluginSource::Component {
                component: STANDARD.encode(component),
                signature: None,
            },
            terms: PluginTerms::default(),
            stage: Stage::Active,
            percent: 100,
            state_is_safe: false,
        }
    }
}

impl PluginCommand {
    /// Its name in logs and metrics.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Push { .. } => "plugin_push",
            Self::Install(_) => "plugin_install",
            Self::Set(_) => "plugin_set",
            Self::List { .. } => "plugin_list",
            Self::Uploads { .. } => "plugin_uploads",
            Self::Versions { .. } => "plugin_versions",
            Self::Promote { .. } => "plugin_promote",
            Self::Pause { .. } => "plugin_pause",
            Self::Resume { .. } => "plugin_resume",
            Self::Rollback { .. } => "plugin_rollback",
            Self::Remove { .. } => "plugin_remove",
            Self::Stop { .. } => "plugin_stop",
            Self::Allow { .. } => "plugin_allow",
            Self::Health { .. } => "plugin_health",
            Self::Logs { .. } => "plugin_logs",
            Self::KeyAdd { .. } => "plugin_key_add",
            Self::KeyList => "plugin_key_list",
            Self::KeyRevoke { .. } => "plugin_key_revoke",
        }
    }
}

/// Longer than anybody's list of installations is read.
pub(super) const LIST_MOST: i64 = 10_000;

pub(super) async fn execute(
    context: &AdminContext,
    command: PluginCommand,
) -> Result<Answer, AdminError> {
    let setup = &context.setup;
    match command {
        PluginCommand::Push {
            tenant,
            component,
            signature,
            author,
        } => {
            let new = NewUpload {
                realm: realm(setup, tenant).await?,
                wasm: bytes(&component)?,
                signature: signed(signature)?,
                authorship: authorship(setup, author).await?,
            };
            let uploaded = installations::upload(setup, &context.compiler, &new).await?;
            Ok(Answer::Record(upload_record(&uploaded)))
        }
        PluginCommand::Install(install) => plugin_install(context, *install).await,
        PluginCommand::Set(set) => plugin_set(context, *set).await,
        PluginCommand::List { tenant } => list(setup, tenant).await,
        PluginCommand::Uploads { tenant } => {
            let realm = realm(setup, tenant).await?;
            let uploads = installations::page_of_uploads(setup, realm, 0, LIST_MOST).await?;
            Ok(Answer::List(uploads.iter().map(upload_record).collect()))
        }
        PluginCommand::Versions { installation } => {
            let tenant = installations::tenant_of(setup, installation).await?;
            let versions = installations::versions(setup, tenant, installation).await?;
            Ok(Answer::List(versions.iter().map(version_record).collect()))
        }
        PluginCommand::Health {
            digest,
            tenant,
            in_use,
        } => plugin_health::answer(setup, realm(setup, tenant).await?, &digest, in_use).await,
        PluginCommand::Logs {
            installation,
            after,
        } => logs(setup, installation, after).await,
        PluginCommand::Stop { digest, reason } => {
            let stopped = installations::stop(setup, &digest, &reason).await?;
            Ok(Answer::Record(record! {
                "stopped" => digest,
                "installations" => stopped.installations,
                "moved" => stopped.moved,
                "remaining" => stopped.remaining(),
            }))
        }
        PluginCommand::Allow { digest } => {
            installations::allow(setup, &digest).await?;
            Ok(Answer::Record(record! { "allowed" => digest, }))
        }
        PluginCommand::KeyAdd { name, public_key } => {
            let key = plugin_keys::add(setup, &name, &public_key).await?;
            Ok(Answer::Record(record! { "name" => key.name, }))
        }
        PluginCommand::KeyList => key_list(setup).await,
        PluginCommand::KeyRevoke { name } => {
            plugin_keys::revoke(setup, &name).await?;
            Ok(Answer::Record(record! { "revoked" => name, }))
        }
        moves => stages(setup, moves).await,
    }
}

/// What moves an installation through its life.
async fn stages(setup: &SetupContext, command: PluginCommand) -> Result<Answer, AdminError> {
    let (id, done) = match command {
        PluginCommand::Promote {
            installation: id,
            stage,
            percent,
            state_is_safe,
        } => {
            let promotion = Promotion {
                stage,
                percent,
                state_is_safe,
            };
            let tenant = installations::tenant_of(setup, id).await?;
            let done = installations::promote(setup, tenant, id, &promotion).await?;
            (id, Some(done))
        }
        PluginCommand::Pause {
            installation: id,
            only_candidate,
        } => {
            let tenant = installations::tenant_of(setup, id).await?;
            let done = installations::pause(setup, tenant, id, only_candidate).await?;
            (id, Some(done))
        }
        PluginCommand::Resume { installation: id } => {
            let tenant = installations::tenant_of(setup, id).await?;
            (id, Some(installations::resume(setup, tenant, id).await?))
        }
        PluginCommand::Rollback {
            installation: id,
            to,
            state_is_safe,
        } => {
            let tenant = installations::tenant_of(setup, id).await?;
            let rollback = Rollback { to, state_is_safe };
            let done = installations::roll_back(setup, tenant, id, &rollback).await?;
            (id, Some(done))
        }
        PluginCommand::Remove { installation: id } => {
            let tenant = installations::tenant_of(setup, id).await?;
            installations::remove(setup, tenant, id).await?;
            (id, None)
        }
        other => {
            let verb = other.verb();
            return Err(AdminError::Failed(format!("{verb} moves nothing")));
        }
    };
    Ok(match done {
        Some(installation) => Answer::installation(&installation),
        None => Answer::Record(record! { "removed" => id, }),
    })
}

async fn plugin_install(
    context: &AdminContext,
    install: PluginInstall,
) -> Result<Answer, AdminError> {
    let source = match install.source {
        PluginSource::Digest(digest) => Source::Digest(digest),
        PluginSource::Component {
            component,
            signature,
        } => Source::Wasm {
            bytes: bytes(&component)?,
            signature: signed(signature)?,
        },
    };
    let new = NewInstallation {
        tenant: install.tenant,
        number: install.number,
        source,
        config: install.terms.config,
        grants: install.terms.grants,
        position: install.terms.position,
        bounds: install.terms.bounds,
        stage: install.stage,
        percent: install.percent,
        state_is_safe: install.state_is_safe,
    };
    let installed = installations::install(&context.setup, &context.compiler, &new).await?;
    Ok(Answer::installation(&installed))
}

async fn plugin_set(context: &AdminContext, set: PluginSet) -> Result<Answer, AdminError> {
    let (setup, id) = (&context.setup, set.installation);
    let tenant = installations::tenant_of(setup, id).await?;
    let change = InstallationChange {
        position: set.terms.position,
        bounds: set.terms.bounds,
        config: set.terms.config,
        grants: set.terms.grants,
        of_candidate: set.of_candidate,
    };
    let (compiler, expected) = (&context.compiler, Expected::Anything);
    let changed = installations::change(setup, compiler, tenant, id, &expected, &change).await?;
    Ok(Answer::installation(&changed))
}

fn bytes(component: &str) -> Result<Bytes, AdminError> {
    let decoded = STANDARD.decode(component).map(Bytes::from);
    decoded.map_err(|_| AdminError::Refused("the component is not base64".to_owned()))
}

fn signed(signature: Option<String>) -> Result<Option<Signature>, AdminError> {
    let read = |text: String| {
        let wrong = || AdminError::Refused("the signature must be NAME:BASE64".to_owned());
        Signature::read(&text).ok_or_else(wrong)
    };
    signature.map(read).transpose()
}

async fn realm(setup: &SetupContext, tenant: Option<String>) -> Result<TenantId, SetupError> {
    match tenant {
        Some(name) => Ok(find_tenant(setup, &name).await?.id),
        None => Ok(OPERATOR),
    }
}

async fn authorship(setup: &SetupContext, said: PluginAuthor) -> Result<Authorship, SetupError> {
    Ok(match said {
        PluginAuthor::Unsaid => Authorship::Unsaid,
        PluginAuthor::Nobody => Authorship::Nobody,
        PluginAuthor::Tenant(name) => Authorship::Of(find_tenant(setup, &name).await?.id),
    })
}

async fn list(setup: &SetupContext, tenant: Option<String>) -> Result<Answer, AdminError> {
    let tenants = match tenant {
        Some(name) => vec![find_tenant(setup, &name).await?],
        None => crate::tenants::all_tenants(setup).await?,
    };
    let mut rows = Vec::new();
    for tenant in tenants {
        let installed = installations::page(setup, tenant.id, 0, LIST_MOST).await?;
        rows.extend(installed.iter().map(|row| {
            let of = |version: Option<&Version>| {
                let text = |v: &Version| match v.stage {
                    Stage::Canary => format!("{} (canary {} %)", v.version, v.percent),
                    Stage::Active => v.version.clone(),
                    stage => format!("{} ({stage})", v.version),
                };
                version.map(text)
            };
            record! {
                "id" => row.id,
                "tenant" => tenant.name,
                "number" => row.number,
                "plugin" => row.plugin,
                "position" => row.position,
                "active" => of(row.active()),
                "candidate" => of(row.candidate()),
                "paused" => row.paused,
                "breaker" => row.open_breaker().map(|open| open.reason.clone()),
                // Given, and above what the operator lets the tenant's plugins have.
                "withheld" => row.versions.iter().flat_map(|v| &v.withheld).collect::<BTreeSet<_>>(),
            }
        }));
    }
    Ok(Answer::List(rows))
}

fn upload_record(upload: &Uploaded) -> BTreeMap<String, Value> {
    let (component, manifest) = (&upload.component, &upload.manifest);
    record! {
        "digest" => component.digest,
        "plugin" => manifest.name,
        "version" => manifest.version,
        "abi" => manifest.abi,
        "hooks" => manifest.interfaces,
        "asks_for" => manifest.grants,
        "bytes" => component.bytes,
        "signed_by" => component.signed_by,
        "author" => component.author,
        "for" => if component.tenant == OPERATOR { "every tenant".to_owned() } else { component.tenant.to_string() },
        "uploaded_at" => component.created_at.to_string(),
    }
}

fn version_record(version: &Version) -> BTreeMap<String, Value> {
    record! {
        "seq" => version.seq,
        "version" => version.version,
        "stage" => version.stage,
        "percent" => version.percent,
        "digest" => version.digest,
        "since" => version.changed_at.to_string(),
        "why" => version.reason,
    }
}

async fn logs(
    setup: &SetupContext,
    installation: InstallationId,
    after: Option<LogCursor>,
) -> Result<Answer, AdminError> {
    let tenant = installations::tenant_of(setup, installation).await?;
    let page = installations::logs(setup, tenant, installation, after).await?;
    let line = |line: &LogEntry| {
        record! {
            "turn" => line.turn,
            "at" => line.at.to_string(),
            "hook" => line.hook,
            "level" => line.level,
            "trial" => line.trial,
            "message" => line.message,
        }
    };
    Ok(Answer::Record(record! {
        "lines" => page.lines.iter().map(line).collect::<Vec<_>>(),
        "next" => page.next,
        "more" => page.more,
    }))
}

async fn key_list(setup: &SetupContext) -> Result<Answer, AdminError> {
    let keys = plugin_keys::list(setup).await?;
    let rows = keys.iter().map(|key| {
        record! {
            "name" => key.name,
            "public_key" => STANDARD.encode(&key.public_key),
            "created_at" => key.created_at.to_string(),
            "revoked_at" => key.revoked_at.map(|at| at.to_string()),
        }
    });
    Ok(Answer::List(rows.collect()))
}

impl Answer {
    pub(super) fn installation(installation: &Installation) -> Self {
        let settings = |v: &Version| serde_json::from_str::<Value>(&v.config).ok();
        let version = |v: &Version| {
            let mut row = version_record(v);
            row.extend(record! {
                "grants" => serde_json::from_str::<Value>(&v.grants).ok(),
                "withheld" => v.withheld,
                "asks_for" => serde_json::from_str::<Value>(&v.asked).ok(),
                // What the plugin gets to see: the schema's defaults are filled in.
                "settings" => settings(v),
            });
            row
        };
        let mut row = record! {
            "id" => installation.id,
            "tenant" => installation.tenant,
            "number" => installation.number,
            "plugin" => installation.plugin,
            "position" => installation.position,
            "paused" => installation.paused,
            "bounds" => installation.bounds,
            "breaker" => installation.open_breaker(),
        };
        if let Some(active) = installation.active() {
            row.insert("active".to_owned(), json!(version(active)));
        }
        if let Some(candidate) = installation.candidate() {
            row.insert("candidate".to_owned(), json!(version(candidate)));
        }
        Self::Record(row)
    }
}
