//! The templates of a scripted account, and what a plugin is told of them.

use crate::ReadError;
use crate::templates::{
    AUTO, Button, Card, Category, Filter, Header, Key, Listed, Page, Quality, Status,
};

/// A template of the account, for [`Customer::templates`](super::Customer::templates): approved, of the category utility and
/// without anything that varies, unless a test says otherwise.
///
/// ```
/// # use vestibule_plugin::testing::AccountTemplate;
/// let template = AccountTemplate {
///     parameters: vec!["1".to_owned()],
///     ..AccountTemplate::new("order_update", "en")
/// };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AccountTemplate {
    pub key: Key,
    pub category: Category,
    pub status: Status,
    pub quality: Quality,
    pub header: Header,
    pub parameters: Vec<String>,
    pub buttons: Vec<Button>,
    pub cards: Vec<Card>,
    pub has_offer: bool,
}

impl AccountTemplate {
    pub fn new(name: &str, language: &str) -> Self {
        Self {
            key: Key::new(name, language),
            category: Category::Utility,
            status: Status::Approved,
            quality: Quality::Unknown,
            header: Header::Fixed,
            parameters: Vec::new(),
            buttons: Vec::new(),
            cards: Vec::new(),
            has_offer: false,
        }
    }

    fn place(&self) -> (&str, &str) {
        (&self.key.name, &self.key.language)
    }
}

/// One that a plugin has found.
#[derive(Debug, Clone)]
pub(crate) struct KnownTemplate(AccountTemplate);

impl KnownTemplate {
    pub(crate) fn key(&self) -> Key {
        self.0.key.clone()
    }
    pub(crate) fn category(&self) -> Category {
        self.0.category.clone()
    }
    pub(crate) fn status(&self) -> Status {
        self.0.status.clone()
    }
    pub(crate) fn quality(&self) -> Quality {
        self.0.quality.clone()
    }
    pub(crate) fn is_read(&self) -> bool {
        true
    }
    pub(crate) fn header(&self) -> Header {
        self.0.header.clone()
    }
    pub(crate) fn parameters(&self) -> Vec<String> {
        self.0.parameters.clone()
    }
    pub(crate) fn buttons(&self) -> Vec<Button> {
        self.0.buttons.clone()
    }
    pub(crate) fn cards(&self) -> Vec<Card> {
        self.0.cards.clone()
    }
    pub(crate) fn has_offer(&self) -> bool {
        self.0.has_offer
    }
}

/// What the contract gives at most.
const QUESTIONS: u32 = 32;
const PAGE: u32 = 100;
const PAGE_BYTES: usize = 8 << 10;
const NAME: usize = 512;
const LANGUAGE: usize = 256;

/// What one turn may ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Templates {
    all: Vec<AccountTemplate>,
    /// The tenant's default language.
    default: Option<String>,
    asked: u32,
}

impl Templates {
    /// By name and language, as the gateway gives them.
    pub(crate) fn of(mut all: Vec<AccountTemplate>, default: Option<&str>) -> Self {
        all.sort_by(|one, other| one.place().cmp(&other.place()));
        Self {
            all,
            default: default.map(str::to_owned),
            asked: 0,
        }
    }

    fn approved(&self) -> impl Iterator<Item = &AccountTemplate> {
        let all = self.all.iter();
        all.filter(|one| one.status == Status::Approved)
    }

    fn count(&mut self) -> Result<(), ReadError> {
        self.asked += 1;
        match self.asked <= QUESTIONS {
            true => Ok(()),
            false => Err(ReadError::Quota(format!(
                "at most {QUESTIONS} questions about templates a turn"
            ))),
        }
    }

    pub(crate) fn search(
        &mut self,
        filter: &Filter,
        after: Option<&Key>,
        most: u32,
    ) -> Result<Page, ReadError> {
        self.count()?;
        if !(1..=PAGE).contains(&most) {
            return Err(ReadError::Invalid(format!("most: 1 to {PAGE}")));
        }
        check("begins-with", &filter.begins_with, 0, NAME)?;
        let after = after.map(|key| (key.name.as_str(), key.language.as_str()));
        let fits = |one: &&AccountTemplate| {
            one.key.name.starts_with(&filter.begins_with)
                && filter.category.as_ref().is_none_or(|only| {
                    *only == one.category || (*only == Category::Marketing && is_other(one))
                })
                && filter
                    .language
                    .as_ref()
                    .is_none_or(|only| *only == one.key.language)
                && after.is_none_or(|after| one.place() > after)
        };
        let (mut listed, mut room) = (Vec::new(), PAGE_BYTES);
        for one in self.approved().filter(fits) {
            let bytes = one.key.name.len() + one.key.language.len();
            if listed.len() == most as usize || bytes > room {
                let last: Option<&Listed> = listed.last();
                let next = last.map(|last| last.key.clone());
                return Ok(Page { listed, next });
            }
            room -= bytes;
            listed.push(Listed {
                key: one.key.clone(),
                category: one.category.clone(),
                quality: one.quality.clone(),
            });
        }
        Ok(Page { listed, next: None })
    }

    pub(crate) fn find(&mut self, key: &Key) -> Result<Option<KnownTemplate>, ReadError> {
        self.count()?;
        check("name", &key.name, 1, NAME)?;
        check("language", &key.language, 1, LANGUAGE)?;
        let found = self.all.iter().find(|one| one.key == *key);
        Ok(found.cloned().map(KnownTemplate))
    }

    /// The gateway's rule: the person's language, one of its base, the default by the same two steps, the first of a list.
    pub(crate) fn language(
        &mut self,
        name: &str,
        wish: &str,
        person: Option<&str>,
    ) -> Result<Option<String>, ReadError> {
        self.count()?;
        check("name", name, 1, NAME)?;
        check("language", wish, 1, LANGUAGE)?;
        let all = self.approved().filter(|one| one.key.name == name);
        let all: Vec<&str> = all.map(|one| one.key.language.as_str()).collect();
        if wish != AUTO && !wish.contains(',') {
            return Ok(all.contains(&wish).then(|| wish.to_owned()));
        }
        let listed = || wish.split(',').map(str::trim);
        let among = |one: &&str| wish == AUTO || listed().any(|code| equal(code, one));
        let among: Vec<&str> = all.iter().copied().filter(among).collect();
        let fitting = |wanted: Option<&str>| {
            let wanted = wanted?;
            let exact = among.iter().find(|one| equal(one, wanted));
            exact.or_else(|| among.iter().find(|one| equal(base(one), base(wanted))))
        };
        let first = || listed().find_map(|code| among.iter().find(|one| equal(code, one)));
        let found = fitting(person).or_else(|| fitting(self.default.as_deref()));
        let found = found.or_else(|| first().filter(|_| wish != AUTO));
        Ok(found.map(|found| (*found).to_owned()))
    }
}

/// The gateway takes what it cannot name as marketing.
fn is_other(one: &AccountTemplate) -> bool {
    matches!(one.category, Category::Other(_))
}

fn check(what: &str, text: &str, least: usize, most: usize) -> Result<(), ReadError> {
    match (least..=most).contains(&text.chars().count()) {
        true => Ok(()),
        false => Err(ReadError::Invalid(format!(
            "{what}: {least} to {most} characters"
        ))),
    }
}

fn equal(one: &str, other: &str) -> bool {
    one.replace('-', "_")
        .eq_ignore_ascii_case(&other.replace('-', "_"))
}

fn base(code: &str) -> &str {
    code.split(['_', '-']).next().unwrap_or(code)
}
