//! Conversations: looked at, and given to people and back. Each change is one commit (`desk`).

mod assign;
mod change;
mod get;
mod history;
mod list;
mod notes;
mod permission;
mod say;
mod snooze;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::guard::Caller;
use super::moment::Moment;
use super::problem::{FieldProblem, Problem, RefusalView};
use super::{Answer, Api};
use crate::access::Role;
use crate::desk::{Asked, Change, DeskError, Speaker};
use crate::domain::{ContactId, ConversationId, NumberId, Owner, TenantId};
use crate::policy::Reason;
use crate::storage::conversations::Conversation;
use crate::storage::entry_points::{self, EntryPoint};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .routes(routes!(permission::permission))
        .routes(routes!(notes::list))
        .routes(routes!(history::history))
        .routes(routes!(change::take_over))
        .routes(routes!(assign::assign))
        .routes(routes!(change::hand_back))
        .routes(routes!(change::close))
        .routes(routes!(change::reopen))
        .routes(routes!(snooze::snooze))
        .routes(routes!(change::wake))
        .routes(routes!(say::say))
}

/// Whose a conversation is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Owner)]
struct OwnerView {
    /// `bot`, `queue`, `agent` or `external` (an outside inbox).
    kind: String,
    /// Of the queue, agent or client.
    name: Option<String>,
}

fn owner(owner: &Owner) -> OwnerView {
    let kind = match owner {
        Owner::Bot => "bot",
        Owner::Queue(_) => "queue",
        Owner::Agent(_) => "agent",
        Owner::External(_) => "external",
    };
    OwnerView {
        kind: kind.to_owned(),
        name: (!owner.is_bot()).then(|| owner.name().to_owned()),
    }
}

/// Who the conversation is with.
#[derive(Debug, Serialize, ToSchema)]
struct PersonView {
    id: ContactId,
    name: String,
    /// As they show it; never a key.
    username: Option<String>,
    phone: Option<String>,
    bsuid: Option<String>,
}

/// The ad or post that the customer came from last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CameFrom)]
struct CameFromView {
    /// Meta's time of the message that told it.
    at: Option<Moment>,
    /// `source_type`, `source_id`, `source_url`, `headline`, `body`, `ctwa_clid` …: what Meta told.
    #[schema(value_type = Object)]
    referral: Value,
}

/// A conversation of one contact with one number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conversation)]
struct ConversationView {
    id: ConversationId,
    number: NumberId,
    contact: PersonView,
    owner: OwnerView,
    /// Moves with every change of owner: send it with a change to be refused when somebody was faster.
    owner_version: i64,
    /// `null`: it is open.
    closed_at: Option<Moment>,
    snoozed_until: Option<Moment>,
    /// When it goes back to the bot by itself.
    hand_back_at: Option<Moment>,
    /// The first message of a person or client since the bot had it last.
    human_replied_at: Option<Moment>,
    /// Meta's time of the customer's last message: it opens the window for 24 hours.
    last_inbound_at: Option<Moment>,
    /// Meta said that the window is closed, or that they have another number since: it is, until they write again.
    window_closed_at: Option<Moment>,
    /// Since when the business has blocked the person on this number: nothing goes to them.
    blocked_at: Option<Moment>,
    came_from: Option<CameFromView>,
    /// Meta charges nothing until then (a free entry point). It permits nothing.
    free_until: Option<Moment>,
    language: Option<String>,
    /// By name: text, number, true or false, a list of texts, or `{"date": "2026-11-25"}`.
    attributes: BTreeMap<String, Value>,
    tags: BTreeSet<String>,
}

/// Where they came from is read with conversations: one question a page.
async fn came_from(api: &Api, tenant: TenantId, ids: &[ConversationId]) -> Answer<CameFrom> {
    let mut tx = api.setup.db.read().await?;
    Ok(entry_points::of_conversations(&mut tx, tenant, ids).await?)
}

type CameFrom = HashMap<ConversationId, EntryPoint>;

async fn shown(api: &Api, row: &Conversation) -> Answer<ConversationView> {
    let came_from = came_from(api, row.tenant, &[row.id]).await?;
    Ok(view(row, &came_from))
}

fn view(row: &Conversation, came_from: &CameFrom) -> ConversationView {
    let point = came_from.get(&row.id);
    let from = point.filter(|point| !point.referral.is_empty());
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    ConversationView {
        id: row.id,
        number: row.number,
        contact: PersonView {
            id: row.contact,
            name: row.display_name.clone(),
            username: some(&row.username),
            phone: some(&row.phone),
            bsuid: some(&row.bsuid),
        },
        owner: owner(&row.owner),
        owner_version: row.owner_version,
        closed_at: row.closed_at.map(Moment),
        snoozed_until: row.snoozed_until.map(Moment),
        hand_back_at: row.hand_back_at.map(Moment),
        human_replied_at: row.human_replied_at.map(Moment),
        last_inbound_at: row.last_inbound_at.map(Moment),
        window_closed_at: row.closed_by_meta_at.map(Moment),
        blocked_at: row.blocked_at.map(Moment),
        came_from: from.map(|point| CameFromView {
            at: point.referral_at.map(Moment),
            referral: serde_json::from_str(&point.referral).unwrap_or_default(),
        }),
        free_until: point.and_then(|point| point.free_until).map(Moment),
        language: row.language.clone(),
        attributes: row
            .attributes
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect(),
        tags: row.tags.clone(),
    }
}

/// As whom a key works: an agent is the person that the key belongs to, everybody else an outside client of the key's name.
fn speaker(caller: &Caller) -> Speaker {
    let principal = &caller.principal;
    match (principal.role(), principal.user) {
        (Some(Role::Agent), Some(user)) => Speaker::Agent(user.to_string()),
        (Some(Role::Agent), None) => Speaker::Agent(principal.name.clone()),
        _ => Speaker::Client(principal.name.clone()),
    }
}

fn asked(
    caller: &Caller,
    tenant: TenantId,
    conversation: ConversationId,
    owner_version: Option<i64>,
) -> Asked {
    Asked {
        tenant,
        conversation,
        by: speaker(caller).owner().name().to_owned(),
        actor: Some(caller.actor.clone()),
        ending: caller.ending.clone(),
        owner_version,
    }
}

async fn change(api: &Api, asked: &Asked, change: Change) -> Answer<Json<ConversationView>> {
    // Nobody at the desk changes it, and when the change is made there is no second look.
    let came_from = came_from(api, asked.tenant, &[asked.conversation]).await?;
    let row = api.desk.change(asked, change).await;
    let row = row.map_err(|error| problem(error, asked))?;
    Ok(Json(view(&row, &came_from)))
}

fn problem(error: DeskError, asked: &Asked) -> Problem {
    match error {
        DeskError::NotFound => Problem::no_such("conversation", &asked.conversation.to_string()),
        DeskError::Moved { .. } => {
            Problem::new(StatusCode::CONFLICT, "owner_changed", error.to_string())
        }
        DeskError::Invalid { field, problem } => {
            Problem::invalid(vec![FieldProblem::at(format!("/{field}"), problem)])
        }
        DeskError::Refused(refused) => {
            let ruling = refused.ruling;
            let reason = Reason::from_code(&ruling.reason);
            let view = RefusalView {
                send: refused.id,
                meta_code: reason.map_or(0, Reason::meta_code),
                allowed: ruling.allowed,
                from: ruling.from.map(Moment),
                reason: ruling.reason,
            };
            Problem::refused(reason.map_or("", Reason::explanation), view)
        }
        DeskError::NoNumber | DeskError::NoAddress => {
            Problem::new(StatusCode::CONFLICT, "cannot_send", error.to_string())
        }
        DeskError::Storage(error) => error.into(),
        DeskError::Audit(error) => Problem::failed(&error),
    }
}
