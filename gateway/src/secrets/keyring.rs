//! The keyring: the keys of this process. The newest seals, all open.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::SecretError;
use super::entropy::{Entropy, SystemEntropy};
use super::envelope::{self, Place};
use super::key_file::{self, KeyFileError};
use super::keys::{KeyId, Keys, KeysError};

use crate::sync;

/// Where the keys come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// `root:BASE64` and `NUMBER:BASE64`, from the configuration.
    Given(Vec<SecretString>),
    File {
        path: PathBuf,
        if_missing: Missing,
    },
}

/// What to do without a key file. Two PostgreSQL nodes that each made their own could not read each other's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Create,
    Refuse,
}

/// Why the keyring could not be loaded or rotated.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("the keys in `secrets.keys` cannot be used")]
    Given(#[source] KeysError),
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error(
        "there is no key file {0}, and on PostgreSQL none is made: every node needs the same keys"
    )]
    Missing(String),
    #[error("a new key could not be made")]
    Generate(#[source] SecretError),
    #[error(
        "the keys stand in `secrets.keys`: add a key with a higher number there, on every node"
    )]
    NotAFile,
}

/// Seals and opens. Shared by everything that touches a secret.
#[derive(Debug)]
pub struct Keyring {
    source: Source,
    entropy: Arc<dyn Entropy>,
    keys: RwLock<Arc<Keys>>,
}

impl Keyring {
    /// Of a key file, which is made where there is none.
    pub fn of_file(path: PathBuf) -> Result<Self, KeyringError> {
        let if_missing = Missing::Create;
        Self::load(Source::File { path, if_missing }, Arc::new(SystemEntropy))
    }

    pub fn load(source: Source, entropy: Arc<dyn Entropy>) -> Result<Self, KeyringError> {
        let keys = match &source {
            Source::Given(_) => read(&source)?,
            Source::File { path, if_missing } => match (key_file::read(path)?, if_missing) {
                (Some(keys), _) => keys,
                (None, Missing::Refuse) => {
                    return Err(KeyringError::Missing(path.display().to_string()));
                }
                (None, Missing::Create) => {
                    let keys = Keys::generate(&*entropy).map_err(KeyringError::Generate)?;
                    key_file::write(path, &keys)?;
                    keys
                }
            },
        };
        Ok(Self {
            source,
            entropy,
            keys: RwLock::new(Arc::new(keys)),
        })
    }

    /// An envelope for exactly this place, sealed with the newest key.
    pub fn seal(&self, place: Place, secret: &SecretString) -> Result<Vec<u8>, SecretError> {
        let keys = self.keys();
        let (id, key) = keys.newest();
        let mut nonce = [0; 24];
        self.entropy
            .fill(&mut nonce)
            .map_err(SecretError::Entropy)?;
        envelope::seal(id, key, nonce, place, secret.expose_secret().as_bytes())
    }

    /// Opens what was sealed for this place. A key that another node has just added is looked for in the key file.
    pub fn open(&self, place: Place, bytes: &[u8]) -> Result<SecretString, SecretError> {
        let id = envelope::key_id(bytes)?;
        if !self.keys().sealing.contains_key(&id)
            && let Ok(keys) = read(&self.source)
        {
            self.replace(keys);
        }
        let keys = self.keys();
        let key = keys.sealing.get(&id).ok_or(SecretError::UnknownKey(id))?;
        envelope::open(key, place, bytes)
    }

    /// Was it sealed with a key that is no longer the newest (or is it unreadable)?
    pub fn needs_rewrap(&self, bytes: &[u8]) -> bool {
        envelope::key_id(bytes).ok() != Some(self.newest())
    }

    /// The key that seals now.
    pub fn newest(&self) -> KeyId {
        self.keys().newest().0
    }

    /// All sealing keys, oldest first.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.keys().sealing.keys().copied().collect()
    }

    /// Adds a sealing key to the key file and uses it from now on. Rows sealed before stay readable; re-wrapping them
    /// is the caller's work. A crash before the file is replaced leaves everything as it was.
    pub fn rotate(&self) -> Result<KeyId, KeyringError> {
        let Source::File { path, .. } = &self.source else {
            return Err(KeyringError::NotAFile);
        };
        let current = read(&self.source)?;
        let next = current
            .with_next(&*self.entropy)
            .map_err(KeyringError::Generate)?;
        key_file::write(path, &next)?;
        self.replace(next);
        Ok(self.newest())
    }

    /// The key that authenticates compiled artifacts before they are loaded.
    pub fn artifact_mac_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().root.derive("artifact mac")
    }

    /// The key of the hash (SipHash-2-4) by which inbound events are recognised. Stored hashes depend on it.
    pub fn dedupe_key(&self) -> Zeroizing<[u8; 16]> {
        let derived = self.keys().root.derive("dedupe hash");
        let mut key = Zeroizing::new([0; 16]);
        key.copy_from_slice(&derived[..16]);
        key
    }

    /// The key that turns a person's identity into a pseudonym.
    pub fn pseudonym_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().root.derive("pseudonym")
    }

    /// The key of sealed chains (audit log, consent ledger). What was sealed is verified with it for ever.
    pub fn chain_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().root.derive("sealed chains")
    }

    /// The key under which API keys are hashed: a stolen table of hashes is of no use without it.
    pub fn api_key_hash_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().root.derive("api key hash")
    }

    /// The key that signs the cursors of pages.
    pub fn cursor_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().root.derive("page cursor")
    }

    /// The key of the pseudonyms under which a plugin's author sees installations of other tenants.
    pub fn author_view_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().root.derive("author view")
    }

    fn keys(&self) -> Arc<Keys> {
        let keys = sync::read(&self.keys);
        Arc::clone(&keys)
    }

    fn replace(&self, keys: Keys) {
        let mut slot = sync::write(&self.keys);
        *slot = Arc::new(keys);
    }
}

fn read(source: &Source) -> Result<Keys, KeyringError> {
    match source {
        Source::Given(keys) => {
            Keys::parse(keys.iter().map(|key| key.expose_secret())).map_err(KeyringError::Given)
        }
        Source::File { path, .. } => {
            key_file::read(path)?.ok_or_else(|| KeyringError::Missing(path.display().to_string()))
        }
    }
}
