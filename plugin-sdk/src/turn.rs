//! The turn: what a hook may look at and what it may cause.
//!
//! Effects are checked at once, kept aside, and applied in the turn's one commit, only if the hook returns `Ok`. So
//! nothing is half done, and an effect that was refused can be replaced by another.

use std::time::Duration;

use crate::content::{Button, Content, Parameter, Purpose, Section, Template};
use crate::effects::{Due, Effect, OptOut, Receiver};
use crate::{Conversation, EffectError, Event, Field, Message, Receipt, Timer, Value, host};

type Asked = Result<(), EffectError>;

/// What is being handled: a customer's message, or an [`Event`], a [`Timer`], a [`Receipt`].
pub struct Turn<'a, About = Message<'a>> {
    about: About,
    conversation: Conversation<'a>,
    quote: bool,
    purpose: Option<Purpose>,
}

/// A turn of [`crate::OnEvent`].
pub type EventTurn<'a> = Turn<'a, Event<'a>>;
/// A turn of [`crate::OnTimer`].
pub type TimerTurn<'a> = Turn<'a, Timer<'a>>;
/// A turn of [`crate::OnReceipt`].
pub type ReceiptTurn<'a> = Turn<'a, Receipt<'a>>;

impl<'a, About> Turn<'a, About> {
    pub(crate) fn about(about: About, conversation: &'a host::Conversation) -> Self {
        Self {
            about,
            conversation: Conversation::new(conversation),
            quote: false,
            purpose: None,
        }
    }

    pub fn conversation(&self) -> Conversation<'a> {
        self.conversation
    }
}

impl<'a> Turn<'a> {
    pub fn message(&self) -> Message<'a> {
        self.about
    }

    /// The next message quotes the customer's.
    ///
    /// ```
    /// # use vestibule_plugin::{Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// turn.quoting().reply_text("Which of the two do you mean?")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn quoting(&mut self) -> &mut Self {
        self.quote = true;
        self
    }

    /// Reacts to the customer's message; an empty emoji removes the reaction.
    pub fn react(&mut self, emoji: &str) -> Asked {
        host::ask(Effect::React(emoji.to_owned()))
    }

    /// Shows the blue ticks now and, if `typing`, "typing…" until the answer comes.
    pub fn mark_read(&mut self, typing: bool) -> Asked {
        host::ask(Effect::MarkRead { typing })
    }

    /// The customer asked not to be written to, in words that the gateway's own lists do not know.
    pub fn opt_out(&mut self, scope: OptOut) -> Asked {
        host::ask(Effect::OptOut(scope))
    }

    /// The customer asked to be written to again. `words` must stand in the message: they are the evidence.
    pub fn opt_in(&mut self, words: &str) -> Asked {
        let words = words.to_owned();
        host::ask(Effect::OptIn { words })
    }
}

impl<'a> Turn<'a, Event<'a>> {
    pub fn event(&self) -> Event<'a> {
        self.about
    }
}

impl<'a> Turn<'a, Timer<'a>> {
    pub fn timer(&self) -> Timer<'a> {
        self.about
    }
}

impl<'a> Turn<'a, Receipt<'a>> {
    pub fn receipt(&self) -> Receipt<'a> {
        self.about
    }
}

/// Messages. For [`crate::AutoReply`], [`crate::OnEvent`] and [`crate::OnTimer`]; elsewhere they are
/// [`EffectError::Denied`].
impl<About> Turn<'_, About> {
    /// Says anything that can be said.
    pub fn say(&mut self, content: Content) -> Asked {
        let (quote, purpose) = (std::mem::take(&mut self.quote), self.purpose.take());
        host::ask(Effect::Say {
            content,
            quote,
            purpose,
        })
    }

    /// The next message is for this. What is said in [`crate::OnEvent`] and [`crate::OnTimer`] is
    /// [`Purpose::Utility`], an answer to a message [`Purpose::Reply`], unless it is said otherwise.
    pub fn meaning(&mut self, purpose: Purpose) -> &mut Self {
        self.purpose = Some(purpose);
        self
    }

    /// Text, at most 4096 characters.
    pub fn reply_text(&mut self, body: &str) -> Asked {
        self.say(Content::text(body))
    }

    /// One to three buttons.
    ///
    /// ```
    /// # use vestibule_plugin::{Button, Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// let buttons = [Button::new("yes", "Yes, please"), Button::new("no", "No, thanks")];
    /// turn.reply_buttons("Shall we call you?", None, &buttons)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply_buttons(&mut self, body: &str, footer: Option<&str>, buttons: &[Button]) -> Asked {
        self.say(Content::Buttons {
            header: None,
            body: body.to_owned(),
            footer: footer.map(str::to_owned),
            buttons: buttons.to_vec(),
        })
    }

    /// A list of at most ten rows over all sections; `button` opens it.
    pub fn reply_list(&mut self, body: &str, button: &str, sections: &[Section]) -> Asked {
        self.say(Content::List {
            header: None,
            body: body.to_owned(),
            footer: None,
            button: button.to_owned(),
            sections: sections.to_vec(),
        })
    }

    /// An approved template; parameters fill its body in order, or by name.
    pub fn reply_template(
        &mut self,
        name: &str,
        language: &str,
        parameters: &[Parameter],
    ) -> Asked {
        let template = Template::new(name, language, parameters.to_vec());
        self.say(Content::Template(template))
    }

    /// Gives the conversation to the people of a queue; the summary is for them. [`crate::Routing`] may, too, and answers
    /// [`Route::AsAsked`](crate::Route::AsAsked).
    pub fn hand_over(&mut self, queue: &str, summary: Option<&str>) -> Asked {
        self.hand_to(Receiver::Queue(queue.to_owned()), summary)
    }

    /// Gives the conversation to a queue or an agent.
    pub fn hand_to(&mut self, to: Receiver, summary: Option<&str>) -> Asked {
        let summary = summary.map(str::to_owned);
        host::ask(Effect::HandOver { to, summary })
    }

    /// Marks the conversation as done.
    pub fn close(&mut self) -> Asked {
        host::ask(Effect::Close)
    }

    /// Calls [`crate::OnTimer`] in this conversation after so long; a timer of the same name is replaced.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use vestibule_plugin::{Field, Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// turn.set_timer("remind", Duration::from_secs(3600), &[Field::new("step", 1)])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_timer(&mut self, name: &str, after: Duration, fields: &[Field]) -> Asked {
        self.set_timer_at(name, Due::After(after), fields)
    }

    /// The same, at a moment.
    pub fn set_timer_at(&mut self, name: &str, due: Due, fields: &[Field]) -> Asked {
        host::ask(Effect::SetTimer {
            name: name.to_owned(),
            due,
            fields: fields.to_vec(),
        })
    }

    /// A timer that is not set is no error.
    pub fn cancel_timer(&mut self, name: &str) -> Asked {
        host::ask(Effect::CancelTimer(name.to_owned()))
    }
}

/// Facts, kept for later turns. Every hook may set them.
impl<About> Turn<'_, About> {
    /// A BCP 47 language.
    pub fn set_language(&mut self, language: &str) -> Asked {
        host::ask(Effect::SetLanguage(language.to_owned()))
    }

    /// Of the conversation: text, a number, a day, true or false, a list of texts.
    pub fn set_attribute(&mut self, key: &str, value: impl Into<Value>) -> Asked {
        host::ask(Effect::SetAttribute {
            key: key.to_owned(),
            value: value.into(),
        })
    }

    pub fn remove_attribute(&mut self, key: &str) -> Asked {
        host::ask(Effect::RemoveAttribute(key.to_owned()))
    }

    /// Of the contact, in all its conversations: an attribute that the tenant has defined.
    pub fn set_contact_attribute(&mut self, key: &str, value: impl Into<Value>) -> Asked {
        host::ask(Effect::SetContactAttribute {
            key: key.to_owned(),
            value: Some(value.into()),
        })
    }

    pub fn remove_contact_attribute(&mut self, key: &str) -> Asked {
        let key = key.to_owned();
        host::ask(Effect::SetContactAttribute { key, value: None })
    }

    pub fn add_tag(&mut self, tag: &str) -> Asked {
        host::ask(Effect::AddTag(tag.to_owned()))
    }

    pub fn remove_tag(&mut self, tag: &str) -> Asked {
        host::ask(Effect::RemoveTag(tag.to_owned()))
    }

    /// For the people who work with the conversation; the customer never sees it.
    pub fn note(&mut self, text: &str) -> Asked {
        host::ask(Effect::Note(text.to_owned()))
    }

    /// Counts something for the tenant.
    ///
    /// ```
    /// # use vestibule_plugin::{Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// turn.metric("orders", 1.0)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn metric(&mut self, name: &str, value: f64) -> Asked {
        host::ask(Effect::Metric {
            name: name.to_owned(),
            value,
        })
    }

    /// Tells the tenant's own systems: `plugin.event` of its event stream.
    pub fn emit(&mut self, name: &str, fields: &[Field]) -> Asked {
        host::ask(Effect::Emit {
            name: name.to_owned(),
            fields: fields.to_vec(),
        })
    }
}
