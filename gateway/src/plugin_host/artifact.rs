//! Artifacts: compiled components, sealed so that only what this deployment compiled is ever loaded.
//!
//! Whoever writes an artifact owns the process that loads it: wasmtime trusts its bytes. So they are authenticated
//! first, and by type: [`AuthenticArtifact`] is the only thing that can be loaded, and only [`ArtifactKey::open`]
//! makes one. What the component says of itself is sealed with it: what is kept beside it for lists is not believed.
//! Where sealed bytes are kept is the caller's affair.

use std::fmt;

use blake3::{Hash, Hasher};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use zeroize::Zeroizing;

use super::engine::{self, WASMTIME_VERSION};
use super::manifest::{Manifest, ManifestError};

/// SHA-256 of an uploaded component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentDigest(pub [u8; 32]);

impl ComponentDigest {
    pub fn of(component: &[u8]) -> Self {
        Self(Sha256::digest(component).into())
    }

    /// Asked of bytes that were kept where others write too.
    pub fn is_of(&self, component: &[u8]) -> bool {
        Self::of(component) == *self
    }
}

impl fmt::Display for ComponentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ComponentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which component an artifact is of, and which engine it is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArtifactId {
    pub component: ComponentDigest,
    /// The exact wasmtime version.
    pub wasmtime: String,
    /// [`engine::compatibility`]: target, CPU features, flags.
    pub compatibility: u64,
}

impl ArtifactId {
    /// The artifact of a component that this process could load.
    pub fn current(component: ComponentDigest) -> wasmtime::Result<Self> {
        Ok(Self {
            component,
            wasmtime: WASMTIME_VERSION.to_owned(),
            compatibility: engine::current_compatibility()?,
        })
    }

    fn write_to(&self, mac: &mut Hasher) {
        mac.update(MAGIC);
        mac.update(&self.component.0);
        mac.update(&(self.wasmtime.len() as u64).to_le_bytes());
        mac.update(self.wasmtime.as_bytes());
        mac.update(&self.compatibility.to_le_bytes());
    }
}

/// Says what these bytes are, and which layout they have.
const MAGIC: &[u8] = b"vestibule artifact 3\n";
const MAC_LEN: usize = 32;
/// Of the manifest's length, which comes before it.
const LENGTH_LEN: usize = 4;

/// Why sealed bytes are not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    #[error("not an artifact of this gateway")]
    NotAnArtifact,
    /// Altered, sealed under another key, or of another component, version or engine than was asked for.
    #[error("the artifact is not authentic")]
    NotAuthentic,
}

/// The key that artifacts are sealed under: 32 bytes derived from the deployment's own.
pub struct ArtifactKey(Zeroizing<[u8; 32]>);

impl ArtifactKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The way of sealing. Artifacts that were sealed in another way are as good as compiled for another engine.
    pub const FORMAT: u32 = 3;

    /// Seals what the compiling child returned, with the manifest that the same bytes carry. The id is authenticated with
    /// them, not stored in them.
    pub fn seal(&self, id: &ArtifactId, manifest: &Manifest, artifact: &[u8]) -> Vec<u8> {
        let manifest = json!(manifest).to_string();
        let length = u32::try_from(manifest.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        let tag = self.mac(id, &[&length, manifest.as_bytes(), artifact]);
        [
            MAGIC,
            tag.as_bytes(),
            &length,
            manifest.as_bytes(),
            artifact,
        ]
        .concat()
    }

    /// Opens sealed bytes as the artifact `id`, or refuses them. Constant time in the tag. They are not copied: opening is
    /// part of a plugin's first call.
    pub fn open(
        &self,
        id: &ArtifactId,
        sealed: impl Into<Bytes>,
    ) -> Result<AuthenticArtifact, ArtifactError> {
        let sealed = sealed.into();
        let rest = sealed
            .strip_prefix(MAGIC)
            .ok_or(ArtifactError::NotAnArtifact)?;
        let (tag, rest) = rest
            .split_first_chunk::<MAC_LEN>()
            .ok_or(ArtifactError::NotAnArtifact)?;
        // Hashes are compared in constant time.
        if self.mac(id, &[rest]) != Hash::from_bytes(*tag) {
            return Err(ArtifactError::NotAuthentic);
        }
        let parts = rest
            .split_first_chunk::<LENGTH_LEN>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize));
        let (manifest, artifact) = parts.ok_or(ArtifactError::NotAnArtifact)?;
        Ok(AuthenticArtifact {
            id: id.clone(),
            manifest: sealed.slice_ref(manifest),
            bytes: sealed.slice_ref(artifact),
        })
    }

    /// BLAKE3 in its keyed mode: authenticating is part of a plugin's first call, and SHA-256 over a megabyte of machine
    /// code was a quarter of it.
    fn mac(&self, id: &ArtifactId, parts: &[&[u8]]) -> Hash {
        let mut mac = Hasher::new_keyed(&self.0);
        id.write_to(&mut mac);
        for part in parts {
            mac.update(part);
        }
        mac.finalize()
    }
}

impl fmt::Debug for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArtifactKey([redacted])")
    }
}

/// Machine code that this deployment has compiled itself.
pub struct AuthenticArtifact {
    id: ArtifactId,
    manifest: Bytes,
    bytes: Bytes,
}

impl AuthenticArtifact {
    pub fn id(&self) -> &ArtifactId {
        &self.id
    }

    /// What the bytes that it was compiled of say of themselves.
    pub fn manifest(&self) -> Result<Manifest, ManifestError> {
        Manifest::parse(&self.manifest)
    }

    /// How many bytes of machine code it has.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn deserialize(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are exactly what our own compiling child returned for this engine's settings: the MAC
        // over id and bytes was checked in `ArtifactKey::open`, the only place that makes this type.
        unsafe { Component::deserialize(engine, &self.bytes) }
    }
}

impl fmt::Debug for AuthenticArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthenticArtifact({})", self.id.component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ArtifactId {
        ArtifactId {
            component: ComponentDigest::of(b"a component"),
            wasmtime: "48.0.8".to_owned(),
            compatibility: 7,
        }
    }

    fn manifest(grant: &str) -> Manifest {
        let manifest = json!({"name": "menu", "version": "1.0.0", "abi": "0.1.0",
            "interfaces": ["auto-reply"], "grants": [grant]});
        Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest")
    }

    fn seal() -> Vec<u8> {
        ArtifactKey::new([1; 32]).seal(&id(), &manifest("kv"), b"code")
    }

    fn open(id: &ArtifactId, sealed: &[u8]) -> Result<Vec<u8>, ArtifactError> {
        let opened = ArtifactKey::new([1; 32]).open(id, sealed.to_vec())?;
        Ok(opened.bytes.to_vec())
    }

    #[test]
    fn what_was_sealed_can_be_opened_with_its_manifest() {
        let sealed = seal();
        assert_eq!(open(&id(), &sealed), Ok(b"code".to_vec()));
        let opened = ArtifactKey::new([1; 32])
            .open(&id(), sealed)
            .expect("authentic");
        assert_eq!(opened.manifest().expect("a manifest"), manifest("kv"));
    }

    #[test]
    fn another_manifest_before_the_same_code_is_refused() {
        let mut sealed = seal();
        let other = ArtifactKey::new([2; 32]).seal(&id(), &manifest("window"), b"code");
        let head = MAGIC.len() + MAC_LEN;
        sealed.truncate(head);
        sealed.extend_from_slice(&other[head..]);
        assert_eq!(open(&id(), &sealed), Err(ArtifactError::NotAuthentic));
    }

    #[test]
    fn the_format_is_the_one_that_sealed_bytes_begin_with() {
        let begins = format!("vestibule artifact {}\n", ArtifactKey::FORMAT);
        assert_eq!(MAGIC, begins.as_bytes());
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let sealed = seal();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&id(), &altered).is_err(), "byte {at}");
        }
        for len in 0..sealed.len() {
            assert!(open(&id(), &sealed[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn another_key_component_version_or_engine_is_refused() {
        let sealed = seal();
        let refused = Err(ArtifactError::NotAuthentic);
        let other_key = ArtifactKey::new([2; 32]).seal(&id(), &manifest("kv"), b"code");
        assert_eq!(open(&id(), &other_key), refused);
        let component = ComponentDigest::of(b"another");
        assert_eq!(open(&ArtifactId { component, ..id() }, &sealed), refused);
        let wasmtime = "48.0.9".to_owned();
        assert_eq!(open(&ArtifactId { wasmtime, ..id() }, &sealed), refused);
        let compatibility = 8;
        assert_eq!(
            open(
                &ArtifactId {
                    compatibility,
                    ..id()
                },
                &sealed
            ),
            refused
        );
    }
}
