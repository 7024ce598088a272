//! A lenient view of JSON text: objects as lists of raw fields, one level at a time, borrowed from the text.
//!
//! Meta adds keys, leaves keys out and sends numbers as strings (facts §0.2, §2.3). A reader that asks for one field
//! at a time loses at most that field when its shape is odd. Nothing here recurses, so no depth of nesting hurts.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::Timestamp;

/// One JSON object's fields in their order; a doubled key appears twice.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// `None` when the text is not a JSON object.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// The value under `key`; `null` counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.fields()
            .find(|(name, value)| *name == key && value.get() != "null")
            .map(|(_, value)| value)
    }

    /// A string, or a number as its digits.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(text)
    }

    pub(super) fn string(&self, key: &str) -> Option<String> {
        self.text(key).map(Cow::into_owned)
    }

    /// An integer, also when it came as a string.
    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    /// A number that is one: JSON can write what no float holds.
    pub(super) fn float(&self, key: &str) -> Option<f64> {
        self.text(key)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get() == "true")
    }

    /// Unix seconds, as a string or an integer (facts §2.1, §1.5).
    pub(super) fn time(&self, key: &str) -> Option<Timestamp> {
        self.integer(key)
            .filter(|&secs| secs > 0)
            .map(Timestamp::from_secs)
    }

    pub(super) fn object(&self, key: &str) -> Option<Self> {
        self.get(key).and_then(|value| Self::parse(value.get()))
    }

    /// The elements of the array under `key`; none when it is absent or no array.
    pub(super) fn array(&self, key: &str) -> Vec<&'a RawValue> {
        self.get(key).and_then(array).unwrap_or_default()
    }

    pub(super) fn first(&self, key: &str) -> Option<Self> {
        self.array(key)
            .first()
            .and_then(|value| Self::parse(value.get()))
    }
}

pub(super) fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// A string without NUL characters, which PostgreSQL cannot store, or a number as its digits.
///
/// Half of a surrogate pair, which JSON allows and Unicode does not, becomes U+FFFD instead of losing the string.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    let text = match raw.as_bytes().first()? {
        b'"' => unquote(raw)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(raw),
        _ => return None,
    };
    Some(if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        text
    })
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Quoted<'a>(#[serde(borrow)] Cow<'a, str>);

fn unquote(raw: &str) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<Quoted<'_>>(raw) {
        Ok(Quoted(text)) => Some(text),
        Err(_) => serde_json::from_str::<LoneSurrogates>(raw)
            .ok()
            .map(|LoneSurrogates(text)| Cow::Owned(text)),
    }
}

/// serde_json hands out a string with half a surrogate pair only as bytes.
struct LoneSurrogates(String);

impl<'de> Deserialize<'de> for LoneSurrogates {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = LoneSurrogates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<LoneSurrogates, E> {
                Ok(LoneSurrogates(String::from_utf8_lossy(bytes).into_owned()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Quoted(key), value)) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Fields).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive_whatever_json_allows_in_them() {
        let object = Object::parse(
            r#"{"a":"x\u0000y","b":"\ud83d!","c":12,"d":"caf\u00e9","e":null,"f":[]}"#,
        )
        .expect("an object");
        assert_eq!(object.text("a").as_deref(), Some("x\u{fffd}y"));
        assert!(object.text("b").expect("a string").ends_with('!'));
        assert_eq!(object.text("c").as_deref(), Some("12"));
        assert_eq!(object.text("d").as_deref(), Some("café"));
        assert_eq!(object.text("e"), None);
        assert_eq!(object.text("f"), None);
    }

    #[test]
    fn any_depth_of_nesting_is_skipped_over() {
        let deep = format!(
            r#"{{"deep":{}{},"id":"x"}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let object = Object::parse(&deep).expect("an object");
        assert_eq!(object.text("id").as_deref(), Some("x"));
    }
}
