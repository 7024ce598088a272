//! Words and choices about consent, honoured before anything else sees the message (design.md §5).

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::split::{Message, Split};
use super::{AttachError, Attacher};
use crate::consent::opt_in::{self, Answer};
use crate::consent::{self, Evidence, Statement};
use crate::domain::{
    ConsentChannel, ConsentScope, ContactId, Draft, InboundContent, OutboundContent, OutboxId,
    PersonRef, Recipient, Sender, Source, TenantId, Timestamp,
};
use crate::graph::MarketingChoice;
use crate::policy::{
    BacklogFact, ConfirmationKind, ConsentState, ConsentWord, Decision, Purpose, WordMatch, decide,
};
use crate::storage::conversations::Conversation;
use crate::storage::outbox::NewSend;
use crate::storage::people::{self, Consent};
use crate::storage::{Tx, events};

/// What the words of one message came to.
pub(super) struct Opinion {
    /// What the event says to its turn: [`events::word`].
    pub code: i64,
    /// The contact's consent after the message.
    pub state: ConsentState,
    /// What to tell the person, if anything.
    pub confirmation: Option<ConfirmationKind>,
}

/// Consent of a batch's people as it changes, and what the ledger is told of it.
struct Book {
    rows: HashMap<ContactId, Consent>,
    changed: BTreeSet<(ContactId, TenantId)>,
    statements: Vec<Statement>,
}

/// Finds the words and choices of a batch and writes what they change, in their order. `authors` are the contacts of
/// its messages and then of its choices; `others` are people whose rows the caller changes later in this transaction.
pub(super) async fn apply(
    attacher: &Attacher,
    tx: &mut Tx,
    split: &Split,
    authors: &[ContactId],
    others: &[ContactId],
) -> Result<Vec<Opinion>, AttachError> {
    let words: Vec<Option<WordMatch>> = split.messages.iter().map(word_in).collect();
    let (contacts, choosers) = authors.split_at(words.len());
    let speaks = words.iter().flatten().any(|word| word.consent().is_some());
    let changes = speaks || !choosers.is_empty() || !others.is_empty();
    let mut book = Book::read(tx, authors, others, changes).await?;
    let answers: Vec<Option<Answer>> = split
        .messages
        .iter()
        .zip(contacts)
        .map(|(message, contact)| book.answer(message, *contact))
        .collect();
    if !changes && answers.iter().any(Option::is_some) {
        // Nothing is locked yet, so locks can still be taken in their order.
        book = Book::read(tx, authors, others, true).await?;
    }
    let now = attacher.clock.now();
    let mut opinions = Vec::with_capacity(words.len());
    let said = split.messages.iter().zip(contacts).zip(words);
    for (((message, contact), word), answer) in said.zip(answers) {
        let confirmed = match answer {
            Some(answer) => book.confirm(tx, message, *contact, &answer, now).await?,
            None => None,
        };
        let opinion = match confirmed {
            Some(opinion) => opinion,
            None => book.hear(message, *contact, word),
        };
        opinions.push(opinion);
    }
    for ((entry, preference, at), contact) in split.preferences().zip(choosers) {
        let before = book.state(*contact);
        let (after, choice) = match preference.choice {
            MarketingChoice::Stop => (before.after_meta_stop(at), "stop"),
            MarketingChoice::Resume => (before.after_meta_resume(at), "resume"),
        };
        let evidence = Evidence {
            subject: subject(&preference.from),
            source: entry.number.display_number.clone(),
            proof: json!({"user_preferences": choice}),
            ..Evidence::default()
        };
        let whose = (entry.number.tenant, *contact);
        book.note(whose, &after, ConsentChannel::Meta, at, &evidence);
        book.set(*contact, whose.0, after);
    }
    book.write(attacher, tx, now).await?;
    Ok(opinions)
}

impl Book {
    /// Rows are locked only when a word or choice may change one: the ordinary message changes none, and a row that
    /// moves in between is caught by its version. All of them or none: locks are taken in the order of ids, once.
    ///
    /// `others` are locked with whomever they went into, in this batch too. A merge of another node's in between is seen
    /// in the rows: then the batch is read again.
    async fn read(
        tx: &mut Tx,
        authors: &[ContactId],
        others: &[ContactId],
        lock: bool,
    ) -> Result<Self, AttachError> {
        let rows = if lock {
            let with = people::read_consent_all_tenants(tx, others).await?;
            let with = with.rows().map(|row| row.contact);
            let all: Vec<ContactId> = authors.iter().copied().chain(with).collect();
            people::lock_consent_all_tenants(tx, &all).await?
        } else {
            people::read_consent_all_tenants(tx, authors).await?
        };
        let is_now = |author| rows.of(author).is_none_or(|row| row.contact == author);
        if !rows.missing().is_empty() || !authors.iter().copied().all(is_now) {
            return Err(AttachError::Race);
        }
        Ok(Self {
            rows: rows.rows().map(|row| (row.contact, *row)).collect(),
            changed: BTreeSet::new(),
            statements: Vec::new(),
        })
    }

    fn state(&self, contact: ContactId) -> ConsentState {
        self.rows
            .get(&contact)
            .map_or_else(ConsentState::default, |row| row.state)
    }

    /// What a message may confirm: a digit only where something waits for one.
    fn answer(&self, message: &Message, contact: ContactId) -> Option<Answer> {
        let InboundContent::Text { body } = &message.message.content else {
            return None;
        };
        let answer = opt_in::answer_in(body)?;
        let waits = self.rows.get(&contact).is_some_and(|row| row.waits);
        let ours = message.message.source == Source::Customer;
        (ours && (waits || matches!(answer, Answer::Code(_)))).then_some(answer)
    }

    /// Double opt-in: the message is also one like any other, so it opens replies first.
    async fn confirm(
        &mut self,
        tx: &mut Tx,
        message: &Message,
        contact: ContactId,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Option<Opinion>, AttachError> {
        let tenant = &message.entry.tenant;
        let Some(pending) = opt_in::take(tx, tenant.id, contact, answer, now).await? else {
            return Ok(None);
        };
        let scope: Option<ConsentScope> = pending.scope.parse().ok();
        let purpose = scope
            .as_ref()
            .and_then(|scope| Purpose::of(scope, &tenant.topics));
        let (Some(scope), Some(purpose)) = (scope, purpose) else {
            return Ok(None);
        };
        self.hear(message, contact, None);
        let state = self.state(contact).after_given(purpose, message.at, true);
        let (subject, text) = (subject(&message.from), message.message.content.words());
        let how = (subject.as_str(), message.wamid.as_str(), text);
        let whose = (tenant.id, contact);
        self.statements
            .push(opt_in::confirmed(&pending, whose, scope, message.at, how)?);
        self.set(contact, tenant.id, state);
        Ok(Some(Opinion {
            code: events::word::CONSENT,
            state,
            confirmation: Some(ConfirmationKind::Confirmed),
        }))
    }

    /// What a message that confirms nothing comes to.
    fn hear(&mut self, message: &Message, contact: ContactId, word: Option<WordMatch>) -> Opinion {
        let before = self.state(contact);
        let opinion = judge(message, word, &before);
        if opinion.state != before {
            let spoken = word.is_some_and(|word| word.consent().is_some());
            let channel = match spoken {
                true => ConsentChannel::Keyword,
                false => ConsentChannel::Message,
            };
            let evidence = Evidence {
                subject: subject(&message.from),
                source: message.entry.number.display_number.clone(),
                proof: match spoken {
                    true => {
                        json!({"wamid": message.wamid, "text": message.message.content.words()})
                    }
                    false => json!({"wamid": message.wamid}),
                },
                ..Evidence::default()
            };
            let whose = (message.entry.number.tenant, contact);
            self.note(whose, &opinion.state, channel, message.at, &evidence);
            self.set(contact, whose.0, opinion.state);
        }
        opinion
    }

    /// What the ledger is told of a change. Words and choices concern no topic.
    fn note(
        &mut self,
        whose: (TenantId, ContactId),
        after: &ConsentState,
        channel: ConsentChannel,
        at: Timestamp,
        evidence: &Evidence,
    ) {
        let before = self.state(whose.1);
        let made = consent::changes(whose, (&before, after), |_| None, (channel, at), evidence);
        self.statements.extend(made);
    }

    fn set(&mut self, contact: ContactId, tenant: TenantId, state: ConsentState) {
        if self.state(contact) == state {
            return;
        }
        self.changed.insert((contact, tenant));
        let row = self.rows.entry(contact).or_insert(Consent {
            contact,
            state,
            version: 0,
            merged_into: None,
            waits: false,
        });
        row.state = state;
    }

    async fn write(
        &self,
        attacher: &Attacher,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<(), AttachError> {
        for (contact, tenant) in &self.changed {
            if !people::set_consent(tx, *tenant, &self.rows[contact]).await? {
                return Err(AttachError::Race);
            }
        }
        let next_id = || attacher.ids.next(now);
        Ok(consent::append(tx, &self.statements, now, next_id).await?)
    }
}

/// By what somebody is known in a webhook.
fn subject(from: &PersonRef) -> String {
    let phone = from.phone.as_ref().map(|phone| phone.digits().to_owned());
    let bsuid = from.bsuid.as_ref().or(from.parent.as_ref());
    phone
        .or_else(|| bsuid.map(|bsuid| bsuid.as_str().to_owned()))
        .unwrap_or_default()
}

/// The word that a message says, if it is one to us or to another app of the business.
fn word_in(message: &Message) -> Option<WordMatch> {
    let content = match (&message.message.content, message.message.source) {
        (_, Source::Echo | Source::Notice) => return None,
        (InboundContent::Edit { content, .. }, _) => content,
        (content, _) => content,
    };
    message.entry.tenant.words.find(content)
}

fn judge(message: &Message, word: Option<WordMatch>, consent: &ConsentState) -> Opinion {
    let wants_human = word.is_some_and(WordMatch::wants_human);
    let word: Option<ConsentWord> = word.and_then(WordMatch::consent);
    // Reactions and system notices are nobody's word (§2.7). A location or an order is: whoever sends one has written
    // again, whether or not a plugin can read it.
    let heard = match message.message.source {
        Source::Customer if message.message.opens_window() => Some(word),
        // In an edit, or to another app of the business, a person can stop us. Nothing is opened by what they did not
        // write to us.
        Source::Customer | Source::Standby => stop(word).map(Some),
        Source::Echo | Source::Notice => None,
    };
    let Some(word) = heard else {
        return Opinion {
            code: events::word::NONE,
            state: *consent,
            confirmation: None,
        };
    };
    let (state, effect) = consent.after_inbound(word, message.at);
    let code = match (effect.reaches_plugins, wants_human) {
        (false, _) => events::word::CONSENT,
        (true, true) => events::word::HUMAN,
        (true, false) => events::word::NONE,
    };
    Opinion {
        code,
        state,
        // Who has the conversation confirms it.
        confirmation: effect
            .confirmation
            .filter(|_| message.message.source == Source::Customer),
    }
}

fn stop(word: Option<ConsentWord>) -> Option<ConsentWord> {
    word.filter(|word| *word != ConsentWord::OptIn)
}

/// The send that tells the person what became of the word. Policy clears it like any other.
pub(super) fn confirmation(
    attacher: &Attacher,
    message: &Message,
    conversation: &mut Conversation,
    opinion: &Opinion,
    now: Timestamp,
) -> Option<NewSend> {
    let kind = opinion.confirmation?;
    let number = &message.entry.number;
    let body = message.entry.tenant.settings.confirmation(kind).to_owned();
    let draft = Draft {
        id: OutboxId::from_raw(attacher.ids.next(now)),
        tenant: number.tenant,
        number: number.id,
        conversation: conversation.id,
        contact: conversation.contact,
        recipient: recipient(message)?,
        content: OutboundContent::Text {
            body,
            preview_url: false,
        },
        reply_to: None,
        class: kind.class(),
        sender: Sender::Rule {
            name: "opt_out_confirmation".to_owned(),
        },
        owner_version: conversation.owner_version,
        created_at: now,
    };
    let facts = message.entry.facts(
        conversation,
        opinion.state,
        BacklogFact::default(),
        &draft.content,
        now,
    );
    match decide(&facts, &draft, now) {
        Decision::Cleared(draft) => Some(NewSend {
            bucket: number.bucket(),
            turn: None,
            due_at: now,
            waits: None,
            prev: std::mem::replace(&mut conversation.last_entry, draft.id.raw()),
            claimed_at: None,
            draft,
        }),
        Decision::Refused(refusal) => {
            tracing::info!(reason = ?refusal.reason, "a consent confirmation was not cleared");
            None
        }
        Decision::Deferred { .. } => None,
    }
}

/// Answers go to what the person wrote from: the phone when Meta showed it, else the BSUID (§4.1).
fn recipient(message: &Message) -> Option<Recipient> {
    let from = &message.from;
    let bsuid = from.bsuid.as_ref().or(from.parent.as_ref());
    from.phone
        .clone()
        .map(Recipient::Phone)
        .or_else(|| bsuid.cloned().map(Recipient::Bsuid))
}
