//! Receipts of a batch, and what Meta's failures say beyond their own send: a window is closed, a person has stopped
//! marketing, something must not send any more (`whatsapp-cloud-api.md` §7).

use std::collections::{BTreeSet, HashMap};

use super::split::Status;
use super::{AttachError, Attacher};
use crate::consent;
use crate::directory::NumberEntry;
use crate::domain::{
    AuditId, ContactId, ConversationId, EventId, HoldId, NumberId, Occasion, OutboxId,
    ReceiptStatus, TenantId, Timestamp,
};
use crate::graph::errors::{HoldScope, SideEffect, classify};
use crate::metering::{HAD_ENOUGH, is_held_off};
use crate::outbox::Stop;
use crate::storage::conversations::{self, Conversation};
use crate::storage::events::{self, PendingEvent};
use crate::storage::holds::{self, Held};
use crate::storage::receipts::{self, Applied, FailedSend, Forward, ReceiptRow, SentTo};
use crate::storage::{Tx, claims, entry_points, limits, outbox, people, templates};
use crate::telemetry::names;
use crate::tenants::holds::place_by_gateway;

/// The receipts of a batch, and whose rows they may change beside their sends'.
#[derive(Default)]
pub(super) struct Receipts {
    rows: Vec<ReceiptRow>,
    /// To be locked before the sends are, with the batch's own people and conversations: `storage::claims` has the
    /// order. With everybody that one of them went into.
    pub contacts: Vec<ContactId>,
    pub conversations: Vec<ConversationId>,
    /// Until when conversations cost nothing.
    free: Vec<(TenantId, ConversationId, Timestamp)>,
    /// Numbers of which a plugin hears receipts.
    heard: BTreeSet<NumberId>,
}

impl Receipts {
    pub(super) async fn of(tx: &mut Tx, statuses: &[Status]) -> Result<Self, AttachError> {
        let rows: Vec<ReceiptRow> = statuses.iter().filter_map(row).collect();
        let telling: HashMap<OutboxId, (TenantId, SideEffect)> = rows
            .iter()
            .filter(|row| row.status == ReceiptStatus::Failed)
            .filter_map(|row| Some((row.outbox, (row.tenant, side_effect(row.error)?))))
            .collect();
        let free: HashMap<OutboxId, (TenantId, Timestamp)> =
            statuses.iter().filter_map(free_until).collect();
        let hearing = statuses.iter().filter(|status| is_heard(&status.entry));
        let heard: BTreeSet<NumberId> = hearing.clone().map(|s| s.entry.number.id).collect();
        // Their conversations are given a turn each, so they are locked before the sends.
        let turned: BTreeSet<OutboxId> = hearing.filter_map(|s| s.receipt.outbox).collect();
        let ids = telling.keys().chain(free.keys()).chain(&turned);
        let ids: Vec<OutboxId> = ids.copied().collect();
        let mut stopped = Vec::new();
        let mut all = Self {
            rows,
            heard,
            ..Self::default()
        };
        for sent in receipts::sent_to_all_tenants(tx, &ids).await? {
            if let Some((tenant, until)) = free.get(&sent.outbox)
                && *tenant == sent.tenant
            {
                all.free.push((*tenant, sent.conversation, *until));
                all.conversations.push(sent.conversation);
            }
            if turned.contains(&sent.outbox) {
                all.conversations.push(sent.conversation);
            }
            match telling.get(&sent.outbox) {
                Some((tenant, _)) if *tenant != sent.tenant => {}
                Some((_, SideEffect::RecordsOptOut)) => stopped.push(sent.contact),
                Some((_, SideEffect::ClosesWindow | SideEffect::MarksBlocked)) => {
                    all.conversations.push(sent.conversation);
                }
                Some((_, SideEffect::RefetchesTemplate)) | None => {}
            }
        }
        let rows = people::read_consent_all_tenants(tx, &stopped).await?;
        all.contacts = rows.rows().map(|row| row.contact).collect();
        Ok(all)
    }

    /// The sends that they are about.
    pub(super) fn sends(&self) -> impl Iterator<Item = OutboxId> {
        self.rows.iter().map(|row| row.outbox)
    }

    /// Applies them. What they say beyond their sends is obeyed once: when a failure is news.
    pub(super) async fn apply(
        &self,
        attacher: &Attacher,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<Vec<PendingEvent>, AttachError> {
        let applied = receipts::apply_all_tenants(tx, &self.rows, now).await?;
        for &(tenant, conversation, until) in &self.free {
            entry_points::extend_free(tx, tenant, conversation, until).await?;
        }
        for failed in &applied.failed {
            obey(attacher, tx, failed, now).await?;
        }
        place_holds(attacher, tx, &applied.failed, now).await?;
        let turns = self.turns(attacher, tx, &applied, now).await?;
        for (outcome, n) in [
            ("fresh", applied.fresh - applied.backward),
            ("backward", applied.backward),
            ("doubled", applied.doubled),
            ("unknown_send", applied.unknown),
        ] {
            metrics::counter!(names::RECEIPTS, "outcome" => outcome).increment(n as u64);
        }
        Ok(turns)
    }

    /// Gives conversations a turn for every receipt that was news, where a plugin hears of them.
    async fn turns(
        &self,
        attacher: &Attacher,
        tx: &mut Tx,
        applied: &Applied,
        now: Timestamp,
    ) -> Result<Vec<PendingEvent>, AttachError> {
        let news = applied.forward.iter();
        let news: Vec<&Forward> = news
            .filter(|f| self.heard.contains(&f.send.number))
            .collect();
        if news.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ConversationId> = news.iter().map(|f| f.send.conversation).collect();
        let rows = conversations::lock_all_tenants(tx, &ids).await?;
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        let (mut written, mut pending) = (Vec::new(), Vec::new());
        for Forward {
            send,
            status,
            at,
            error,
        } in news
        {
            let Some(row) = rows.get_mut(&send.conversation) else {
                continue;
            };
            let occasion = Occasion::Receipt {
                send: send.outbox,
                status: (*status).into(),
                error: (*error != 0).then_some(*error),
            };
            let id = EventId::from_raw(attacher.ids.next(now));
            let (event, waits) = events::place_occasion(id, row, occasion, *at);
            written.push(event);
            pending.push(waits);
        }
        events::append_all_tenants(tx, &written).await?;
        let mut changed: Vec<&Conversation> = rows.values().collect();
        changed.sort_unstable_by_key(|row| row.id);
        conversations::advance_all_tenants(tx, &changed).await?;
        Ok(pending)
    }
}

/// Does a plugin of the number hear of receipts?
fn is_heard(entry: &NumberEntry) -> bool {
    entry.installations.iter().any(|row| row.hears_receipts)
}

fn row(status: &Status) -> Option<ReceiptRow> {
    let receipt = &status.receipt;
    Some(ReceiptRow {
        outbox: receipt.outbox?,
        tenant: status.entry.number.tenant,
        status: receipt.status,
        at: receipt.at,
        error: receipt.error.unwrap_or(0),
        wamid: receipt.wamid.clone(),
        pricing: receipt.pricing.clone().unwrap_or_default(),
        time_zone: status.entry.number.time_zone.clone(),
    })
}

/// Meta tells the end of a free entry point with the receipt of the reply that opened it (§6.2).
fn free_until(status: &Status) -> Option<(OutboxId, (TenantId, Timestamp))> {
    let Status { entry, receipt } = status;
    Some((receipt.outbox?, (entry.number.tenant, receipt.free_until?)))
}

fn side_effect(error: i64) -> Option<SideEffect> {
    classify(Some(error), None, false).side_effect
}

/// 131047 closes the window as of Meta's time, so that whoever wrote since has an open one; 131050 is the person's stop
/// of marketing.
async fn obey(
    attacher: &Attacher,
    tx: &mut Tx,
    failed: &FailedSend,
    now: Timestamp,
) -> Result<(), AttachError> {
    let SentTo {
        outbox,
        tenant,
        number,
        conversation,
        contact,
        ..
    } = failed.send;
    match side_effect(failed.error) {
        Some(SideEffect::ClosesWindow) => {
            claims::close_window(tx, tenant, conversation, failed.at).await?;
        }
        Some(SideEffect::MarksBlocked) => {
            let (whose, at) = ((tenant, number, contact), failed.at);
            let (send, next_id) = (outbox.to_string(), || attacher.ids.next(now));
            consent::record_block_by_meta(tx, whose, &send, at, now, next_id).await?;
        }
        Some(SideEffect::RecordsOptOut) => {
            let at = failed.at;
            if let Some(moved) = people::stop_marketing(tx, tenant, contact, at).await? {
                let (whose, next_id) = ((tenant, moved), || attacher.ids.next(now));
                let send = outbox.to_string();
                consent::record_stop_by_meta(tx, whose, &send, at, now, next_id).await?;
            }
        }
        Some(SideEffect::RefetchesTemplate) => {
            refetch(attacher, tx, tenant, outbox).await?;
        }
        None => {}
    }
    Ok(())
}

/// The error says that what we know of the template is out of date.
async fn refetch(
    attacher: &Attacher,
    tx: &mut Tx,
    tenant: TenantId,
    outbox: OutboxId,
) -> Result<(), AttachError> {
    let Some(row) = outbox::find(tx, tenant, outbox).await? else {
        return Ok(());
    };
    let snapshot = attacher.directory.snapshot();
    let entry = snapshot.number(row.draft.number);
    if let (Some(entry), Some(template)) = (entry, row.draft.content.template()) {
        let account = &entry.number.waba_id;
        templates::mark_stale(tx, tenant, account, &template.name).await?;
    }
    Ok(())
}

/// Stops what Meta says must stop, as delivery does for an answer. A campaign that meets a locked account fails a
/// thousand times: each cause is looked up once.
async fn place_holds(
    attacher: &Attacher,
    tx: &mut Tx,
    failed: &[FailedSend],
    now: Timestamp,
) -> Result<(), AttachError> {
    let mut met = BTreeSet::new();
    for failed in failed {
        brake(attacher, tx, failed, now).await?;
        let verdict = classify(Some(failed.error), None, false);
        if verdict.alert {
            tracing::error!(outbox = %failed.send.outbox, error = failed.error,
                "Meta gave an error that is in no table");
        }
        let Some(stop) = Stop::of(&verdict) else {
            continue;
        };
        // Which template it was, the send itself must tell.
        let each = (stop.scope == HoldScope::Template).then_some(failed.send.outbox);
        if met.insert((failed.send.tenant, failed.send.number, failed.error, each)) {
            place_hold(attacher, tx, failed, &stop, now).await?;
        }
    }
    Ok(())
}

/// The person is left alone for a day, and marketing of the number is held when too much of it is held off.
async fn brake(
    attacher: &Attacher,
    tx: &mut Tx,
    failed: &FailedSend,
    now: Timestamp,
) -> Result<(), AttachError> {
    let SentTo { tenant, number, .. } = failed.send;
    if !is_held_off(failed.error) {
        return Ok(());
    }
    if failed.error == HAD_ENOUGH {
        let SentTo {
            contact, outbox, ..
        } = failed.send;
        limits::hold_off(tx, tenant, contact, outbox, failed.at).await?;
    }
    if let Some(brake) = attacher.meter.held_off(number, now) {
        let held = Held::NumberMarketing(tenant, number);
        let id = HoldId::from_raw(attacher.ids.next(now));
        let hold = brake.hold(id, held, "receipt", now);
        tracing::warn!(%number, reason = hold.reason, "marketing is held");
        place_by_gateway(tx, &hold, AuditId::from_raw(attacher.ids.next(now))).await?;
    }
    Ok(())
}

async fn place_hold(
    attacher: &Attacher,
    tx: &mut Tx,
    failed: &FailedSend,
    stop: &Stop,
    now: Timestamp,
) -> Result<(), AttachError> {
    let SentTo { outbox, tenant, .. } = failed.send;
    let Some(row) = outbox::find(tx, tenant, outbox).await? else {
        return Ok(());
    };
    let snapshot = attacher.directory.snapshot();
    let number = snapshot.number(row.draft.number);
    let number = number.map(|entry| entry.number.as_ref());
    let Some(held) = stop.held(&row.draft, number) else {
        tracing::warn!(%outbox, scope = ?stop.scope, reason = stop.reason,
            "Meta stopped something that we cannot hold");
        return Ok(());
    };
    if holds::is_news_all_tenants(tx, &held, failed.at, now).await? {
        tracing::warn!(%outbox, ?held, reason = stop.reason, "hold placed");
        let id = HoldId::from_raw(attacher.ids.next(now));
        let hold = stop.hold(id, held, "receipt", failed.error, now);
        let entry = AuditId::from_raw(attacher.ids.next(now));
        place_by_gateway(tx, &hold, entry).await?;
    }
    if stop.scope == HoldScope::Template {
        refetch(attacher, tx, tenant, outbox).await?;
    }
    Ok(())
}
