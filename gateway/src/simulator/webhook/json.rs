//! JSON as Meta puts it on the wire: ASCII only, everything else as `\uXXXX` with lower-case digits
//! (`whatsapp-cloud-api.md` §1.2).

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        if fragment.is_ascii() {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for letter in fragment.chars() {
            if letter.is_ascii() {
                writer.write_all(&[letter as u8])?;
            } else {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// Serialises to ASCII text.
pub(crate) fn ascii_json(value: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(256);
    let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, Ascii));
    written.expect("our own types have text keys and a Vec takes every byte");
    String::from_utf8(bytes).expect("the formatter writes ASCII only")
}

#[cfg(test)]
mod tests {
    use super::ascii_json;

    #[test]
    fn what_is_not_ascii_is_escaped_in_lower_case() {
        assert_eq!(
            ascii_json(&"caf\u{e9} \u{1f44d} \"q\"\n"),
            r#""caf\u00e9 \ud83d\udc4d \"q\"\n""#
        );
    }
}
