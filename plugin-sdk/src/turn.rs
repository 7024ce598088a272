//! The turn: what a hook may look at and what it may cause.
//!
//! Effects are checked at once, kept aside, and applied in the turn's one commit, only if the hook returns `Ok`. So
//! nothing is half done, and an effect that was refused can be replaced by another.

use crate::{Button, Conversation, EffectError, Message, Section, TemplateParameter, host};

type Effect = Result<(), EffectError>;

/// One message of a customer being handled.
pub struct Turn<'a> {
    message: Message<'a>,
    conversation: Conversation<'a>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(message: &'a host::Message, conversation: &'a host::Conversation) -> Self {
        Self {
            message: Message::new(message),
            conversation: Conversation::new(conversation),
        }
    }

    pub fn message(&self) -> Message<'a> {
        self.message
    }

    pub fn conversation(&self) -> Conversation<'a> {
        self.conversation
    }
}

/// Answers. Only [`crate::AutoReply`] may give them; elsewhere they are [`EffectError::Denied`].
impl Turn<'_> {
    /// Answers with text, at most 4096 characters.
    pub fn reply_text(&mut self, body: &str) -> Effect {
        host::reply_text(body)
    }

    /// Answers with one to three buttons.
    ///
    /// ```
    /// # use vestibule_plugin::{Button, Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// let buttons = [Button::new("yes", "Yes, please"), Button::new("no", "No, thanks")];
    /// turn.reply_buttons("Shall we call you?", None, &buttons)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply_buttons(
        &mut self,
        body: &str,
        footer: Option<&str>,
        buttons: &[Button],
    ) -> Effect {
        host::reply_buttons(body, footer, buttons)
    }

    /// Answers with a list of at most ten rows over all sections; `button` opens it.
    pub fn reply_list(&mut self, body: &str, button: &str, sections: &[Section]) -> Effect {
        host::reply_list(body, button, sections)
    }

    /// Answers with an approved template; parameters fill its body in order, or by name.
    pub fn reply_template(
        &mut self,
        name: &str,
        language: &str,
        parameters: &[TemplateParameter],
    ) -> Effect {
        host::reply_template(name, language, parameters)
    }

    /// Reacts to the customer's message; an empty emoji removes the reaction.
    pub fn react(&mut self, emoji: &str) -> Effect {
        host::react(emoji)
    }

    /// Shows the blue ticks now and, if `typing`, "typing…" until the answer comes.
    pub fn mark_read(&mut self, typing: bool) -> Effect {
        host::mark_read(typing)
    }

    /// Gives the conversation to the people of a queue; the note is for them.
    pub fn hand_over(&mut self, queue: &str, note: Option<&str>) -> Effect {
        host::hand_over(queue, note)
    }

    /// Marks the conversation as done.
    pub fn close(&mut self) -> Effect {
        host::close()
    }
}

/// Facts about the conversation, kept for later turns. Every hook may set them.
impl Turn<'_> {
    /// A BCP 47 language.
    pub fn set_language(&mut self, language: &str) -> Effect {
        host::set_language(language)
    }

    pub fn set_attribute(&mut self, key: &str, value: &str) -> Effect {
        host::set_attribute(key, value)
    }

    pub fn add_tag(&mut self, tag: &str) -> Effect {
        host::add_tag(tag)
    }

    pub fn remove_tag(&mut self, tag: &str) -> Effect {
        host::remove_tag(tag)
    }
}
