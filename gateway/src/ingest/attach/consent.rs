//! Words about consent, honoured before anything else sees the message (design.md §5).

use std::collections::{BTreeSet, HashMap};

use super::split::Message;
use super::{AttachError, Attacher};
use crate::domain::{
    ContactId, Draft, InboundContent, OutboundContent, OutboxId, Recipient, Sender, Timestamp,
};
use crate::policy::{
    BacklogFact, ConfirmationKind, ConsentState, ConsentWord, Decision, WordMatch, decide,
};
use crate::storage::conversations::Conversation;
use crate::storage::outbox::NewSend;
use crate::storage::people::{self, Consent, Consents};
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

/// Finds the words of a batch and writes what they change, in the order of the messages.
pub(super) async fn apply(
    tx: &mut Tx,
    messages: &[Message],
    contacts: &[ContactId],
) -> Result<Vec<Opinion>, AttachError> {
    let words: Vec<Option<WordMatch>> = messages
        .iter()
        .map(|message| message.entry.tenant.words.find(&message.content))
        .collect();
    let rows = read(tx, contacts, &words).await?;
    // Another node has just learnt that one of these is somebody else: their word belongs in that one's row.
    if rows.rows().any(|row| row.merged_into.is_some()) {
        return Err(AttachError::Race);
    }
    let mut current: HashMap<ContactId, Consent> =
        rows.rows().map(|row| (row.contact, *row)).collect();
    let mut changed = BTreeSet::new();
    let mut opinions = Vec::with_capacity(messages.len());
    for ((message, contact), word) in messages.iter().zip(contacts).zip(words) {
        let consent = current.entry(*contact).or_insert(Consent {
            contact: *contact,
            state: ConsentState::default(),
            version: 0,
            merged_into: None,
        });
        let opinion = judge(message, word, consent);
        if consent.state != opinion.state {
            consent.state = opinion.state;
            changed.insert((*contact, message.entry.number.tenant));
        }
        opinions.push(opinion);
    }
    for (contact, tenant) in changed {
        if !people::set_consent(tx, tenant, &current[&contact]).await? {
            return Err(AttachError::Race);
        }
    }
    Ok(opinions)
}

/// Consent of the batch's contacts. Rows are locked only when a word may change one: the ordinary message changes
/// none, and a row that moves in between is caught by its version.
async fn read(
    tx: &mut Tx,
    contacts: &[ContactId],
    words: &[Option<WordMatch>],
) -> Result<Consents, AttachError> {
    let distinct: BTreeSet<ContactId> = contacts.iter().copied().collect();
    let distinct: Vec<ContactId> = distinct.into_iter().collect();
    let speaks = words.iter().flatten().any(|word| word.consent().is_some());
    Ok(if speaks {
        people::lock_consent_all_tenants(tx, &distinct).await?
    } else {
        people::read_consent_all_tenants(tx, &distinct).await?
    })
}

fn judge(message: &Message, word: Option<WordMatch>, consent: &Consent) -> Opinion {
    let wants_human = word.is_some_and(WordMatch::wants_human);
    let word: Option<ConsentWord> = word.and_then(WordMatch::consent);
    // Reactions and system notices are nobody's word (§2.7).
    let counts =
        message.content.opens_window() && !matches!(message.content, InboundContent::Other { .. });
    if !counts {
        return Opinion {
            code: events::word::NONE,
            state: consent.state,
            confirmation: None,
        };
    }
    let (state, effect) = consent.state.after_inbound(word, message.at);
    let code = match (effect.reaches_plugins, wants_human) {
        (false, _) => events::word::CONSENT,
        (true, true) => events::word::HUMAN,
        (true, false) => events::word::NONE,
    };
    Opinion {
        code,
        state,
        confirmation: effect.confirmation,
    }
}

/// The send that tells the person what became of the word. Policy clears it like any other.
pub(super) fn confirmation(
    attacher: &Attacher,
    message: &Message,
    conversation: &Conversation,
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
            draft,
            bucket: number.bucket(),
            turn: None,
            due_at: now,
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
    from.phone
        .clone()
        .map(Recipient::Phone)
        .or_else(|| from.bsuid.clone().map(Recipient::Bsuid))
}
