//! Takes out of an answer what was written into its request: as it is, in part, and in the encodings that servers use.
//!
//! A server that wants to can always say a secret in a way that nobody finds: binding a secret to hosts is what keeps it
//! from such servers. This is for those that mean no harm and print what they were sent.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands in its place.
const MASKED: &[u8] = b"[masked]";
/// So many bytes of it in a row are hidden, wherever they stand: as many as a number has.
const WINDOW: usize = 8;
/// What is shorter is found too often where nobody meant it.
const SHORTEST: usize = 5;
/// The end of a phone number that tells one person from another, with or without country code.
const PHONE_END: usize = 8;

/// What is hidden.
#[derive(Default)]
pub(super) struct Mask {
    /// Runs of bytes, in lower case, each as a number, by their length.
    windows: HashMap<usize, HashSet<u64>>,
    phones: Vec<String>,
}

impl Mask {
    /// Hides a text in all its spellings.
    pub(super) fn hide(&mut self, text: &str) {
        for mut spelling in spellings(text.as_bytes()) {
            spelling.make_ascii_lowercase();
            let length = spelling.len().min(WINDOW);
            if length >= SHORTEST {
                let windows = self.windows.entry(length).or_default();
                windows.extend(runs(&spelling, length));
            }
        }
    }

    /// Hides a phone number however it is written.
    pub(super) fn hide_phone(&mut self, phone: &str) {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        self.hide(&digits);
        self.hide(phone);
        self.phones
            .push(digits[digits.len().saturating_sub(PHONE_END)..].to_owned());
    }

    /// Is something of it hidden?
    pub(super) fn hides(&self, text: &[u8]) -> bool {
        self.covered(text).contains(&true)
    }

    /// The bytes with what is hidden taken out.
    pub(super) fn over(&self, text: Vec<u8>) -> Vec<u8> {
        if self.windows.is_empty() && self.phones.is_empty() {
            return text;
        }
        let covered = self.covered(&text);
        if !covered.contains(&true) {
            return text;
        }
        let (mut out, mut inside) = (Vec::with_capacity(text.len()), false);
        for (byte, covered) in text.into_iter().zip(covered) {
            match (covered, inside) {
                (true, false) => out.extend_from_slice(MASKED),
                (true, true) => {}
                (false, _) => out.push(byte),
            }
            inside = covered;
        }
        out
    }

    fn covered(&self, text: &[u8]) -> Vec<bool> {
        let mut covered = vec![false; text.len()];
        let lower = text.to_ascii_lowercase();
        for (length, windows) in &self.windows {
            for (at, run) in runs(&lower, *length).enumerate() {
                if windows.contains(&run) {
                    covered[at..at + length].fill(true);
                }
            }
        }
        for (from, to, digits) in digit_runs(text) {
            if self.phones.iter().any(|phone| digits.contains(phone)) {
                covered[from..to].fill(true);
            }
        }
        covered
    }
}

/// All runs of so many bytes, at most as many as a number has: from one to the next is a shift.
fn runs(text: &[u8], length: usize) -> impl Iterator<Item = u64> {
    let kept = u64::MAX >> (u64::BITS as usize - 8 * length);
    let mut run = 0;
    let ends = text.iter().map(move |byte| {
        run = (run << 8 | u64::from(*byte)) & kept;
        run
    });
    ends.skip(length - 1)
}

/// Digits with the punctuation of phone numbers between them: from where to where, and the digits alone.
fn digit_runs(text: &[u8]) -> Vec<(usize, usize, String)> {
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    for (at, byte) in text.iter().enumerate().filter(|(_, b)| b.is_ascii_digit()) {
        let between = |from: usize| {
            let gap = &text[from..at];
            gap.len() <= 3 && gap.iter().all(|b| b" -./()+".contains(b))
        };
        match runs.last_mut().filter(|(_, to, _)| between(*to)) {
            Some((_, to, digits)) => {
                digits.push(char::from(*byte));
                *to = at + 1;
            }
            None => runs.push((at, at + 1, char::from(*byte).to_string())),
        }
    }
    runs
}

fn spellings(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![text.to_vec()];
    let json = serde_json::to_string(&String::from_utf8_lossy(text)).unwrap_or_default();
    let json = json.trim_matches('"');
    all.push(json.as_bytes().to_vec());
    all.push(json.replace('/', "\\/").into_bytes());
    all.push(percent(text, |b| {
        b.is_ascii_alphanumeric() || b"-._~".contains(&b)
    }));
    all.push(percent(text, |b| {
        b.is_ascii_alphanumeric() || b"-._~!$'()*,;:@/?".contains(&b)
    }));
    let html = String::from_utf8_lossy(text).replace('&', "&amp;");
    let html = html.replace('<', "&lt;").replace('>', "&gt;");
    all.push(
        html.replace('"', "&quot;")
            .replace('\'', "&#39;")
            .into_bytes(),
    );
    all.push(hex::encode(text).into_bytes());
    for before in 0..3 {
        all.extend(base64_within(text, before));
    }
    all.sort();
    all.dedup();
    all
}

fn percent(text: &[u8], plain: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len());
    for &byte in text {
        match plain(byte) {
            true => encoded.push(byte),
            false => {
                encoded.push(b'%');
                encoded.extend_from_slice(hex::encode([byte]).as_bytes());
            }
        }
    }
    encoded
}

/// Its base64 within that of a longer text, so many bytes behind a whole group: characters that it alone decides.
fn base64_within(text: &[u8], before: usize) -> [Vec<u8>; 2] {
    let mut whole = vec![0; before];
    whole.extend_from_slice(text);
    let (from, to) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
    let within = |encoded: String| encoded.as_bytes()[from..to].to_vec();
    [
        within(STANDARD_NO_PAD.encode(&whole)),
        within(URL_SAFE_NO_PAD.encode(&whole)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(mask: &Mask, text: &str) -> String {
        String::from_utf8(mask.over(text.as_bytes().to_vec())).expect("text")
    }

    #[test]
    fn a_secret_is_found_in_its_spellings() {
        use base64::engine::general_purpose::STANDARD;
        let secret = "sk/live\"4f&9+Zq=8k";
        let mut mask = Mask::default();
        mask.hide(secret);
        assert_eq!(
            over(&mask, "you sent Bearer sk/live\"4f&9+Zq=8k!"),
            "you sent Bearer [masked]!"
        );
        let json = serde_json::json!({"authorization": secret}).to_string();
        assert_eq!(over(&mask, &json), r#"{"authorization":"[masked]"}"#);
        for text in [
            secret.to_uppercase(),
            "sk%2Flive%224f%269%2BZq%3D8k".to_owned(),
            "sk%2flive%224f%269%2bzq%3d8k".to_owned(),
            "sk/live&quot;4f&amp;9+Zq=8k".to_owned(),
            hex::encode(secret),
            hex::encode_upper(secret),
        ] {
            assert_eq!(over(&mask, &format!("<{text}>")), "<[masked]>", "{text}");
        }
        for before in ["", "u:", "us:", "user:"] {
            let basic = STANDARD.encode(format!("{before}{secret}"));
            let shown = over(&mask, &basic);
            let left = shown.replace("[masked]", "");
            assert!(
                shown.contains("[masked]") && left.len() <= 9,
                "{basic}: {shown}"
            );
        }
        assert_eq!(
            over(&mask, "the half of it: live\"4f&9"),
            "the half of it: [masked]"
        );
        assert_eq!(over(&mask, "nothing of it"), "nothing of it");
    }

    #[test]
    fn a_run_is_the_bytes_that_it_stands_for_and_no_others() {
        let all = |text: &[u8], length| runs(text, length).collect::<Vec<u64>>();
        assert_eq!(all(b"\x01\x02\x03", 2), [0x0102, 0x0203]);
        assert_eq!(all(&[0xff; 9], 8), [u64::MAX; 2]);
        assert!(all(b"four", 5).is_empty());
        let text: Vec<u8> = (0..100).collect();
        for length in SHORTEST..=WINDOW {
            assert_eq!(all(&text, length).len(), text.windows(length).len());
        }
        // A window of zeros is not one of fewer bytes.
        let mut mask = Mask::default();
        mask.hide("\0\0\0\0\0x");
        assert!(!mask.hides(b"\0\0\0\0x"));
        assert!(mask.hides(b"a\0\0\0\0\0x"));
    }

    #[test]
    fn a_phone_number_is_found_however_it_is_written() {
        let mut mask = Mask::default();
        mask.hide_phone("+4915112345678");
        for text in [
            "4915112345678",
            "+49 151 1234-5678",
            "(0151) 12345678",
            "0151/1234 56 78",
            "0049 (151) 123 456 78",
        ] {
            let shown = over(&mask, &format!("call {text} now"));
            assert!(
                !shown.contains("5678") && shown.contains("[masked]"),
                "{text}: {shown}"
            );
        }
        assert_eq!(
            over(&mask, "order 4711 of 2026-11-25"),
            "order 4711 of 2026-11-25"
        );
    }

    #[test]
    fn the_longest_answer_is_masked_in_time() {
        let mut mask = Mask::default();
        mask.hide(&"0123456789abcdef".repeat(256));
        let answer = "0123456789".repeat(26_000).into_bytes();
        assert!(mask.over(answer).len() < 260_000);
    }
}
