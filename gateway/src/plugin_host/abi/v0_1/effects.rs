//! `effects`: what a plugin wants to happen, turned into the domain's words. Its rules are in
//! [`crate::plugin_host::effect`].

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::effects::{self, EffectError};
use crate::domain::Owner;
use crate::domain::outbound::{
    ListRow, ListSection, Malformed, ReplyButton, TemplateContent, TemplateParameter, WellFormed,
};
use crate::plugin_host::abi::charge::{Carried, Element, carries, function};
use crate::plugin_host::effect::{Effect, EffectRefused};
use crate::plugin_host::guest_state::GuestState;

type Answer = wasmtime::Result<Result<(), EffectError>>;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    wire_replies(to)?;
    wire_facts(to)
}

fn wire_replies(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use effects::Host;
    function(to, "reply-text", |state, (body,)| {
        Ok((state.reply_text(body)?,))
    })?;
    function(to, "reply-buttons", |state, (body, footer, buttons)| {
        Ok((state.reply_buttons(body, footer, buttons)?,))
    })?;
    function(to, "reply-list", |state, (body, button, sections)| {
        Ok((state.reply_list(body, button, sections)?,))
    })?;
    function(to, "reply-template", |state, (name, language, values)| {
        Ok((state.reply_template(name, language, values)?,))
    })?;
    function(to, "react", |state, (emoji,)| Ok((state.react(emoji)?,)))?;
    function(to, "mark-read", |state, (typing,)| {
        Ok((state.mark_read(typing)?,))
    })
}

fn wire_facts(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use effects::Host;
    function(to, "set-language", |state, (language,)| {
        Ok((state.set_language(language)?,))
    })?;
    function(to, "set-attribute", |state, (key, value)| {
        Ok((state.set_attribute(key, value)?,))
    })?;
    function(to, "add-tag", |state, (tag,)| Ok((state.add_tag(tag)?,)))?;
    function(to, "remove-tag", |state, (tag,)| {
        Ok((state.remove_tag(tag)?,))
    })?;
    function(to, "hand-over", |state, (queue, note)| {
        Ok((state.hand_over(queue, note)?,))
    })?;
    function(to, "close", |state, ()| Ok((state.close()?,)))
}

impl GuestState {
    fn answer(&mut self, effect: Effect) -> Answer {
        Ok(self.push(effect).map_err(EffectError::from))
    }

    /// What no builder makes is no reply.
    fn reply(&mut self, content: Result<WellFormed, Malformed>) -> Answer {
        match content {
            Ok(content) => self.answer(Effect::reply(content)),
            Err(malformed) => Ok(Err(EffectError::Invalid(malformed.to_string()))),
        }
    }
}

impl effects::Host for GuestState {
    fn reply_text(&mut self, body: String) -> Answer {
        self.reply(WellFormed::text(body))
    }

    fn reply_buttons(
        &mut self,
        body: String,
        footer: Option<String>,
        buttons: Vec<effects::Button>,
    ) -> Answer {
        let buttons = buttons.into_iter().map(ReplyButton::from).collect();
        self.reply(WellFormed::buttons(body, footer, buttons))
    }

    fn reply_list(
        &mut self,
        body: String,
        button: String,
        sections: Vec<effects::Section>,
    ) -> Answer {
        let sections = sections.into_iter().map(ListSection::from).collect();
        self.reply(WellFormed::list(body, button, sections))
    }

    fn reply_template(
        &mut self,
        name: String,
        language: String,
        parameters: Vec<effects::TemplateParameter>,
    ) -> Answer {
        let parameters = parameters
            .into_iter()
            .map(TemplateParameter::from)
            .collect();
        let template = TemplateContent::new(name, language).with_parameters(parameters);
        self.reply(WellFormed::template(template))
    }

    fn react(&mut self, emoji: String) -> Answer {
        self.answer(Effect::React { emoji })
    }

    fn mark_read(&mut self, typing: bool) -> Answer {
        self.answer(Effect::MarkRead { typing })
    }

    fn set_language(&mut self, language: String) -> Answer {
        self.answer(Effect::SetLanguage { language })
    }

    fn set_attribute(&mut self, key: String, value: String) -> Answer {
        self.answer(Effect::SetAttribute {
            key,
            value: value.into(),
        })
    }

    fn add_tag(&mut self, tag: String) -> Answer {
        self.answer(Effect::AddTag { tag })
    }

    fn remove_tag(&mut self, tag: String) -> Answer {
        self.answer(Effect::RemoveTag { tag })
    }

    fn hand_over(&mut self, queue: String, note: Option<String>) -> Answer {
        self.answer(Effect::HandOver {
            to: Owner::Queue(queue),
            note,
        })
    }

    fn close(&mut self) -> Answer {
        self.answer(Effect::Close)
    }
}

carries! { EffectError { | Invalid Quota Denied } }

impl Element for effects::Button {}

impl Carried for effects::Button {
    fn carried(&self) -> usize {
        self.id.len() + self.title.len()
    }
}

impl Element for effects::Section {}

impl Carried for effects::Section {
    fn carried(&self) -> usize {
        self.title.len() + self.rows.carried()
    }
}

impl Element for effects::Row {}

impl Carried for effects::Row {
    fn carried(&self) -> usize {
        self.id.len() + self.title.len() + self.description.carried()
    }
}

impl Element for effects::TemplateParameter {}

impl Carried for effects::TemplateParameter {
    fn carried(&self) -> usize {
        self.name.carried() + self.value.len()
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
            ..Self::positional(parameter.value)
        }
    }
}
