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
    /// There may be only so many at a time.
    #[error(
        "there are {most} {what}, the most that there may be: try again when one is over, or cancel one"
    )]
    TooMany { what: String, most: i64 },
    /// Somebody else was faster; whoever edits must read again.
    #[error("it has changed since it was read")]
    Changed,
    /// Everything that is wrong with an upload.
    #[error("the upload is refused:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Upload(Vec<String>),
    /// More than one thing is wrong, each for whoever asked to put right.
    #[error("{} things are wrong:{}", .0.len(), listed(.0))]
    Several(Vec<SetupError>),
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
            | Self::TooMany { .. }
            | Self::Changed => true,
            Self::Upload(_) | Self::State(_) | Self::Keyring(KeyringError::NotAFile) => true,
            Self::Several(errors) => errors.iter().all(Self::is_refusal),
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

    /// Did somebody else change the same at this moment? Made from its beginning, the change finds theirs.
    pub(crate) fn is_lost_race(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_lost_race())
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

/// A line each; what has several is indented.
fn listed(errors: &[SetupError]) -> String {
    let one = |error: &SetupError| format!("\n  {}", error.to_string().replace('\n', "\n  "));
    errors.iter().map(one).collect()
}

/// What was refused of one request, so that all of it is told at once.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<SetupError>);

impl Refusals {
    /// Goes on after a refusal, with nothing in its place. What is nobody's to put right is an error at once.
    pub(super) fn note<T>(
        &mut self,
        result: Result<T, SetupError>,
    ) -> Result<Option<T>, SetupError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_refusal() => {
                self.0.push(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// `whole`: what it was about; none, when a part of it was refused.
    pub(super) fn end<T>(mut self, whole: Option<T>) -> Result<T, SetupError> {
        match (self.0.len(), whole) {
            (0, Some(whole)) => Ok(whole),
            (1, _) => Err(self.0.remove(0)),
            _ => Err(SetupError::Several(self.0)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(problem: &str) -> Result<(), SetupError> {
        Err(SetupError::invalid("the name", problem))
    }

    #[test]
    fn all_that_was_refused_is_told_and_one_refusal_stays_what_it_is() {
        let mut none = Refusals::default();
        let noted = none.note(Ok(7)).expect("goes on");
        assert_eq!(none.end(noted).expect("nothing was refused"), 7);
        let mut one = Refusals::default();
        let noted = one.note(wrong("is long")).expect("goes on");
        let told = one.end(noted).expect_err("refused");
        assert!(matches!(told, SetupError::Invalid { .. }), "{told}");
        let mut two = Refusals::default();
        two.note(wrong("is long")).expect("goes on");
        two.note(wrong("says:\n  no")).expect("goes on");
        let told = two.end(Some(())).expect_err("refused");
        assert!(told.is_refusal());
        let text = "2 things are wrong:\n  the name is long\n  the name says:\n    no";
        assert_eq!(told.to_string(), text);
    }

    #[test]
    fn what_is_nobodys_to_put_right_is_told_alone() {
        let mut wrong = Refusals::default();
        let failed: Result<(), _> = Err(SetupError::Engine("is gone".to_owned()));
        assert!(wrong.note(failed).is_err());
    }
}
