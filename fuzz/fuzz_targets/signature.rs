//! Any header over any body: only the one that belongs to them is believed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule_fuzz::graph::{SigningKey, VerifyingKeys};

fuzz_target!(|input: (&str, &[u8])| {
    let (header, body) = input;
    let secrets: [&[u8]; 2] = [b"a secret", b"the secret after it"];
    let keys = VerifyingKeys::new(&secrets);
    let signatures = secrets.map(|secret| SigningKey::new(secret).sign(body));
    for (n, signature) in signatures.iter().enumerate() {
        assert_eq!(keys.verify(Some(signature), body), Ok(n));
    }
    let is_one = |header: &str| {
        signatures
            .iter()
            .any(|one| one.eq_ignore_ascii_case(header))
    };
    if !is_one(header.trim()) {
        assert!(keys.verify(Some(header), body).is_err());
    }
});
