//! Refusals, told: the rule, its evidence, what would be allowed and from when, and what would be decided now.

use super::chain::{Again, Stop, at};
use super::evidence::{self, Told};
use super::ground::{Ground, told};
use super::{Result, Teller};
use crate::domain::{ConversationId, OutboxId, Timestamp};
use crate::graph::errors::{Fault, classify};
use crate::policy::{Decision, Evidence, Reason, Ruling};
use crate::storage::outbox::OutboxRow;

/// A ruling by what it says alone, for whoever has no database at hand.
pub fn of_ruling_alone(id: Option<OutboxId>, ruling: &Ruling, when: Timestamp) -> Stop {
    of(
        (id, Some(when)),
        ruling,
        evidence::plain(&ruling.evidence),
        None,
    )
}

/// A ruling of the first gate, with the rows behind its evidence.
pub(super) async fn of_ruling(
    teller: &mut Teller,
    ground: Option<&Ground>,
    (id, conversation): (OutboxId, ConversationId),
    ruling: &Ruling,
    when: Timestamp,
) -> Result<Stop> {
    let told = evidence::tell(teller, conversation, &ruling.evidence, when).await?;
    let again = ground.and_then(|ground| ground.again(ruling, teller.now));
    Ok(of((Some(id), Some(when)), ruling, told, again))
}

fn of(
    (id, when): (Option<OutboxId>, Option<Timestamp>),
    ruling: &Ruling,
    told: Told,
    again: Option<Again>,
) -> Stop {
    let reason = Reason::from_code(&ruling.reason);
    Stop {
        id: id.map(|id| id.to_string()),
        at: when.and_then(at),
        gate: "first".to_owned(),
        rule: reason
            .map_or("unknown", |reason| reason.rule().word())
            .to_owned(),
        meta_code: reason.map_or(0, Reason::meta_code),
        // A newer version of the gateway may have written it.
        explanation: reason
            .map_or("A rule that this version does not know.", |reason| {
                reason.explanation()
            })
            .to_owned(),
        reason: ruling.reason.clone(),
        evidence: told.facts,
        because: told.because,
        allowed: ruling.allowed.clone(),
        from: ruling.from.and_then(at),
        mended_by: reason.map_or("", Reason::mended_by).to_owned(),
        again,
    }
}

/// A send that was refused when it was claimed, or is put off: its row holds the reason alone, so the evidence is what
/// stands in its way now, or else what is still known of the rule's facts.
pub(super) async fn of_row(
    teller: &mut Teller,
    ground: Option<&Ground>,
    row: &OutboxRow,
) -> Result<Option<Stop>> {
    let code = row.reason.split(':').next().unwrap_or_default();
    let Some(reason) = Reason::from_code(code) else {
        return Ok(None);
    };
    let (draft, when) = (&row.draft, row.changed_at);
    let Some(ground) = ground else {
        return Ok(Some(bare(row, reason)));
    };
    let (then, facts) = ground.claims(draft, when);
    let refusal = match then {
        Decision::Refused(refusal) if refusal.reason == reason => Some(refusal),
        _ => None,
    };
    let evidence = Evidence::of(reason, &facts, draft, when);
    let mut told_of = evidence::tell(teller, draft.conversation, &evidence, when).await?;
    if refusal.is_none() {
        told_of
            .because
            .push("this is how it stands now; it was otherwise then".to_owned());
    }
    let (again, _) = ground.claims(draft, teller.now);
    Ok(Some(Stop {
        evidence: told_of.facts,
        because: told_of.because,
        allowed: refusal.as_ref().and_then(|refusal| refusal.allowed.clone()),
        from: refusal.and_then(|refusal| refusal.from).and_then(at),
        again: Some(told(&again)),
        ..bare(row, reason)
    }))
}

fn bare(row: &OutboxRow, reason: Reason) -> Stop {
    Stop {
        id: Some(row.draft.id.to_string()),
        at: at(row.changed_at),
        gate: "claim".to_owned(),
        rule: reason.rule().word().to_owned(),
        reason: reason.code().to_owned(),
        meta_code: reason.meta_code(),
        explanation: reason.explanation().to_owned(),
        evidence: serde_json::Map::new(),
        because: Vec::new(),
        allowed: None,
        from: None,
        mended_by: reason.mended_by().to_owned(),
        again: None,
    }
}

/// What Meta said no to, by the one error table (facts §7).
pub(super) fn of_meta(row: &OutboxRow, code: i64, when: Timestamp) -> Stop {
    let verdict = classify(Some(code), None, false);
    let who = match verdict.fault {
        Fault::Meta => "Meta",
        Fault::Operator => "the operator",
        Fault::Tenant => "the business",
        Fault::Recipient => "the person",
    };
    let mut evidence = serde_json::Map::new();
    evidence.insert("kind".to_owned(), "meta".into());
    evidence.insert("code".to_owned(), code.into());
    evidence.insert("whose_turn".to_owned(), who.into());
    Stop {
        id: Some(row.draft.id.to_string()),
        at: at(when),
        gate: "meta".to_owned(),
        rule: "meta".to_owned(),
        reason: code.to_string(),
        meta_code: code,
        explanation: format!("{}.", verdict.meaning),
        evidence,
        because: vec![format!("it is for {who} to act")],
        allowed: None,
        from: None,
        mended_by: verdict.remedy.to_owned(),
        again: None,
    }
}
