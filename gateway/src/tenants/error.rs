//! Why a change of setup was refused, or failed.

use std::fmt::Display;

use crate::audit::AuditError;
use crate::plugin_host::{CompileError, SettingsError};
use crate::secrets::{KeyringError, SecretError};
use crate::storage::StorageError;

/// Whoever asked can act on the first ones; the others are the deployment's trouble.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    #[error("{what} `{name}` exists already")]
    Taken { what: &'static str, name: String },
    #[error("{field} {problem}")]
    Invalid {
        field: &'static str,
        problem: String,
    },
    /// Other things stand on it, and go first.
    #[error("{what} `{name}` still has {left}")]
    InUse {
        what: &'static str,
        name: String,
        left: String,
    },
    /// Somebody else was faster; whoever edits must read again.
    #[error("it has changed since it was read")]
    Changed,
    /// Everything that is wrong with an upload.
    #[error("the upload is refused:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Upload(Vec<String>),
    /// Things are not such that this can be done.
    #[error("{0}")]
    State(String),
    /// Settings of an installation, or the schema that they are checked against.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the component does not compile: {0}")]
    Compile(#[from] CompileError),
    #[error("the database failed")]
    Storage(#[from] StorageError),
    #[error("the audit log could not be written")]
    Audit(#[from] AuditError),
    #[error("a secret could not be sealed or opened: {0}")]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the engine of plugins cannot be described: {0}")]
    Engine(String),
}

impl SetupError {
    /// Is it for whoever asked to put right?
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Taken { .. }
            | Self::Invalid { .. }
            | Self::InUse { .. }
            | Self::Changed => true,
            Self::Upload(_) | Self::State(_) | Self::Keyring(KeyringError::NotAFile) => true,
            Self::Settings(error) => error.is_refusal(),
            Self::Compile(error) => !matches!(
                error,
                CompileError::Start(_) | CompileError::Talk(_) | CompileError::Crashed { .. }
            ),
            Self::Storage(_)
            | Self::Audit(_)
            | Self::Secret(_)
            | Self::Keyring(_)
            | Self::Engine(_) => false,
        }
    }

    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Invalid { field, problem }
    }

    pub(crate) fn state(problem: impl Into<String>) -> Self {
        Self::State(problem.into())
    }

    /// Two versions that do not understand each other's memory.
    pub(crate) fn other_state() -> Self {
        Self::state(
            "the two versions keep their memory by different state schemas: neither manifest says that this is safe \
             (`state_compatible`), so whoever asks has to (`state_is_safe`)",
        )
    }

    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        let name = name.to_owned();
        Self::NotFound { what, name }
    }

    /// `left`: how many of what; those of which there are none are left out. `Ok`: nothing is left.
    pub(crate) fn unless_free(
        what: &'static str,
        name: impl Display,
        left: &[(i64, &str)],
    ) -> Result<(), Self> {
        let some = left.iter().filter(|(count, _)| *count > 0);
        let some: Vec<String> = some.map(|(count, of)| format!("{of} ({count})")).collect();
        match some.is_empty() {
            true => Ok(()),
            false => Err(Self::InUse {
                what,
                name: name.to_string(),
                left: some.join(", "),
            }),
        }
    }

    pub(crate) fn taken(what: &'static str, name: &str) -> Self {
        let name = name.to_owned();
        Self::Taken { what, name }
    }
}

/// 1 to `most` characters, none of them a control character.
pub(crate) fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), SetupError> {
    let length = text.chars().count();
    if length == 0 || length > most || text.chars().any(char::is_control) {
        let problem = format!("must have 1 to {most} characters on one line");
        return Err(SetupError::invalid(field, problem));
    }
    Ok(())
}

/// Ids that Meta gives are decimal digits.
pub(super) fn check_meta_id(field: &'static str, id: &str) -> Result<(), SetupError> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    if id.is_empty() || id.len() > 32 || !digits {
        return Err(SetupError::invalid(
            field,
            "must be an id of Meta's: digits only",
        ));
    }
    Ok(())
}
