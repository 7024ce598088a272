//! What stands for other tenants and their installations where a plugin's author looks.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::{InstallationId, TenantId};

/// Enough that no two of a million are alike, and short enough to be compared by eye.
const BYTES: usize = 12;

/// The same things have the same pseudonyms for one author of one digest, whenever they look; for another digest or author they
/// have others, so that nobody learns who runs two plugins. Nobody turns one back, or tries ids out, without the key.
pub(super) struct Pseudonyms<'a> {
    /// [`Keyring::author_view_key`](crate::secrets::Keyring::author_view_key).
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) author: TenantId,
    pub(super) digest: &'a str,
}

impl Pseudonyms<'_> {
    pub(super) fn tenant(&self, id: TenantId) -> String {
        self.of(b"tenant", id.raw())
    }

    pub(super) fn installation(&self, id: InstallationId) -> String {
        self.of(b"installation", id.raw())
    }

    fn of(&self, kind: &[u8], raw: i64) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key[..])
            .expect("HMAC takes keys of any length");
        for part in [self.digest.as_bytes(), kind] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.update(&self.author.raw().to_be_bytes());
        mac.update(&raw.to_be_bytes());
        let whole = mac.finalize().into_bytes();
        format!("anon_{}", hex::encode(&whole[..BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(author: i64, digest: &'a str) -> Pseudonyms<'a> {
        Pseudonyms {
            key: Zeroizing::new([7; 32]),
            author: TenantId::from_raw(author),
            digest,
        }
    }

    #[test]
    fn a_pseudonym_stays_and_fits_one_author_one_digest_and_one_kind_of_thing() {
        let (tenant, installation) = (TenantId::from_raw(5), InstallationId::from_raw(5));
        let first = of(1, "aa").tenant(tenant);
        assert_eq!(of(1, "aa").tenant(tenant), first);
        let other_key = Pseudonyms {
            key: Zeroizing::new([8; 32]),
            ..of(1, "aa")
        };
        for other in [
            of(1, "aa").tenant(TenantId::from_raw(6)),
            of(1, "aa").installation(installation),
            of(1, "ab").tenant(tenant),
            of(2, "aa").tenant(tenant),
            other_key.tenant(tenant),
        ] {
            assert_ne!(other, first);
        }
    }
}
