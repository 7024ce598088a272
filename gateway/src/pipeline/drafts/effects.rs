//! Each effect, turned into what will be committed.

use super::Drafts;
use crate::domain::{DraftClass, OutboundContent, OutboxId, Owner, Sender};
use crate::pipeline::caused::Heard;
use crate::plugin_host::{AttributedEffect, Effect};
use crate::policy::ConsentWord;
use crate::storage::events::Subject;
use crate::storage::notes::Note;
use crate::storage::outbox::NewSend;
use crate::storage::plugin_events::PluginEvent;
use crate::storage::timers::{Timer, TimerKey};

impl Drafts<'_> {
    pub(super) fn effect(&mut self, from: &AttributedEffect, hands_over: bool) {
        match &from.effect {
            Effect::Reply {
                content,
                quote,
                purpose,
            } => {
                let class = purpose.unwrap_or_else(|| self.class());
                let quoted = quote.then(|| self.input.event.wamid.clone());
                let sender = plugin(from, hands_over);
                self.draft_as(content.clone().into(), sender, class, quoted);
            }
            Effect::React { emoji } => {
                let content = OutboundContent::Reaction {
                    message_id: self.input.event.wamid.clone(),
                    emoji: emoji.clone(),
                };
                self.draft(content, plugin(from, hands_over));
            }
            Effect::MarkRead { typing } => {
                let content = OutboundContent::MarkRead {
                    message_id: self.input.event.wamid.clone(),
                    typing: *typing,
                };
                self.draft(content, plugin(from, hands_over));
            }
            Effect::HandOver { to, note } => {
                let by = author(from);
                match to {
                    Owner::Queue(queue) => {
                        self.hand_to_queue(queue, "plugin_hand_over", &by, note.clone(), false);
                    }
                    to => self.change_owner(to.clone(), "plugin_hand_over", &by, note.clone()),
                }
            }
            Effect::Close => self.conversation.closed_at = Some(self.now),
            Effect::OptOut { marketing: true } => {
                self.consent(ConsentWord::OptOutMarketing, from, "")
            }
            Effect::OptOut { marketing: false } => self.consent(ConsentWord::OptOutAll, from, ""),
            Effect::OptIn { words } => self.consent(ConsentWord::OptIn, from, words),
            other => self.fact(from, other),
        }
    }

    fn fact(&mut self, from: &AttributedEffect, effect: &Effect) {
        let conversation = &mut self.conversation;
        match effect {
            Effect::SetLanguage { language } => conversation.language = Some(language.clone()),
            Effect::SetAttribute { key, value } => {
                conversation.attributes.insert(key.clone(), value.clone());
            }
            Effect::RemoveAttribute { key } => drop(conversation.attributes.remove(key)),
            Effect::AddTag { tag } => drop(conversation.tags.insert(tag.clone())),
            Effect::RemoveTag { tag } => drop(conversation.tags.remove(tag)),
            Effect::SetContactAttribute { key, value } => {
                self.caused.contact.insert(key.clone(), value.clone());
            }
            Effect::SetTimer {
                name,
                due_at,
                fields,
            } => {
                let timer = Timer {
                    key: self.timer(from, name),
                    tenant: self.input.event.tenant,
                    bucket: self.input.event.bucket,
                    set_at: self.now,
                    due_at: *due_at,
                    fields: fields.clone(),
                };
                self.caused.timers.insert(timer.key.clone(), Some(timer));
            }
            Effect::CancelTimer { name } => {
                self.caused.timers.insert(self.timer(from, name), None);
            }
            other => self.told(from, other),
        }
    }

    /// What goes to people and systems beside the conversation.
    fn told(&mut self, from: &AttributedEffect, effect: &Effect) {
        let event = &self.input.event;
        match effect {
            Effect::Note { text } => self.caused.notes.push(Note {
                id: self.turns.ids.next(self.now),
                tenant: event.tenant,
                conversation: event.conversation,
                author: author(from),
                body: text.clone(),
            }),
            Effect::Metric { name, value } => {
                self.caused.count(&from.plugin, name, value.get(), self.now);
            }
            Effect::Emit { name, fields } => self.caused.events.push(PluginEvent {
                id: self.turns.ids.next(self.now),
                tenant: event.tenant,
                conversation: event.conversation,
                plugin: from.plugin.clone(),
                plugin_version: from.version.clone(),
                name: name.clone(),
                fields: serde_json::to_string(fields).expect("fields are JSON"),
                at: self.now,
            }),
            _ => {}
        }
    }

    fn timer(&self, from: &AttributedEffect, name: &str) -> TimerKey {
        TimerKey {
            conversation: self.input.event.conversation,
            plugin: from.plugin.clone(),
            name: name.to_owned(),
        }
    }

    /// What is said for what a message's hooks say: an answer. An occasion's hooks begin something.
    fn class(&self) -> DraftClass {
        match self.input.event.subject {
            Subject::Message(_) => DraftClass::Reply,
            Subject::Occasion(_) => DraftClass::Utility,
        }
    }

    /// What the customer asked for holds for what is said after it in this turn; the commit asks again, upon the row.
    fn consent(&mut self, word: ConsentWord, from: &AttributedEffect, words: &str) {
        let at = self.input.event.at;
        let (next, effect) = self.input.consent.after_inbound(Some(word), at);
        self.input.consent = next;
        self.caused.consent.push(Heard {
            word,
            at,
            plugin: author(from),
            words: words.to_owned(),
        });
        if let Some(kind) = effect.confirmation {
            let settings = self.input.entry.tenant.settings.clone();
            let content = OutboundContent::Text {
                body: settings.confirmation(kind).to_owned(),
                preview_url: false,
            };
            let sender = Sender::Rule {
                name: "opt_out_confirmation".to_owned(),
            };
            self.draft_as(content, sender, kind.class(), None);
        }
    }

    /// Which send an effect became, if it became one: what the gateway says for it by a rule is not what it asked for.
    pub(super) fn sent_by(effect: &Effect, before: usize, sends: &[NewSend]) -> Option<OutboxId> {
        let says = matches!(
            effect,
            Effect::Reply { .. } | Effect::React { .. } | Effect::MarkRead { .. }
        );
        sends.get(before).filter(|_| says).map(|send| send.draft.id)
    }
}

fn plugin(from: &AttributedEffect, farewell: bool) -> Sender {
    Sender::Plugin {
        installation: from.installation,
        name: from.plugin.clone(),
        version: from.version.clone(),
        farewell,
    }
}

/// A plugin as people read it.
fn author(from: &AttributedEffect) -> String {
    format!("{} {}", from.plugin, from.version)
}
