//! A version's way through its stages: promoted, paused, resumed, rolled back by somebody or by itself.

use super::super::{Result, SetupContext, SetupError};
use super::giving::check_return;
use super::successor::{problem_of_return, problem_of_running, successor};
use super::{Changing, LOAD_LOOK, LOAD_WAIT, check_percent, check_stage, find_one};
use crate::domain::rollout::Stage;
use crate::domain::{InstallationId, TenantId};
use crate::storage::installations::Installation;
use crate::storage::nodes;
use crate::storage::plugin_health::{self, Part};
use crate::storage::plugin_versions::Version;

/// Conversations of a canary of which nobody said how many, in percent.
const CANARY_PERCENT: i64 = 10;

/// Where a candidate is to go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Promotion {
    /// `None`: the next stage.
    pub stage: Option<Stage>,
    /// Of the conversations, for a canary.
    pub percent: Option<i64>,
    /// Whoever asks answers for it that both versions understand the memory that they share.
    pub state_is_safe: bool,
}

/// Moves the candidate on.
///
/// Into service it goes when every live node has it loaded; then the switch is one commit. Turns of the old version that
/// have not committed by then run again with the new one.
pub async fn promote(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    promotion: &Promotion,
) -> Result<Installation> {
    let installation = find_one(setup, tenant, id).await?;
    let no_candidate = || SetupError::state("the installation has no candidate");
    let candidate = installation.candidate().ok_or_else(no_candidate)?;
    let stage = promotion.stage.unwrap_or(next(candidate.stage));
    check_stage(stage)?;
    let seq = candidate.seq;
    if stage == Stage::Active {
        until_loaded(setup, tenant, id, seq).await?;
    }
    let mut changing = Changing::begin(setup, tenant, id).await?;
    let mut candidate = changing.candidate()?;
    if candidate.seq != seq {
        return Err(SetupError::Changed);
    }
    if stage == Stage::Canary {
        let stays = (candidate.stage == Stage::Canary).then_some(candidate.percent);
        candidate.percent = promotion.percent.or(stays).unwrap_or(CANARY_PERCENT);
        check_percent(candidate.percent)?;
    }
    if stage != Stage::Waiting
        && let Some(problem) =
            problem_of_running(setup, &mut changing.tx, tenant, &candidate).await?
    {
        return Err(problem);
    }
    let by = setup.by.label();
    if let Some(active) = changing.installation.active().cloned() {
        // Beside each other they write the same memory in turns; one after the other is a step forward.
        let beside = stage == Stage::Canary && !promotion.state_is_safe;
        if beside && !changing.share_state(&active, &candidate).await? {
            return Err(SetupError::other_state());
        }
    }
    if stage == Stage::Active {
        let before = changing.installation.active();
        candidate.instead_of = before.map_or(0, |active| active.seq);
        let reason = format!("replaced by {}", candidate.version);
        changing.retire_active(&reason, true).await?;
    }
    changing
        .place(candidate, stage, format!("promoted by {by}"))
        .await?;
    changing.end("plugin.promote").await
}

fn next(stage: Stage) -> Stage {
    match stage {
        Stage::Waiting => Stage::Shadow,
        Stage::Shadow => Stage::Canary,
        _ => Stage::Active,
    }
}

/// Waits until every live node says that it has the version loaded. Without nodes there is nobody to wait for.
async fn until_loaded(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    seq: i64,
) -> Result<()> {
    let looks = LOAD_WAIT.as_millis() / LOAD_LOOK.as_millis();
    let mut missing = 0;
    for _ in 0..looks {
        let mut tx = setup.db.read().await?;
        let live = nodes::live_slots(&mut tx).await?;
        let said = plugin_health::loaded(&mut tx, tenant, id, seq).await?;
        drop(tx);
        let nodes = live.iter().filter(|slot| slot.is_node());
        let answers: Vec<Option<&String>> = nodes.map(|slot| said.get(&slot.holder)).collect();
        let problem = answers.iter().flatten().find(|problem| !problem.is_empty());
        if let Some(problem) = problem {
            let problem = format!("a node cannot load it: {problem}");
            return Err(SetupError::state(problem));
        }
        missing = answers.iter().filter(|answer| answer.is_none()).count();
        if missing == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOAD_LOOK).await;
    }
    Err(SetupError::state(format!(
        "{missing} live nodes have not loaded it yet; the version before it goes on, try again"
    )))
}

/// Lets nothing of the installation run, or only nothing of its candidate.
pub async fn pause(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    only_candidate: bool,
) -> Result<Installation> {
    let mut changing = Changing::begin(setup, tenant, id).await?;
    if only_candidate {
        let candidate = changing.candidate()?;
        let reason = format!("paused by {} in {}", setup.by.label(), candidate.stage);
        changing.place(candidate, Stage::Waiting, reason).await?;
    } else {
        changing.installation.paused = true;
    }
    changing.end("plugin.pause").await
}

/// Lets a paused installation run again, and one whose breaker is open.
pub async fn resume(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Installation> {
    let mut changing = Changing::begin(setup, tenant, id).await?;
    changing.installation.paused = false;
    // Whoever resumes it wants to see it run; if it is still broken, the breaker opens again.
    changing.installation.breaker = None;
    changing.end("plugin.resume").await
}

/// What to go back to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rollback {
    /// A version that is kept. `None`: the candidate goes; without one, the last good version that can comes back.
    pub to: Option<i64>,
    /// Whoever asks answers for it that the older version understands the memory.
    pub state_is_safe: bool,
}

/// Goes back at once: nobody waits for nodes, who load what they miss with the first message.
pub async fn roll_back(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
    rollback: &Rollback,
) -> Result<Installation> {
    let mut changing = Changing::begin(setup, tenant, id).await?;
    let reason = format!("rolled back by {}", setup.by.label());
    if rollback.to.is_none()
        && let Some(candidate) = changing.installation.candidate().cloned()
    {
        changing.place(candidate, Stage::Retired, reason).await?;
        return changing.end("plugin.roll_back").await;
    }
    let target = target(&mut changing, rollback).await?;
    check_return(setup, changing.installation.active(), &target)?;
    changing.retire_active(&reason, false).await?;
    changing.place(target, Stage::Active, reason).await?;
    changing.end("plugin.roll_back").await
}

async fn target(changing: &mut Changing<'_>, rollback: &Rollback) -> Result<Version> {
    let active = changing.installation.active().cloned();
    let from = active.filter(|_| !rollback.state_is_safe);
    let Some(seq) = rollback.to else {
        return successor(changing, from.as_ref()).await?;
    };
    let versions = changing.all_versions().await?;
    let found = versions.into_iter().find(|version| version.seq == seq);
    let version = found.ok_or_else(|| SetupError::not_found("version", &seq.to_string()))?;
    if version.stage != Stage::Retired {
        let why = format!("version {seq} is {}, not retired", version.stage);
        return Err(SetupError::state(why));
    }
    let problem = problem_of_return(changing, &version, from.as_ref()).await?;
    problem.map_or(Ok(version), Err)
}

/// A candidate passed one of its bounds: it goes. `false`: it had gone already, by another node or by somebody.
pub async fn roll_back_by_itself(setup: &SetupContext, part: &Part, why: &str) -> Result<bool> {
    let mut changing = match Changing::begin(setup, part.tenant, part.installation).await {
        Err(SetupError::NotFound { .. }) => return Ok(false),
        changing => changing?,
    };
    let candidate = changing.installation.candidate().cloned();
    let meant = candidate.filter(|v| v.seq == part.seq && v.stage == part.stage);
    let Some(candidate) = meant else {
        return Ok(false);
    };
    let reason = format!("rolled back by itself in {}: {why}", part.stage);
    changing.place(candidate, Stage::Retired, reason).await?;
    changing.end("plugin.roll_back").await?;
    Ok(true)
}
