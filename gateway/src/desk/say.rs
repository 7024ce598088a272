//! A person's or client's message: policy decides as for everybody, and a human message takes the conversation over.

use serde_json::json;

use super::{Asked, Desk, DeskError, Result};
use crate::domain::{
    Bucket, Draft, DraftClass, OutboundContent, OutboxId, Owner, Sender, StreamEvent, StreamKind,
    TenantId, Timestamp,
};
use crate::policy::{Admitted, BacklogFact, ConsentState, rule};
use crate::storage::conversations::{self, Conversation};
use crate::storage::outbox::{self, NewSend, OutboxRow};
use crate::storage::refusals::{self, Refused};
use crate::storage::{Tx, people};

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// A person who works in our inbox.
    Agent(String),
    /// An outside inbox on our API.
    Client(String),
}

impl Speaker {
    /// Whose a conversation is that they took over.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Agent(name) => Owner::Agent(name.clone()),
            Self::Client(name) => Owner::External(name.clone()),
        }
    }

    fn sender(&self) -> Sender {
        match self.clone() {
            Self::Agent(name) => Sender::Agent { name },
            Self::Client(name) => Sender::ApiKey { name },
        }
    }
}

/// What is to be said.
#[derive(Debug, Clone)]
pub struct Words {
    pub speaker: Speaker,
    pub content: OutboundContent,
    /// wamid of the message that it quotes.
    pub reply_to: Option<String>,
    pub class: DraftClass,
}

/// It is queued.
#[derive(Debug, Clone)]
pub struct Said {
    pub send: OutboxRow,
    pub conversation: Conversation,
    /// The conversation was the bot's, or a queue's, until this message.
    pub took_over: bool,
}

impl Desk {
    /// Queues a message. One commit: the conversation is the speaker's, what the bot had queued is withdrawn, the send is
    /// in the outbox; or, when policy refuses, nothing.
    pub async fn say(&self, asked: &Asked, words: Words) -> Result<Said> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut row = self.locked(&mut tx, asked).await?;
        let took_over = self.take_over(&mut tx, &mut row, &words.speaker).await?;
        let (cleared, waits) = match self.clear(&mut tx, &row, &words, now).await? {
            Ok(admitted) => admitted,
            Err(refused) => {
                // First: SQLite has one writer.
                drop(tx);
                self.keep(asked.tenant, &refused).await?;
                return Err(DeskError::Refused(Box::new(refused)));
            }
        };
        let id = cleared.id;
        if row.closed_at.take().is_some() {
            self.tell(&mut tx, &row, StreamKind::ConversationReopened, &asked.by);
        }
        if row.human_replied_at.is_none() {
            row.human_replied_at = Some(now);
            let kind = StreamKind::ConversationFirstHumanReply;
            let event = StreamEvent::new(row.tenant, row.id, kind, now);
            tx.tell(event.about(id.raw()));
        }
        if row.hand_back_at.is_some() {
            row.hand_back_at = self.hand_back_at(&row, now);
        }
        let send = NewSend {
            draft: cleared,
            bucket: row.bucket,
            turn: None,
            due_at: waits.map_or(now, |(until, _)| until),
            waits: waits.map(|(_, reason)| reason),
            prev: std::mem::replace(&mut row.last_entry, id.raw()),
            claimed_at: None,
        };
        conversations::store_desk(&mut tx, row.tenant, &row).await?;
        let rows = outbox::insert_all_tenants(&mut tx, vec![send]).await?;
        // That it was written and by whom; what it says is the message's own.
        let became = json!({"conversation": row.id, "took_over": took_over});
        self.record(
            &mut tx,
            asked,
            "message.send",
            id.to_string(),
            (None, became),
        )
        .await?;
        let send = rows.first().cloned().ok_or(DeskError::NotFound)?;
        asked.ending.commit(tx).await?;
        let (desk, bucket) = (self.clone(), row.bucket);
        asked.ending.then(move || desk.hand_on(rows, bucket));
        Ok(Said {
            send,
            conversation: row,
            took_over,
        })
    }

    /// A human message takes over from the bot and from a queue. Between people it changes nothing: the bot is silent
    /// already, and a colleague who helps out does not take the work away.
    async fn take_over(
        &self,
        tx: &mut Tx,
        row: &mut Conversation,
        speaker: &Speaker,
    ) -> Result<bool> {
        if !matches!(row.owner, Owner::Bot | Owner::Queue(_)) {
            return Ok(false);
        }
        let to = speaker.owner();
        let by = to.name().to_owned();
        self.give(tx, row, to, ("human_message", &by, None)).await?;
        Ok(true)
    }

    /// Asks policy. The inner error: why not.
    async fn clear(
        &self,
        tx: &mut Tx,
        row: &Conversation,
        words: &Words,
        now: Timestamp,
    ) -> Result<Result<Admitted, Refused>> {
        let snapshot = self.directory.snapshot();
        let entry = snapshot.number(row.number).ok_or(DeskError::NoNumber)?;
        let mut content = words.content.clone();
        entry.settle_language(&mut content, row.language.as_deref());
        let draft = Draft {
            id: OutboxId::from_raw(self.ids.next(now)),
            tenant: row.tenant,
            number: row.number,
            conversation: row.id,
            contact: row.contact,
            recipient: row.recipient().ok_or(DeskError::NoAddress)?,
            content,
            reply_to: words.reply_to.clone(),
            class: words.class,
            sender: words.speaker.sender(),
            owner_version: row.owner_version,
            created_at: now,
        };
        // Unlocked: delivery decides again, with the row locked, before anything leaves.
        let consent = people::read_consent_all_tenants(tx, &[row.contact]).await?;
        let consent = consent.of(row.contact).map(|row| (row.contact, row.state));
        let (person, consent) = consent.unwrap_or((row.contact, ConsentState::default()));
        let backlog = BacklogFact::default();
        let mut facts = entry.facts(row, consent, backlog, &draft.content, now);
        if draft.class.is_business_initiated() {
            facts.limits = entry.counted_limits(tx, row, person, now).await?;
        }
        Ok(rule(&facts, &draft, now).map_err(|ruling| Refused {
            id: draft.id,
            number: row.number,
            conversation: row.id,
            contact: row.contact,
            ruling: *ruling,
        }))
    }

    /// Why it was not sent, for whoever asks later.
    async fn keep(&self, tenant: TenantId, refused: &Refused) -> Result<()> {
        let mut tx = self.db.begin().await?;
        refusals::keep(&mut tx, tenant, refused).await?;
        Ok(tx.commit().await?)
    }

    fn hand_back_at(&self, row: &Conversation, now: Timestamp) -> Option<Timestamp> {
        let snapshot = self.directory.snapshot();
        let entry = snapshot.number(row.number)?;
        entry.tenant.settings.hand_back_at(now)
    }

    /// To the delivery that owns the bucket, here or on another node.
    fn hand_on(&self, rows: Vec<OutboxRow>, bucket: Bucket) {
        if self.owned.borrow().owns(bucket) {
            (self.sends)(rows);
        } else {
            self.wakeups.sends_elsewhere();
        }
    }
}
