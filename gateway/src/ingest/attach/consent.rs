//! Words and choices about consent, honoured before anything else sees the message (design.md §5).

use std::collections::{BTreeSet, HashMap};

use super::split::{Message, Split};
use super::{AttachError, Attacher};
use crate::domain::{
    ContactId, Draft, InboundContent, OutboundContent, OutboxId, Recipient, Sender, Source,
    TenantId, Timestamp,
};
use crate::graph::MarketingChoice;
use crate::policy::{
    BacklogFact, ConfirmationKind, ConsentState, ConsentWord, Decision, WordMatch, decide,
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

/// Consent of a batch's people as it changes.
struct Ledger {
    rows: HashMap<ContactId, Consent>,
    changed: BTreeSet<(ContactId, TenantId)>,
}

/// Finds the words and choices of a batch and writes what they change, in their order. `authors` are the contacts of
/// its messages and then of its choices; `others` are people whose rows the caller changes later in this transaction.
pub(super) async fn apply(
    tx: &mut Tx,
    split: &Split,
    authors: &[ContactId],
    others: &[ContactId],
) -> Result<Vec<Opinion>, AttachError> {
    let words: Vec<Option<WordMatch>> = split.messages.iter().map(word_in).collect();
    let (contacts, choosers) = authors.split_at(words.len());
    let speaks = words.iter().flatten().any(|word| word.consent().is_some());
    let changes = speaks || !choosers.is_empty() || !others.is_empty();
    let mut ledger = Ledger::read(tx, authors, others, changes).await?;
    let mut opinions = Vec::with_capacity(words.len());
    for ((message, contact), word) in split.messages.iter().zip(contacts).zip(words) {
        let opinion = judge(message, word, &ledger.state(*contact));
        ledger.set(*contact, message.entry.number.tenant, opinion.state);
        opinions.push(opinion);
    }
    for ((entry, preference, at), contact) in split.preferences().zip(choosers) {
        let state = ledger.state(*contact);
        let state = match preference.choice {
            MarketingChoice::Stop => state.after_meta_stop(at),
            MarketingChoice::Resume => state.after_meta_resume(at),
        };
        ledger.set(*contact, entry.number.tenant, state);
    }
    ledger.write(tx).await?;
    Ok(opinions)
}

impl Ledger {
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
        })
    }

    fn state(&self, contact: ContactId) -> ConsentState {
        self.rows
            .get(&contact)
            .map_or_else(ConsentState::default, |row| row.state)
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
        });
        row.state = state;
    }

    async fn write(&self, tx: &mut Tx) -> Result<(), AttachError> {
        for (contact, tenant) in &self.changed {
            if !people::set_consent(tx, *tenant, &self.rows[contact]).await? {
                return Err(AttachError::Race);
            }
        }
        Ok(())
    }
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
