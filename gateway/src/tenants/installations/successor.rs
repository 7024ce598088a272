//! What an installation can go back to: the versions that are kept for it, and which of them may come into service.

use std::cmp::Reverse;

use super::super::{Result, SetupContext, SetupError, plugin_keys};
use super::Changing;
use crate::domain::TenantId;
use crate::domain::rollout::Stage;
use crate::storage::plugin_versions::Version;
use crate::storage::{Tx, components, plugin_trust};

/// Retired versions that are kept (issue 4): so many that one can go back to, and so many of the others. Counted apart,
/// because candidates that fail one after the other must not push out what they would have replaced.
const KEPT: usize = 10;

/// A version to go back to, or why there is none.
pub(super) type Back = Result<Version, SetupError>;

/// The newest good version that may run and understands the memory as `from` left it; `None`: whoever asks answers for that.
pub(super) async fn successor(changing: &mut Changing<'_>, from: Option<&Version>) -> Result<Back> {
    let mut why = None;
    for version in good_ones(changing.all_versions().await?) {
        match problem_of_return(changing, &version, from).await? {
            None => return Ok(Ok(version)),
            // Of the one that was meant, not of those that were tried because it cannot come back.
            Some(problem) => why = why.or(Some(problem)),
        }
    }
    let none = || SetupError::state("there is no earlier version to go back to");
    Ok(Err(why.unwrap_or_else(none)))
}

/// Why a version cannot come back in the place of another one; `None`: it can.
pub(super) async fn problem_of_return(
    changing: &mut Changing<'_>,
    version: &Version,
    from: Option<&Version>,
) -> Result<Option<SetupError>> {
    let (setup, tenant) = (changing.setup, changing.tenant);
    if let Some(problem) = problem_of_running(setup, &mut changing.tx, tenant, version).await? {
        return Ok(Some(problem));
    }
    if let Some(from) = from
        && !changing.share_state(from, version).await?
    {
        return Ok(Some(SetupError::other_state()));
    }
    Ok(None)
}

/// Why a version may not come into service, whatever is there now: the operator stopped it, or believes nobody who signed
/// it. Asked of everything that is installed, promoted or comes back.
pub(super) async fn problem_of_running(
    setup: &SetupContext,
    tx: &mut Tx,
    tenant: TenantId,
    version: &Version,
) -> Result<Option<SetupError>> {
    problem_of_digest(setup, tx, tenant, (&version.version, &version.digest)).await
}

/// The same of a digest, which is known by the name of its version.
pub(super) async fn problem_of_digest(
    setup: &SetupContext,
    tx: &mut Tx,
    tenant: TenantId,
    (name, digest): (&str, &str),
) -> Result<Option<SetupError>> {
    if let Some(stop) = plugin_trust::stop_of_all_tenants(tx, digest).await? {
        let why = format!(
            "version {name}: the operator has stopped this digest: {}",
            stop.reason
        );
        return Ok(Some(SetupError::state(why)));
    }
    let signers = components::signers(tx, tenant, digest).await?;
    let Some(first) = signers.first() else {
        return Ok(Some(SetupError::not_found("digest", digest)));
    };
    let required = setup.require_signature;
    let problem = plugin_keys::problem_with_signer(tx, first, required).await?;
    // The same bytes may have come from the operator too, with a signature that is believed.
    for other in signers.iter().skip(1).filter(|name| !name.is_empty()) {
        let theirs = plugin_keys::problem_with_signer(tx, other, required).await?;
        if theirs.is_none() {
            return Ok(None);
        }
    }
    Ok(problem.map(|problem| SetupError::state(format!("version {name}: {problem}"))))
}

/// Versions that were in service and did not leave because of a fault, the last one first.
fn good_ones(versions: Vec<Version>) -> Vec<Version> {
    retired(versions, |version| version.good)
}

fn retired(mut versions: Vec<Version>, which: impl Fn(&Version) -> bool) -> Vec<Version> {
    versions.retain(|version| version.stage == Stage::Retired && which(version));
    versions.sort_by_key(|version| Reverse((version.changed_at, version.seq)));
    versions
}

/// Those that are not kept any longer.
pub(super) fn too_old(versions: &[Version]) -> Vec<i64> {
    let rest = |good: bool| {
        let kind = retired(versions.to_vec(), |version| version.good == good);
        kind.into_iter().skip(KEPT).map(|version| version.seq)
    };
    rest(true).chain(rest(false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    /// Retired in the order of their numbers.
    fn version(seq: i64, stage: Stage, good: bool) -> Version {
        let at = Timestamp::from_secs(1_795_000_000 + seq);
        Version {
            good,
            changed_at: at,
            ..Version::blank(seq, stage)
        }
    }

    #[test]
    fn candidates_that_failed_do_not_push_out_what_they_would_have_replaced() {
        let mut versions = vec![version(1, Stage::Retired, true)];
        versions.extend((2..=30).map(|seq| version(seq, Stage::Retired, false)));
        assert_eq!(too_old(&versions), (2..=20).rev().collect::<Vec<i64>>());
        let good: Vec<i64> = good_ones(versions).iter().map(|v| v.seq).collect();
        assert_eq!(good, [1]);
    }

    #[test]
    fn ten_good_ones_are_kept_beside_what_runs() {
        let mut versions: Vec<_> = (1..=12)
            .map(|seq| version(seq, Stage::Retired, true))
            .collect();
        versions.push(version(13, Stage::Active, true));
        versions.push(version(14, Stage::Canary, false));
        assert_eq!(too_old(&versions), [2, 1]);
        let good: Vec<i64> = good_ones(versions).iter().map(|v| v.seq).collect();
        assert_eq!(good, (3..=12).rev().chain([2, 1]).collect::<Vec<i64>>());
    }
}
