//! Every turn of the deployment as a story: what was said, what was answered, and what the gateway did in between.
//!
//! Read from the journal, the outbox and the traces of sends, so that nothing is told that did not happen, and told for
//! every message, whoever sent it and whether it was answered or not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::delivery::{Observer, SendTrace};
use crate::domain::{
    ConversationId, OutboundContent, OutboxId, OutboxState, ReceiptStatus, TenantId, TurnId,
};
use crate::storage::outbox::{self, OutboxRow};
use crate::storage::turns::{self, Told};
use crate::storage::{Db, Result};
use crate::sync::lock;

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(25);
/// A send that is still under way by then is told as it stands.
const SENDS: Duration = Duration::from_secs(10);
/// Receipts come by webhook, a moment after the answer.
const RECEIPTS: Duration = Duration::from_secs(3);

/// One turn with all it caused.
#[derive(Debug)]
pub(super) struct Story {
    pub told: Told,
    /// The turn's journal.
    pub journal: Value,
    pub sends: Vec<Send>,
}

/// A send with its last attempt.
#[derive(Debug)]
pub(super) struct Send {
    pub row: OutboxRow,
    pub trace: Option<SendTrace>,
}

/// The last attempt of each send, for those who ask later.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<OutboxId, SendTrace>>);

impl Observer for Attempts {
    fn sent(&self, trace: &SendTrace) {
        self.all().insert(trace.outbox, trace.clone());
    }
}

impl Attempts {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<OutboxId, SendTrace>> {
        lock(&self.0)
    }
}

/// Follows the journal.
pub(super) struct Teller {
    db: Db,
    attempts: Arc<Attempts>,
    /// The last turn told of each tenant.
    last: HashMap<TenantId, TurnId>,
    /// The last confirmation told of each conversation: no turn wrote it.
    confirmed: HashMap<ConversationId, OutboxId>,
}

impl Teller {
    pub(super) fn new(db: Db, attempts: Arc<Attempts>, tenants: Vec<TenantId>) -> Self {
        let last = tenants
            .into_iter()
            .map(|tenant| (tenant, TurnId::from_raw(0)));
        Self {
            db,
            attempts,
            last: last.collect(),
            confirmed: HashMap::new(),
        }
    }

    /// Tells of every turn from the first on, until nobody listens.
    pub(super) async fn tell(mut self, stories: mpsc::UnboundedSender<Story>) {
        while !stories.is_closed() {
            // An error is the end (the database is closed), or passes: the next look tells what this one did not.
            for told in self.news().await.unwrap_or_default() {
                if let Ok(story) = self.story(told).await {
                    // Nobody listens any more when the demo ends.
                    let _ = stories.send(story);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn news(&mut self) -> Result<Vec<Told>> {
        let mut tx = self.db.read().await?;
        let mut news = Vec::new();
        for (tenant, last) in &mut self.last {
            let told = turns::after(&mut tx, *tenant, *last).await?;
            *last = told.last().map_or(*last, |told| told.turn);
            news.extend(told);
        }
        news.sort_by_key(|told| told.turn);
        Ok(news)
    }

    async fn story(&mut self, told: Told) -> Result<Story> {
        let journal: Value = serde_json::from_str(&told.journal).unwrap_or_default();
        let mut ids = sends_of(&journal);
        if told.outcome == "consent_word" {
            ids.extend(self.confirmations(&told).await?);
        }
        let rows = self.rows(&told, &ids, SENDS, has_been_sent).await?;
        let wait = match rows.iter().any(|row| row.state == OutboxState::Accepted) {
            true => RECEIPTS,
            false => Duration::ZERO,
        };
        let rows = self.rows(&told, &ids, wait, has_been_read).await?;
        let attempts = self.attempts.all();
        let send = |row: OutboxRow| Send {
            trace: attempts.get(&row.draft.id).cloned(),
            row,
        };
        let sends = rows.into_iter().map(send).collect();
        drop(attempts);
        Ok(Story {
            told,
            journal,
            sends,
        })
    }

    async fn confirmations(&mut self, told: &Told) -> Result<Vec<OutboxId>> {
        let last = self.confirmed.get(&told.conversation);
        let last = last.copied().unwrap_or(OutboxId::from_raw(0));
        let mut tx = self.db.read().await?;
        let rows = outbox::without_turn(&mut tx, told.tenant, told.conversation, last).await?;
        let ids: Vec<OutboxId> = rows.iter().map(|row| row.draft.id).collect();
        if let Some(last) = ids.last() {
            self.confirmed.insert(told.conversation, *last);
        }
        Ok(ids)
    }

    /// The rows when `done` is true of all of them, or as they stand when the time is up.
    async fn rows(
        &self,
        told: &Told,
        ids: &[OutboxId],
        most: Duration,
        done: fn(&OutboxRow) -> bool,
    ) -> Result<Vec<OutboxRow>> {
        let mut looks = most.as_millis() / LOOK.as_millis();
        loop {
            let mut tx = self.db.read().await?;
            let mut rows = Vec::new();
            for id in ids {
                rows.extend(outbox::find(&mut tx, told.tenant, *id).await?);
            }
            drop(tx);
            if looks == 0 || rows.iter().all(done) {
                return Ok(rows);
            }
            looks -= 1;
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What the turn decided to send, refusals left out: they have no row.
fn sends_of(journal: &Value) -> Vec<OutboxId> {
    let decisions = journal["decisions"].as_array().into_iter().flatten();
    let cleared = decisions.filter(|decision| decision.get("refused").is_none());
    cleared
        .filter_map(|decision| serde_json::from_value(decision["send"].clone()).ok())
        .collect()
}

fn has_been_sent(row: &OutboxRow) -> bool {
    !matches!(row.state, OutboxState::Queued | OutboxState::Claimed)
}

/// Only what stands in the chat gets ticks.
fn has_been_read(row: &OutboxRow) -> bool {
    let silent = matches!(
        row.draft.content,
        OutboundContent::MarkRead { .. } | OutboundContent::Reaction { .. }
    );
    let over = [
        Some(ReceiptStatus::Read),
        Some(ReceiptStatus::Played),
        Some(ReceiptStatus::Failed),
    ];
    silent || row.state != OutboxState::Accepted || over.contains(&row.receipt)
}
