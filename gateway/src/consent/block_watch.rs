//! Meta's block lists, read once in a while: people are blocked and unblocked in WhatsApp Manager and by other programs too,
//! and no webhook tells of it.
//!
//! Who is on the list and not marked here is marked, who is marked and not on it is not any more, each with a record of the
//! channel `meta`. What the ledger has of since the reading began stands: the gateway has changed the list itself.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::blocks::{Change, keep, known};
use crate::directory::NumberEntry;
use crate::directory::rounds::{LookError, Question, Rounds};
use crate::domain::number::Number;
use crate::domain::{ConsentChannel, ContactId, Timestamp};
use crate::graph::GraphClient;
use crate::graph::client::blocks::ListedPerson;
use crate::storage::buckets::fence;
use crate::storage::numbers::{self, Reading};
use crate::storage::{Result as Stored, StorageError, conversations, person};
use crate::tenants::SetupError;

/// Of one page. Nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// People of a page, and of what is read of our own marks at once.
const PAGE: usize = 1_000;
/// Meta's list has 64,000 at most (facts §6.10). More pages are a cursor that leads in circles.
const PAGES_MOST: usize = 80;

/// Reads block lists.
#[derive(Debug)]
pub struct BlockWatch {
    pub graph: GraphClient,
    pub rounds: Rounds,
}

impl Question for BlockWatch {
    const READING: Reading = Reading::BlockList;

    async fn ask(&self, entry: &NumberEntry) -> Result<(), LookError> {
        let Some(token) = &entry.token else {
            return Ok(());
        };
        let number = &entry.number;
        let began = self.rounds.setup.clock.now();
        let marked = self.marked(number).await?;
        let listed = self.listed(number, token, &marked, began).await?;
        for contact in marked.difference(&listed) {
            self.is_off(number, *contact, &listed, began).await?;
        }
        let lease = self.rounds.lease_of(number)?;
        let mut tx = self.rounds.setup.db.begin().await?;
        fence(&mut tx, &lease).await?;
        numbers::set_read_at(&mut tx, number.tenant, number.id, Self::READING, began).await?;
        Ok(tx.commit().await?)
    }
}

impl BlockWatch {
    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        self.rounds.run(&self, &stop).await;
    }

    /// Whom the number has marked here.
    async fn marked(&self, number: &Number) -> Stored<BTreeSet<ContactId>> {
        let mut marked = BTreeSet::new();
        loop {
            let after = marked.last().copied().unwrap_or(ContactId::from_raw(0));
            let mut tx = self.rounds.setup.db.read().await?;
            let some = conversations::blocked(
                &mut tx,
                number.tenant,
                number.id,
                after,
                i64::try_from(PAGE).unwrap_or(i64::MAX),
            )
            .await?;
            let is_last = some.len() < PAGE;
            marked.extend(some);
            if is_last {
                return Ok(marked);
            }
        }
    }

    /// Whom Meta has on the list, of those who are known here; who is not marked is.
    async fn listed(
        &self,
        number: &Number,
        token: &SecretString,
        marked: &BTreeSet<ContactId>,
        began: Timestamp,
    ) -> Result<BTreeSet<ContactId>, LookError> {
        let (mut listed, mut after) = (BTreeSet::new(), None);
        for _ in 0..PAGES_MOST {
            let id = &number.phone_number_id;
            let page = self
                .graph
                .blocked(token, id, after.as_deref(), PAGE, TIMEOUT)
                .await?;
            let mut tx = self.rounds.setup.db.read().await?;
            let people = known(&mut tx, number, page.people).await?;
            drop(tx);
            for (person, contacts) in people {
                for contact in contacts {
                    if listed.insert(contact) && !marked.contains(&contact) {
                        self.write(number, contact, change(true, Some(&person), began))
                            .await?;
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(listed);
            }
        }
        let circles = "Meta's block list has no end: its cursor leads in circles";
        Err(StorageError::Corrupt(circles.to_owned()).into())
    }

    /// Takes the mark from somebody of whom nothing is on the list: a person may have been several contacts.
    async fn is_off(
        &self,
        number: &Number,
        contact: ContactId,
        listed: &BTreeSet<ContactId>,
        began: Timestamp,
    ) -> Result<(), LookError> {
        let mut tx = self.rounds.setup.db.read().await?;
        let all = person::all_of(&mut tx, number.tenant, contact).await?;
        drop(tx);
        if all.iter().any(|one| listed.contains(one)) {
            return Ok(());
        }
        self.write(number, contact, change(false, None, began))
            .await
    }

    async fn write(
        &self,
        number: &Number,
        contact: ContactId,
        change: Change,
    ) -> Result<(), LookError> {
        match keep(&self.rounds.setup, (number.tenant, number, contact), change).await {
            Ok(_) => Ok(()),
            Err(SetupError::Storage(error)) => Err(error.into()),
            // Erased meanwhile.
            Err(error) => {
                tracing::debug!(%contact, %error, "a mark of a block list is not written");
                Ok(())
            }
        }
    }
}

fn change(is_blocked: bool, listed: Option<&ListedPerson>, began: Timestamp) -> Change {
    let subject = listed.and_then(|one| one.wa_id.as_ref().or(one.user_id.as_ref()));
    Change {
        is_blocked,
        channel: ConsentChannel::Meta,
        subject: subject.cloned().unwrap_or_default(),
        proof: json!({"block_list": if is_blocked { "is on it" } else { "is not on it" }}),
        seen_at: Some(began),
    }
}
