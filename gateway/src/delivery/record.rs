//! Record: many answers in one commit, under the leases that they were claimed under.

use std::collections::{BTreeMap, BTreeSet};

use crate::consent;
use crate::domain::{ContactId, OutboxId, TenantId, Timestamp};
use crate::graph::errors::{HoldScope, SideEffect};
use crate::metering::{HAD_ENOUGH, is_held_off};
use crate::outbox::{Ended, Given, Limits, after_answer, after_give_back, after_unsendable};
use crate::storage::buckets::{Lease, fence};
use crate::storage::holds::Held;
use crate::storage::outbox::{OutboxRow, move_all_tenants};
use crate::storage::{Result, Tx, claims, limits, people, templates};
use crate::telemetry::CommitTimer;
use crate::tenants::holds::place_by_gateway;

use super::call::{Answered, CallEnd};
use super::world::{Placed, World};

/// An answer that was recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    /// As it stands now.
    pub(super) row: OutboxRow,
    pub(super) given: Given,
    /// By the wall clock; what was told to an earlier POST is old news for a later one.
    pub(super) claimed_at: Timestamp,
    pub(super) called: Option<std::time::Duration>,
    /// `false`: a receipt had settled the row before; nothing was written.
    pub(super) applied: bool,
    pub(super) held: Option<Held>,
}

/// Records answers. On [`Fenced`](crate::storage::StorageError::Fenced) nothing is recorded: the caller leaves out the
/// lost bucket's and tries again.
pub(super) async fn record(
    world: &World,
    placed: &Placed,
    answers: &[Answered],
) -> Result<Vec<Recorded>> {
    let now = world.clock.now();
    let mut recorded: Vec<Recorded> = answers
        .iter()
        .map(|answer| judge(world, answer, now))
        .collect();
    let leases: BTreeSet<Lease> = answers.iter().map(|answer| answer.claimed.lease).collect();
    let mut tx = world.db.begin_unsynced().await?;
    let _held = CommitTimer::start("record", answers.len());
    fence(&mut tx, &leases.into_iter().collect::<Vec<_>>()).await?;
    record_opt_outs(&mut tx, world, &recorded, now).await?;
    mark_blocked(&mut tx, world, &recorded, now).await?;
    close_windows(&mut tx, &recorded, now).await?;
    let moves: Vec<_> = recorded
        .iter()
        .map(|one| one.given.change.clone())
        .collect();
    let moved: BTreeSet<OutboxId> = move_all_tenants(&mut tx, &moves, now)
        .await?
        .into_iter()
        .collect();
    refetch_templates(&mut tx, world, &recorded).await?;
    let holds = place_holds(&mut tx, world, placed, &mut recorded, now).await?;
    tx.commit().await?;
    for held in holds {
        placed.remember(held, now);
    }
    for one in &mut recorded {
        one.applied = moved.contains(&one.row.draft.id);
        if one.applied {
            count(world, one, now);
            apply(&mut one.row, &one.given, now);
        }
    }
    Ok(recorded)
}

fn judge(world: &World, answer: &Answered, now: Timestamp) -> Recorded {
    let row = &answer.claimed.row;
    let jitter = world.draw.jitter();
    let limits = Limits {
        give_up_after: world.config.give_up_after,
    };
    let (given, called) = match &answer.end {
        CallEnd::Answer(answer) => (
            after_answer(row, &answer.outcome, now, jitter, limits),
            Some(answer.elapsed),
        ),
        CallEnd::TooLate => (after_give_back(row, now), None),
        CallEnd::Unsendable(reason) => (after_unsendable(row, reason, now, jitter), None),
    };
    Recorded {
        row: row.clone(),
        given,
        claimed_at: row.changed_at,
        called,
        applied: false,
        held: None,
    }
}

fn apply(row: &mut OutboxRow, given: &Given, now: Timestamp) {
    let change = &given.change;
    row.state = change.to;
    row.due_at = change.due_at;
    row.attempts = change.attempts;
    row.doubts = change.doubts;
    row.wamid.clone_from(&change.wamid);
    row.receipt = change.receipt;
    row.error = change.error;
    row.reason.clone_from(&change.reason);
    row.changed_at = now;
}

/// 131050: the person stopped this business's marketing in WhatsApp itself (facts §10.2).
async fn record_opt_outs(
    tx: &mut Tx,
    world: &World,
    recorded: &[Recorded],
    now: Timestamp,
) -> Result<()> {
    let stopped: BTreeMap<ContactId, (TenantId, OutboxId)> = recorded
        .iter()
        .filter(|one| one.given.side_effect == Some(SideEffect::RecordsOptOut))
        .map(|one| &one.row.draft)
        .map(|draft| (draft.contact, (draft.tenant, draft.id)))
        .collect();
    for (contact, (tenant, send)) in stopped {
        if let Some(moved) = people::stop_marketing(tx, tenant, contact, now).await? {
            let (whose, next_id) = ((tenant, moved), || world.draw.consent_id().raw());
            consent::record_stop_by_meta(tx, whose, &send.to_string(), now, now, next_id).await?;
        }
    }
    Ok(())
}

/// 130403: the business has blocked the person, and no mark of it was here (facts §6.10).
async fn mark_blocked(
    tx: &mut Tx,
    world: &World,
    recorded: &[Recorded],
    now: Timestamp,
) -> Result<()> {
    let blocked: BTreeMap<_, _> = recorded
        .iter()
        .filter(|one| one.given.side_effect == Some(SideEffect::MarksBlocked))
        .map(|one| &one.row.draft)
        .map(|draft| (draft.conversation, draft))
        .collect();
    for draft in blocked.values() {
        let whose = (draft.tenant, draft.number, draft.contact);
        let (send, next_id) = (draft.id.to_string(), || world.draw.consent_id().raw());
        consent::record_block_by_meta(tx, whose, &send, now, now, next_id).await?;
    }
    Ok(())
}

/// 131047: Meta is the authority on the window (facts §6.1).
async fn close_windows(tx: &mut Tx, recorded: &[Recorded], now: Timestamp) -> Result<()> {
    let closed: BTreeMap<_, _> = recorded
        .iter()
        .filter(|one| one.given.side_effect == Some(SideEffect::ClosesWindow))
        .map(|one| (one.row.draft.conversation, one.row.draft.tenant))
        .collect();
    for (conversation, tenant) in closed {
        claims::close_window(tx, tenant, conversation, now).await?;
    }
    Ok(())
}

/// The answer says that what we know of the template is out of date, or that its state is another.
async fn refetch_templates(tx: &mut Tx, world: &World, recorded: &[Recorded]) -> Result<()> {
    let stale: BTreeSet<(TenantId, String, String)> = recorded
        .iter()
        .filter(|one| {
            let held = one.given.stop.as_ref();
            one.given.side_effect == Some(SideEffect::RefetchesTemplate)
                || held.is_some_and(|stop| stop.scope == HoldScope::Template)
        })
        .filter_map(|one| {
            let draft = &one.row.draft;
            let account = world.directory.number(draft.number)?.waba_id.clone();
            let name = draft.content.template()?.name.clone();
            Some((draft.tenant, account, name))
        })
        .collect();
    for (tenant, account, name) in stale {
        templates::mark_stale(tx, tenant, &account, &name).await?;
    }
    Ok(())
}

async fn place_holds(
    tx: &mut Tx,
    world: &World,
    placed: &Placed,
    recorded: &mut [Recorded],
    now: Timestamp,
) -> Result<Vec<Held>> {
    let mut holds: Vec<Held> = Vec::new();
    for one in recorded {
        brake(tx, world, one, now).await?;
        let Some(stop) = &one.given.stop else {
            continue;
        };
        let draft = &one.row.draft;
        let number = world.directory.number(draft.number);
        let Some(held) = stop.held(draft, number.as_deref()) else {
            tracing::warn!(outbox = %one.row.draft.id, scope = ?stop.scope, reason = stop.reason,
                "Meta stopped something that we cannot hold");
            continue;
        };
        one.held = Some(held.clone());
        if holds.contains(&held) || !placed.is_new(&held, now) {
            continue;
        }
        tracing::warn!(outbox = %one.row.draft.id, ?held, reason = stop.reason, "hold placed");
        let code = one.given.change.error.unwrap_or(0);
        let hold = stop.hold(world.draw.hold_id(), held.clone(), "delivery", code, now);
        place_by_gateway(tx, &hold, world.draw.audit_id()).await?;
        holds.push(held);
    }
    Ok(holds)
}

/// What Meta took, for the sums.
fn count(world: &World, one: &Recorded, now: Timestamp) {
    let number = world.directory.number(one.row.draft.number);
    if let Some(number) = number.filter(|_| one.given.end == Ended::Accepted) {
        world.meter.accepted(&one.row.draft, &number.time_zone, now);
    }
}

/// The person is left alone for a day, and marketing of the number is held when too much of it is held off.
async fn brake(tx: &mut Tx, world: &World, one: &Recorded, now: Timestamp) -> Result<()> {
    if !one.given.change.error.is_some_and(is_held_off) {
        return Ok(());
    }
    let draft = &one.row.draft;
    if one.given.change.error == Some(HAD_ENOUGH) {
        limits::hold_off(tx, draft.tenant, draft.contact, draft.id, now).await?;
    }
    if let Some(brake) = world.meter.held_off(draft.number, now) {
        let held = Held::NumberMarketing(draft.tenant, draft.number);
        let hold = brake.hold(world.draw.hold_id(), held, "delivery", now);
        tracing::warn!(number = %draft.number, reason = hold.reason, "marketing is held");
        place_by_gateway(tx, &hold, world.draw.audit_id()).await?;
    }
    Ok(())
}

/// What the metrics call the end of an attempt.
pub(super) fn word(recorded: &Recorded) -> &'static str {
    match recorded.given.end {
        Ended::Accepted => "accepted",
        Ended::GivenBack => "given_back",
        Ended::Later => "retry",
        Ended::Failed => "failed",
        Ended::InDoubt => "unknown",
    }
}
