//! `effects`: what a plugin wants to happen, turned into the domain's words. Its rules are in
//! [`crate::plugin_host::effect`].

use crate::domain::OutboundContent;
use crate::domain::outbound::{ListRow, ListSection, ReplyButton, TemplateParameter};
use crate::plugin_host::bindings::vestibule::plugin::effects::{self, EffectError};
use crate::plugin_host::effect::{Effect, EffectRefused};
use crate::plugin_host::guest_state::GuestState;

type Answer = wasmtime::Result<Result<(), EffectError>>;

impl GuestState {
    /// `bytes` may be an estimate: lengths that matter are checked by the effect's own rules.
    fn ask(&mut self, effect: Effect, bytes: usize) -> Answer {
        self.enter(bytes)?;
        Ok(self.push(effect).map_err(EffectError::from))
    }

    fn reply(&mut self, content: OutboundContent, bytes: usize) -> Answer {
        self.ask(Effect::Reply { content }, bytes)
    }
}

impl effects::Host for GuestState {
    fn reply_text(&mut self, body: String) -> Answer {
        let bytes = body.len();
        let content = OutboundContent::Text {
            body,
            preview_url: false,
        };
        self.reply(content, bytes)
    }

    fn reply_buttons(
        &mut self,
        body: String,
        footer: Option<String>,
        buttons: Vec<effects::Button>,
    ) -> Answer {
        let bytes = body.len() + buttons.len() * 64;
        let buttons = buttons.into_iter().map(ReplyButton::from).collect();
        let content = OutboundContent::Buttons {
            body,
            footer,
            buttons,
        };
        self.reply(content, bytes)
    }

    fn reply_list(
        &mut self,
        body: String,
        button: String,
        sections: Vec<effects::Section>,
    ) -> Answer {
        let rows: usize = sections.iter().map(|section| section.rows.len()).sum();
        let bytes = body.len() + rows * 96;
        let sections = sections.into_iter().map(ListSection::from).collect();
        let content = OutboundContent::List {
            body,
            button,
            sections,
        };
        self.reply(content, bytes)
    }

    fn reply_template(
        &mut self,
        name: String,
        language: String,
        parameters: Vec<effects::TemplateParameter>,
    ) -> Answer {
        let bytes = name.len() + parameters.iter().map(|p| p.value.len() + 32).sum::<usize>();
        let parameters = parameters
            .into_iter()
            .map(TemplateParameter::from)
            .collect();
        let content = OutboundContent::Template {
            name,
            language,
            parameters,
        };
        self.reply(content, bytes)
    }

    fn react(&mut self, emoji: String) -> Answer {
        let bytes = emoji.len();
        self.ask(Effect::React { emoji }, bytes)
    }

    fn mark_read(&mut self, typing: bool) -> Answer {
        self.ask(Effect::MarkRead { typing }, 1)
    }

    fn set_language(&mut self, language: String) -> Answer {
        let bytes = language.len();
        self.ask(Effect::SetLanguage { language }, bytes)
    }

    fn set_attribute(&mut self, key: String, value: String) -> Answer {
        let bytes = key.len() + value.len();
        self.ask(Effect::SetAttribute { key, value }, bytes)
    }

    fn add_tag(&mut self, tag: String) -> Answer {
        let bytes = tag.len();
        self.ask(Effect::AddTag { tag }, bytes)
    }

    fn remove_tag(&mut self, tag: String) -> Answer {
        let bytes = tag.len();
        self.ask(Effect::RemoveTag { tag }, bytes)
    }

    fn hand_over(&mut self, queue: String, note: Option<String>) -> Answer {
        let bytes = queue.len() + note.as_ref().map_or(0, String::len);
        self.ask(Effect::HandOver { queue, note }, bytes)
    }

    fn close(&mut self) -> Answer {
        self.ask(Effect::Close, 1)
    }
}

impl From<EffectRefused> for EffectError {
    fn from(refused: EffectRefused) -> Self {
        match refused {
            EffectRefused::Invalid(what) => Self::Invalid(what),
            EffectRefused::Quota(what) => Self::Quota(what),
            EffectRefused::Denied(what) => Self::Denied(what),
        }
    }
}

impl From<effects::Button> for ReplyButton {
    fn from(button: effects::Button) -> Self {
        Self {
            id: button.id,
            title: button.title,
        }
    }
}

impl From<effects::Section> for ListSection {
    fn from(section: effects::Section) -> Self {
        Self {
            title: section.title,
            rows: section.rows.into_iter().map(ListRow::from).collect(),
        }
    }
}

impl From<effects::Row> for ListRow {
    fn from(row: effects::Row) -> Self {
        Self {
            id: row.id,
            title: row.title,
            description: row.description,
        }
    }
}

impl From<effects::TemplateParameter> for TemplateParameter {
    fn from(parameter: effects::TemplateParameter) -> Self {
        Self {
            name: parameter.name,
            value: parameter.value,
        }
    }
}
