//! One account's templates as the registry has them at a moment: what decides on sends, and what plugins may ask.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::language::choose;
use crate::domain::outbound::wishes_languages;
use crate::domain::template::{TemplateCategory, TemplateQuality, TemplateShape, TemplateStatus};
use crate::domain::{OpenWord, Timestamp};
use crate::policy::KnownTemplate;
use crate::storage::templates::ForSending;

/// By name, then by language. Cloned when it changes while somebody still looks at it.
#[derive(Debug, Clone, Default)]
pub struct Account {
    names: BTreeMap<String, Arc<Languages>>,
}

type Languages = BTreeMap<String, Entry>;

/// One language version.
#[derive(Debug, Clone)]
pub struct Entry {
    pub status: TemplateStatus,
    pub quality: OpenWord<TemplateQuality>,
    category: OpenWord<TemplateCategory>,
    /// What it is charged as from then on.
    next: Option<(OpenWord<TemplateCategory>, Timestamp)>,
    /// `None`: Meta has said that it is there, and not yet what it looks like.
    pub shape: Option<Arc<TemplateShape>>,
}

impl Account {
    /// `None`: it is there no more.
    pub(super) fn put(&mut self, name: String, language: String, entry: Option<Entry>) {
        let languages = Arc::make_mut(self.names.entry(name).or_default());
        match entry {
            Some(entry) => drop(languages.insert(language, entry)),
            None => drop(languages.remove(&language)),
        }
    }

    pub fn find(&self, name: &str, language: &str) -> Option<&Entry> {
        self.names.get(name)?.get(language)
    }

    /// Approved ones whose names begin so, with their names and languages and in their order, behind a place.
    pub fn approved<'a>(
        &'a self,
        begins_with: &'a str,
        after: Option<(&'a str, &'a str)>,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a Entry)> {
        let first = after.map_or(begins_with, |(name, _)| name.max(begins_with));
        let from = (Bound::Included(first), Bound::Unbounded);
        let names = self.names.range::<str, _>(from);
        names
            .take_while(move |(name, _)| name.starts_with(begins_with))
            .flat_map(|(name, languages)| {
                let entries = languages.iter();
                entries.map(|(language, entry)| (name.as_str(), language.as_str(), entry))
            })
            .filter(move |(name, language, _)| after.is_none_or(|after| (*name, *language) > after))
            .filter(|(_, _, entry)| entry.status == TemplateStatus::Approved)
    }

    /// The language that a send goes out in which says so of it: a wish is settled by the rule, a code stays what it is.
    /// `None`: no approved version fits.
    pub fn language(
        &self,
        name: &str,
        wish: &str,
        person: Option<&str>,
        default: Option<&str>,
    ) -> Option<String> {
        let languages = self.names.get(name)?;
        let approved: Vec<&str> = languages
            .iter()
            .filter(|(_, entry)| entry.status == TemplateStatus::Approved)
            .map(|(language, _)| language.as_str())
            .collect();
        match wishes_languages(wish) {
            true => choose(wish, &approved, person, default),
            false => approved.contains(&wish).then(|| wish.to_owned()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.values().map(|languages| languages.len()).sum()
    }
}

impl Entry {
    /// `None`: it is there no more.
    pub(super) fn of(row: &ForSending, shape: Option<TemplateShape>) -> Option<Self> {
        if row.gone_at != 0 {
            return None;
        }
        // What nobody has named yet needs the consent of marketing.
        let category = |word: &str| match word {
            "" => TemplateCategory::Marketing.into(),
            word => OpenWord::of(word, TemplateCategory::from_word),
        };
        let quality = match row.quality.as_str() {
            "" => TemplateQuality::Unknown.into(),
            word => OpenWord::of(word, TemplateQuality::from_word),
        };
        let next = (!row.next_category.is_empty() && row.next_category_at != 0).then(|| {
            let at = Timestamp::from_millis(row.next_category_at);
            (category(&row.next_category), at)
        });
        Some(Self {
            status: TemplateStatus::from_word(&row.status).unwrap_or(TemplateStatus::Other),
            quality,
            category: category(&row.category),
            next,
            shape: shape.map(Arc::new),
        })
    }

    /// What it is charged as at this time.
    pub fn told_category(&self, now: Timestamp) -> &OpenWord<TemplateCategory> {
        match &self.next {
            Some((next, at)) if *at <= now => next,
            _ => &self.category,
        }
    }

    /// Is it listed for who asks for this category? What is judged as marketing is, for who asks for that.
    pub fn is_of(&self, category: &OpenWord<TemplateCategory>, now: Timestamp) -> bool {
        category == self.told_category(now) || *category == self.category(now).into()
    }

    /// What it is judged as: what this version cannot name needs the consent of marketing, too.
    pub fn category(&self, now: Timestamp) -> TemplateCategory {
        let known = self.told_category(now).known();
        known.copied().unwrap_or(TemplateCategory::Marketing)
    }

    pub(super) fn known(&self, now: Timestamp) -> KnownTemplate {
        KnownTemplate {
            status: self.status,
            category: self.category(now),
            shape: self.shape.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ForSending {
        ForSending {
            revision: 1,
            id: 1,
            tenant: 1,
            account: "99".to_owned(),
            name: "sale".to_owned(),
            language: "en".to_owned(),
            status: "APPROVED".to_owned(),
            category: "UTILITY".to_owned(),
            next_category: "MARKETING".to_owned(),
            next_category_at: 1_000,
            quality: "GREEN".to_owned(),
            components: String::new(),
            gone_at: 0,
        }
    }

    fn account(all: &[(&str, &str, &str)]) -> Account {
        let mut account = Account::default();
        for (name, language, status) in all {
            let row = ForSending {
                status: (*status).to_owned(),
                ..row()
            };
            let (name, language) = ((*name).to_owned(), (*language).to_owned());
            account.put(name, language, Entry::of(&row, None));
        }
        account
    }

    #[test]
    fn an_announced_category_counts_from_its_time_on() {
        let entry = Entry::of(&row(), None).expect("an entry");
        let category = |ms| entry.known(Timestamp::from_millis(ms)).category;
        assert_eq!(category(999), TemplateCategory::Utility);
        assert_eq!(category(1_000), TemplateCategory::Marketing);
    }

    #[test]
    fn what_nobody_can_name_is_judged_as_marketing_and_not_sent_by_its_state() {
        let strange = ForSending {
            status: "SUPERB".to_owned(),
            category: "NEWS".to_owned(),
            next_category: String::new(),
            quality: "PURPLE".to_owned(),
            ..row()
        };
        let entry = Entry::of(&strange, None).expect("an entry");
        assert_eq!(entry.quality, OpenWord::Other("purple".to_owned()));
        let told = entry.told_category(Timestamp::ZERO);
        assert_eq!(*told, OpenWord::Other("news".to_owned()));
        for (asked, listed) in [
            (OpenWord::Other("news".to_owned()), true),
            (OpenWord::Known(TemplateCategory::Marketing), true),
            (OpenWord::Known(TemplateCategory::Utility), false),
            (OpenWord::Other("marketing".to_owned()), false),
        ] {
            assert_eq!(entry.is_of(&asked, Timestamp::ZERO), listed, "{asked:?}");
        }
        let known = entry.known(Timestamp::ZERO);
        assert_eq!(known.status, TemplateStatus::Other);
        assert_eq!(known.category, TemplateCategory::Marketing);
        assert_eq!(known.shape, None);
        let gone = ForSending {
            gone_at: 5,
            ..row()
        };
        assert!(Entry::of(&gone, None).is_none());
    }

    #[test]
    fn approved_ones_are_listed_in_order_behind_a_place_and_by_their_beginning() {
        let account = account(&[
            ("order_sent", "en", "APPROVED"),
            ("order_sent", "de", "APPROVED"),
            ("order_late", "en", "PAUSED"),
            ("order", "en", "APPROVED"),
            ("sale", "en", "APPROVED"),
        ]);
        let listed = |begins_with, after| {
            let found = account.approved(begins_with, after);
            let shown = found.map(|(name, language, _)| format!("{name}/{language}"));
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            listed("", None),
            "order/en order_sent/de order_sent/en sale/en"
        );
        assert_eq!(listed("order_", None), "order_sent/de order_sent/en");
        assert_eq!(
            listed("", Some(("order_sent", "de"))),
            "order_sent/en sale/en"
        );
        assert_eq!(listed("order_", Some(("order_sent", "en"))), "");
        // A place before the beginning, and one that nobody gave.
        assert_eq!(
            listed("order_", Some(("a", "en"))),
            "order_sent/de order_sent/en"
        );
        assert_eq!(listed("", Some(("zzz", "en"))), "");
    }

    #[test]
    fn a_code_stays_what_it_is_and_a_wish_is_settled_among_the_approved() {
        let account = account(&[
            ("sale", "en", "APPROVED"),
            ("sale", "pt_BR", "APPROVED"),
            ("sale", "de", "REJECTED"),
        ]);
        let language = |wish, person| account.language("sale", wish, person, Some("en"));
        assert_eq!(language("pt_BR", Some("en")).as_deref(), Some("pt_BR"));
        assert_eq!(language("pt-br", None), None);
        assert_eq!(language("de", None), None);
        assert_eq!(language("auto", Some("pt")).as_deref(), Some("pt_BR"));
        assert_eq!(language("auto", Some("de")).as_deref(), Some("en"));
        assert_eq!(account.language("none", "auto", None, Some("en")), None);
    }

    #[test]
    fn whoever_looks_at_an_account_sees_it_stand_still() {
        let mut now = Arc::new(account(&[("sale", "en", "APPROVED")]));
        let seen = now.clone();
        Arc::make_mut(&mut now).put("sale".to_owned(), "en".to_owned(), None);
        assert!(seen.find("sale", "en").is_some());
        assert!(now.find("sale", "en").is_none());
        assert_eq!((seen.len(), now.len()), (1, 0));
    }
}
