//! What plugins remember, read for many turns at once: questions that come while a query runs share the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::domain::{InstallationId, TenantId, Timestamp};
use crate::plugin_host::{KvReader, KvUnavailable, ListAsked};
use crate::storage::kv::{self, KvKey, KvOwner, KvValue};
use crate::storage::{Db, Result};
use crate::sync::lock;

/// Most questions in one query.
const MOST: usize = 128;

type Answer = Result<Option<(Vec<u8>, i64)>, KvUnavailable>;
type Looked = Result<Option<KvValue>, KvUnavailable>;

/// What a turn asks the reading task.
enum Question {
    Value(KvKey, oneshot::Sender<Looked>),
    Used(KvOwner, oneshot::Sender<Result<u64, KvUnavailable>>),
}

/// How many bytes plugins remember, as commits of this node last found it. Other nodes write too, so what it says is
/// good for those who have ample room, and the commit counts again.
#[derive(Debug, Clone, Default)]
pub(super) struct Used(Arc<Mutex<HashMap<KvOwner, i64>>>);

impl Used {
    pub(super) fn learn(&self, used: impl Iterator<Item = (KvOwner, i64)>) {
        self.lock().extend(used);
    }

    /// None when it is unknown, or so much that it has to be asked for.
    fn ample(&self, owner: &KvOwner, most: i64) -> Option<i64> {
        let used = self.lock().get(owner).copied();
        used.filter(|used| *used <= most / 2)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KvOwner, i64>> {
        lock(&self.0)
    }
}

/// The reading task's door.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    db: Db,
    questions: mpsc::UnboundedSender<Question>,
    used: Used,
    /// Bytes that one plugin may remember at one tenant.
    most: i64,
}

impl Memory {
    pub(super) fn start(db: Db, used: Used, most: i64) -> Self {
        let (ask, questions) = mpsc::unbounded_channel();
        tokio::spawn(answer(db.clone(), questions, used.clone()));
        Self {
            db,
            questions: ask,
            used,
            most,
        }
    }

    /// A turn's view: installations are known by the plugin's name, which versions share, and what has ended at the
    /// turn's time is gone.
    pub(super) fn of_turn(
        &self,
        names: Vec<(InstallationId, String)>,
        now: Timestamp,
    ) -> Arc<dyn KvReader> {
        Arc::new(TurnMemory {
            memory: self.clone(),
            names,
            now,
        })
    }

    async fn get(&self, key: KvKey) -> Looked {
        self.ask(|done| Question::Value(key, done)).await
    }

    /// A list is a question of its own: few turns ask it.
    async fn list(
        &self,
        tenant: TenantId,
        plugin: &str,
        asked: &ListAsked,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let bounds = (asked.prefix.as_str(), asked.after.as_str());
        let mut tx = self.db.glance().await?;
        kv::list(&mut tx, tenant, plugin, bounds, i64::from(asked.most), now).await
    }

    async fn used(&self, owner: KvOwner) -> Result<u64, KvUnavailable> {
        if let Some(used) = self.used.ample(&owner, self.most) {
            return Ok(used.unsigned_abs());
        }
        self.ask(|done| Question::Used(owner, done)).await
    }

    async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<Result<T, KvUnavailable>>) -> Question,
    ) -> Result<T, KvUnavailable> {
        let gone = || KvUnavailable("the gateway is stopping".to_owned());
        let (done, answer) = oneshot::channel();
        self.questions.send(question(done)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct TurnMemory {
    memory: Memory,
    names: Vec<(InstallationId, String)>,
    now: Timestamp,
}

impl TurnMemory {
    fn plugin(&self, installation: InstallationId) -> Result<String, KvUnavailable> {
        let known = self.names.iter().find(|(id, _)| *id == installation);
        known
            .map(|(_, name)| name.clone())
            .ok_or_else(|| KvUnavailable("no such installation in this turn".to_owned()))
    }
}

impl KvReader for TurnMemory {
    fn get<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        key: &'a str,
    ) -> BoxFuture<'a, Answer> {
        async move {
            let plugin = self.plugin(installation)?;
            let key = KvKey {
                tenant,
                plugin,
                item: key.to_owned(),
            };
            let found = self.memory.get(key).await?;
            let lives = found.filter(|value| value.lives(self.now));
            Ok(lives.map(|value| (value.value, value.version)))
        }
        .boxed()
    }

    fn list<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        asked: &'a ListAsked,
    ) -> BoxFuture<'a, Result<Vec<String>, KvUnavailable>> {
        async move {
            let plugin = self.plugin(installation)?;
            let listed = self.memory.list(tenant, &plugin, asked, self.now).await;
            listed.map_err(|error| {
                tracing::warn!(%error, "plugins' memory could not be listed");
                unavailable()
            })
        }
        .boxed()
    }

    fn used(
        &self,
        tenant: TenantId,
        installation: InstallationId,
    ) -> BoxFuture<'_, Result<u64, KvUnavailable>> {
        async move {
            let plugin = self.plugin(installation)?;
            self.memory.used(KvOwner { tenant, plugin }).await
        }
        .boxed()
    }
}

async fn answer(db: Db, mut questions: mpsc::UnboundedReceiver<Question>, used: Used) {
    let mut group = Vec::new();
    while questions.recv_many(&mut group, MOST).await > 0 {
        let (mut keys, mut owners) = (BTreeSet::new(), BTreeSet::new());
        for question in &group {
            match question {
                Question::Value(key, _) => drop(keys.insert(key.clone())),
                Question::Used(owner, _) => drop(owners.insert(owner.clone())),
            }
        }
        let found = read(&db, keys, owners).await;
        if let Ok((_, counts)) = &found {
            let known = counts.iter().map(|(owner, bytes)| (owner.clone(), *bytes));
            used.learn(known);
        }
        for question in group.drain(..) {
            tell(question, &found);
        }
        if let Err(error) = found {
            tracing::warn!(%error, "plugins' memory could not be read");
        }
    }
}

fn unavailable() -> KvUnavailable {
    KvUnavailable("the database did not answer".to_owned())
}

type Found = Result<(HashMap<KvKey, KvValue>, HashMap<KvOwner, i64>)>;

/// Whoever stopped waiting was dropped with its turn.
fn tell(question: Question, found: &Found) {
    let found = found.as_ref().map_err(|_| unavailable());
    match question {
        Question::Value(key, done) => {
            let _ = done.send(found.map(|(values, _)| values.get(&key).cloned()));
        }
        Question::Used(owner, done) => {
            let bytes = |used: &i64| used.unsigned_abs();
            let _ = done.send(found.map(|(_, used)| used.get(&owner).map_or(0, bytes)));
        }
    }
}

async fn read(db: &Db, keys: BTreeSet<KvKey>, owners: BTreeSet<KvOwner>) -> Found {
    let (keys, owners): (Vec<_>, Vec<_>) =
        (keys.into_iter().collect(), owners.into_iter().collect());
    let mut tx = db.glance().await?;
    let values = kv::read_all_tenants(&mut tx, &keys, false).await?;
    let used = kv::usage_all_tenants(&mut tx, &owners).await?;
    Ok((values.into_iter().collect(), used.into_iter().collect()))
}
