//! Prepare: rows of many numbers are decided again and claimed, in one transaction that holds their people's consent
//! rows (promise 4). An opt-out that commits first is seen; one that commits later finds the claim's clock running.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::domain::number::Number;
use crate::domain::{
    ContactId, ConversationId, Draft, NumberId, OutboxId, OutboxState, Recipient, Timestamp,
};
use crate::ownership::{OwnedBuckets, Work};
use crate::policy::{
    BacklogFact, Cleared, Decision, Facts, LoopBrake, Reason, SpendFact, WindowFacts, limits,
    recheck,
};
use crate::storage::buckets::{Lease, fence};
use crate::storage::claims::{
    ConversationFacts, conversation_facts_all_tenants, set_pair_debts_all_tenants,
};
use crate::storage::outbox::{
    Move, OutboxRow, move_all_tenants, readdress_all_tenants, unclaim_all_tenants,
};
use crate::storage::people::Consents;
use crate::storage::{Result, StorageError, Tx, people, raw};
use crate::telemetry::{CommitTimer, names};

use super::address::AddressBook;
use super::engine::LOOK_EVERY;
use super::limits::{Counted, FarFromLimits, Going};
use super::pacing;
use super::ports::Bearing;
use super::world::World;

/// The outcome of what goes, as it is counted.
pub(super) const CLEARED: &str = "cleared";

/// A row that may be sent, if it is sent soon.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) row: OutboxRow,
    /// What the second gate let through: a call takes nothing else (promise 4).
    pub(super) draft: Cleared<Draft>,
    /// Under which it was claimed: its answer is recorded under the same or not at all.
    pub(super) lease: Lease,
    /// Monotonic time from before the consent row's lock.
    pub(super) locked_at: Duration,
    /// Until its answer is recorded.
    _under_way: Work,
}

impl Claimed {
    fn new(
        world: &World,
        row: OutboxRow,
        draft: Cleared<Draft>,
        lease: Lease,
        locked_at: Duration,
    ) -> Self {
        let _under_way = world.under_way.begin(lease.bucket);
        Self {
            row,
            draft,
            lease,
            locked_at,
            _under_way,
        }
    }
}

/// What became of the rows of one claim. Each is in one of these.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) claimed: Vec<Claimed>,
    /// Not yet: `due_at` says when.
    pub(super) later: Vec<OutboxRow>,
    /// Not for hours: out of memory until they are due.
    pub(super) deferred: Vec<OutboxRow>,
    /// Nothing more to this person until then.
    pub(super) paced: Vec<(OutboxRow, Timestamp)>,
    /// Refused by policy or impossible; the row says so.
    pub(super) ended: Vec<OutboxRow>,
    /// Somebody else changed them since they were read.
    pub(super) gone: Vec<OutboxRow>,
}

enum Verdict {
    Go {
        draft: Cleared<Draft>,
        debt: Option<Timestamp>,
    },
    Later {
        until: Timestamp,
        reason: &'static str,
    },
    /// Out of the way, for longer than anybody here wants to remember it.
    Defer {
        until: Timestamp,
        reason: Reason,
    },
    Pace {
        until: Timestamp,
    },
    End {
        state: OutboxState,
        reason: String,
    },
}

/// Claims what may go of `rows`, all of which must be of owned buckets. `unsure`: those of them that an earlier claim of
/// this node may have left claimed without knowing it.
pub(super) async fn claim(
    world: &World,
    far: &FarFromLimits,
    owned: &OwnedBuckets,
    rows: Vec<OutboxRow>,
    unsure: &[OutboxId],
) -> Result<Outcome> {
    let leases = owned
        .leases_of(rows.iter().map(|row| row.bucket))
        .ok_or_else(|| StorageError::Fenced(-1))?;
    let (mut tx, locked_at, consent) = begin(world, &leases, &rows).await?;
    let _held = CommitTimer::start("claim", rows.len());
    unclaim_all_tenants(&mut tx, unsure).await?;
    let now = world.clock.now();
    let counted = Counted::load(&mut tx, world, far, &rows, &consent, now).await?;
    let mut ground = Ground::load(&mut tx, &rows, &consent, counted).await?;
    let (mut judged, mut words) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let (verdict, word) = ground.judge(world, &row, now);
        // What has to wait a moment is decided again after it, and counted then.
        if !matches!(verdict, Verdict::Later { .. } | Verdict::Pace { .. }) {
            words.push((row.draft.id, word));
        }
        judged.push((row, verdict));
    }
    // Before the rows themselves: locks are taken in one order everywhere (`storage::claims`).
    set_pair_debts_all_tenants(&mut tx, &debts(&judged)).await?;
    let moves: Vec<Move> = judged
        .iter()
        .filter_map(|(row, verdict)| change(row, verdict))
        .collect();
    let moved: HashSet<OutboxId> = move_all_tenants(&mut tx, &moves, now)
        .await?
        .into_iter()
        .collect();
    ground.counted.write(&mut tx, far, &moved).await?;
    readdress_all_tenants(&mut tx, &readdressed(&judged, &moved)).await?;
    tx.commit().await?;
    let decided = words.iter().filter(|(id, _)| moved.contains(id));
    decided.for_each(|(_, word)| count_decision(word));
    Ok(sort(world, judged, &moved, &leases, locked_at, now))
}

/// Each send once, when what it came to is committed.
pub(super) fn count_decision(word: &'static str) {
    metrics::counter!(names::POLICY_DECISIONS, "gate" => "claim", "outcome" => word).increment(1);
}

/// Claims what may go of rows that the caller's transaction is about to write, under these leases and with their people's
/// consent locked; with the debt of each one's pair. Only what answers in a conversation is asked for: nothing of it is
/// counted, and no backlog keeps it.
pub(super) async fn at_once(
    world: &World,
    tx: &mut Tx,
    rows: Vec<OutboxRow>,
    leases: &[Lease],
    (consent, locked_at): (&Consents, Duration),
) -> Result<Vec<(Claimed, Option<Timestamp>)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let now = world.clock.now();
    // Of somebody who went into another contact, that one's row may not be locked here.
    let known = |row: &OutboxRow| consent.of(row.draft.contact).is_some();
    let known: Vec<OutboxRow> = rows.into_iter().filter(known).collect();
    let mut ground = Ground::load(tx, &known, consent, Counted::default()).await?;
    let mut claimed = Vec::with_capacity(known.len());
    for row in known {
        let (Verdict::Go { draft, debt }, _) = ground.judge(world, &row, now) else {
            continue;
        };
        // Written with the recipient that it was drafted for.
        let stands = draft.recipient == row.draft.recipient;
        let lease = leases.iter().find(|lease| lease.bucket == row.bucket);
        if let Some(&lease) = lease.filter(|_| stands) {
            let row = begun(row, &draft, now);
            claimed.push((Claimed::new(world, row, draft, lease, locked_at), debt));
        }
    }
    Ok(claimed)
}

/// The row of a POST that begins now.
fn begun(row: OutboxRow, draft: &Draft, now: Timestamp) -> OutboxRow {
    let draft = Draft {
        recipient: draft.recipient.clone(),
        ..row.draft
    };
    OutboxRow {
        draft,
        state: OutboxState::Claimed,
        attempts: row.attempts + 1,
        changed_at: now,
        ..row
    }
}

/// Begins the claim: the fence, then the consent rows' locks, so that everything after is as of the locks.
///
/// A row keeps the contact that it was written for, who may have become somebody else since. Both rows are locked and
/// the survivor's speaks: a merge locks both as well, so it and the opt-outs after it come wholly before this claim,
/// which then sees them, or after it. Locks must be taken in the order of ids, so a survivor that turns up late means
/// beginning again; that happens once for each merge that a contact has been through.
async fn begin(
    world: &World,
    leases: &[Lease],
    rows: &[OutboxRow],
) -> Result<(Tx, Duration, Consents)> {
    let mut contacts: BTreeSet<ContactId> = rows.iter().map(|row| row.draft.contact).collect();
    loop {
        let mut tx = world.db.begin().await?;
        fence(&mut tx, leases).await?;
        let locked_at = world.monotonic.now();
        let ids: Vec<ContactId> = contacts.iter().copied().collect();
        let consent = people::lock_consent_all_tenants(&mut tx, &ids).await?;
        let missing = consent.missing();
        if missing.is_empty() {
            return Ok((tx, locked_at, consent));
        }
        contacts.extend(missing);
    }
}

fn change(row: &OutboxRow, verdict: &Verdict) -> Option<Move> {
    match verdict {
        Verdict::Go { .. } => Some(Move {
            attempts: row.attempts + 1,
            ..Move::of(row, OutboxState::Claimed)
        }),
        // Written once, for people; that it is repeated every second need not be.
        Verdict::Later { until, reason } => (row.reason != *reason).then(|| Move {
            due_at: *until,
            reason: (*reason).to_owned(),
            ..Move::of(row, OutboxState::Queued)
        }),
        Verdict::Defer { until, reason } => Some(Move {
            due_at: *until,
            reason: reason.code().to_owned(),
            ..Move::of(row, OutboxState::Deferred)
        }),
        Verdict::Pace { .. } => None,
        Verdict::End { state, reason } => Some(Move {
            reason: reason.clone(),
            ..Move::of(row, *state)
        }),
    }
}

/// What goes to somebody's new number: the row says where it went.
fn readdressed<'a>(
    judged: &'a [(OutboxRow, Verdict)],
    moved: &HashSet<OutboxId>,
) -> Vec<&'a Draft> {
    let own = judged
        .iter()
        .filter(|(row, _)| moved.contains(&row.draft.id));
    own.filter_map(|(row, verdict)| match verdict {
        Verdict::Go { draft, .. } if draft.recipient != row.draft.recipient => Some(&**draft),
        _ => None,
    })
    .collect()
}

/// A row that turns out to be gone costs its pair one message that was not sent: rare, and paid in six seconds.
fn debts(judged: &[(OutboxRow, Verdict)]) -> Vec<(ConversationId, Timestamp)> {
    judged
        .iter()
        .filter_map(|(row, verdict)| match verdict {
            Verdict::Go {
                debt: Some(debt), ..
            } => Some((row.draft.conversation, *debt)),
            _ => None,
        })
        .collect()
}

fn sort(
    world: &World,
    judged: Vec<(OutboxRow, Verdict)>,
    moved: &HashSet<OutboxId>,
    leases: &[Lease],
    locked_at: Duration,
    now: Timestamp,
) -> Outcome {
    let mut outcome = Outcome::default();
    for (mut row, verdict) in judged {
        let moved = moved.contains(&row.draft.id);
        match verdict {
            Verdict::Pace { until } => outcome.paced.push((row, until)),
            Verdict::Later { until, reason } => {
                // Not moved because nothing was to be written, or because it is gone: the next claim will tell.
                row.due_at = until;
                row.reason = reason.to_owned();
                outcome.later.push(row);
            }
            _ if !moved => outcome.gone.push(row),
            Verdict::Defer { .. } => outcome.deferred.push(row),
            Verdict::Go { draft, .. } => {
                if let Some(&lease) = leases.iter().find(|lease| lease.bucket == row.bucket) {
                    let row = begun(row, &draft, now);
                    let claimed = Claimed::new(world, row, draft, lease, locked_at);
                    outcome.claimed.push(claimed);
                }
            }
            Verdict::End { state, reason } => {
                row.state = state;
                row.reason = reason;
                outcome.ended.push(row);
            }
        }
    }
    outcome
}

/// What the rows of one claim are judged by, read in the claim's own transaction.
struct Ground<'a> {
    consent: &'a Consents,
    conversations: HashMap<ConversationId, ConversationFacts>,
    addresses: AddressBook,
    backlog: BTreeMap<NumberId, Option<Timestamp>>,
    counted: Counted,
}

impl<'a> Ground<'a> {
    async fn load(
        tx: &mut Tx,
        rows: &[OutboxRow],
        consent: &'a Consents,
        counted: Counted,
    ) -> Result<Self> {
        let conversations: Vec<ConversationId> =
            rows.iter().map(|row| row.draft.conversation).collect();
        let conversations = conversation_facts_all_tenants(tx, &conversations).await?;
        let conversations = conversations.into_iter().map(|row| (row.id, row)).collect();
        let addresses = AddressBook::load(tx, rows, &conversations, consent).await?;
        let mut backlog = BTreeMap::new();
        for row in rows
            .iter()
            .filter(|row| row.draft.class.is_business_initiated())
        {
            let number = row.draft.number;
            if let Entry::Vacant(unknown) = backlog.entry(number) {
                unknown.insert(raw::oldest_unattached_of_all_tenants(tx, number).await?);
            }
        }
        Ok(Self {
            consent,
            conversations,
            addresses,
            backlog,
            counted,
        })
    }

    /// With the word that it is counted by.
    fn judge(&mut self, world: &World, row: &OutboxRow, now: Timestamp) -> (Verdict, &'static str) {
        let failed = |word: &'static str, reason: &str| {
            let (state, reason) = (OutboxState::Failed, format!("{word}: {reason}"));
            (Verdict::End { state, reason }, word)
        };
        let bearing = world.directory.bearing_on(&row.draft, now);
        let number = bearing.as_ref().map(|bearing| bearing.number.clone());
        let facts = bearing.and_then(|bearing| self.facts(bearing, row));
        let (Some(number), Some(facts)) = (number, facts) else {
            return failed("orphan", "its number, conversation or contact is gone");
        };
        let Some(recipient) = self.recipient(world, &row.draft) else {
            let gone = "the person is known by no phone or user id any more";
            return failed("no_address", gone);
        };
        let draft = Draft {
            recipient,
            ..row.draft.clone()
        };
        match recheck(&facts, &draft, now) {
            Decision::Cleared(_) if self.counted.is_overtaking(row) => (
                Verdict::Later {
                    until: now.plus(LOOK_EVERY),
                    reason: "behind_an_earlier_one",
                },
                "deferred",
            ),
            Decision::Cleared(draft) => (self.go(&number, row, &facts, draft, now), CLEARED),
            Decision::Deferred {
                until,
                reason: reason @ Reason::IngestBacklog,
            } => (
                Verdict::Later {
                    until,
                    reason: reason.code(),
                },
                "deferred",
            ),
            Decision::Deferred { until, reason } => (Verdict::Defer { until, reason }, "deferred"),
            Decision::Refused(refusal) => {
                let (state, reason) = (OutboxState::Refused, refusal.reason.code().to_owned());
                (Verdict::End { state, reason }, refusal.reason.code())
            }
        }
    }

    /// It goes, if the person's pace lets it, and is counted then.
    fn go(
        &mut self,
        number: &Number,
        row: &OutboxRow,
        facts: &Facts,
        draft: Cleared<Draft>,
        now: Timestamp,
    ) -> Verdict {
        let class = limits::concerned(facts, &draft);
        let verdict = self.pace(draft, now);
        let (Verdict::Go { .. }, Some(class)) = (&verdict, class) else {
            return verdict;
        };
        let consent = self.consent.of(row.draft.contact);
        let going = Going {
            row,
            contact: consent.map_or(row.draft.contact, |row| row.contact),
            class,
            portfolio: limits::is_outside(facts, now).then_some(&number.portfolio),
        };
        self.counted.count(&going, now);
        verdict
    }

    fn recipient(&self, world: &World, draft: &Draft) -> Option<Recipient> {
        let facts = self.conversations.get(&draft.conversation)?;
        let (addresses, consent) = (&self.addresses, self.consent);
        addresses.recipient(world, draft, facts, consent)
    }

    /// Ticks are no messages to the person: they cost the pair nothing.
    fn pace(&self, draft: Cleared<Draft>, now: Timestamp) -> Verdict {
        let debt = self
            .conversations
            .get(&draft.conversation)
            .map(|c| c.pair_debt_at);
        match debt.filter(|_| draft.content.has_receipts()) {
            None => Verdict::Go { draft, debt: None },
            Some(debt) => match pacing::pair(debt, now) {
                Ok(debt) => Verdict::Go {
                    draft,
                    debt: Some(debt),
                },
                Err(until) => Verdict::Pace { until },
            },
        }
    }

    fn facts(&self, bearing: Bearing, row: &OutboxRow) -> Option<Facts> {
        let (draft, number) = (&row.draft, &bearing.number);
        let consent = self.consent.of(draft.contact)?;
        let conversation = self.conversations.get(&draft.conversation)?;
        Some(Facts {
            holds: bearing.holds,
            owner: conversation.owner.clone(),
            owner_version: conversation.owner_version,
            consent: consent.state,
            blocked_at: conversation.blocked_at,
            basis: bearing.basis,
            topic: bearing.topic,
            window: WindowFacts {
                last_inbound_at: conversation.last_inbound_at,
                number_connected_at: number.connected_at,
                ingest_gap_until: bearing.ingest_gap_until,
                closed_by_meta_at: conversation.closed_by_meta_at,
            },
            template: bearing.template,
            backlog: BacklogFact {
                oldest_unsplit_raw_at: self.backlog.get(&row.draft.number).copied().flatten(),
            },
            spend: SpendFact::Unknown,
            brake: LoopBrake::default(),
            limits: self.counted.facts(
                &bearing.limits,
                row,
                consent.contact,
                conversation,
                (&number.portfolio, &number.time_zone),
            ),
        })
    }
}
