//! A body's bytes as they are sent, with everything written in: bounded, because what is written in is longer than its name.

use std::io;

use serde::Serialize;
use serde_json::Value;

use super::{HttpBody, HttpRefused, Part};
use crate::plugin_host::limits::HTTP_BODY_BYTES;

/// Puts a text where a JSON pointer says: a member of an object that is there. `None`: it is not.
pub(super) fn put(json: &mut Value, at: &str, text: String) -> Option<()> {
    let (object, member) = at.rsplit_once('/')?;
    let object = json.pointer_mut(object).and_then(Value::as_object_mut)?;
    let member = member.replace("~1", "/").replace("~0", "~");
    object.insert(member, Value::String(text));
    Some(())
}

impl HttpBody {
    /// The bytes to be sent, each text made by `write`. Not more than a body may have.
    pub fn written(
        &self,
        mut write: impl FnMut(&[Part]) -> Result<String, HttpRefused>,
    ) -> Result<Vec<u8>, HttpRefused> {
        let (json, members) = match self {
            Self::Bytes(bytes) => return Ok(bytes.clone()),
            Self::Json(json, members) => (json, members),
        };
        if members.is_empty() {
            return bounded(json);
        }
        let unread = |_| HttpRefused::Unavailable("the gateway failed".to_owned());
        let mut json: Value = serde_json::from_str(json.get()).map_err(unread)?;
        for (at, parts) in members {
            // Tried when the request was checked.
            let _ = put(&mut json, at, write(parts)?);
        }
        bounded(&json)
    }
}

fn bounded(json: &impl Serialize) -> Result<Vec<u8>, HttpRefused> {
    let mut written = Bounded(Vec::new());
    let long = |_| {
        let what = format!("body: at most {HTTP_BODY_BYTES} bytes, with what is written in");
        HttpRefused::Invalid(what)
    };
    serde_json::to_writer(&mut written, json).map_err(long)?;
    Ok(written.0)
}

/// Bytes, as many as a body may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.0.len() + more.len() > HTTP_BODY_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
