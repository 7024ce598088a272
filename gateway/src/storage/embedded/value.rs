//! What stands in a column, and which Rust types read and write it.

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::Value as Raw;
use sqlx_core::decode::Decode;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::types::Type;

use super::Embedded;

/// SQLite's storage classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Integer,
    Real,
    Text,
    Blob,
}

/// One value that a row holds.
#[derive(Debug, Clone)]
pub struct Value(pub(super) Raw);

/// The same, looked at.
#[derive(Debug, Clone, Copy)]
pub struct ValueRef<'r>(pub(super) &'r Raw);

impl Kind {
    fn of(value: &Raw) -> Self {
        match value {
            Raw::Null => Self::Null,
            Raw::Integer(_) => Self::Integer,
            Raw::Real(_) => Self::Real,
            Raw::Text(_) => Self::Text,
            Raw::Blob(_) => Self::Blob,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(sqlx_core::type_info::TypeInfo::name(self))
    }
}

impl sqlx_core::type_info::TypeInfo for Kind {
    fn is_null(&self) -> bool {
        *self == Self::Null
    }

    fn name(&self) -> &str {
        match self {
            Self::Null => "NULL",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }
}

impl sqlx_core::value::Value for Value {
    type Database = Embedded;

    fn as_ref(&self) -> ValueRef<'_> {
        ValueRef(&self.0)
    }

    fn type_info(&self) -> Cow<'_, Kind> {
        Cow::Owned(Kind::of(&self.0))
    }

    fn is_null(&self) -> bool {
        self.0 == Raw::Null
    }
}

impl<'r> sqlx_core::value::ValueRef<'r> for ValueRef<'r> {
    type Database = Embedded;

    fn to_owned(&self) -> Value {
        Value(self.0.clone())
    }

    fn type_info(&self) -> Cow<'_, Kind> {
        Cow::Owned(Kind::of(self.0))
    }

    fn is_null(&self) -> bool {
        *self.0 == Raw::Null
    }
}

/// A value that is not of the type that was asked for. Whoever asks by `Type::compatible` first never sees it.
#[derive(Debug, thiserror::Error)]
#[error("the column holds {0}")]
struct Other(Kind);

fn other<T>(value: &Raw) -> Result<T, BoxDynError> {
    Err(Box::new(Other(Kind::of(value))))
}

fn put(buffer: &mut Vec<Raw>, value: Raw) -> Result<IsNull, BoxDynError> {
    buffer.push(value);
    Ok(IsNull::No)
}

/// One Rust type: its kind, how it is read and how it is written.
macro_rules! plain {
    ($rust:ty, $kind:ident, |$value:ident| $read:expr, |$written:ident| $write:expr) => {
        impl Type<Embedded> for $rust {
            fn type_info() -> Kind {
                Kind::$kind
            }
        }

        impl<'r> Decode<'r, Embedded> for $rust {
            fn decode($value: ValueRef<'r>) -> Result<Self, BoxDynError> {
                $read
            }
        }

        impl Encode<'_, Embedded> for $rust {
            fn encode_by_ref(&self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
                let $written = self;
                put(buffer, $write)
            }
        }
    };
}

fn integer(value: ValueRef<'_>) -> Result<i64, BoxDynError> {
    match value.0 {
        Raw::Integer(number) => Ok(*number),
        value => other(value),
    }
}

plain!(i64, Integer, |value| integer(value), |number| {
    Raw::Integer(*number)
});
plain!(
    i32,
    Integer,
    |value| Ok(i32::try_from(integer(value)?)?),
    |number| Raw::Integer(i64::from(*number))
);
plain!(
    f64,
    Real,
    |value| match value.0 {
        Raw::Real(number) => Ok(*number),
        value => other(value),
    },
    |number| Raw::Real(*number)
);

impl Type<Embedded> for str {
    fn type_info() -> Kind {
        Kind::Text
    }
}

impl Type<Embedded> for String {
    fn type_info() -> Kind {
        Kind::Text
    }
}

impl<'r> Decode<'r, Embedded> for String {
    fn decode(value: ValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.0 {
            Raw::Text(text) => Ok(text.clone()),
            value => other(value),
        }
    }
}

impl Encode<'_, Embedded> for String {
    fn encode(self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
        put(buffer, Raw::Text(self))
    }

    fn encode_by_ref(&self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
        put(buffer, Raw::Text(self.clone()))
    }
}

impl Encode<'_, Embedded> for &'_ str {
    fn encode_by_ref(&self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
        put(buffer, Raw::Text((*self).to_owned()))
    }
}

impl Type<Embedded> for [u8] {
    fn type_info() -> Kind {
        Kind::Blob
    }
}

impl Type<Embedded> for Vec<u8> {
    fn type_info() -> Kind {
        Kind::Blob
    }

    /// Whoever tampers with a row may leave text where bytes stood: it reads as the wrong bytes, not as an error.
    fn compatible(kind: &Kind) -> bool {
        matches!(kind, Kind::Blob | Kind::Text)
    }
}

impl<'r> Decode<'r, Embedded> for Vec<u8> {
    fn decode(value: ValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.0 {
            Raw::Blob(bytes) => Ok(bytes.clone()),
            Raw::Text(text) => Ok(text.clone().into_bytes()),
            value => other(value),
        }
    }
}

impl Encode<'_, Embedded> for Vec<u8> {
    fn encode(self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
        put(buffer, Raw::Blob(self))
    }

    fn encode_by_ref(&self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
        put(buffer, Raw::Blob(self.clone()))
    }
}

impl Encode<'_, Embedded> for &'_ [u8] {
    fn encode_by_ref(&self, buffer: &mut Vec<Raw>) -> Result<IsNull, BoxDynError> {
        put(buffer, Raw::Blob((*self).to_vec()))
    }
}
