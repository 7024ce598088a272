//! `POST /events`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::moment::Moment;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State, contacts};
use crate::access::{Principal, Scope};
use crate::domain::{ContactId, ConversationId, EventId, NumberId};
use crate::occasions::{NewOccasion, OccasionError, Who};

/// Something that happened at your business.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BusinessEvent {
    /// Your own id of it: told again, it is the same event, and nothing happens.
    #[schema(min_length = 1, max_length = 200)]
    id: String,
    /// What happened: `payment.succeeded`. Letters, digits, dots, dashes and underscores.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// The number whose conversation with the contact it belongs to.
    number: NumberId,
    contact: Whom,
    /// When it happened; left out: now.
    at: Option<Moment>,
    /// Named values: text, numbers, true or false, lists of texts, days as `{"date": "2026-11-25"}`. At most 32 of them.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
}

/// Whom it is about: exactly one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Whom {
    id: Option<ContactId>,
    /// Your own key.
    #[schema(max_length = 200)]
    external_id: Option<String>,
    /// With its country code. It begins a contact when nobody has it.
    #[schema(max_length = 40)]
    phone: Option<String>,
    /// Meta's id of a person who shows no phone.
    #[schema(max_length = 200)]
    bsuid: Option<String>,
}

/// Where it went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToldEvent {
    /// Our id of it.
    event: EventId,
    conversation: ConversationId,
    /// It was told before, and nothing happened now.
    again: bool,
}

/// Tell of a business event
///
/// It goes into the conversation of the contact with the number, behind whatever waits there, and runs `on-event` of the
/// number's plugins. What they say goes the way of every send: without consent, or out of the 24-hour window and without
/// a template, nothing is sent. A narrow token `event:TYPE` may tell of that type only.
#[utoipa::path(
    post, path = "/events", operation_id = "events.tell", tag = "events",
    params(TenantParam),
    request_body = BusinessEvent,
    responses(
        (status = 202, description = "It waits for its turn", body = ToldEvent),
        (status = 200, description = "It was told before", body = ToldEvent),
    ),
)]
pub(super) async fn tell(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(event): Input<BusinessEvent>,
) -> Answer<Response> {
    if !may_tell(&caller.principal, &event.name) {
        let detail = format!("this token may not tell of `{}`", event.name.escape_debug());
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let new = NewOccasion {
        id: event.id,
        name: event.name,
        number: event.number,
        who: event.contact.who()?,
        at: event.at.map(|moment| moment.0),
        fields: event.fields,
    };
    let (by, ending) = (&caller.actor, &caller.ending);
    let told = api.occasions.tell(tenant, new, by, ending).await;
    let told = told.map_err(problem)?;
    let status = match told.again {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    let body = ToldEvent {
        event: told.event,
        conversation: told.conversation,
        again: told.again,
    };
    Ok((status, Json(body)).into_response())
}

fn may_tell(principal: &Principal, name: &str) -> bool {
    let scopes = principal.scopes();
    let of_type = |scope: &Scope| matches!(scope, Scope::Event(only) if only == name);
    scopes.is_empty() || scopes.iter().any(of_type)
}

impl Whom {
    fn who(self) -> Answer<Who> {
        match (self.id, self.external_id, self.phone, self.bsuid) {
            (Some(id), None, None, None) => Ok(Who::Contact(id)),
            (None, Some(key), None, None) => Ok(Who::ExternalId(key)),
            (None, None, Some(phone), None) => Ok(Who::Phone(phone)),
            (None, None, None, Some(bsuid)) => Ok(Who::Bsuid(bsuid)),
            _ => {
                let detail = "takes exactly one of id, external_id, phone and bsuid";
                Err(Problem::invalid(vec![FieldProblem::at("/contact", detail)]))
            }
        }
    }
}

fn problem(error: OccasionError) -> Problem {
    match error {
        OccasionError::Invalid(wrong) => {
            let wrong = wrong.into_iter();
            let fields = wrong.map(|(place, what)| FieldProblem::at(place, what));
            Problem::invalid(fields.collect())
        }
        OccasionError::NotFound(_) => Problem::not_found(error.to_string()),
        OccasionError::Contact(error) => contacts::problem(error),
        OccasionError::Storage(error) => error.into(),
        OccasionError::Audit(error) => Problem::failed(&error),
    }
}
