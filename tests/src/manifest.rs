//! Components that say something else of themselves: another version of the same plugin is the same code with another
//! manifest.

use serde_json::Value;

const SECTION: &str = "vestibule:manifest";

/// The component with these fields in its manifest.
pub fn saying(component: &[u8], fields: &Value) -> Vec<u8> {
    let (mut manifest, mut made) = (Value::Null, component[..8].to_vec());
    let mut at = 8;
    while at < component.len() {
        let (length, begins) = number(component, at + 1);
        let ends = begins + length;
        let content = &component[begins..ends];
        match own(component[at], content) {
            Some(json) => manifest = serde_json::from_slice(json).expect("a manifest is JSON"),
            None => made.extend_from_slice(&component[at..ends]),
        }
        at = ends;
    }
    let object = manifest.as_object_mut().expect("the component has one");
    object.extend(fields.as_object().expect("fields").clone());
    append(&mut made, manifest.to_string().as_bytes());
    made
}

/// The manifest, if this is its section.
fn own(id: u8, content: &[u8]) -> Option<&[u8]> {
    if id != 0 {
        return None;
    }
    let (length, begins) = number(content, 0);
    let name = &content[begins..begins + length];
    (name == SECTION.as_bytes()).then(|| &content[begins + length..])
}

fn append(component: &mut Vec<u8>, json: &[u8]) {
    let mut content = leb(SECTION.len());
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(json);
    component.push(0);
    component.extend(leb(content.len()));
    component.extend(content);
}

/// An unsigned LEB128 number and where it ends.
fn number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        value |= usize::from(byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte < 0x80 {
            return (value, at);
        }
    }
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule::plugin_host::inspect;

    #[test]
    fn the_same_code_says_it_is_another_version() {
        let fields = serde_json::json!({"version": "2.0.0"});
        let made = saying(crate::guests::ECHO, &fields);
        let manifest = inspect(&made).expect("still a plugin").manifest;
        assert_eq!(
            (manifest.name.as_str(), manifest.version.as_str()),
            ("echo", "2.0.0")
        );
    }
}
