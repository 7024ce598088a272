//! Keys that sign uploads: registered by the operator, asked when an upload says who signed it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{Result, SetupContext, SetupError, check_text};
use crate::audit::OPERATOR;
use crate::plugin_host::{carried_signature, with_signature};
use crate::storage::Tx;
use crate::storage::plugin_trust::{self, SigningKey};

/// What an upload says of who signed it: Ed25519 over the component's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub key: String,
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Reads `NAME:BASE64`, as the header and the command line have it.
    pub fn read(text: &str) -> Option<Self> {
        let (key, bytes) = text.rsplit_once(':')?;
        Some(Self {
            key: key.to_owned(),
            bytes: STANDARD.decode(bytes.trim()).ok()?,
        })
    }
}

const NAME_MOST: usize = 64;
const KEY_BYTES: usize = 32;

/// Registers a key. `public_key`: its 32 bytes in base64.
pub async fn add(setup: &SetupContext, name: &str, public_key: &str) -> Result<SigningKey> {
    check_text("the key's name", name, NAME_MOST)?;
    let bytes = STANDARD.decode(public_key.trim()).ok();
    let bytes = bytes.filter(|bytes| bytes.len() == KEY_BYTES);
    let wrong =
        || SetupError::invalid("the public key", "must be the base64 of 32 bytes (Ed25519)");
    let key = SigningKey {
        name: name.to_owned(),
        public_key: bytes.ok_or_else(wrong)?,
        created_at: setup.clock.now(),
        revoked_at: None,
    };
    let mut tx = setup.db.begin().await?;
    if !plugin_trust::add_key_all_tenants(&mut tx, &key).await? {
        return Err(SetupError::taken("signing key", name));
    }
    let became = Some(serde_json::json!({"public_key": public_key.trim()}));
    setup
        .record(&mut tx, OPERATOR, "plugin_key.add", name, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(key)
}

/// Every key, those that are revoked too.
pub async fn list(setup: &SetupContext) -> Result<Vec<SigningKey>> {
    let mut tx = setup.db.read().await?;
    Ok(plugin_trust::keys_all_tenants(&mut tx).await?)
}

/// Believes a key no more. What it signed runs on where it runs, and comes into service nowhere any more: to take it out,
/// stop its digest.
pub async fn revoke(setup: &SetupContext, name: &str) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    if !plugin_trust::revoke_key_all_tenants(&mut tx, name, setup.clock.now()).await? {
        return Err(SetupError::not_found("signing key", name));
    }
    setup
        .record(&mut tx, OPERATOR, "plugin_key.revoke", name, None, None)
        .await?;
    setup.commit(tx).await?;
    Ok(())
}

/// The component with a signature of its bytes in it. `private_key`: PKCS#8, PEM or DER.
pub fn sign(name: &str, private_key: &[u8], component: &[u8]) -> Result<Vec<u8>> {
    check_text("the key's name", name, NAME_MOST)?;
    let wrong = || SetupError::invalid("the private key", "must be Ed25519 in PKCS#8, PEM or DER");
    let der = match str::from_utf8(private_key) {
        Ok(pem) if pem.starts_with("-----BEGIN") => {
            Zeroizing::new(STANDARD.decode(body_of(pem)).map_err(|_| wrong())?)
        }
        _ => Zeroizing::new(private_key.to_vec()),
    };
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| wrong())?;
    let rest = match carried_signature(component) {
        Ok(Some(carried)) => carried.rest,
        Ok(None) => Cow::Borrowed(component),
        Err(error) => return Err(SetupError::invalid("the component", error.to_string())),
    };
    let text = format!("{name}:{}", STANDARD.encode(pair.sign(&rest)));
    Ok(with_signature(&rest, &text))
}

/// The base64 between the lines that begin and end a PEM file.
fn body_of(pem: &str) -> Zeroizing<String> {
    let lines = pem.lines().map(str::trim);
    Zeroizing::new(lines.filter(|line| !line.starts_with("-----")).collect())
}

/// The signature that an upload carries, and the bytes that it is of.
pub(super) fn carried(wasm: &Bytes) -> Result<Option<(Signature, Bytes)>, String> {
    let Some(carried) = carried_signature(wasm).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let signature = Signature::read(&carried.text);
    let wrong = || "the signature that it carries is not NAME:BASE64".to_owned();
    let rest = match carried.rest {
        Cow::Borrowed(rest) => wasm.slice_ref(rest),
        Cow::Owned(rest) => rest.into(),
    };
    Ok(Some((signature.ok_or_else(wrong)?, rest)))
}

/// What is wrong with a signature, in words; nothing when it is good.
pub(super) fn problem_with(
    keys: &[SigningKey],
    signature: &Signature,
    wasm: &[u8],
) -> Option<String> {
    let known = keys.iter().find(|key| key.name == signature.key);
    let Some(key) = known.filter(|key| key.revoked_at.is_none()) else {
        let problem = format!("the signing key `{}` is not registered here", signature.key);
        return Some(problem);
    };
    let public = UnparsedPublicKey::new(&ED25519, &key.public_key);
    let good = public.verify(wasm, &signature.bytes).is_ok();
    (!good).then(|| format!("the signature is not that of the key `{}`", key.name))
}

/// Why what was signed so must not come into service; `signed_by` is `""` where nobody signed.
pub(super) async fn problem_with_signer(
    tx: &mut Tx,
    signed_by: &str,
    required: bool,
) -> Result<Option<String>> {
    if signed_by.is_empty() {
        let problem = "it is not signed, and this gateway runs signed uploads only";
        return Ok(required.then(|| problem.to_owned()));
    }
    let keys = plugin_trust::keys_all_tenants(tx).await?;
    let mut believed = keys.iter().filter(|key| key.revoked_at.is_none());
    let is_believed = believed.any(|key| key.name == signed_by);
    Ok((!is_believed).then(|| {
        format!(
            "the key `{signed_by}` that signed it was revoked; the same bytes can be uploaded again with the signature of \
             another key"
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `openssl genpkey -algorithm ed25519`, and of no use but here.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH
-----END PRIVATE KEY-----
";

    #[test]
    fn what_is_signed_carries_a_signature_of_its_bytes() {
        let component = b"\0asm\x0d\0\x01\0";
        let signed = sign("acme", PEM.as_bytes(), component).expect("a key");
        let whole = Bytes::from(signed.clone());
        let (signature, rest) = carried(&whole).expect("readable").expect("one");
        assert_eq!(
            (signature.key.as_str(), rest.as_ref()),
            ("acme", &component[..])
        );
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("the same key");
        assert_eq!(signature.bytes, pair.sign(component).as_ref());
        let der = STANDARD.decode(body_of(PEM).as_bytes()).expect("base64");
        assert_eq!(sign("acme", &der, component).expect("a key"), signed);
        // Signing again replaces it.
        assert_eq!(
            sign("acme", PEM.as_bytes(), &signed).expect("a key"),
            signed
        );
        assert!(sign("acme", b"no key", component).is_err());
    }

    #[test]
    fn a_signature_is_a_name_and_base64() {
        let read = Signature::read("acme:ci:AQID").expect("a name with a colon");
        assert_eq!(
            (read.key.as_str(), read.bytes.as_slice()),
            ("acme:ci", &[1, 2, 3][..])
        );
        assert_eq!(Signature::read("AQID"), None);
        assert_eq!(Signature::read("acme:%%"), None);
    }
}
