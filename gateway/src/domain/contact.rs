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

    /// Is it the form that linked portfolios share, `<CC>.ENT.<…>`?
    pub fn is_parent(&self) -> bool {
        self.0
            .get(2..)
            .is_some_and(|rest| rest.starts_with(".ENT."))
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
    /// A BSUID that linked portfolios share.
    ParentBsuid = 3,
}

impl IdentityKind {
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Phone, Self::Bsuid, Self::ParentBsuid]
            .into_iter()
            .find(|kind| *kind as i64 == code)
    }
}

/// Who a webhook says somebody is. At least one of them is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct PersonRef {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bsuid: Option<Bsuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Bsuid>,
}

impl PersonRef {
    /// Reads whatever stands in the places of phone, user id and parent user id; each is taken for what it looks like,
    /// because BSUIDs have been seen in the phone's place (§2.3).
    pub fn read(phone: Option<&str>, user_id: Option<&str>, parent: Option<&str>) -> Option<Self> {
        let ids: Vec<Bsuid> = [user_id, parent, phone]
            .into_iter()
            .flatten()
            .filter_map(Bsuid::parse)
            .collect();
        let of_kind = |parent: bool| ids.iter().find(|id| id.is_parent() == parent).cloned();
        let person = Self {
            phone: phone.and_then(Phone::parse),
            bsuid: of_kind(false),
            parent: of_kind(true),
        };
        (person != Self::default()).then_some(person)
    }

    /// Is one of them the same in both?
    pub fn shares_an_id(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> Option<bool> {
            Some(a? == b?)
        }
        // A phone may be somebody else's by now, a BSUID never is: where both have one, it decides.
        same(self.bsuid.as_ref(), other.bsuid.as_ref())
            .or_else(|| same(self.phone.as_ref(), other.phone.as_ref()))
            .or_else(|| same(self.parent.as_ref(), other.parent.as_ref()))
            .unwrap_or(false)
    }

    /// What is missing here, from there.
    #[must_use]
    pub fn completed(self, other: &Self) -> Self {
        Self {
            phone: self.phone.or_else(|| other.phone.clone()),
            bsuid: self.bsuid.or_else(|| other.bsuid.clone()),
            parent: self.parent.or_else(|| other.parent.clone()),
        }
    }
}

/// Meta says that a person is known by something else from now on (`whatsapp-cloud-api.md` §2.3, §1.5
/// `user_id_update`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityChange {
    pub before: PersonRef,
    pub after: PersonRef,
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
        let who = PersonRef::read(Some("GB.4410093827716523"), None, None).expect("somebody");
        assert_eq!(who.phone, None);
        assert_eq!(who.bsuid.expect("a bsuid").as_str(), "GB.4410093827716523");
    }

    #[test]
    fn a_parent_is_told_by_its_form_wherever_it_stands() {
        let parent = "GB.ENT.1122334455";
        for who in [
            PersonRef::read(None, Some(parent), None),
            PersonRef::read(Some(parent), None, None),
            PersonRef::read(None, None, Some(parent)),
        ] {
            let who = who.expect("somebody");
            assert_eq!(who.bsuid, None);
            assert_eq!(who.parent.expect("a parent").as_str(), parent);
        }
        assert_eq!(PersonRef::read(Some("x"), None, Some("")), None);
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
        let who = PersonRef::read(Some("447700900123"), Some("GB.4410093827716523"), None)
            .expect("somebody");
        assert!(!format!("{who:?}").contains("7700"));
        assert!(!format!("{who:?}").contains("4410"));
    }
}
