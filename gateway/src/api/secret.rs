//! A secret on its way in: text that is never shown again, nor printed.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

/// Write-only.
#[derive(Debug)]
pub struct Secret(pub SecretString);

/// As the services bound it (`tenants::apps::check_secret`).
const CHARS_MOST: usize = 4_096;

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

impl utoipa::PartialSchema for Secret {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .write_only(true)
            .min_length(Some(1))
            .max_length(Some(CHARS_MOST))
            .into()
    }
}

impl utoipa::ToSchema for Secret {}
