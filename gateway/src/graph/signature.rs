//! `X-Hub-Signature-256`: HMAC-SHA256 of the body's bytes under the app secret (facts §1.2).
//!
//! Owns nothing but the arithmetic: which secrets are active, and what a wrong signature costs, is ingest's affair.
//! The body is never decoded here: Meta signs exactly the bytes that it sends.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

const PREFIX: &str = "sha256=";
const DIGEST_LEN: usize = 32;

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("no X-Hub-Signature-256 header")]
    Missing,
    #[error("the X-Hub-Signature-256 header is not `sha256=` and 64 hex digits")]
    Malformed,
    #[error("the signature fits none of the app's secrets")]
    Wrong,
}

/// One app secret with its key block already hashed: a signature then costs only the body.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// The header's value for this body: `sha256=` and 64 lower-case hex digits.
    pub fn sign(&self, body: &[u8]) -> String {
        format!("{PREFIX}{}", hex::encode(self.digest(body)))
    }

    fn digest(&self, body: &[u8]) -> [u8; DIGEST_LEN] {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// All secrets under which an app's webhooks may be signed; two are valid during a rotation (facts §1.2).
#[derive(Debug, Clone, Default)]
pub struct VerifyingKeys(Vec<SigningKey>);

impl VerifyingKeys {
    pub fn new(secrets: &[impl AsRef<[u8]>]) -> Self {
        Self(
            secrets
                .iter()
                .map(|s| SigningKey::new(s.as_ref()))
                .collect(),
        )
    }

    /// Which secret signed this body (its place in the list given to [`new`](Self::new)).
    ///
    /// Each comparison takes the same time wherever the digests differ. It stops at the first secret that fits:
    /// whoever signed with it learns nothing from that.
    pub fn verify(&self, header: Option<&str>, body: &[u8]) -> Result<usize, SignatureError> {
        let claimed = parse(header.ok_or(SignatureError::Missing)?)?;
        self.0
            .iter()
            .position(|key| bool::from(key.digest(body).ct_eq(&claimed)))
            .ok_or(SignatureError::Wrong)
    }
}

/// [`VerifyingKeys::verify`] for secrets that are used once.
pub fn verify(
    secrets: &[impl AsRef<[u8]>],
    header: Option<&str>,
    body: &[u8],
) -> Result<usize, SignatureError> {
    VerifyingKeys::new(secrets).verify(header, body)
}

/// [`SigningKey::sign`] for a secret that is used once.
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    SigningKey::new(secret).sign(body)
}

fn parse(header: &str) -> Result<[u8; DIGEST_LEN], SignatureError> {
    let digits = header
        .trim()
        .strip_prefix(PREFIX)
        .ok_or(SignatureError::Malformed)?;
    let mut digest = [0; DIGEST_LEN];
    hex::decode_to_slice(digits, &mut digest).map_err(|_| SignatureError::Malformed)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"text":"caf\u00e9 \ud83d\udc4d"}"#;

    #[test]
    fn a_known_answer_of_rfc_4231_is_met() {
        assert_eq!(
            sign(b"Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn during_a_rotation_either_secret_is_believed() {
        let keys = VerifyingKeys::new(&["old", "new"]);
        assert_eq!(keys.verify(Some(&sign(b"old", BODY)), BODY), Ok(0));
        assert_eq!(keys.verify(Some(&sign(b"new", BODY)), BODY), Ok(1));
        assert_eq!(verify(&["new"], Some(&sign(b"new", BODY)), BODY), Ok(0));
    }

    #[test]
    fn another_secret_or_another_body_is_refused() {
        let header = sign(b"secret", BODY);
        assert_eq!(
            verify(&["other"], Some(&header), BODY),
            Err(SignatureError::Wrong)
        );
        assert_eq!(
            verify(&["secret"], Some(&header), b"{}"),
            Err(SignatureError::Wrong)
        );
        assert_eq!(
            VerifyingKeys::default().verify(Some(&header), BODY),
            Err(SignatureError::Wrong)
        );
    }

    #[test]
    fn the_signature_is_over_the_bytes_and_not_over_their_meaning() {
        let header = sign(b"secret", BODY);
        let decoded = "{\"text\":\"café 👍\"}".as_bytes();
        assert_eq!(
            verify(&["secret"], Some(&header), decoded),
            Err(SignatureError::Wrong)
        );
    }

    #[test]
    fn a_header_of_another_shape_is_malformed() {
        assert_eq!(verify(&["s"], None, BODY), Err(SignatureError::Missing));
        for header in [
            "",
            "sha256=",
            "sha1=5bdc",
            "sha256=zz",
            &sign(b"s", BODY)[..70],
        ] {
            assert_eq!(
                verify(&["s"], Some(header), BODY),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(
            format!("{:?}", VerifyingKeys::new(&["hush"])),
            "VerifyingKeys([SigningKey(…)])"
        );
    }
}
