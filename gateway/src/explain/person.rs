//! Somebody seen through a number: how things stand, what may be sent now, and the latest of what happened.

use super::chain::{About, Again, Explanation, Mark, MaySend, StateNow, Step, at};
use super::evidence::change_words;
use super::find::Seen;
use super::ground::Ground;
use super::{MOST_STEPS, Result, Teller, inbound, send, stop, turn};
use crate::domain::{
    ContactId, ConversationId, DraftClass, EventId, InstallationId, Owner, Sender, id,
};
use crate::policy::{ActiveHold, Reason, WindowState};
use crate::storage::{
    chains, contacts, conversations, entry_points, history, outbox, refusals, replays,
};

/// Phone number or user id of a contact, as far as the asker may see it.
pub(super) async fn address(teller: &mut Teller, contact: ContactId) -> Result<Option<String>> {
    let row = contacts::find(&mut teller.tx, teller.tenant, contact).await?;
    let address = row.map(|row| match row.phone.is_empty() {
        true => row.bsuid,
        false => row.phone,
    });
    let address = address.filter(|address| !address.is_empty());
    Ok(address.map(|address| teller.sight.person(&address)))
}

/// All of it.
pub(super) async fn tell(teller: &mut Teller, seen: &Seen, steps: usize) -> Result<Explanation> {
    let about = About {
        kind: "person".to_owned(),
        id: Some(seen.contact.to_string()),
        tenant: teller.tenant,
        number: Some(seen.number.id),
        conversation: seen.conversation,
        contact: Some(seen.contact),
        person: address(teller, seen.contact).await?,
        wamid: None,
    };
    let mut told = Explanation::new(about, teller.now);
    let (number, talk) = (seen.number.id, seen.conversation);
    let Some(ground) = Ground::load(teller, number, talk, seen.contact).await? else {
        return Ok(told);
    };
    if let Some(talk) = talk {
        happened(teller, &mut told, &ground, talk, steps.min(MOST_STEPS)).await?;
    }
    let state = state(teller, &ground).await?;
    let summary = summary(&state);
    told.now = Some(state);
    told.ends("state", summary);
    Ok(told)
}

fn summary(state: &StateNow) -> String {
    let may: Vec<&str> = state
        .may_send
        .iter()
        .filter(|may| may.decision == "cleared")
        .map(|may| may.what.as_str())
        .collect();
    match may.is_empty() {
        true => format!("The window is {}; nothing may be sent now.", state.window),
        false => format!(
            "The window is {}; may be sent now: {}.",
            state.window,
            may.join(", ")
        ),
    }
}

async fn state(teller: &mut Teller, ground: &Ground) -> Result<StateNow> {
    let (row, now) = (&ground.conversation, teller.now);
    let window = ground.window(now);
    let points = entry_points::of_conversations(&mut teller.tx, teller.tenant, &[row.id]).await?;
    let free = points.get(&row.id).and_then(|point| point.free_until);
    let consent = &ground.consent;
    let holds = ground.entry().holds.iter();
    let lasting = holds.filter(|hold| hold.until.is_none_or(|until| now < until));
    Ok(StateNow {
        owner: owner_kind(&row.owner).to_owned(),
        owner_name: (!row.owner.is_bot()).then(|| row.owner.name().to_owned()),
        window: window.word().to_owned(),
        window_until: match window {
            WindowState::Open { until } => at(until),
            WindowState::Closed | WindowState::Unknown => None,
        },
        last_message_at: row.last_inbound_at.and_then(at),
        free_until: free.filter(|until| now < *until).and_then(at),
        opt_out: consent.opt_out.word().to_owned(),
        opt_out_since: consent.since.and_then(at),
        marketing_stopped_in_whatsapp_at: consent.meta_stopped_at.and_then(at),
        holds: lasting.map(hold_words).collect(),
        waiting: (row.next_seq - 1 - row.done_seq).max(0),
        may_send: may_send(ground, teller),
    })
}

fn owner_kind(owner: &Owner) -> &'static str {
    match owner {
        Owner::Bot => "bot",
        Owner::Queue(_) => "queue",
        Owner::Agent(_) => "agent",
        Owner::External(_) => "external",
    }
}

fn hold_words(hold: &ActiveHold) -> String {
    let until = hold
        .until
        .map_or_else(String::new, |until| format!(" (until {until})"));
    format!("{}: {}{until}", hold.id, hold.reason)
}

/// Each kind of message put to policy as it would be decided now. Templates stand for those that are approved.
fn may_send(ground: &Ground, teller: &Teller) -> Vec<MaySend> {
    let plugin = Sender::Plugin {
        installation: InstallationId::from_raw(0),
        name: String::new(),
        version: String::new(),
        farewell: false,
    };
    let key = Sender::ApiKey {
        name: String::new(),
    };
    let template = || Some(("template".to_owned(), "en".to_owned()));
    let kinds = [
        ("bot_reply", DraftClass::Reply, plugin, None),
        ("reply", DraftClass::Reply, key.clone(), None),
        (
            "utility_template",
            DraftClass::Utility,
            key.clone(),
            template(),
        ),
        (
            "marketing_template",
            DraftClass::Marketing,
            key.clone(),
            template(),
        ),
        (
            "authentication_template",
            DraftClass::Authentication,
            key,
            template(),
        ),
    ];
    let ask = |(what, class, sender, template): (&str, DraftClass, Sender, _)| {
        may(what, ground.probe(class, sender, template, teller.now))
    };
    kinds.into_iter().map(ask).collect()
}

fn may(what: &str, again: Again) -> MaySend {
    let reason = again.reason.as_deref().and_then(Reason::from_code);
    MaySend {
        what: what.to_owned(),
        decision: again.decision,
        reason: again.reason,
        meta_code: reason.map(Reason::meta_code),
        words: reason.map(|reason| reason.explanation().to_owned()),
        from: again.from,
        mended_by: reason.map(|reason| reason.mended_by().to_owned()),
    }
}

/// The latest entries of the history and refused messages, the oldest first.
async fn happened(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: &Ground,
    talk: ConversationId,
    most: usize,
) -> Result<()> {
    let newest = ground.conversation.last_entry;
    let (mut ids, more) = history::walk(&mut teller.tx, teller.tenant, newest, most).await?;
    ids.reverse();
    let from = match more {
        0 => 0,
        _ => ids.first().copied().unwrap_or_default(),
    };
    let count = i64::try_from(most).unwrap_or_default();
    let refused = refusals::of_conversation(&mut teller.tx, teller.tenant, talk, from, count);
    let refused = refused.await?;
    ids.extend(refused.iter().map(|refused| refused.id.raw()));
    ids.sort_unstable();
    let skip = ids.len().saturating_sub(most);
    for id in ids.split_off(skip) {
        match refused.iter().find(|refused| refused.id.raw() == id) {
            Some(refused) => send::append_refused(teller, told, Some(ground), refused).await?,
            None => entry(teller, told, ground, id).await?,
        }
    }
    Ok(())
}

/// One entry in a line or two: what a single message's chain has more of, its own explanation tells.
async fn entry(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: &Ground,
    raw: i64,
) -> Result<()> {
    let tenant = teller.tenant;
    let sent = outbox::by_ids(&mut teller.tx, tenant, &[raw]).await?;
    if let Some(row) = sent.first() {
        return sent_entry(teller, told, ground, row).await;
    }
    let logged = conversations::logged(&mut teller.tx, tenant, &[raw]).await?;
    if let Some(line) = logged.first() {
        let words = change_words(&line.change, line.at);
        let step = Step::new(Some(line.at), "owner", Mark::Note, words);
        told.steps
            .push(step.with("change", line.change.reason.as_str()));
        return Ok(());
    }
    let event = chains::event(&mut teller.tx, tenant, EventId::from_raw(raw)).await?;
    let Some(event) = event else {
        return Ok(());
    };
    let words = inbound::in_a_line(teller, &event);
    let step = Step::new(Some(id::made_at(raw)), "received", Mark::Done, words);
    told.steps.push(step.of(event.id).with("seq", event.seq));
    if let Some(turn) = event.turn
        && let Some(kept) = replays::turn(&mut teller.tx, tenant, turn).await?
    {
        turn::tell_refused(teller, told, Some(ground), &kept).await?;
    }
    Ok(())
}

async fn sent_entry(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: &Ground,
    row: &outbox::OutboxRow,
) -> Result<()> {
    let (mark, words) = send::in_a_line(row);
    let step = Step::new(Some(row.draft.created_at), "sent", mark, words);
    told.steps
        .push(step.of(row.draft.id).with("state", row.state.word()));
    if let Some(stopped) = stop::of_row(teller, Some(ground), row).await? {
        told.stops.push(stopped);
    }
    Ok(())
}
