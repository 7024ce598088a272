//! A sealed chain, for any append-only ledger: salted commitments, each link a keyed hash over the one before. Pure.
//!
//! A row's content is bound by a commitment (hash of salt and fields), and the chain binds commitments only, so that a
//! person can be erased (content and salt go) while the chain still verifies. Who lacks the key can change no sealed
//! row, swap none, take none out and put none in without breaking it. Cutting off its end is found by whoever kept a
//! head from outside: heads are given out with every verification.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The key of all chains (HKDF sub-key "sealed chains").
pub type ChainKey = zeroize::Zeroizing<[u8; 32]>;

/// One row as the chain sees it.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// From 1 on, without gaps.
    pub seq: i64,
    pub row: i64,
    pub commitment: &'a [u8],
}

/// Hash of a salt and fields. Lengths are part of it, so that no two lists of fields read the same.
pub fn commitment<'a>(salt: &[u8], fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hash = Sha256::new();
    update(&mut hash, salt);
    for field in fields {
        update(&mut hash, field);
    }
    hash.finalize().to_vec()
}

fn update(hash: &mut Sha256, field: &[u8]) {
    hash.update((field.len() as u64).to_be_bytes());
    hash.update(field);
}

/// The keyed hash of a link: over the ledger, whose chain it is, the link and the hash before it.
pub fn seal(key: &ChainKey, ledger: &str, tenant: i64, before: &[u8], link: Link<'_>) -> Vec<u8> {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(&key[..]).expect("HMAC takes keys of any length");
    for part in [ledger.as_bytes(), before, link.commitment] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    for number in [tenant, link.seq, link.row] {
        mac.update(&number.to_be_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(seq: i64, commitment: &[u8]) -> Link<'_> {
        Link {
            seq,
            row: 10 + seq,
            commitment,
        }
    }

    #[test]
    fn a_commitment_knows_where_one_field_ends() {
        let of = |fields: [&[u8]; 2]| commitment(b"salt", fields);
        assert_ne!(of([b"ab", b"c"]), of([b"a", b"bc"]));
        assert_ne!(
            commitment(b"salt", [&b"a"[..]]),
            commitment(b"pepper", [&b"a"[..]])
        );
    }

    #[test]
    fn a_link_depends_on_everything_that_it_binds() {
        let key = ChainKey::new([7; 32]);
        let base = seal(&key, "audit", 1, b"before", link(1, b"c"));
        let others = [
            seal(
                &ChainKey::new([8; 32]),
                "audit",
                1,
                b"before",
                link(1, b"c"),
            ),
            seal(&key, "consent", 1, b"before", link(1, b"c")),
            seal(&key, "audit", 2, b"before", link(1, b"c")),
            seal(&key, "audit", 1, b"after", link(1, b"c")),
            seal(&key, "audit", 1, b"before", link(2, b"c")),
            seal(&key, "audit", 1, b"before", link(1, b"d")),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
