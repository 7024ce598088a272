//! Standard Webhooks signatures: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::domain::Timestamp;
use crate::secrets::{Entropy, SecretError};

pub const WEBHOOK_ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

const PREFIX: &str = "whsec_";
/// Bytes of a secret that we make; those of others may have what the standard allows.
const LENGTH: usize = 32;
const ALLOWED: std::ops::RangeInclusive<usize> = 24..=64;

/// An endpoint's secret: `whsec_` and base64. Never printed.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A fresh one.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, SecretError> {
        let mut bytes = zeroize::Zeroizing::new([0_u8; LENGTH]);
        entropy.fill(&mut *bytes).map_err(SecretError::Entropy)?;
        Ok(Self(format!("{PREFIX}{}", STANDARD.encode(*bytes)).into()))
    }

    /// One that the tenant brings. `None`: it is not of the standard's form.
    pub fn parse(text: SecretString) -> Option<Self> {
        let secret = Self(text);
        let key = secret.key()?;
        ALLOWED.contains(&key.len()).then_some(secret)
    }

    /// As the tenant is shown it, once.
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    fn key(&self) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let text = self.0.expose_secret().strip_prefix(PREFIX)?;
        STANDARD.decode(text).ok().map(zeroize::Zeroizing::new)
    }

    fn sign(&self, id: &str, seconds: &str, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key()?).ok()?;
        for part in [id, ".", seconds, ".", body] {
            mac.update(part.as_bytes());
        }
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Some(format!("v1,{signature}"))
    }
}

/// The headers of one request. The standard allows several signatures, between spaces: whoever checks takes any of them.
pub(super) fn headers(
    secrets: &[Secret],
    id: &str,
    at: Timestamp,
    body: &str,
) -> Option<[(&'static str, String); 3]> {
    let seconds = (at.millis() / 1000).to_string();
    let signatures = secrets.iter().map(|secret| secret.sign(id, &seconds, body));
    let signatures: Vec<String> = signatures.collect::<Option<_>>()?;
    Some([
        (WEBHOOK_ID, id.to_owned()),
        (TIMESTAMP, seconds),
        (SIGNATURE, signatures.join(" ")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own libraries.
    #[test]
    fn the_standards_example_is_signed_as_it_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into());
        let headers = headers(
            &[secret.expect("a secret")],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Timestamp::from_secs(1_614_265_330),
            r#"{"test": 2432232314}"#,
        );
        let [id, at, signature] = headers.expect("headers");
        assert_eq!(id.1, "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(at.1, "1614265330");
        assert_eq!(
            signature.1,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn secrets_have_the_standards_form() {
        let good = Secret::generate(&crate::secrets::SystemEntropy).expect("randomness");
        assert!(Secret::parse(good.text().clone()).is_some());
        for bad in [
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_%%%",
        ] {
            assert!(Secret::parse(bad.to_owned().into()).is_none(), "{bad}");
        }
    }
}
