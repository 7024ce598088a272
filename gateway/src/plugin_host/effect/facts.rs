//! What effects change of the view that later hooks of the turn have.

use super::Effect;
use crate::plugin_host::request::ConversationView;

impl Effect {
    /// What later hooks of the turn see of it.
    pub(in crate::plugin_host) fn apply_to(&self, conversation: &mut ConversationView) {
        match self {
            Self::SetLanguage { language } => conversation.language = Some(language.clone()),
            Self::SetAttribute { key, value } => {
                conversation.attributes.insert(key.clone(), value.clone());
            }
            Self::RemoveAttribute { key } => {
                conversation.attributes.remove(key);
            }
            Self::SetContactAttribute { key, value } => {
                match value {
                    Some(value) => conversation
                        .contact_attributes
                        .insert(key.clone(), value.clone()),
                    None => conversation.contact_attributes.remove(key),
                };
            }
            Self::AddTag { tag } => {
                conversation.tags.insert(tag.clone());
            }
            Self::RemoveTag { tag } => {
                conversation.tags.remove(tag);
            }
            _ => {}
        }
    }

    /// Does later hooks' view of the conversation change?
    pub(in crate::plugin_host) fn is_fact(&self) -> bool {
        matches!(
            self,
            Self::SetLanguage { .. }
                | Self::SetAttribute { .. }
                | Self::RemoveAttribute { .. }
                | Self::SetContactAttribute { .. }
                | Self::AddTag { .. }
                | Self::RemoveTag { .. }
        )
    }
}
