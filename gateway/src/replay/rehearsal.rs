//! One replay from turns that were read to its report: the same for the command line and for a job.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::bound::{self, Bound};
use super::network::{self, NetworkError};
use super::read::Setup;
use super::recorded::Recorded;
use super::stage::{PartKey, Stage, StageError, Workshop};
use super::tally::Tally;
use crate::domain::InstallationId;
use crate::plugin_host::SeenPlugin;

/// All that a replay needs. Nothing is read after it has begun.
pub struct Rehearsal {
    pub installation: InstallationId,
    /// The component to try in its place.
    pub candidate: Vec<u8>,
    /// What the installation runs.
    pub own: Setup,
    /// What ran, as far as it is kept.
    pub parts: Vec<(PartKey, Setup)>,
    pub turns: Vec<Recorded>,
    /// With what was left out already.
    pub tally: Tally,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum News {
    /// A plugin of some turns cannot run again: these turns are left out, and counted.
    Gone(String),
    Replayed {
        done: usize,
        total: usize,
    },
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    #[error("the candidate cannot be tried")]
    Candidate(#[source] StageError),
    #[error("nothing was replayed")]
    Network(#[from] NetworkError),
    #[error("a turn cannot be replayed")]
    Turn(#[source] StageError),
}

/// Turns under way at once: enough to keep every core busy.
const AT_ONCE: usize = 64;

impl Rehearsal {
    /// Compiles, gives up this process's sockets for good, and runs every turn.
    pub async fn run(
        mut self,
        workshop: Workshop,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<Tally, RehearsalError> {
        let stage = self.stage(workshop, tell).await?;
        network::give_up()?;
        let judged = futures::stream::iter(&self.turns)
            .map(async |recorded| Ok((recorded, stage.judge(recorded).await?)))
            .buffered(AT_ONCE);
        futures::pin_mut!(judged);
        let (mut done, total) = (0, self.turns.len());
        let step = total.div_ceil(10).max(1);
        while let Some((recorded, verdict)) =
            judged.try_next().await.map_err(RehearsalError::Turn)?
        {
            self.tally.add(recorded, verdict);
            done += 1;
            if done % step == 0 || done == total {
                tell(News::Replayed { done, total });
            }
        }
        Ok(self.tally)
    }

    async fn stage(
        &self,
        workshop: Workshop,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<Stage, RehearsalError> {
        let candidate = workshop
            .candidate(self.installation, &self.own, &self.candidate)
            .await
            .map_err(RehearsalError::Candidate)?;
        let mut parts = HashMap::new();
        for (key, setup) in &self.parts {
            match self.part(&workshop, *key, setup).await {
                Ok(part) => drop(parts.insert(*key, part)),
                Err(why) => tell(News::Gone(gone(*key, &why))),
            }
        }
        Ok(Stage {
            host: workshop.host.clone(),
            tenant: self.own.tenant,
            contact_kinds: Arc::new(self.own.contact_kinds.clone()),
            parts,
            candidate,
        })
    }

    async fn part(
        &self,
        workshop: &Workshop,
        key: PartKey,
        setup: &Setup,
    ) -> Result<crate::plugin_host::PluginBinding, String> {
        let wasm = setup.wasm().map_err(|error| error.to_string())?;
        let part = workshop.original(key.0, setup, &wasm).await;
        part.map_err(|error| with_causes(&error))
    }
}

/// For those who read along.
pub fn gone((installation, version): PartKey, why: &str) -> String {
    format!("{installation}, version {version}, cannot run again: {why}")
}

pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Every version of every plugin that had part in these turns.
pub fn parts_of<'a>(turns: impl IntoIterator<Item = &'a Recorded>) -> BTreeSet<PartKey> {
    let plugins = turns.into_iter().flat_map(|turn| &turn.seen.plugins);
    plugins.map(SeenPlugin::key).collect()
}

/// As JSON, with what the bounds make of it as a gate.
pub fn report(tally: &Tally, bounds: &[Bound]) -> Value {
    let judged = bound::judge(bounds, tally);
    let mut json = json!(tally);
    json["turns"] = tally.turns().into();
    json["compared"] = tally.compared().into();
    json["fuel_change_percent"] = tally.fuel_change().into();
    json["gate"] = json!(judged.as_ref().map(|judged| judged.gate));
    json["broken_bounds"] = json!(judged.map(|judged| judged.broken).unwrap_or_default());
    json
}
