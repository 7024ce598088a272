//! What is written into a request: secrets that may go to its host, and the turn's person.

use std::collections::HashMap;

use secrecy::{ExposeSecret, SecretString};

use super::TurnPlace;
use super::mask::Mask;
use crate::plugin_host::{HttpRefused, HttpRequest, Part};
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

/// The values of a request's parts.
#[derive(Default)]
pub(super) struct Values {
    secrets: HashMap<String, SecretString>,
    phone: Option<SecretString>,
    bsuid: Option<SecretString>,
}

impl Filler<'_> {
    pub(super) async fn values(&self, request: &HttpRequest) -> Result<Values, HttpRefused> {
        let mut values = Values::default();
        for part in request.parts() {
            match part {
                Part::Secret(name) if !values.secrets.contains_key(name) => {
                    let value = self.secret(name).await?;
                    values.secrets.insert(name.clone(), value);
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

impl Values {
    /// A text with everything written in.
    pub(super) fn joined(&self, parts: &[Part]) -> Result<SecretString, HttpRefused> {
        let mut text = String::new();
        for part in parts {
            let value = match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Secret(name) => self.secrets.get(name).map(ExposeSecret::expose_secret),
                Part::Phone => self.phone.as_ref().map(ExposeSecret::expose_secret),
                Part::Bsuid => self.bsuid.as_ref().map(ExposeSecret::expose_secret),
            };
            let missing = || HttpRefused::Unavailable("a value was not read".to_owned());
            text.push_str(value.ok_or_else(missing)?);
        }
        Ok(text.into())
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
