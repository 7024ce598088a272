//! Stopping an upload everywhere at once: the operator's emergency brake.

use serde_json::json;

use super::super::{Result, SetupContext, SetupError, check_text};
use super::successor::successor;
use super::{Changing, commit};
use crate::audit::OPERATOR;
use crate::domain::rollout::Stage;
use crate::storage::changes;
use crate::storage::plugin_trust::{self, Stop};
use crate::storage::plugin_versions::{self, Version};

/// Lets nothing with this digest run any more, whoever installed it. Each installation goes on with its last good
/// version; one that has none answers with the tenant's fallback. Answers how many it ran in.
pub async fn stop(setup: &SetupContext, digest: &str, reason: &str) -> Result<usize> {
    check_digest(digest)?;
    check_text("the reason", reason, 500)?;
    let mut tx = setup.db.begin().await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    let stop = Stop {
        digest: digest.to_owned(),
        reason: reason.to_owned(),
        stopped_by: setup.by.label(),
        stopped_at: setup.clock.now(),
    };
    if !plugin_trust::stop_all_tenants(&mut tx, &stop).await? {
        return Err(SetupError::taken("stop of the digest", digest));
    }
    let places = plugin_versions::with_digest_all_tenants(&mut tx, digest).await?;
    for (tenant, id) in &places {
        let mut changing = Changing::within(setup, tx, *tenant, *id).await?;
        take_out(&mut changing, &stop).await?;
        changing.record("plugin.stop").await?;
        tx = changing.tx;
    }
    let became = Some(json!({"reason": reason, "installations": places.len()}));
    setup
        .record(&mut tx, OPERATOR, "plugin.stop", digest, None, became)
        .await?;
    commit(setup, tx).await?;
    Ok(places.len())
}

async fn take_out(changing: &mut Changing<'_>, stop: &Stop) -> Result<()> {
    let reason = format!("stopped by the operator: {}", stop.reason);
    let meant = |version: Option<&Version>| version.filter(|v| v.digest == stop.digest).cloned();
    if let Some(candidate) = meant(changing.installation.candidate()) {
        changing
            .place(candidate, Stage::Retired, reason.clone())
            .await?;
    }
    let Some(active) = meant(changing.installation.active()) else {
        return Ok(());
    };
    changing.retire_active(&reason, false).await?;
    if let Ok(good) = successor(changing, Some(&active)).await? {
        let reason = format!("came back when {} was stopped", active.version);
        changing.place(good, Stage::Active, reason).await?;
    }
    Ok(())
}

/// Lifts a stop. Nothing comes back by it: installations go on with what they have.
pub async fn allow(setup: &SetupContext, digest: &str) -> Result<()> {
    check_digest(digest)?;
    let mut tx = setup.db.begin().await?;
    if !plugin_trust::allow_all_tenants(&mut tx, digest).await? {
        return Err(SetupError::not_found("stop of the digest", digest));
    }
    setup
        .record(&mut tx, OPERATOR, "plugin.allow", digest, None, None)
        .await?;
    commit(setup, tx).await
}

/// Why a digest is stopped, if it is.
pub async fn stop_of(setup: &SetupContext, digest: &str) -> Result<Option<Stop>> {
    let mut tx = setup.db.read().await?;
    Ok(plugin_trust::stop_of_all_tenants(&mut tx, digest).await?)
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
