//! What a report says of people goes when their journals go: with an erasure, or by age. That a turn would be another stays.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::{ConversationId, JobId, TenantId, Timestamp, TurnId, id};
use crate::storage::{Db, Result, Tx, replay_reports as stored};

/// What one step of an erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    pub reports: i64,
    /// Where the next step goes on; none: that was all.
    pub next: Option<i64>,
}

/// Takes the words of these conversations out of some of the tenant's reports, after a job. Doing it again changes nothing. A
/// replay that still runs looks at its end whose journals are gone by then ([`take_out_gone`]): so an erasure that took the
/// journals before it comes here misses nothing.
pub async fn erase_step(
    tx: &mut Tx,
    tenant: TenantId,
    conversations: &[ConversationId],
    after: i64,
) -> Result<Erased> {
    let whose: BTreeSet<String> = conversations.iter().map(ToString::to_string).collect();
    let mut erased = Erased {
        reports: 0,
        next: None,
    };
    for (job, report) in stored::next_for_update(tx, tenant, after).await? {
        erased.next = Some(job.raw());
        // Most reports have nothing of the person, and are not even read.
        if !whose.iter().any(|whose| report.contains(whose.as_str())) {
            continue;
        }
        let of = |difference: &Value| {
            whose
                .iter()
                .any(|whose| difference["conversation"] == **whose)
        };
        if let Some(rest) = without(&report, of) {
            stored::keep(tx, tenant, job, &rest).await?;
            erased.reports += 1;
        }
    }
    Ok(erased)
}

/// Takes out what a report says of turns whose journal is gone, or erased, by now.
pub async fn take_out_gone(tx: &mut Tx, tenant: TenantId, report: &mut Value) -> Result<()> {
    let told = differences(report).iter().filter_map(turn_of);
    let told: Vec<TurnId> = told.collect();
    let whole = stored::whole_turns(tx, tenant, &told).await?;
    let whole: BTreeSet<TurnId> = whole.into_iter().collect();
    blank(report, |difference| {
        turn_of(difference).is_none_or(|turn| !whole.contains(&turn))
    });
    Ok(())
}

/// Takes the words of turns from before a moment out of a tenant's reports. Answers how many reports that changed.
pub async fn forget(db: &Db, tenant: TenantId, before: Timestamp) -> Result<u64> {
    let end = id::first_id_at(before);
    let is_old = |difference: &Value| turn_of(difference).is_none_or(|turn| turn.raw() < end);
    let (mut after, mut changed) = (0, 0);
    loop {
        // Reading a report takes longer than a writer may be kept.
        let mut tx = db.read().await?;
        let page = stored::next(&mut tx, tenant, after).await?;
        drop(tx);
        let Some((last, _)) = page.last() else {
            return Ok(changed);
        };
        after = last.raw();
        for (job, report) in page {
            if let Some(rest) = without(&report, is_old) {
                changed += forget_one(db, tenant, job, (&report, &rest)).await?;
            }
        }
    }
}

/// An erasure may have been faster: then the next round has it.
async fn forget_one(
    db: &Db,
    tenant: TenantId,
    job: JobId,
    (was, rest): (&str, &str),
) -> Result<u64> {
    let mut tx = db.begin().await?;
    let now = stored::next_for_update(&mut tx, tenant, job.raw() - 1).await?;
    if now.first().is_none_or(|now| *now != (job, was.to_owned())) {
        return Ok(0);
    }
    stored::keep(&mut tx, tenant, job, rest).await?;
    tx.commit().await?;
    Ok(1)
}

/// The report without the words of some differences; none when it has none of theirs.
fn without(report: &str, which: impl Fn(&Value) -> bool) -> Option<String> {
    let mut report: Value = serde_json::from_str(report).ok()?;
    blank(&mut report, which).then(|| report.to_string())
}

/// Answers whether there was something to take out.
fn blank(report: &mut Value, which: impl Fn(&Value) -> bool) -> bool {
    let mut changed = false;
    let differences = report["differences"].as_array_mut();
    for difference in differences.into_iter().flatten() {
        if difference["said"].is_null() || !which(difference) {
            continue;
        }
        super::job::without_words_of(difference);
        difference["gone"] = true.into();
        changed = true;
    }
    changed
}

fn differences(report: &Value) -> &[Value] {
    report["differences"].as_array().map_or(&[], Vec::as_slice)
}

fn turn_of(difference: &Value) -> Option<TurnId> {
    difference["turn"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_go_and_that_there_was_a_difference_stays() {
        let difference = |conversation: &str| {
            json!({"conversation": conversation, "turn": "trn_1", "at": "then", "said": "hello",
                "before": ["a"], "after": ["b"]})
        };
        let report =
            json!({"different": 2, "differences": [difference("cnv_1"), difference("cnv_2")]});
        let first = |difference: &Value| difference["conversation"] == "cnv_1";
        let rest = without(&report.to_string(), first).expect("it had some");
        let gone = json!({"conversation": "cnv_1", "turn": "trn_1", "at": "then", "gone": true});
        let expected = json!({"different": 2, "differences": [gone, difference("cnv_2")]});
        assert_eq!(
            serde_json::from_str::<Value>(&rest).expect("JSON"),
            expected
        );
        assert_eq!(without(&rest, first), None, "there is nothing more of it");
    }
}
