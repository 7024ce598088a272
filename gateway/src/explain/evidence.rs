//! What a rule rests on, for people: the facts of the decision, and the rows that they come from (who put the hold, which
//! message spoke, who took the conversation over).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::chain::at;
use super::{Result, Teller};
use crate::domain::{ConversationId, HoldId, Owner, OwnerChange, Timestamp, id};
use crate::policy::{ConsentBasis, Evidence};
use crate::storage::events::word;
use crate::storage::{chains, consents, conversations, history, holds};

/// Evidence as clients and people get it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub facts: Map<String, Value>,
    pub because: Vec<String>,
}

impl Told {
    fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    fn say(&mut self, words: String) {
        self.because.push(words);
    }
}

/// Entries of a history that are looked through for the message behind a fact. A guess.
const LOOKED_THROUGH: usize = 200;

/// The facts alone: whatever happens later, they stay what they were.
pub(super) fn plain(evidence: &Evidence) -> Told {
    let mut told = Told::default();
    let moment = |time: &Option<Timestamp>| json!(time.and_then(at));
    match evidence {
        Evidence::Hold { hold, until } => {
            told.fact("kind", "hold");
            told.fact("hold", json!(hold));
            told.fact("until", moment(until));
        }
        Evidence::Owner {
            owner,
            owner_version,
            drafted_under,
        } => {
            told.fact("kind", "owner");
            told.fact("owner", json!(owner));
            told.fact("owner_version", *owner_version);
            told.fact("drafted_under", *drafted_under);
            told.say(format!("{} has the conversation", owner_words(owner)));
            if owner_version != drafted_under {
                told.say(format!(
                    "it changed hands {} times after this was written",
                    owner_version.saturating_sub(*drafted_under)
                ));
            }
        }
        Evidence::Consent {
            opt_out,
            since,
            replies_reopened_at,
            meta_stopped_at,
            basis,
            marketing_given_at,
            utility_given_at,
            utility_stopped_at,
            blocked_at,
        } => {
            told.fact("kind", "consent");
            told.fact("basis", json!(basis));
            told.fact("marketing_given_at", moment(marketing_given_at));
            told.fact("utility_given_at", moment(utility_given_at));
            told.fact("utility_stopped_at", moment(utility_stopped_at));
            told.fact("opt_out", opt_out.as_str());
            told.fact("since", moment(since));
            told.fact("replies_reopened_at", moment(replies_reopened_at));
            told.fact("meta_stopped_at", moment(meta_stopped_at));
            if let Some(blocked) = blocked_at {
                told.fact("blocked_at", moment(&Some(*blocked)));
                told.say(format!("the business blocked the person at {blocked}"));
            }
            consent_words(&mut told, opt_out, *since, *meta_stopped_at);
            if let Some(stopped) = utility_stopped_at {
                told.say(format!("utility messages were withdrawn at {stopped}"));
            }
            if *basis == ConsentBasis::Ledger {
                told.say(format!(
                    "the tenant relies on the ledger; opt-ins on record: marketing {}, utility {}",
                    given_words(*marketing_given_at),
                    given_words(*utility_given_at)
                ));
            }
        }
        Evidence::Content { content } => {
            told.fact("kind", "content");
            told.fact("content", content.as_str());
        }
        Evidence::Template { .. } => template(&mut told, evidence),
        Evidence::Window { .. } => window(&mut told, evidence),
        Evidence::LoopBrake { replies, limit } => {
            told.fact("kind", "loop_brake");
            told.fact("replies", *replies);
            told.fact("limit", *limit);
            told.say(format!(
                "{replies} automatic answers in the counted hour, {limit} are allowed"
            ));
        }
        Evidence::Limit {
            sent_in_a_week,
            held_off_at,
            people,
            people_most,
            frees_at,
        } => {
            told.fact("kind", "limit");
            told.fact("sent_in_a_week", *sent_in_a_week);
            told.fact("held_off_at", moment(held_off_at));
            told.fact("people", *people);
            told.fact("people_most", json!(people_most));
            told.fact("frees_at", moment(frees_at));
        }
        Evidence::Backlog { oldest_unread_at } => {
            told.fact("kind", "backlog");
            told.fact("oldest_unread_at", moment(oldest_unread_at));
            if let Some(oldest) = oldest_unread_at {
                told.say(format!("a webhook of {oldest} is not read yet"));
            }
        }
    }
    told
}

fn template(told: &mut Told, evidence: &Evidence) {
    let Evidence::Template {
        name,
        language,
        state,
        category,
        parameters_wanted,
        parameters_given,
    } = evidence
    else {
        return;
    };
    told.fact("kind", "template");
    told.fact("name", name.as_str());
    told.fact("language", language.as_str());
    told.fact("state", state.as_str());
    told.fact("category", json!(category));
    told.fact("parameters_wanted", json!(parameters_wanted));
    told.fact("parameters_given", json!(parameters_given));
    let is = match state.as_str() {
        "unknown" => "is not synchronised from Meta, which judges it".to_owned(),
        "no_such" => "does not exist at Meta".to_owned(),
        status => format!("is {} at Meta", status.to_lowercase()),
    };
    told.say(format!("the template {name} ({language}) {is}"));
    if let Some(wanted) = parameters_wanted {
        told.say(format!(
            "it takes {wanted} parameters and was given {parameters_given}"
        ));
    }
}

fn window(told: &mut Told, evidence: &Evidence) {
    let Evidence::Window {
        state,
        last_inbound_at,
        closed_by_meta_at,
        number_connected_at,
        ingest_gap_until,
    } = evidence
    else {
        return;
    };
    told.fact("kind", "window");
    told.fact("window", state.as_str());
    told.fact("last_message_at", json!(last_inbound_at.and_then(at)));
    told.fact("closed_by_meta_at", json!(closed_by_meta_at.and_then(at)));
    told.fact("number_connected_at", number_connected_at.to_string());
    told.fact("ingest_gap_until", json!(ingest_gap_until.and_then(at)));
    told.say(match last_inbound_at {
        Some(last) => format!("the person's last message is of {last}"),
        None => "the person has never written to this number".to_owned(),
    });
    if let Some(closed) = closed_by_meta_at {
        told.say(format!("Meta answered 131047 at {closed}"));
    }
}

fn consent_words(
    told: &mut Told,
    opt_out: &str,
    since: Option<Timestamp>,
    meta: Option<Timestamp>,
) {
    let stopped = match opt_out {
        "none" => None,
        "marketing" => Some("marketing"),
        "business_initiated" => Some("everything that the business begins"),
        "all_but_security" => Some("everything but security codes"),
        _ => Some("everything"),
    };
    match (stopped, since) {
        (Some(what), Some(since)) => told.say(format!("the person stopped {what} at {since}")),
        (Some(what), None) => told.say(format!("the person stopped {what}")),
        (None, _) if meta.is_none() => told.say("the person has stopped nothing".to_owned()),
        (None, _) => {}
    }
    if let Some(meta) = meta {
        told.say(format!("marketing was stopped in WhatsApp at {meta}"));
    }
}

fn given_words(given: Option<Timestamp>) -> String {
    given.map_or_else(|| "none".to_owned(), |at| format!("of {at}"))
}

pub(super) fn owner_words(owner: &Owner) -> String {
    match owner {
        Owner::Bot => "the bot".to_owned(),
        Owner::Queue(name) => format!("the queue {name}"),
        Owner::Agent(name) => format!("the agent {name}"),
        Owner::External(name) => format!("the client {name}"),
    }
}

/// The facts, and the rows behind them as far as they are still there. `when`: of the decision.
pub(super) async fn tell(
    teller: &mut Teller,
    conversation: ConversationId,
    evidence: &Evidence,
    when: Timestamp,
) -> Result<Told> {
    let mut told = plain(evidence);
    match evidence {
        Evidence::Hold {
            hold: Some(hold), ..
        } => of_hold(teller, &mut told, *hold).await?,
        Evidence::Owner { .. } => of_owner(teller, &mut told, conversation, when).await?,
        Evidence::Consent {
            since,
            meta_stopped_at,
            ..
        } => {
            for time in [since, meta_stopped_at].into_iter().flatten() {
                of_message(teller, &mut told, conversation, *time, "spoke").await?;
            }
            of_record(teller, &mut told, conversation, when).await?;
        }
        Evidence::Window {
            last_inbound_at: Some(last),
            ..
        } => of_message(teller, &mut told, conversation, *last, "last_message").await?,
        _ => {}
    }
    Ok(told)
}

async fn of_hold(teller: &mut Teller, told: &mut Told, hold: HoldId) -> Result<()> {
    let Some(row) = holds::hold_all_tenants(&mut teller.tx, hold).await? else {
        return Ok(());
    };
    told.fact("placed_by", row.placed_by.as_str());
    told.fact("placed_at", row.placed_at.to_string());
    told.fact("why", row.reason.as_str());
    told.fact("lifted_at", json!(row.lifted_at.and_then(at)));
    told.say(format!(
        "{hold} was put by {} at {}: {}",
        row.placed_by, row.placed_at, row.reason
    ));
    match (row.lifted_at, row.until) {
        (Some(lifted), _) => told.say(format!("it was lifted at {lifted}")),
        (None, Some(until)) => told.say(format!("it ends at {until}")),
        (None, None) => told.say("it lasts until somebody lifts it".to_owned()),
    }
    Ok(())
}

/// Who changed the owner last, before the decision.
async fn of_owner(
    teller: &mut Teller,
    told: &mut Told,
    conversation: ConversationId,
    when: Timestamp,
) -> Result<()> {
    let log = conversations::owner_log(&mut teller.tx, teller.tenant, conversation).await?;
    if let Some((changed_at, change)) = log.iter().rev().find(|(changed, _)| *changed <= when) {
        told.fact("changed_at", changed_at.to_string());
        told.fact("changed_by", change.by.as_str());
        told.fact("change", change.reason.as_str());
        told.say(change_words(change, *changed_at));
    }
    Ok(())
}

pub(super) fn change_words(change: &OwnerChange, when: Timestamp) -> String {
    format!(
        "{} has it since {when}, by {} ({}); before: {}",
        owner_words(&change.to),
        change.by,
        change.reason,
        owner_words(&change.from)
    )
}

/// The latest thing that the ledger had of the person.
async fn of_record(
    teller: &mut Teller,
    told: &mut Told,
    conversation: ConversationId,
    when: Timestamp,
) -> Result<()> {
    let tenant = teller.tenant;
    let rows = conversations::load_all_tenants(&mut teller.tx, &[conversation]).await?;
    let Some(row) = rows.into_iter().find(|row| row.tenant == tenant) else {
        return Ok(());
    };
    let before = id::first_id_at(when.plus(Duration::from_millis(1)));
    let records = consents::of_contact(&mut teller.tx, tenant, row.contact, before, 1).await?;
    let Some(record) = records.first() else {
        told.say("the ledger has no record of the person from before".to_owned());
        return Ok(());
    };
    let status = record.status.word();
    let channel = record.channel.word();
    told.fact("record", record.id.to_string());
    told.fact("record_scope", record.scope.to_string());
    told.fact("record_status", status);
    told.fact("record_channel", channel);
    told.fact("record_said_at", record.said_at.to_string());
    told.fact("recorded_by", record.recorded_by.as_str());
    told.say(format!(
        "the ledger's latest record is {}: {} {status} by {channel} at {}, recorded by {}",
        record.id, record.scope, record.said_at, record.recorded_by
    ));
    Ok(())
}

/// The message of the person behind a moment of Meta's.
async fn of_message(
    teller: &mut Teller,
    told: &mut Told,
    conversation: ConversationId,
    time: Timestamp,
    name: &str,
) -> Result<()> {
    let tenant = teller.tenant;
    let tx = &mut teller.tx;
    let rows = conversations::load_all_tenants(tx, &[conversation]).await?;
    let Some(row) = rows.into_iter().find(|row| row.tenant == tenant) else {
        return Ok(());
    };
    let (ids, _) = history::walk(tx, tenant, row.last_entry, LOOKED_THROUGH).await?;
    let entries = history::inbound(tx, tenant, &ids).await?;
    let mut said = None;
    for entry in entries.iter().filter(|entry| entry.at == time) {
        let event = chains::event(tx, tenant, entry.id).await?;
        // Of several in Meta's same second, the one with the word.
        let spoke = event.as_ref().is_some_and(|event| event.word != word::NONE);
        if said.is_none() || spoke {
            said = event;
        }
    }
    if let Some(event) = said {
        told.fact(name, event.id.to_string());
        told.say(match event.word {
            word::CONSENT => format!("it was a word about consent: {}", event.id),
            _ => format!("it was {}", event.id),
        });
    }
    Ok(())
}
