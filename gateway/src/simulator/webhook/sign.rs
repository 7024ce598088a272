//! The signature of a body: `X-Hub-Signature-256` (`whatsapp-cloud-api.md` §1.2).

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How a body is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    #[default]
    Valid,
    /// Well-formed, with another key.
    Wrong,
    /// No header.
    Missing,
}

/// A signing key, prepared once.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    pub fn new(secret: &str) -> Self {
        Self(keyed(secret.as_bytes()))
    }

    pub fn header(&self, body: &[u8], signature: Signature) -> Option<HeaderValue> {
        let mac = match signature {
            Signature::Valid => self.0.clone(),
            Signature::Wrong => keyed(b"not the app secret"),
            Signature::Missing => return None,
        };
        let digest = mac.chain_update(body).finalize().into_bytes();
        let mut text = [0_u8; 71];
        text[..7].copy_from_slice(b"sha256=");
        hex::encode_to_slice(digest, &mut text[7..]).expect("32 bytes are 64 digits");
        HeaderValue::from_bytes(&text).ok()
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of every length")
}
