//! Secrets inside a command on their way through the admin socket: the only place where one is written out.
//!
//! The socket belongs to one user on one machine; `Debug` of a command still shows `[REDACTED]`.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(
    secret: &SecretString,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// The same for several.
pub(super) mod list {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        secrets: &[SecretString],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(secrets.iter().map(|secret| secret.expose_secret()))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SecretString>, D::Error> {
        let secrets = Vec::<String>::deserialize(deserializer)?;
        Ok(secrets.into_iter().map(SecretString::from).collect())
    }
}
