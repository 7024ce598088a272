//! SHA-256 of a file, as Graph spells it: base64 in live webhooks, hex in coexistence history (facts §5.2).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// `None`: no digest in either spelling.
    pub fn parse(text: &str) -> Option<Self> {
        // 64 characters are hex: base64 has 43 or 44.
        let bytes = match text.len() {
            64 => hex::decode(text).ok()?,
            44 => STANDARD.decode(text).ok()?,
            43 => STANDARD_NO_PAD.decode(text).ok()?,
            _ => return None,
        };
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn is(self, bytes: &[u8]) -> bool {
        self.0 == bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let base64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        let digest = Digest::parse(hex).expect("hex");
        assert_eq!(Digest::parse(&hex.to_uppercase()), Some(digest));
        assert_eq!(Digest::parse(base64), Some(digest));
        assert_eq!(Digest::parse(base64.trim_end_matches('=')), Some(digest));
        for odd in ["", "abc", &hex[1..], &"z".repeat(64), &"!".repeat(44)] {
            assert_eq!(Digest::parse(odd), None, "{odd}");
        }
    }
}
