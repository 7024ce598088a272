//! By what people are reached today: what a claim compares a send's recipient with.

use std::collections::HashMap;

use super::{Result, Tx, batch, fetch_list};
use crate::domain::{Bsuid, ContactId, IdentityKind, Phone, Recipient};

/// Everything that somebody is known by today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    phones: Vec<String>,
    /// With the portfolio within which it is valid; the empty one is of all linked ones.
    bsuids: Vec<(String, String)>,
}

impl Addresses {
    /// A phone number of theirs: digits.
    pub fn phone(&self) -> Option<&str> {
        self.phones.first().map(String::as_str)
    }

    /// By which user id a number of that portfolio knows them.
    pub fn bsuid(&self, portfolio: &str) -> Option<&str> {
        let of = |wanted: &str| self.bsuids.iter().find(|(scope, _)| scope == wanted);
        of(portfolio).or_else(|| of("")).map(|(_, id)| id.as_str())
    }

    /// How a number of that portfolio reaches them; `wanted`, if it still does. `None`: by nothing that we know.
    pub fn reach(&self, wanted: &Recipient, portfolio: &str) -> Option<Recipient> {
        let valid = |scope: &str| scope.is_empty() || scope == portfolio;
        let still = match wanted {
            Recipient::Phone(phone) => self.phones.iter().any(|own| own == phone.digits()),
            Recipient::Bsuid(id) => {
                let mut own = self.bsuids.iter();
                own.any(|(scope, own)| valid(scope) && own == id.as_str())
            }
        };
        if still {
            return Some(wanted.clone());
        }
        let phone = self.phones.iter().find_map(|phone| Phone::parse(phone));
        let of = |of_all: bool| {
            let mut own = self.bsuids.iter();
            own.find(|(scope, _)| valid(scope) && scope.is_empty() == of_all)
        };
        phone.map(Recipient::Phone).or_else(|| {
            let (_, id) = of(false).or_else(|| of(true))?;
            Bsuid::parse(id).map(Recipient::Bsuid)
        })
    }
}

/// What these contacts are known by today, as far as something is known. Merges are not followed: the survivor has it.
pub async fn addresses_all_tenants(
    tx: &mut Tx,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Addresses>> {
    let ids = batch::sorted(contacts.iter().map(|contact| contact.raw()));
    let mut found: HashMap<ContactId, Addresses> = HashMap::new();
    for run in batch::groups(tx, &ids) {
        let head = "SELECT contact, scope, kind, value FROM identity WHERE superseded_at = 0 AND contact IN";
        let sql = batch::any_of(head, 1, "ORDER BY contact, kind, scope, value");
        let rows: Vec<(i64, String, i64, String)> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        for (contact, scope, kind, value) in rows {
            let own = found.entry(ContactId::from_raw(contact)).or_default();
            match IdentityKind::from_code(kind) {
                Some(IdentityKind::Phone) => own.phones.push(value),
                Some(IdentityKind::Bsuid | IdentityKind::ParentBsuid) => {
                    own.bsuids.push((scope, value));
                }
                None => {}
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(digits: &str) -> Recipient {
        Recipient::Phone(Phone::parse(digits).expect("a phone"))
    }

    fn bsuid(id: &str) -> Recipient {
        Recipient::Bsuid(Bsuid::parse(id).expect("a user id"))
    }

    #[test]
    fn a_recipient_that_still_reaches_them_stays_and_another_is_found_within_the_portfolio() {
        let own = Addresses {
            phones: vec!["447700900999".into()],
            bsuids: vec![("p".into(), "GB.1".into()), ("q".into(), "GB.2".into())],
        };
        assert_eq!(own.reach(&bsuid("GB.1"), "p"), Some(bsuid("GB.1")));
        assert_eq!(own.reach(&bsuid("GB.1"), "q"), Some(phone("447700900999")));
        assert_eq!(
            own.reach(&phone("447700900123"), "p"),
            Some(phone("447700900999"))
        );
        let hidden = Addresses {
            phones: Vec::new(),
            ..own
        };
        let old = phone("447700900123");
        assert_eq!(hidden.reach(&old, "q"), Some(bsuid("GB.2")));
        assert_eq!(hidden.reach(&old, "elsewhere"), None);
        assert_eq!(Addresses::default().reach(&old, "p"), None);
    }
}
