//! The envelope's bytes: version (1) | key id (4, big endian) | nonce (24) | XChaCha20-Poly1305 ciphertext and tag.
//!
//! Associated data are the header and the place. A nonce of 24 random bytes does not repeat in practice, so no counter
//! has to survive a crash.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::SecretError;
use super::keys::{Key, KeyId};

const VERSION: u8 = 1;
const HEADER: usize = 5;
const NONCE: usize = 24;
const TAG: usize = 16;

/// Where an envelope lies. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    /// 0 for rows of the operator, which belong to no tenant.
    pub tenant: i64,
    pub row: i64,
}

impl Place {
    /// No two places or headers give the same bytes: names carry their length.
    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let mut data = b"vestibule envelope".to_vec();
        data.extend_from_slice(header);
        for name in [self.table, self.column] {
            data.extend_from_slice(&(name.len() as u64).to_be_bytes());
            data.extend_from_slice(name.as_bytes());
        }
        data.extend_from_slice(&self.tenant.to_be_bytes());
        data.extend_from_slice(&self.row.to_be_bytes());
        data
    }
}

pub(super) fn seal(
    id: KeyId,
    key: &Key,
    nonce: [u8; NONCE],
    place: Place,
    secret: &[u8],
) -> Result<Vec<u8>, SecretError> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&id.0.to_be_bytes());
    let aad = place.associated_data(&bytes);
    let payload = Payload {
        msg: secret,
        aad: &aad,
    };
    let sealed = cipher(key)
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| SecretError::Malformed)?;
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// Which key sealed it. The answer is not yet authenticated: [`open`] does that.
pub(super) fn key_id(bytes: &[u8]) -> Result<KeyId, SecretError> {
    let (header, _) = split(bytes)?;
    let id = header[1..].try_into().map_err(|_| SecretError::Malformed)?;
    Ok(KeyId(u32::from_be_bytes(id)))
}

pub(super) fn open(key: &Key, place: Place, bytes: &[u8]) -> Result<SecretString, SecretError> {
    let (header, rest) = split(bytes)?;
    let (nonce, sealed) = rest.split_at(NONCE);
    let aad = place.associated_data(header);
    let payload = Payload {
        msg: sealed,
        aad: &aad,
    };
    let opened = cipher(key)
        .decrypt(XNonce::from_slice(nonce), payload)
        .map_err(|_| SecretError::Refused)?;
    let opened = Zeroizing::new(opened);
    let text = std::str::from_utf8(&opened).map_err(|_| SecretError::Malformed)?;
    Ok(SecretString::from(text))
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), SecretError> {
    let long_enough = bytes.len() >= HEADER + NONCE + TAG;
    if !long_enough || bytes[0] != VERSION {
        return Err(SecretError::Malformed);
    }
    Ok(bytes.split_at(HEADER))
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.derive("seal")).into())
}
