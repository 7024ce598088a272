//! Canonical JSON: the same value gives the same text, whatever the order of its keys and its white space.
//!
//! It is how an event without a wamid is known again when Meta repeats it (promise 2).

use serde_json::Value;

/// Longer text stays as it is: as values it would take a hundred times its size. Meta's own retries repeat the bytes.
const LONGEST: usize = 256 << 10;

/// Keys sorted, no white space. Text that is nested too deeply or holds a number too large to read stays as it is.
pub(super) fn canonical(raw: &str) -> String {
    if raw.len() > LONGEST {
        return raw.to_owned();
    }
    match serde_json::from_str(raw) {
        Ok(value) => {
            let mut out = String::with_capacity(raw.len());
            write(&value, &mut out);
            out
        }
        Err(_) => raw.to_owned(),
    }
}

/// Recurses as deep as the value, which serde_json limits to 128 levels. Sorts by itself: whether serde_json's own
/// map is sorted depends on a feature that any crate of the build may switch on.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            write_all(out, ['{', '}'], fields, |(key, value), out| {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            });
        }
        Value::Array(values) => write_all(out, ['[', ']'], values.iter().collect(), write),
        leaf => out.push_str(&leaf.to_string()),
    }
}

fn write_all<T>(out: &mut String, ends: [char; 2], parts: Vec<T>, write: impl Fn(T, &mut String)) {
    out.push(ends[0]);
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(part, out);
    }
    out.push(ends[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_white_space_do_not_matter() {
        let text = r#"{"a":[1,{"x":null,"y":"\u00e9"}],"b":true}"#;
        assert_eq!(
            canonical(" { \"b\" : true, \"a\":[1, {\"y\":\"é\",\"x\":null}] }"),
            canonical(text)
        );
        assert_ne!(canonical(r#"{"a":[1,2]}"#), canonical(r#"{"a":[2,1]}"#));
    }

    #[test]
    fn what_cannot_be_read_stands_for_itself() {
        let deep = "[".repeat(500) + &"]".repeat(500);
        assert_eq!(canonical(&deep), deep);
        assert_eq!(canonical("1e999"), "1e999");
    }
}
