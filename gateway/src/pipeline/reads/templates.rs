//! Templates as a turn's plugins may ask for them: its number's account, as the registry had it when the turn began.

use std::sync::Arc;

use crate::directory::NumberEntry;
use crate::domain::Timestamp;
use crate::plugin_host::{
    LanguageAsked, ListedTemplate, Read, ReadUnavailable, SearchAsked, TEMPLATE_PAGE_BYTES,
    TemplateKey, TemplatePage, TemplateView,
};
use crate::templates::Account;

pub(super) struct TurnTemplates {
    /// `None`: it was never read from Meta.
    account: Option<Arc<Account>>,
    entry: Arc<NumberEntry>,
    now: Timestamp,
}

impl TurnTemplates {
    pub(super) fn of(entry: &Arc<NumberEntry>, now: Timestamp) -> Self {
        let number = &entry.number;
        Self {
            account: entry.templates.account(number.tenant, &number.waba_id),
            entry: entry.clone(),
            now,
        }
    }

    pub(super) fn search(&self, asked: &SearchAsked) -> Read<TemplatePage> {
        let account = self.account()?;
        let after = asked.after.as_ref();
        let after = after.map(|key| (key.name.as_str(), key.language.as_str()));
        let found = account.approved(&asked.begins_with, after);
        let found = found.filter(|(_, language, entry)| {
            let category = asked.category.as_ref();
            category.is_none_or(|one| entry.is_of(one, self.now))
                && asked.language.as_ref().is_none_or(|one| one == language)
        });
        let listed = found.map(|(name, language, entry)| ListedTemplate {
            key: TemplateKey {
                name: name.to_owned(),
                language: language.to_owned(),
            },
            category: entry.told_category(self.now).clone(),
            quality: entry.quality.clone(),
        });
        Ok(page(listed, asked.most as usize))
    }

    pub(super) fn find(&self, key: &TemplateKey) -> Read<Option<TemplateView>> {
        let found = self.account()?.find(&key.name, &key.language);
        Ok(found.map(|entry| TemplateView {
            category: entry.told_category(self.now).clone(),
            status: entry.status,
            quality: entry.quality.clone(),
            shape: entry.shape.clone(),
        }))
    }

    /// By the rule that settles what is sent.
    pub(super) fn language(&self, asked: &LanguageAsked) -> Read<Option<String>> {
        let settings = &self.entry.tenant.settings;
        let default = settings.template_language(&asked.name);
        let person = asked.person.as_deref();
        let account = self.account()?;
        Ok(account.language(&asked.name, &asked.wish, person, default))
    }

    fn account(&self) -> Read<&Account> {
        let why = "the account's templates have not been read from Meta yet";
        let unknown = || ReadUnavailable(why.to_owned());
        self.account.as_deref().ok_or_else(unknown)
    }
}

/// As many as are wanted and fit.
fn page(found: impl Iterator<Item = ListedTemplate>, most: usize) -> TemplatePage {
    let (mut listed, mut room) = (Vec::new(), TEMPLATE_PAGE_BYTES);
    for one in found {
        let bytes = one.key.name.len() + one.key.language.len();
        // A name is never as long as a page, so the first one always fits.
        if listed.len() == most || bytes > room {
            return TemplatePage { listed, more: true };
        }
        room -= bytes;
        listed.push(one);
    }
    TemplatePage {
        listed,
        more: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::template::{TemplateCategory, TemplateQuality};

    fn found(count: usize, name: usize) -> impl Iterator<Item = ListedTemplate> {
        (0..count).map(move |n| ListedTemplate {
            key: TemplateKey {
                name: format!("{n:0name$}"),
                language: "en".to_owned(),
            },
            category: TemplateCategory::Utility.into(),
            quality: TemplateQuality::Unknown.into(),
        })
    }

    fn sizes(count: usize, name: usize, most: usize) -> (usize, bool) {
        let page = page(found(count, name), most);
        (page.listed.len(), page.more)
    }

    #[test]
    fn a_page_has_as_many_as_are_wanted_and_says_whether_there_are_more() {
        assert_eq!(sizes(0, 9, 2), (0, false));
        assert_eq!(sizes(2, 9, 2), (2, false));
        assert_eq!(sizes(3, 9, 2), (2, true));
    }

    #[test]
    fn a_page_has_so_many_bytes_of_names_and_not_one_more() {
        // 62 and 2 characters each: so many fill a page.
        let fit = TEMPLATE_PAGE_BYTES / 64;
        assert_eq!(sizes(fit, 62, 200), (fit, false));
        assert_eq!(sizes(fit + 1, 62, 200), (fit, true));
    }
}
