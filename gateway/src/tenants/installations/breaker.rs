//! A version in service that faults too often, or passes a bound after its promotion: the last good one comes back, or its
//! breaker opens.

use super::super::{Result, SetupContext, SetupError};
use super::Changing;
use super::successor::successor;
use crate::domain::breaker::{Breaker, BreakerRule};
use crate::domain::rollout::Stage;
use crate::domain::{ConversationId, StreamEvent, StreamKind};
use crate::storage::installations::Installation;
use crate::storage::plugin_health::Part;
use crate::storage::plugin_versions::Version;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tripped {
    /// The version that is in service again.
    RolledBack(String),
    Opened,
    /// Another node or somebody was faster, or the version is not in service any more.
    Nothing,
}

/// Takes an active version out: for the last good one that may run and understands its memory, else for nothing.
pub async fn trip(
    setup: &SetupContext,
    part: &Part,
    why: &str,
    rule: &BreakerRule,
) -> Result<Tripped> {
    let Some((mut changing, active)) = begin(setup, part).await? else {
        return Ok(Tripped::Nothing);
    };
    if changing.installation.open_breaker().is_some() {
        return Ok(Tripped::Nothing);
    }
    if let Some(version) = go_back(&mut changing, &active, why).await? {
        changing.end("plugin.roll_back").await?;
        return Ok(Tripped::RolledBack(version));
    }
    let now = setup.clock.now();
    changing.installation.breaker = Some(Breaker {
        seq: active.seq,
        reason: why.to_owned(),
        opened_at: now.millis(),
        probe_at: now.plus(rule.open).millis(),
    });
    let said = format!("{}: {why}", active.version);
    tell(&mut changing, StreamKind::PluginBreakerOpened, &said);
    changing.end("plugin.breaker_open").await?;
    Ok(Tripped::Opened)
}

/// A version that was promoted lately passed a bound: the last good one that can comes back. Where there is none it stays, and
/// its breaker alone judges it.
pub async fn step_back(setup: &SetupContext, part: &Part, why: &str) -> Result<Tripped> {
    let Some((mut changing, active)) = begin(setup, part).await? else {
        return Ok(Tripped::Nothing);
    };
    let Some(version) = go_back(&mut changing, &active, why).await? else {
        return Ok(Tripped::Nothing);
    };
    changing.end("plugin.roll_back").await?;
    Ok(Tripped::RolledBack(version))
}

/// Puts the last good version that can in the active one's place. Answers which one.
async fn go_back(
    changing: &mut Changing<'_>,
    active: &Version,
    why: &str,
) -> Result<Option<String>> {
    let Ok(good) = successor(changing, Some(active)).await? else {
        return Ok(None);
    };
    let version = good.version.clone();
    let reason = format!("rolled back by itself in active: {why}");
    changing.retire_active(&reason, false).await?;
    changing.place(good, Stage::Active, reason).await?;
    let said = format!("{version} instead of {}: {why}", active.version);
    tell(changing, StreamKind::PluginRolledBack, &said);
    Ok(Some(version))
}

/// Probes went well: it runs again. `false`: it was closed already.
pub async fn close(setup: &SetupContext, part: &Part) -> Result<bool> {
    let Some((mut changing, active)) = begin(setup, part).await? else {
        return Ok(false);
    };
    if changing.installation.open_breaker().is_none() {
        return Ok(false);
    }
    changing.installation.breaker = None;
    let said = format!("{}: its probes went well", active.version);
    tell(&mut changing, StreamKind::PluginBreakerClosed, &said);
    changing.end("plugin.breaker_close").await?;
    Ok(true)
}

/// The installation, if this version is still the active one.
async fn begin<'a>(
    setup: &'a SetupContext,
    part: &Part,
) -> Result<Option<(Changing<'a>, Version)>> {
    let changing = match Changing::begin(setup, part.tenant, part.installation).await {
        Err(SetupError::NotFound { .. }) => return Ok(None),
        changing => changing?,
    };
    let active = changing.installation.active().cloned();
    let meant = active.filter(|active| active.seq == part.seq);
    Ok(meant.map(|active| (changing, active)))
}

/// It is of no conversation: whoever follows the tenant's events hears of it.
fn tell(changing: &mut Changing<'_>, kind: StreamKind, said: &str) {
    let Installation { id, plugin, .. } = &changing.installation;
    let note = format!("{plugin} {said}");
    let (nobody, now) = (ConversationId::from_raw(0), changing.setup.clock.now());
    let event = StreamEvent::new(changing.tenant, nobody, kind, now);
    let event = event.about(id.raw()).noting(note);
    changing.tx.tell(event);
}
