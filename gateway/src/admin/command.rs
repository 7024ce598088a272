//! Everything that can be asked for. One JSON object each when it goes through the socket.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::consent::ConsentCommand;
use super::exposed;
use super::plugins::PluginCommand;
use super::templates::TemplateCommand;
use crate::access::Role;
use crate::checklist::Item;
use crate::domain::{ApiKeyId, ContactId, HoldId, InstallationId, TurnId};
use crate::explain;
use crate::replay::read::Asked;
use crate::tenants::holds::Scope;

/// A command. Names are what the operator typed: a name, our id, or Meta's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    AppAdd {
        meta_app_id: String,
        name: String,
        #[serde(with = "exposed")]
        verify_token: SecretString,
        #[serde(with = "exposed::list")]
        secrets: Vec<SecretString>,
        is_default: bool,
    },
    AppAddSecret {
        app: String,
        #[serde(with = "exposed")]
        secret: SecretString,
        retire_older: bool,
    },
    TenantAdd {
        name: String,
        /// JSON object.
        settings: String,
    },
    TenantSet {
        tenant: String,
        /// JSON object; replaces all settings.
        settings: String,
    },
    TenantShow {
        tenant: String,
    },
    TenantList,
    /// Is it ready to go live?
    TenantChecklist {
        tenant: String,
    },
    /// Somebody's word for a line of the checklist; without a note it is taken back.
    TenantAttest {
        tenant: String,
        item: Item,
        note: Option<String>,
    },
    TenantRemove {
        tenant: String,
    },
    AppRemove {
        app: String,
    },
    /// A job does it.
    ContactEraseJournals {
        tenant: String,
        contact: ContactId,
    },
    CredentialRemove {
        tenant: String,
        credential: String,
    },
    NumberRemove {
        tenant: String,
        number: String,
        /// Withdraw what is queued for it first.
        cancel_queued: bool,
    },
    CredentialAdd {
        tenant: String,
        name: String,
        #[serde(with = "exposed")]
        token: SecretString,
        replace: bool,
    },
    NumberAdd {
        tenant: String,
        app: Option<String>,
        credential: String,
        portfolio: Option<String>,
        waba_id: String,
        phone_number_id: String,
        display_number: String,
        time_zone: String,
        throughput: i64,
    },
    Plugin(PluginCommand),
    Template(TemplateCommand),
    /// Turns of the journal, a page of them.
    PluginJournal(Asked),
    /// What an installation runs, or ran.
    PluginSetup {
        tenant: String,
        installation: InstallationId,
        version: Option<i64>,
    },
    /// One turn as its journal has it.
    PluginTrace {
        tenant: String,
        turn: TurnId,
    },
    SecretSet {
        tenant: String,
        name: String,
        #[serde(with = "exposed")]
        value: SecretString,
        hosts: Vec<String>,
    },
    SecretList {
        tenant: String,
    },
    SecretRemove {
        tenant: String,
        name: String,
    },
    HoldAdd {
        scope: Scope,
        reason: String,
        by: String,
        /// `None`: until it is lifted.
        seconds: Option<u64>,
    },
    HoldLift {
        hold: HoldId,
    },
    HoldList,
    /// What a number may send to a person now.
    Permission {
        tenant: String,
        number: String,
        person: String,
    },
    KeyAdd {
        /// `None`: an operator's key.
        tenant: Option<String>,
        name: String,
        role: Role,
        /// `None`: it never expires.
        seconds: Option<u64>,
    },
    KeyList {
        tenant: Option<String>,
    },
    KeyRevoke {
        tenant: Option<String>,
        key: ApiKeyId,
    },
    AuditVerify {
        /// Heads of earlier verifications, `CHAIN SEQ:MAC`.
        heads: Vec<String>,
    },
    Consent(ConsentCommand),
    /// Why a message was sent, or was not.
    Explain {
        /// `None`: of every tenant.
        tenant: Option<String>,
        asked: explain::Asked,
    },
    /// Sends that may have been made twice or not at all.
    SendsDoubts {
        /// Most rows.
        limit: usize,
    },
    KeysRotate {
        /// Only wrap again: the new key stands in the configuration already.
        rewrap_only: bool,
    },
    Backup {
        to: PathBuf,
    },
    Status,
}

impl Command {
    /// Its name in logs and metrics.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::AppAdd { .. } => "app_add",
            Self::AppAddSecret { .. } => "app_add_secret",
            Self::TenantAdd { .. } => "tenant_add",
            Self::TenantSet { .. } => "tenant_set",
            Self::TenantShow { .. } => "tenant_show",
            Self::TenantList => "tenant_list",
            Self::TenantChecklist { .. } => "tenant_checklist",
            Self::TenantAttest { .. } => "tenant_attest",
            Self::TenantRemove { .. } => "tenant_remove",
            Self::AppRemove { .. } => "app_remove",
            Self::ContactEraseJournals { .. } => "contact_erase_journals",
            Self::CredentialRemove { .. } => "credential_remove",
            Self::NumberRemove { .. } => "number_remove",
            Self::CredentialAdd { .. } => "credential_add",
            Self::NumberAdd { .. } => "number_add",
            Self::Plugin(command) => command.verb(),
            Self::Template(command) => command.verb(),
            Self::PluginJournal(_) => "plugin_journal",
            Self::PluginSetup { .. } => "plugin_setup",
            Self::PluginTrace { .. } => "plugin_trace",
            Self::SecretSet { .. } => "secret_set",
            Self::SecretList { .. } => "secret_list",
            Self::SecretRemove { .. } => "secret_remove",
            Self::HoldAdd { .. } => "hold_add",
            Self::HoldLift { .. } => "hold_lift",
            Self::HoldList => "hold_list",
            Self::Permission { .. } => "permission",
            Self::KeyAdd { .. } => "key_add",
            Self::KeyList { .. } => "key_list",
            Self::KeyRevoke { .. } => "key_revoke",
            Self::AuditVerify { .. } => "audit_verify",
            Self::Consent(command) => command.verb(),
            Self::Explain { .. } => "explain",
            Self::SendsDoubts { .. } => "sends_doubts",
            Self::KeysRotate { .. } => "keys_rotate",
            Self::Backup { .. } => "backup",
            Self::Status => "status",
        }
    }
}
