//! Who a customer is: the key of the chat, the business-scoped user id, the profile (`whatsapp-cloud-api.md` §2.3).
//!
//! A customer with a phone gets a BSUID made from the phone and the WABA by a reversible shift of digits, so that a
//! send to either finds the same chat without an index.

use serde::{Deserialize, Serialize};

use crate::domain::{Bsuid, Phone};

/// What the customer's own settings say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    pub username: Option<String>,
    /// `false`: the phone is left out of every webhook, as for a person who has adopted a username.
    pub shows_phone: bool,
    /// `false`: no `read` statuses.
    pub read_receipts: bool,
    /// `false`: not on WhatsApp; sends are accepted and then fail with 131026.
    pub reachable: bool,
    /// Has stopped marketing in WhatsApp; marketing templates then fail with 131050.
    pub stopped_marketing: bool,
    /// Shown as `identity_key_hash`, for numbers that check identity (§2.6).
    pub identity_key: Option<String>,
    /// Shown as `parent_user_id`.
    pub parent_user_id: Option<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "Customer".to_owned(),
            username: None,
            shows_phone: true,
            read_receipts: true,
            reachable: true,
            stopped_marketing: false,
            identity_key: None,
            parent_user_id: None,
        }
    }
}

impl Profile {
    /// The element of `contacts[]` (§2.1), as JSON.
    pub(super) fn contact(&self, identity: &Identity, shows_phone: bool) -> String {
        super::webhook::ascii_json(&ContactElement {
            profile: ContactProfile {
                name: &self.name,
                username: self.username.as_deref(),
            },
            wa_id: identity.wa_id.as_deref().filter(|_| shows_phone),
            user_id: &identity.user_id,
            parent_user_id: self.parent_user_id.as_deref(),
            identity_key_hash: self.identity_key.as_deref(),
        })
    }
}

#[derive(Serialize)]
struct ContactElement<'a> {
    profile: ContactProfile<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<&'a str>,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_key_hash: Option<&'a str>,
}

#[derive(Serialize)]
struct ContactProfile<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
}

/// The identifiers that webhooks about one customer of one WABA carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub wa_id: Option<String>,
    pub user_id: String,
}

impl Identity {
    /// `key`: a phone's digits, or the BSUID of somebody whose phone nobody knows.
    pub fn of(key: &str, waba_id: &str) -> Self {
        if Bsuid::parse(key).is_some() {
            return Self {
                wa_id: None,
                user_id: key.to_owned(),
            };
        }
        Self {
            wa_id: Some(key.to_owned()),
            user_id: bsuid_of(key, waba_id),
        }
    }
}

/// The key of the chat that a send's `to` or `recipient`, or a path segment, speaks of.
pub fn chat_key(address: &str, waba_id: &str) -> Option<String> {
    if Bsuid::parse(address).is_some() {
        return Some(phone_of(address, waba_id).unwrap_or_else(|| address.to_owned()));
    }
    Phone::parse(address).map(|phone| phone.digits().to_owned())
}

fn bsuid_of(phone: &str, waba_id: &str) -> String {
    let salt = salt(waba_id);
    format!("{}.{salt}{}", country(phone), shift(phone, salt, true))
}

fn phone_of(bsuid: &str, waba_id: &str) -> Option<String> {
    let salt = salt(waba_id);
    let (_, rest) = bsuid.split_once('.')?;
    let shifted = rest.strip_prefix(&salt.to_string())?;
    let digits = shifted.bytes().all(|byte| byte.is_ascii_digit());
    let phone = digits.then(|| shift(shifted, salt, false))?;
    (bsuid_of(&phone, waba_id) == bsuid).then_some(phone)
}

/// Six digits that differ between WABAs (FNV-1a), so that a person's BSUIDs do too.
fn salt(waba_id: &str) -> u32 {
    let hash = waba_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    100_000 + hash % 900_000
}

fn shift(digits: &str, salt: u32, forward: bool) -> String {
    (0_u32..)
        .zip(digits.bytes())
        .map(|(place, byte)| {
            let by = (salt / 7 + place * 3) % 10;
            let digit = u32::from(byte.wrapping_sub(b'0')) + if forward { by } else { 10 - by };
            char::from_digit(digit % 10, 10).unwrap_or('0')
        })
        .collect()
}

/// Rough: enough to look like Meta's ids.
fn country(phone: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 10] = [
        ("1", "US"),
        ("31", "NL"),
        ("33", "FR"),
        ("34", "ES"),
        ("39", "IT"),
        ("44", "GB"),
        ("49", "DE"),
        ("52", "MX"),
        ("55", "BR"),
        ("91", "IN"),
    ];
    PREFIXES
        .iter()
        .find(|(prefix, _)| phone.starts_with(prefix))
        .map_or("ZZ", |(_, country)| country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_and_bsuid_lead_to_the_same_chat() {
        let identity = Identity::of("447700900123", "990001");
        assert!(Bsuid::parse(&identity.user_id).is_some());
        assert_eq!(
            chat_key(&identity.user_id, "990001").as_deref(),
            Some("447700900123")
        );
        assert_eq!(
            chat_key("+44 7700 900123", "990001").as_deref(),
            Some("447700900123")
        );
    }

    #[test]
    fn a_bsuid_belongs_to_one_waba() {
        let here = Identity::of("447700900123", "990001").user_id;
        let there = Identity::of("447700900123", "990002").user_id;
        assert_ne!(here, there);
        assert_eq!(chat_key(&here, "990002").as_deref(), Some(&*here));
    }

    #[test]
    fn somebody_without_a_phone_is_their_bsuid() {
        let identity = Identity::of("BR.77120993817234", "990001");
        assert_eq!(identity.wa_id, None);
        assert_eq!(identity.user_id, "BR.77120993817234");
        assert_eq!(chat_key("not a person", "990001"), None);
    }
}
