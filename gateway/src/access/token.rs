//! The text of an API key: `vst_`, the key's id, and 32 random bytes. Only a keyed hash of the bytes is ever stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::ApiKeyId;
use crate::secrets::{Entropy, Keyring};

/// So that scanners of leaked secrets know one.
const PREFIX: &str = "vst_";
const SECRET_BYTES: usize = 32;

/// A key as a client presents it.
pub struct Token {
    id: ApiKeyId,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

/// The text is not one of our keys. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key of Vestibule")]
pub struct TokenError;

impl Token {
    pub fn new(id: ApiKeyId, entropy: &dyn Entropy) -> Result<Self, String> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        entropy.fill(&mut *secret)?;
        Ok(Self { id, secret })
    }

    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let rest = text.strip_prefix(PREFIX).ok_or(TokenError)?;
        let (id, secret) = rest.split_once('.').ok_or(TokenError)?;
        let id = format!("{}_{id}", ApiKeyId::PREFIX);
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).map_err(|_| TokenError)?);
        let secret = bytes.as_slice().try_into().map_err(|_| TokenError)?;
        Ok(Self {
            id: id.parse().map_err(|_| TokenError)?,
            secret: Zeroizing::new(secret),
        })
    }

    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What the database keeps.
    pub fn hash(&self, keyring: &Keyring) -> Vec<u8> {
        self.mac(keyring).finalize().into_bytes().to_vec()
    }

    /// Is it what was hashed? Constant time.
    pub fn fits(&self, keyring: &Keyring, hash: &[u8]) -> bool {
        self.mac(keyring).verify_slice(hash).is_ok()
    }

    fn mac(&self, keyring: &Keyring) -> Hmac<Sha256> {
        let key = keyring.api_key_hash_key();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key[..])
            .expect("HMAC takes keys of any length");
        mac.update(&self.id.raw().to_be_bytes());
        mac.update(&self.secret[..]);
        mac
    }

    /// What is shown once.
    pub fn reveal(&self) -> SecretString {
        let id = self.id.to_string();
        let id = id
            .trim_start_matches(ApiKeyId::PREFIX)
            .trim_start_matches('_');
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(&self.secret[..]));
        SecretString::from(format!("{PREFIX}{id}.{}", secret.as_str()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, [redacted])", self.id)
    }
}

/// The text of a new key where it must be written out: the answer that shows it once.
pub fn shown_once(token: &Token) -> String {
    token.reveal().expose_secret().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SystemEntropy;

    fn keyring() -> (tempfile::TempDir, Keyring) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let keyring = Keyring::of_file(dir.path().join("keys.toml"));
        (dir, keyring.expect("keys are made"))
    }

    #[test]
    fn a_key_survives_its_text_and_fits_its_own_hash_only() {
        let (_dir, keyring) = keyring();
        let id = ApiKeyId::from_raw(77);
        let token = Token::new(id, &SystemEntropy).expect("randomness");
        let other = Token::new(id, &SystemEntropy).expect("randomness");
        let read = Token::parse(&shown_once(&token)).expect("it reads");
        assert_eq!(read.id(), id);
        assert!(read.fits(&keyring, &token.hash(&keyring)));
        assert!(!other.fits(&keyring, &token.hash(&keyring)));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for text in [
            "",
            "vst_",
            "vst_x.y",
            "Bearer hunter2",
            "vst_0000000000001.aaaa",
        ] {
            assert_eq!(Token::parse(text).err(), Some(TokenError), "{text}");
        }
        let token = Token::new(ApiKeyId::from_raw(1), &SystemEntropy).expect("randomness");
        let secret = shown_once(&token);
        let secret = secret.split_once('.').expect("two parts").1;
        assert!(!format!("{token:?}").contains(secret));
    }
}
