//! What is written into a request: secrets that may go to its host, and the turn's person.

use std::collections::HashMap;

use secrecy::{ExposeSecret, SecretString};

use super::TurnPlace;
use super::mask::Mask;
use crate::plugin_host::{
    HTTP_BODY_BYTES, HTTP_HEADER_BYTES, HttpBody, HttpRefused, HttpRequest, Part,
};
use crate::secrets::Keyring;
use crate::storage::Db;
use crate::storage::addresses::{Addresses, addresses_all_tenants};
use crate::tenants::secrets;

pub(super) struct Filler<'a> {
    pub(super) db: &'a Db,
    pub(super) keyring: &'a Keyring,
    pub(super) place: &'a TurnPlace,
    pub(super) host: &'a str,
}

/// Different secrets in one request, and their bytes together. A guess: the longest four, or a key for each system behind a
/// shop. Each is read from the database, and looked for in the answer in a dozen spellings.
const SECRETS: usize = 16;
const SECRET_BYTES: usize = 16 << 10;

/// The values of a request's parts.
#[derive(Default)]
pub(super) struct Values {
    secrets: HashMap<String, SecretString>,
    secret_bytes: usize,
    phone: Option<SecretString>,
    bsuid: Option<SecretString>,
}

impl Filler<'_> {
    pub(super) async fn values(&self, request: &HttpRequest) -> Result<Values, HttpRefused> {
        let mut values = Values::default();
        for part in request.parts() {
            match part {
                Part::Secret(name) if !values.secrets.contains_key(name) => {
                    values.has_room()?;
                    values.keep(name, self.secret(name).await?)?;
                }
                Part::Phone if values.phone.is_none() => {
                    let addresses = self.addresses().await?;
                    let phone = addresses.phone().map(|digits| format!("+{digits}").into());
                    values.phone = Some(phone.ok_or_else(|| absent("phone number"))?);
                }
                Part::Bsuid if values.bsuid.is_none() => {
                    let addresses = self.addresses().await?;
                    let id = addresses.bsuid(&self.place.portfolio);
                    let id = id.map(|id| id.to_owned().into());
                    values.bsuid = Some(id.ok_or_else(|| absent("user id"))?);
                }
                Part::Text(_) | Part::Secret(_) | Part::Phone | Part::Bsuid => {}
            }
        }
        Ok(values)
    }

    async fn secret(&self, name: &str) -> Result<SecretString, HttpRefused> {
        let found = secrets::open(self.db, self.keyring, self.place.tenant, name).await;
        let found = found.map_err(|error| {
            tracing::warn!(%error, "a secret of a plugin's request could not be opened");
            HttpRefused::Unavailable("the gateway could not open a secret".to_owned())
        })?;
        let none = || HttpRefused::Absent(format!("the tenant has no secret `{name}`"));
        let secret = found.ok_or_else(none)?;
        match secret.may_go_to(self.host) {
            true => Ok(secret.value),
            false => Err(HttpRefused::Denied(format!(
                "the secret `{name}` is bound to other hosts"
            ))),
        }
    }

    async fn addresses(&self) -> Result<Addresses, HttpRefused> {
        let read = async {
            let mut tx = self.db.read().await?;
            addresses_all_tenants(&mut tx, &[self.place.contact]).await
        };
        let mut found = read.await.map_err(|error| {
            tracing::warn!(%error, "addresses for a plugin's request could not be read");
            HttpRefused::Unavailable("the database did not answer".to_owned())
        })?;
        Ok(found.remove(&self.place.contact).unwrap_or_default())
    }
}

fn absent(what: &str) -> HttpRefused {
    HttpRefused::Absent(format!("the person has no {what} here"))
}

/// A request as it is sent.
pub(super) struct Filled {
    pub(super) headers: Vec<(String, SecretString)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Values {
    fn has_room(&self) -> Result<(), HttpRefused> {
        let many = || HttpRefused::Invalid(format!("secrets: at most {SECRETS} different ones"));
        (self.secrets.len() < SECRETS)
            .then_some(())
            .ok_or_else(many)
    }

    fn keep(&mut self, name: &str, value: SecretString) -> Result<(), HttpRefused> {
        self.secret_bytes += value.expose_secret().len();
        if self.secret_bytes > SECRET_BYTES {
            let what = format!("secrets: at most {SECRET_BYTES} bytes of different ones");
            return Err(HttpRefused::Invalid(what));
        }
        self.secrets.insert(name.to_owned(), value);
        Ok(())
    }

    /// Bytes of secrets, which an answer is looked through for.
    pub(super) fn secret_bytes(&self) -> usize {
        self.secret_bytes
    }

    /// Everything written in. What is written in counts: a plugin names a secret of some KiB with a byte.
    pub(super) fn fill(&self, request: &HttpRequest) -> Result<Filled, HttpRefused> {
        let mut left = Left::of("headers", HTTP_HEADER_BYTES);
        let mut headers = Vec::new();
        for (name, parts) in &request.headers {
            left.take(name.len())?;
            headers.push((name.clone(), self.joined(parts, &mut left)?.into()));
        }
        let is_json = matches!(request.body, Some(HttpBody::Json(..)));
        if is_json && !headers.iter().any(|(name, _)| name == "content-type") {
            let json = "application/json".to_owned();
            headers.push(("content-type".to_owned(), json.into()));
        }
        let mut left = Left::of("body", HTTP_BODY_BYTES);
        let body = request.body.as_ref();
        let body = body.map(|body| body.written(|parts| self.joined(parts, &mut left)));
        Ok(Filled {
            headers,
            body: body.transpose()?,
        })
    }

    fn joined(&self, parts: &[Part], left: &mut Left) -> Result<String, HttpRefused> {
        let mut text = String::new();
        for part in parts {
            let value = match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Secret(name) => self.secrets.get(name).map(ExposeSecret::expose_secret),
                Part::Phone => self.phone.as_ref().map(ExposeSecret::expose_secret),
                Part::Bsuid => self.bsuid.as_ref().map(ExposeSecret::expose_secret),
            };
            let missing = || HttpRefused::Unavailable("a value was not read".to_owned());
            let value = value.ok_or_else(missing)?;
            left.take(value.len())?;
            text.push_str(value);
        }
        Ok(text)
    }

    /// Over everything that was written in.
    pub(super) fn mask(&self) -> Mask {
        let mut mask = Mask::default();
        let hidden = self.secrets.values().chain(&self.bsuid);
        hidden.for_each(|value| mask.hide(value.expose_secret()));
        if let Some(phone) = &self.phone {
            mask.hide_phone(phone.expose_secret());
        }
        mask
    }
}

/// Bytes that may still be written in one place.
struct Left {
    place: &'static str,
    most: usize,
    bytes: usize,
}

impl Left {
    fn of(place: &'static str, most: usize) -> Self {
        Self {
            place,
            most,
            bytes: most,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), HttpRefused> {
        let Self { place, most, .. } = *self;
        let long = || {
            let what = format!("{place}: at most {most} bytes, with what is written in");
            HttpRefused::Invalid(what)
        };
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(long)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin_host::Method;

    const SECRET: usize = 4_096;

    fn values() -> Values {
        Values {
            secrets: HashMap::from([("big".to_owned(), "s".repeat(SECRET).into())]),
            secret_bytes: SECRET,
            phone: Some("+4915112345678".to_owned().into()),
            bsuid: None,
        }
    }

    #[test]
    fn a_request_has_so_many_different_secrets_and_bytes_of_them() {
        let of = |count: usize, bytes: usize| {
            let mut values = Values::default();
            (0..count).try_for_each(|n| {
                values.has_room()?;
                values.keep(&n.to_string(), "s".repeat(bytes).into())
            })
        };
        assert_eq!(of(4, SECRET), Ok(()));
        assert_eq!(of(16, 1_024), Ok(()));
        for (count, bytes) in [(17, 8), (5, SECRET), (16, 1_025)] {
            assert!(
                matches!(of(count, bytes), Err(HttpRefused::Invalid(_))),
                "{count} of {bytes}"
            );
        }
    }

    fn request(headers: Vec<(String, Vec<Part>)>, body: Option<HttpBody>) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            url: "https://shop.example/".to_owned(),
            headers,
            body,
            timeout: None,
        }
    }

    fn secrets(n: usize) -> Vec<Part> {
        vec![Part::Secret("big".to_owned()); n]
    }

    fn text(bytes: usize) -> Part {
        Part::Text("t".repeat(bytes))
    }

    fn refused(request: &HttpRequest) -> Option<HttpRefused> {
        values().fill(request).err()
    }

    #[test]
    fn headers_are_counted_with_what_is_written_into_them() {
        let with = |more: usize| {
            let headers = [("x-a", secrets(1)), ("x-b", vec![text(more)])];
            let headers = headers.map(|(name, parts)| (name.to_owned(), parts));
            request(headers.to_vec(), None)
        };
        // Two names of three bytes are in it.
        let full = HTTP_HEADER_BYTES - SECRET - 6;
        assert!(refused(&with(full)).is_none());
        let Some(HttpRefused::Invalid(what)) = refused(&with(full + 1)) else {
            panic!("too long");
        };
        assert_eq!(what, "headers: at most 8192 bytes, with what is written in");
        let many = (0..32).map(|n| (format!("x-{n}"), secrets(16)));
        assert!(refused(&request(many.collect(), None)).is_some());
    }

    #[test]
    fn a_body_is_counted_with_what_is_written_into_it() {
        let with = |members: usize, parts: usize, more: usize| {
            let member = |n| (format!("/{n}"), secrets(parts));
            let mut members: Vec<_> = (0..members).map(member).collect();
            members.push(("/t".to_owned(), vec![text(more)]));
            let json = serde_json::value::RawValue::from_string("{}".to_owned());
            request(
                Vec::new(),
                Some(HttpBody::Json(json.expect("JSON"), members)),
            )
        };
        // {"0":"…","t":"…"} has 15 bytes beside the texts.
        let full = HTTP_BODY_BYTES - 15 * SECRET - 15;
        let filled = values().fill(&with(1, 15, full)).expect("it fits");
        assert_eq!(filled.body.map(|body| body.len()), Some(HTTP_BODY_BYTES));
        let long = "body: at most 65536 bytes, with what is written in";
        for (members, parts, more) in [(1, 15, full + 1), (1, 64, 0), (31, 64, 0)] {
            let refused = refused(&with(members, parts, more));
            assert_eq!(refused, Some(HttpRefused::Invalid(long.to_owned())));
        }
    }
}
