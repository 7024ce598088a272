//! The key material: one root key and several sealing keys.
//!
//! Sealing keys come and go with rotation. The root key stays for the life of the database: what is derived from it
//! (dedupe hashes, artifact MACs, pseudonyms) is stored and compared for longer than any sealing key lives.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::SecretError;
use super::entropy::Entropy;

const LEN: usize = 32;

/// The number of a sealing key. The highest seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 32 random bytes, never printed. Nothing uses them but through [`Key::derive`].
#[derive(Clone, PartialEq)]
pub(super) struct Key(Zeroizing<[u8; LEN]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Key {
    pub(super) fn generate(entropy: &dyn Entropy) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new([0; LEN]);
        entropy.fill(&mut *bytes).map_err(SecretError::Entropy)?;
        Ok(Self(bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let mut key = Zeroizing::new([0; LEN]);
        (bytes.len() == LEN).then(|| key.copy_from_slice(&bytes))?;
        Some(Self(key))
    }

    pub(super) fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.0))
    }

    /// A key for one purpose (HKDF-SHA256, RFC 5869). Two labels give independent keys.
    pub(super) fn derive(&self, label: &str) -> Zeroizing<[u8; LEN]> {
        let mut derived = Zeroizing::new([0; LEN]);
        Hkdf::<Sha256>::new(Some(b"vestibule key v1"), &*self.0)
            .expand(label.as_bytes(), &mut *derived)
            .expect("32 bytes are within what HKDF-SHA256 gives");
        derived
    }
}

/// Why keys could not be used. Never repeats key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("a key must be written as `root:BASE64` or `NUMBER:BASE64`")]
    NotAPair,
    #[error("key `{0}` is not the base64 of 32 bytes")]
    NotAKey(String),
    #[error("key `{0}` is given twice")]
    Twice(String),
    #[error("there is no root key")]
    NoRoot,
    #[error("there is no sealing key")]
    NoSealingKey,
}

/// One root key, at least one sealing key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Keys {
    pub(super) root: Key,
    pub(super) sealing: BTreeMap<KeyId, Key>,
}

impl Keys {
    pub(super) fn generate(entropy: &dyn Entropy) -> Result<Self, SecretError> {
        Ok(Self {
            root: Key::generate(entropy)?,
            sealing: BTreeMap::from([(KeyId(1), Key::generate(entropy)?)]),
        })
    }

    /// From `root:BASE64` and `NUMBER:BASE64`, in any order.
    pub(super) fn parse<'a>(entries: impl Iterator<Item = &'a str>) -> Result<Self, KeysError> {
        let mut root = None;
        let mut sealing = BTreeMap::new();
        for entry in entries {
            let (name, key) = entry.split_once(':').ok_or(KeysError::NotAPair)?;
            let parsed = Key::parse(key).ok_or_else(|| KeysError::NotAKey(shown(name)));
            let before = match name.parse() {
                Ok(id) => sealing.insert(KeyId(id), parsed?),
                Err(_) if name == "root" => root.replace(parsed?),
                Err(_) => return Err(KeysError::NotAPair),
            };
            if before.is_some() {
                return Err(KeysError::Twice(shown(name)));
            }
        }
        if sealing.is_empty() {
            return Err(KeysError::NoSealingKey);
        }
        let root = root.ok_or(KeysError::NoRoot)?;
        Ok(Self { root, sealing })
    }

    pub(super) fn newest(&self) -> (KeyId, &Key) {
        let (&id, key) = self
            .sealing
            .last_key_value()
            .expect("keys are only made with at least one sealing key");
        (id, key)
    }

    /// The same keys and one more, which seals from now on.
    pub(super) fn with_next(&self, entropy: &dyn Entropy) -> Result<Self, SecretError> {
        let mut next = self.clone();
        let id = KeyId(self.newest().0.0.saturating_add(1));
        next.sealing.insert(id, Key::generate(entropy)?);
        Ok(next)
    }
}

/// A name may be a key that somebody put on the wrong side of the colon.
fn shown(name: &str) -> String {
    match name.parse::<u32>() {
        Ok(id) => id.to_string(),
        Err(_) => "root".to_owned(),
    }
}
