//! People: phones, business-scoped user ids, and how a send is addressed.
//!
//! Since 2026 a webhook may carry no phone number (`whatsapp-cloud-api.md` §2.3): every identifier is optional, and
//! a BSUID is opaque text that is never cut, lower-cased or read as a number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A WhatsApp phone (`wa_id`): digits only, no `+`. Personal data: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// Accepts digits with the usual punctuation around them; 5 to 20 digits must remain.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let clean = text
            .chars()
            .all(|c| c.is_ascii_digit() || "+-(). \u{a0}".contains(c));
        (clean && (5..=20).contains(&digits.len())).then_some(Self(digits))
    }

    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Phone {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a phone number")
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// A business-scoped user id: `<CC>.<alphanumeric>` or `<CC>.ENT.<alphanumeric>`, valid within one portfolio.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bsuid(String);

impl Bsuid {
    /// The pattern of `whatsapp-cloud-api.md` §2.3.
    pub fn parse(text: &str) -> Option<Self> {
        let (country, rest) = text.split_once('.')?;
        let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
        let country_ok = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let rest_ok =
            (1..=128).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        (country_ok && rest_ok).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Bsuid {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a business-scoped user id")
    }
}

impl From<Bsuid> for String {
    fn from(id: Bsuid) -> Self {
        id.0
    }
}

impl fmt::Debug for Bsuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bsuid(…)")
    }
}

/// What kinds of identity a contact is known by. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    Phone = 1,
    Bsuid = 2,
}

/// Who a webhook says somebody is. At least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PersonRef {
    pub phone: Option<Phone>,
    pub bsuid: Option<Bsuid>,
}

impl PersonRef {
    /// Reads whatever stands in the phone and user-id places; a BSUID in the phone's place is taken for what it is.
    pub fn read(phone: Option<&str>, user_id: Option<&str>) -> Option<Self> {
        let bsuid = user_id.or(phone).and_then(Bsuid::parse);
        let phone = phone.and_then(Phone::parse);
        (phone.is_some() || bsuid.is_some()).then_some(Self { phone, bsuid })
    }
}

/// How a send is addressed: `to` for a phone, `recipient` for a BSUID (`whatsapp-cloud-api.md` §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    Phone(Phone),
    Bsuid(Bsuid),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bsuid_in_the_phones_place_is_a_bsuid() {
        let who = PersonRef::read(Some("GB.4410093827716523"), None).expect("somebody");
        assert_eq!(who.phone, None);
        assert_eq!(who.bsuid.expect("a bsuid").as_str(), "GB.4410093827716523");
    }

    #[test]
    fn phones_keep_their_digits_only() {
        assert_eq!(
            Phone::parse("+44 (7700) 900-123")
                .expect("a phone")
                .digits(),
            "447700900123"
        );
        assert_eq!(Phone::parse("US.1349120865"), None);
        assert_eq!(Phone::parse("12"), None);
    }

    #[test]
    fn personal_data_does_not_print() {
        let who =
            PersonRef::read(Some("447700900123"), Some("GB.4410093827716523")).expect("somebody");
        assert!(!format!("{who:?}").contains("7700"));
        assert!(!format!("{who:?}").contains("4410"));
    }
}
