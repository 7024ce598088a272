//! What happens to a conversation by time: a snooze ends, and a person who went silent gives it back to the bot.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Asked, Desk, DeskError, Result};
use crate::domain::{ConversationId, StreamKind, TenantId};
use crate::storage::{Ending, conversations};

/// How often what is due is looked for: both are told in minutes.
const LOOK: Duration = Duration::from_secs(1);

/// Who does it, in the log.
const GATEWAY: &str = "gateway";

impl Desk {
    /// Keeps time until stopped, for the buckets that this node owns.
    pub async fn keep_time(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.due().await {
                tracing::warn!(error = ?error, "conversations that are due wait; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn due(&self) -> Result<()> {
        let buckets = self.owned.borrow().buckets();
        let mut tx = self.db.glance().await?;
        let due = conversations::due_all_tenants(&mut tx, &buckets, self.clock.now()).await?;
        drop(tx);
        for (tenant, conversation) in due {
            self.ring(tenant, conversation).await?;
        }
        Ok(())
    }

    async fn ring(&self, tenant: TenantId, conversation: ConversationId) -> Result<()> {
        let asked = Asked {
            tenant,
            conversation,
            by: GATEWAY.to_owned(),
            actor: None,
            ending: Ending::default(),
            owner_version: None,
        };
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut row = match self.locked(&mut tx, &asked).await {
            Err(DeskError::NotFound) => return Ok(()),
            found => found?,
        };
        // It may have been put off, or another node may have been faster: what is not due any more is left.
        let mut rang = false;
        if row.snoozed_until.is_some_and(|until| until <= now) {
            row.snoozed_until = None;
            self.tell(&mut tx, &row, StreamKind::ConversationWoke, GATEWAY);
            rang = true;
        }
        if row.hand_back_at.is_some_and(|at| at <= now) {
            row.hand_back_at = None;
            let why = ("timeout", GATEWAY, None);
            self.hand_back(&mut tx, &mut row, why, "timeout").await?;
            rang = true;
        }
        if rang {
            conversations::store_desk(&mut tx, tenant, &row).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
