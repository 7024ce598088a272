//! A signature that an upload carries in itself: a custom section of the outermost component, beside the manifest.
//!
//! It signs the bytes without that section, so that signing a file changes nothing of what was signed.

use std::borrow::Cow;

/// The custom section's name.
const SECTION: &str = "vestibule:signature";
/// Longer than any name of a key with its signature.
const MOST: usize = 1 << 10;
/// What every component begins with: magic and version.
const HEADER: usize = 8;

/// What stands in the section, and what it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried<'a> {
    /// As whoever signed it wrote it.
    pub text: String,
    /// The upload without the section: where that is its last, as signing writes it, a part of the upload itself.
    pub rest: Cow<'a, [u8]>,
}

/// Why an upload's signature cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CarriedError {
    #[error("it carries more than one signature")]
    Several,
    #[error("the signature that it carries is no text of at most {MOST} bytes")]
    NoText,
}

/// The signature in an upload. What is no component carries none: inspection says what is wrong with that.
pub fn carried_signature(upload: &[u8]) -> Result<Option<Carried<'_>>, CarriedError> {
    let mut found = None;
    let mut at = HEADER;
    while at < upload.len() {
        let Some((id, body, end)) = section(upload, at) else {
            return Ok(None);
        };
        if id == 0
            && let Some(text) = named(&upload[body..end])
            && found.replace((at, end, text)).is_some()
        {
            return Err(CarriedError::Several);
        }
        at = end;
    }
    let Some((from, to, text)) = found else {
        return Ok(None);
    };
    let text = str::from_utf8(text).ok().filter(|text| text.len() <= MOST);
    Ok(Some(Carried {
        text: text.ok_or(CarriedError::NoText)?.to_owned(),
        rest: match to == upload.len() {
            true => Cow::Borrowed(&upload[..from]),
            false => Cow::Owned([&upload[..from], &upload[to..]].concat()),
        },
    }))
}

/// The upload with a signature at its end.
pub fn with_signature(upload: &[u8], text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    leb(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(text.as_bytes());
    let mut signed = upload.to_vec();
    signed.push(0);
    leb(&mut signed, body.len());
    signed.extend_from_slice(&body);
    signed
}

/// A section that begins there: its id, and where its body begins and ends.
fn section(upload: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let id = *upload.get(at)?;
    let (length, body) = read_leb(upload, at + 1)?;
    let end = body.checked_add(length)?;
    (end <= upload.len()).then_some((id, body, end))
}

/// What stands in a custom section of our name.
fn named(body: &[u8]) -> Option<&[u8]> {
    let (length, begin) = read_leb(body, 0)?;
    let name = body.get(begin..begin.checked_add(length)?)?;
    (name == SECTION.as_bytes()).then(|| &body[begin + length..])
}

/// An unsigned number of at most 32 bits, and where it ends.
fn read_leb(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut number = 0_u64;
    for (place, byte) in bytes.get(at..)?.iter().take(5).enumerate() {
        number |= u64::from(byte & 127) << (7 * place);
        if byte & 128 == 0 {
            let number = u32::try_from(number).ok()?;
            return Some((number as usize, at + place + 1));
        }
    }
    None
}

fn leb(out: &mut Vec<u8>, mut n: usize) {
    while n >= 128 {
        out.push((n % 128) as u8 | 128);
        n /= 128;
    }
    out.push(n as u8);
}

#[cfg(test)]
mod tests {
    use super::super::testing::Guest;
    use super::*;

    #[test]
    fn what_was_signed_comes_back_as_it_was() {
        let plain = Guest::replying("").component();
        assert_eq!(carried_signature(&plain), Ok(None));
        let signed = with_signature(&plain, "acme:AQID");
        super::super::inspect(&signed).expect("still a plugin");
        let carried = carried_signature(&signed).expect("readable").expect("one");
        assert_eq!(carried.text, "acme:AQID");
        assert_eq!(*carried.rest, plain);
        assert!(matches!(carried.rest, Cow::Borrowed(_)), "not copied");
        // Wherever it stands.
        let mut first = with_signature(&plain[..HEADER], "acme:AQID");
        first.extend_from_slice(&plain[HEADER..]);
        assert_eq!(carried_signature(&first), Ok(Some(carried)));
    }

    #[test]
    fn two_signatures_and_endless_ones_are_refused() {
        let signed = with_signature(&Guest::replying("").component(), "acme:AQID");
        let twice = with_signature(&signed, "acme:AQID");
        assert_eq!(carried_signature(&twice), Err(CarriedError::Several));
        let endless = with_signature(b"\0asm\x0d\0\x01\0", &"x".repeat(MOST + 1));
        assert_eq!(carried_signature(&endless), Err(CarriedError::NoText));
    }

    #[test]
    fn no_damage_panics() {
        let signed = with_signature(&Guest::replying("").component(), "acme:AQID");
        for cut in 0..signed.len() {
            let _ = carried_signature(&signed[..cut]);
        }
        for at in 0..signed.len() {
            let mut damaged = signed.clone();
            damaged[at] ^= 0xff;
            let _ = carried_signature(&damaged);
        }
    }
}
