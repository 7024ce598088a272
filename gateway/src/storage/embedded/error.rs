//! SQLite's errors in sqlx's words.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use rusqlite::ffi;
use sqlx_core::error::{DatabaseError, Error, ErrorKind};

#[derive(Debug)]
struct Refusal {
    code: i32,
    message: String,
}

/// What SQLite says becomes a database error, everything else one of the driver's.
pub(super) fn from(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => Error::Database(Box::new(Refusal {
            code: failure.extended_code,
            message: message.unwrap_or(text),
        })),
        _ => Error::Protocol(text),
    }
}

/// Did the disk refuse to keep what was written?
pub fn is_unflushed(error: &Error) -> bool {
    let refusal = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<Refusal>());
    refusal.is_some_and(|refusal| refusal.code == ffi::SQLITE_IOERR_FSYNC)
}

#[cfg(test)]
pub fn unflushed() -> Error {
    let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
    from(rusqlite::Error::SqliteFailure(code, None))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for Refusal {}

impl DatabaseError for Refusal {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID => ErrorKind::UniqueViolation,
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ErrorKind::ForeignKeyViolation,
            ffi::SQLITE_CONSTRAINT_NOTNULL => ErrorKind::NotNullViolation,
            ffi::SQLITE_CONSTRAINT_CHECK => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}
