//! What plugins remember, read for many turns at once: questions that come while a query runs share the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::{KvReader, KvUnavailable};
use crate::storage::kv::{self, KvKey, KvValue};
use crate::storage::{Db, Result};

/// Most questions in one query.
const MOST: usize = 128;

type Answer = Result<Option<(Vec<u8>, i64)>, KvUnavailable>;
type Question = (KvKey, oneshot::Sender<Answer>);

/// The reading task's door.
#[derive(Debug, Clone)]
pub(super) struct Memory(mpsc::UnboundedSender<Question>);

impl Memory {
    pub(super) fn start(db: Db) -> Self {
        let (ask, questions) = mpsc::unbounded_channel();
        tokio::spawn(answer(db, questions));
        Self(ask)
    }

    /// A turn's view: installations are known by the plugin's name, which versions share.
    pub(super) fn of_turn(&self, names: Vec<(InstallationId, String)>) -> Arc<dyn KvReader> {
        Arc::new(TurnMemory {
            memory: self.clone(),
            names,
        })
    }

    async fn get(&self, key: KvKey) -> Answer {
        let gone = || KvUnavailable("the gateway is stopping".to_owned());
        let (done, answer) = oneshot::channel();
        self.0.send((key, done)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct TurnMemory {
    memory: Memory,
    names: Vec<(InstallationId, String)>,
}

impl KvReader for TurnMemory {
    fn get<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        key: &'a str,
    ) -> BoxFuture<'a, Answer> {
        async move {
            let plugin = self
                .names
                .iter()
                .find(|(id, _)| *id == installation)
                .map(|(_, name)| name.clone());
            let plugin = plugin
                .ok_or_else(|| KvUnavailable("no such installation in this turn".to_owned()))?;
            self.memory
                .get(KvKey {
                    tenant,
                    plugin,
                    item: key.to_owned(),
                })
                .await
        }
        .boxed()
    }
}

async fn answer(db: Db, mut questions: mpsc::UnboundedReceiver<Question>) {
    let mut group = Vec::new();
    while questions.recv_many(&mut group, MOST).await > 0 {
        let keys: BTreeSet<KvKey> = group.iter().map(|(key, _)| key.clone()).collect();
        let found = read(&db, keys.into_iter().collect()).await;
        for (key, done) in group.drain(..) {
            let answer = match &found {
                Ok(values) => Ok(values
                    .get(&key)
                    .map(|value| (value.value.clone(), value.version))),
                Err(_) => Err(KvUnavailable("the database did not answer".to_owned())),
            };
            // Whoever stopped waiting was dropped with its turn.
            let _ = done.send(answer);
        }
        if let Err(error) = found {
            tracing::warn!(%error, "plugins' memory could not be read");
        }
    }
}

async fn read(db: &Db, keys: Vec<KvKey>) -> Result<HashMap<KvKey, KvValue>> {
    let mut tx = db.read().await?;
    Ok(kv::read_all_tenants(&mut tx, &keys, false)
        .await?
        .into_iter()
        .collect())
}
