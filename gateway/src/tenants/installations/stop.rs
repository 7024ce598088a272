//! Stopping an upload everywhere at once: the operator's emergency brake.
//!
//! The stop is one short commit, however many installations there are: the digest is written down, and the generation of
//! every installation in which it stands moves. From then on no turn commits what it did, and nodes, which read the stops
//! with the rest of setup, run it nowhere. What each installation goes on with takes some statements for each, so all but
//! the first few are moved on afterwards, some at a time (`directory/stopped.rs`). Until an installation has its turn there,
//! it runs nothing in the stopped version's place. What is left after a crash stands in the rows. One that cannot be moved
//! holds up neither the stop nor the others.

use serde_json::json;

use super::super::{Result, SetupContext, SetupError, check_text};
use super::Changing;
use super::successor::successor;
use crate::audit::OPERATOR;
use crate::domain::rollout::Stage;
use crate::domain::{InstallationId, TenantId};
use crate::storage::plugin_trust::{self, Stop};
use crate::storage::plugin_versions::{self, Version};
use crate::storage::{Tx, changes, installations};

/// Installations that are moved on in one transaction: some fifteen statements each, a few milliseconds of SQLite's writer.
const TOGETHER: i64 = 16;

/// What a stop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Where it stood: from now on it runs in none of them.
    pub installations: u64,
    /// Of these, the ones that go on with what they can go back to already.
    pub moved: u64,
}

impl Stopped {
    /// Those that the nodes move on.
    pub fn remaining(&self) -> u64 {
        self.installations - self.moved
    }
}

/// What a step of those that are moved on afterwards did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// After which installation to go on.
    pub last: InstallationId,
    /// Go on without the digest from now on.
    pub moved: u64,
    /// Stay as they are, each with its trouble in the log. They run nothing in the place of what is stopped.
    pub failed: u64,
}

/// Lets nothing with this digest run any more, whoever installed it. Each installation goes on with its last good
/// version that can; one that has none answers with the tenant's fallback.
pub async fn stop(setup: &SetupContext, digest: &str, reason: &str) -> Result<Stopped> {
    check_digest(digest)?;
    check_text("the reason", reason, 500)?;
    let stop = Stop {
        digest: digest.to_owned(),
        reason: reason.to_owned(),
        stopped_by: setup.by.label(),
        stopped_at: setup.clock.now(),
    };
    let (mut tx, standing) = brake(setup, &stop).await?;
    let first = InstallationId::from_raw(0);
    let places = plugin_versions::with_digest_all_tenants(&mut tx, digest, first, TOGETHER).await?;
    let (mut tx, moved) = match move_on(setup, tx, &places).await {
        Ok(moved) => moved,
        // The brake waits for no installation that cannot be moved: it goes alone, and all of them are left to the nodes.
        Err(error) => {
            tracing::warn!(error = ?error, digest, "a stop moves no installation on itself");
            (brake(setup, &stop).await?.0, 0)
        }
    };
    let stopped = Stopped {
        installations: standing,
        moved,
    };
    let became = Some(json!({"reason": reason, "installations": standing}));
    setup
        .record(&mut tx, OPERATOR, "plugin.stop", digest, None, became)
        .await?;
    setup.commit_and_wake(tx).await?;
    Ok(stopped)
}

/// Begins the stop: writes it down, and moves the generation of every installation in which the digest stands. How many
/// they are.
async fn brake(setup: &SetupContext, stop: &Stop) -> Result<(Tx, u64)> {
    let mut tx = begin(setup).await?;
    if !plugin_trust::stop_all_tenants(&mut tx, stop).await? {
        return Err(SetupError::taken("stop of the digest", &stop.digest));
    }
    let standing = installations::outdate_digest_all_tenants(&mut tx, &stop.digest).await?;
    Ok((tx, standing))
}

/// Moves some of the installations on in which a stopped digest still stands: in one transaction, and if one of them cannot be
/// moved, each in its own, so that it holds nobody up. `None`: there was none left.
///
/// Nodes are not woken for each step: they read all of setup then.
pub async fn move_some(
    setup: &SetupContext,
    digest: &str,
    after: InstallationId,
) -> Result<Option<Moved>> {
    let mut tx = begin(setup).await?;
    let places = plugin_versions::with_digest_all_tenants(&mut tx, digest, after, TOGETHER).await?;
    let Some((_, last)) = places.last().copied() else {
        return Ok(None);
    };
    let (moved, failed) = match moved(setup, tx, &places).await {
        Ok(moved) => (moved, 0),
        Err(error) => {
            tracing::debug!(error = ?error, digest, "installations are moved on one by one");
            one_by_one(setup, digest, &places).await?
        }
    };
    Ok(Some(Moved {
        last,
        moved,
        failed,
    }))
}

/// How many it moved, and how many it could not. An error: it is not of one of them.
async fn one_by_one(
    setup: &SetupContext,
    digest: &str,
    places: &[(TenantId, InstallationId)],
) -> Result<(u64, u64)> {
    let (mut count, mut failed) = (0, 0);
    for place in places {
        let tx = begin(setup).await?;
        match moved(setup, tx, std::slice::from_ref(place)).await {
            Ok(one) => count += one,
            Err(error) => {
                let (tenant, installation) = place;
                tracing::warn!(
                    error = ?error, %tenant, %installation, digest,
                    "an installation cannot be moved on from a stopped digest"
                );
                failed += 1;
            }
        }
    }
    Ok((count, failed))
}

/// Says that all of it is moved on.
pub async fn tell_moved(setup: &SetupContext) -> Result<()> {
    setup.commit_and_wake(begin(setup).await?).await
}

/// A change of setup: nobody else makes one until it ends.
async fn begin(setup: &SetupContext) -> Result<Tx> {
    let mut tx = setup.db.begin().await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    Ok(tx)
}

/// Moves them on and commits. Where nothing was moved, nobody need read setup again.
async fn moved(setup: &SetupContext, tx: Tx, places: &[(TenantId, InstallationId)]) -> Result<u64> {
    let (tx, moved) = move_on(setup, tx, places).await?;
    if moved > 0 {
        tx.commit().await?;
    }
    Ok(moved)
}

/// Moves them on, and answers how many that were. An error leaves the transaction to be rolled back.
async fn move_on(
    setup: &SetupContext,
    mut tx: Tx,
    places: &[(TenantId, InstallationId)],
) -> Result<(Tx, u64)> {
    let mut moved = 0;
    for (tenant, id) in places {
        let mut changing = Changing::within(setup, tx, *tenant, *id).await?;
        // Lifted meanwhile, or somebody was faster.
        if take_out(&mut changing).await? {
            changing.record("plugin.stop").await?;
            moved += 1;
        }
        tx = changing.tx;
    }
    Ok((tx, moved))
}

/// Takes out what is stopped of an installation. `false`: nothing was.
async fn take_out(changing: &mut Changing<'_>) -> Result<bool> {
    let candidate = changing.installation.candidate().cloned();
    let active = changing.installation.active().cloned();
    let mut is_changed = false;
    if let Some((candidate, reason)) = if_stopped(changing, candidate).await? {
        changing.place(candidate, Stage::Retired, reason).await?;
        is_changed = true;
    }
    if let Some((active, reason)) = if_stopped(changing, active).await? {
        changing.retire_active(&reason, false).await?;
        if let Ok(good) = successor(changing, Some(&active)).await? {
            let reason = format!("came back when {} was stopped", active.version);
            changing.place(good, Stage::Active, reason).await?;
        }
        is_changed = true;
    }
    Ok(is_changed)
}

/// The version and why it is retired, if its digest is stopped.
async fn if_stopped(
    changing: &mut Changing<'_>,
    version: Option<Version>,
) -> Result<Option<(Version, String)>> {
    let Some(version) = version else {
        return Ok(None);
    };
    let stop = plugin_trust::stop_of_all_tenants(&mut changing.tx, &version.digest).await?;
    Ok(stop.map(|stop| {
        let reason = format!("stopped by the operator: {}", stop.reason);
        (version, reason)
    }))
}

/// Lifts a stop. Nothing comes back by it: installations go on with what they have. One that has not been moved on yet has
/// the version still, and runs it again.
pub async fn allow(setup: &SetupContext, digest: &str) -> Result<()> {
    check_digest(digest)?;
    let mut tx = begin(setup).await?;
    if !plugin_trust::allow_all_tenants(&mut tx, digest).await? {
        return Err(SetupError::not_found("stop of the digest", digest));
    }
    setup
        .record(&mut tx, OPERATOR, "plugin.allow", digest, None, None)
        .await?;
    setup.commit_and_wake(tx).await
}

fn check_digest(digest: &str) -> Result<()> {
    let hex = digest
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match digest.len() == 64 && hex {
        true => Ok(()),
        false => Err(SetupError::invalid(
            "the digest",
            "must be a SHA-256 as 64 small hexadecimal digits",
        )),
    }
}
