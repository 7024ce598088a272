//! What a turn read, as the journal keeps it; a replay asks it instead of the store.

use serde::{Deserialize, Serialize};

use super::{
    LanguageAsked, OwnershipView, PersonView, Read, Said, SearchAsked, TemplateKey, TemplatePage,
    TemplateView, WindowView,
};

/// All that the plugins of a turn were told, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadAnswers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Read<WindowView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Read<PersonView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Read<OwnershipView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past: Option<PastAnswer>,
    #[serde(skip_serializing_if = "TemplateAnswers::is_empty")]
    pub templates: TemplateAnswers,
}

/// Questions, each once, with their answers.
pub type Told<Q, A> = Vec<(Q, Read<A>)>;

/// What was asked of templates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateAnswers {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub searches: Told<SearchAsked, TemplatePage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Told<TemplateKey, Option<TemplateView>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Told<LanguageAsked, Option<String>>,
}

/// The answer to a question that was asked before.
pub(super) fn known<Q: PartialEq, A: Clone>(told: &[(Q, A)], asked: &Q) -> Option<A> {
    let told = told.iter().find(|(question, _)| question == asked);
    told.map(|(_, answer)| answer.clone())
}

impl TemplateAnswers {
    pub fn search(&self, asked: &SearchAsked) -> Option<Read<TemplatePage>> {
        known(&self.searches, asked)
    }

    pub fn find(&self, key: &TemplateKey) -> Option<Read<Option<TemplateView>>> {
        known(&self.found, key)
    }

    pub fn language(&self, asked: &LanguageAsked) -> Option<Read<Option<String>>> {
        known(&self.languages, asked)
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// About how many bytes they take in the journal.
    fn bytes(&self) -> usize {
        let pages = self
            .searches
            .iter()
            .map(|(asked, page)| asked.bytes() + page.as_ref().map_or(0, TemplatePage::bytes));
        let found = self.found.iter().map(|(key, found)| {
            let view = found.iter().flatten().map(TemplateView::bytes);
            key.bytes() + view.sum::<usize>()
        });
        let languages = self.languages.iter().map(|(asked, told)| {
            asked.bytes() + told.iter().flatten().map(String::len).sum::<usize>()
        });
        pages.chain(found).chain(languages).sum()
    }
}

/// What was said before, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAnswer {
    pub most: u32,
    pub said: Read<Vec<Said>>,
}

impl PastAnswer {
    /// The answer to a question for so many; none, when it does not reach as far.
    pub fn of(&self, most: u32) -> Option<Read<Vec<Said>>> {
        match &self.said {
            Ok(said) => {
                let most = most as usize;
                // One that came back shorter than asked for has all that there is.
                let reaches = most <= self.most as usize || said.len() < self.most as usize;
                reaches.then(|| Ok(said[..most.min(said.len())].to_vec()))
            }
            Err(unavailable) => Some(Err(unavailable.clone())),
        }
    }
}

impl ReadAnswers {
    /// About how many bytes they take in the journal.
    pub(in crate::plugin_host) fn bytes(&self) -> usize {
        let said = self.past.iter().filter_map(|past| past.said.as_ref().ok());
        let said: usize = said.flatten().map(|said| said.text.len() + 128).sum();
        let key = |person: &PersonView| person.external_key.as_ref().map_or(0, String::len);
        let person = self.person.iter().flatten().map(key).sum::<usize>();
        said + person + self.templates.bytes() + 256
    }

    pub(in crate::plugin_host) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
