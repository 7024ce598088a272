//! Giving grants to a version: who may give which, no more than the operator lets the tenant's plugins have, and who gave each.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::ceiling::GrantCeiling;
use super::super::{Giver, Result, SetupContext, SetupError};
use super::names;
use crate::domain::Timestamp;
use crate::plugin_host::{Grant, asks_for, problems_of_giving};
use crate::storage::plugin_versions::Version;

/// Under what grants are given.
pub(super) struct Terms<'a> {
    pub(super) plugin: &'a str,
    /// What the manifest asks for.
    pub(super) asked: &'a BTreeSet<String>,
    /// What the version before has.
    pub(super) held: &'a BTreeSet<String>,
    pub(super) ceiling: &'a GrantCeiling,
    pub(super) giver: Giver,
}

/// Every grant that cannot be given is named, with who can.
pub(super) fn check_grants(terms: &Terms<'_>, grants: &BTreeSet<String>) -> Result<()> {
    let mut problems = problems_of_giving(terms.asked, grants);
    problems.extend(grants.iter().filter_map(|grant| terms.problem(grant)));
    match problems.is_empty() {
        true => Ok(()),
        false => {
            let problem = format!("of {}: {}", terms.plugin, problems.join(", "));
            Err(SetupError::invalid("the grants", problem))
        }
    }
}

impl Terms<'_> {
    /// What does not read has its problem already.
    fn problem(&self, text: &str) -> Option<String> {
        let grant = Grant::parse(text).ok()?;
        if !self.ceiling.allows(text) {
            return Some(format!(
                "`{text}` is more than the operator lets plugins of this tenant have: only the operator can widen it \
                 (`grant_ceiling` of the tenant's settings)"
            ));
        }
        let by_tenant = self.giver == Giver::Author && grant.is_of_tenant();
        // Somebody who may has given it to the plugin before.
        (by_tenant && !asks_for(self.held, text)).then(|| {
            format!(
                "`{text}` is not a plugin author's to give: ask somebody with the role tenant_admin or developer, or the operator"
            )
        })
    }
}

/// Who gave what a version has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) by: String,
    pub(super) at: Timestamp,
    /// Those that were given before that, and by others: JSON, as the column has it.
    pub(super) inherited: String,
}

/// Who gave one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenBefore {
    pub by: String,
    /// Unix milliseconds.
    pub at: i64,
}

/// Grants that were given before the others of their version.
pub fn inherited(version: &Version) -> BTreeMap<String, GivenBefore> {
    serde_json::from_str(&version.inherited).unwrap_or_default()
}

/// Who gave these: what the version before had stays given by whoever gave it, the rest is given now. An author who names a
/// narrower grant than the one that is held gives nothing: it stays given by whoever gave the wider one.
pub(super) fn given(
    setup: &SetupContext,
    before: Option<&Version>,
    grants: &BTreeSet<String>,
) -> Given {
    let now = || Given {
        by: setup.by.label(),
        at: setup.clock.now(),
        inherited: "{}".to_owned(),
    };
    let Some(before) = before else {
        return now();
    };
    let earlier = inherited(before);
    let held = names(&before.grants);
    // Each with the grant that it was given by.
    let kept: Vec<(&String, &String)> = (grants.iter())
        .filter_map(|grant| Some((grant, source(&held, grant, setup.giver)?)))
        .collect();
    if kept.len() == grants.len() {
        let still: BTreeMap<_, _> = kept
            .into_iter()
            .filter_map(|(grant, source)| Some((grant, earlier.get(source)?)))
            .collect();
        return Given {
            by: before.granted_by.clone(),
            at: before.granted_at,
            inherited: json!(still).to_string(),
        };
    }
    let with_the_rest = GivenBefore {
        by: before.granted_by.clone(),
        at: before.granted_at.millis(),
    };
    let from_before: BTreeMap<_, _> = kept
        .into_iter()
        .map(|(grant, source)| (grant, earlier.get(source).unwrap_or(&with_the_rest)))
        .collect();
    Given {
        inherited: json!(from_before).to_string(),
        ..now()
    }
}

/// By which of the grants that are held this one was given. Who may give it by themselves narrows it in their own name.
fn source<'a>(held: &'a BTreeSet<String>, grant: &str, giver: Giver) -> Option<&'a String> {
    let covers = |wider: &&String| asks_for(&BTreeSet::from([(*wider).clone()]), grant);
    let wider = || held.iter().find(covers);
    let narrowed = || (giver == Giver::Author).then(wider).flatten();
    held.get(grant).or_else(narrowed)
}

/// What was taken from a version in service, or from the candidate where there is none, no other version that is kept has any
/// more either: neither a promotion, nor a rollback, the gateway's own among them, brings it back. What every plugin may have stays.
///
/// `changed` has what it is left with, `before` what it had. Answers the versions that have less now.
pub(super) fn taken_from_all(
    before: &Version,
    changed: &Version,
    kept: Vec<Version>,
) -> Vec<Version> {
    let (had, has) = (names(&before.grants), names(&changed.grants));
    let of_tenant = |text: &String| Grant::parse(text).is_ok_and(|grant| grant.is_of_tenant());
    let taken: BTreeSet<String> = had
        .into_iter()
        .filter(|grant| of_tenant(grant) && !asks_for(&has, grant))
        .collect();
    let is_taken = |grant: &String| {
        let wider = |taken: &String| asks_for(&BTreeSet::from([grant.clone()]), taken);
        !asks_for(&has, grant) && (asks_for(&taken, grant) || taken.iter().any(wider))
    };
    let less = kept.into_iter().filter_map(|mut version| {
        let mut grants = names(&version.grants);
        let count = grants.len();
        grants.retain(|grant| !is_taken(grant));
        version.grants = json!(grants).to_string();
        (version.seq != changed.seq && grants.len() < count).then_some(version)
    });
    less.collect()
}

/// Going back brings no grant back that somebody took from the plugin meanwhile, unless whoever goes back may give it.
pub(super) fn check_return(
    setup: &SetupContext,
    from: Option<&Version>,
    to: &Version,
) -> Result<()> {
    let Some(from) = from.filter(|_| setup.giver == Giver::Author) else {
        return Ok(());
    };
    let (asked, held) = (names(&from.asked), names(&from.grants));
    let was_taken = |text: &&String| {
        let of_tenant = Grant::parse(text).is_ok_and(|grant| grant.is_of_tenant());
        of_tenant && asks_for(&asked, text) && !asks_for(&held, text)
    };
    match names(&to.grants).iter().find(was_taken) {
        None => Ok(()),
        Some(taken) => Err(SetupError::state(format!(
            "version {} would bring `{taken}` back, which was taken away since: ask somebody with the role tenant_admin or \
             developer, or the operator",
            to.version
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rollout::Stage;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn told(giver: Giver, held: &[&str], grants: &[&str]) -> String {
        let asked = set(&[
            "kv",
            "contacts",
            "http *",
            "secret *",
            "personal-data phone",
        ]);
        let ceiling = GrantCeiling::Only(set(&["kv", "contacts", "http *", "secret *"]));
        let terms = Terms {
            plugin: "menu",
            asked: &asked,
            held: &set(held),
            ceiling: &ceiling,
            giver,
        };
        match check_grants(&terms, &set(grants)) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_author_gives_what_reads_nobody_and_leaves_nothing_out() {
        let secret = "secret shop-token";
        assert_eq!(told(Giver::Tenant, &[], &["kv", "contacts", secret]), "");
        assert_eq!(told(Giver::Author, &[], &["kv"]), "");
        for grant in ["contacts", secret, "http https://shop.example/"] {
            let told = told(Giver::Author, &[], &["kv", grant]);
            assert!(
                told.contains(&format!("`{grant}` is not a plugin author's")),
                "{told}"
            );
        }
        assert_eq!(told(Giver::Author, &[secret], &["kv", secret]), "");
        let narrower = told(
            Giver::Author,
            &["http https://*.shop.example/"],
            &["http GET https://eu.shop.example/"],
        );
        assert_eq!(narrower, "");
    }

    #[test]
    fn nobody_gives_more_than_the_ceiling() {
        for giver in [Giver::Operator, Giver::Tenant, Giver::Author] {
            let told = told(giver, &["personal-data phone"], &["personal-data phone"]);
            assert!(
                told.contains("`personal-data phone` is more than the operator lets"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_is_taken_away_no_version_has_any_more() {
        let version = |seq, grants: &[&str]| Version {
            grants: json!(grants).to_string(),
            ..Version::blank(seq, Stage::Retired)
        };
        let (eu, any) = ("http GET https://eu.shop.example/", "http *");
        let before = version(3, &["kv", "contacts", "secret shop-token", eu]);
        let changed = version(3, &["secret shop-token"]);
        let kept = vec![
            version(1, &["kv", "contacts", "secret shop-token", any]),
            version(2, &["kv", "conversation"]),
            before.clone(),
            version(4, &["kv", "contacts"]),
        ];
        let left = taken_from_all(&before, &changed, kept);
        let left: Vec<_> = left
            .iter()
            .map(|one| (one.seq, names(&one.grants)))
            .collect();
        let expected = [(1, set(&["kv", "secret shop-token"])), (4, set(&["kv"]))];
        assert_eq!(left, expected);
        assert!(taken_from_all(&changed, &before, vec![version(1, &["contacts"])]).is_empty());
    }
}
