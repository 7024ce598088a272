//! `GET /explain`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::access::Role;
use crate::explain::{self, Asked, Explanation, MOST_STEPS, STEPS, Sight, Subject};

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    id: Option<String>,
    number: Option<String>,
    person: Option<String>,
    steps: Option<usize>,
    #[serde(default)]
    raw: bool,
}

/// Why a message was sent, or was not
///
/// The chain of one message (`id`): from the webhook's bytes through plugins and policy to Meta and its receipts, or the
/// rule that stopped it, with what the rule rests on and when it would be allowed. Or somebody seen through a number
/// (`number` and `person`): how things stand, what may be sent now, and the latest of what happened. Analysts and auditors
/// see no texts, and addresses with most of them left out. `docs/explain.md` has the words.
#[utoipa::path(
    get, path = "/explain", operation_id = "explain.get", tag = "messages",
    params(
        TenantParam,
        ("id" = Option<String>, Query, description = "`out_…`, `evt_…`, or Meta's `wamid.…`"),
        ("number" = Option<String>, Query, description = "`num_…`, Meta's id, or the number as displayed"),
        ("person" = Option<String>, Query, description = "A phone number, a user id of Meta's, or `con_…`"),
        ("steps" = Option<usize>, Query, description = "Of a person: how many of the latest entries; 20, at most 100"),
        ("raw" = Option<bool>, Query, description = "The webhook's bytes too: for operators and administrators, and written into the audit log"),
    ),
    responses((status = 200, description = "What there is to tell", body = Explanation)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Answer<Json<Explanation>> {
    let Query(wanted) =
        wanted.map_err(|error| Problem::bad_parameter("the query", error.body_text()))?;
    let sight = sight(&caller);
    if wanted.raw && !sight.raw {
        return Err(Problem::bad_parameter(
            "raw",
            "is for operators and administrators",
        ));
    }
    let asked = Asked {
        steps: wanted.steps.unwrap_or(STEPS).min(MOST_STEPS),
        raw: wanted.raw,
        subject: subject(wanted)?,
    };
    let setup = api.acting(&caller);
    Ok(Json(
        explain::explain(&setup, Some(tenant), &asked, sight).await?,
    ))
}

fn subject(wanted: Wanted) -> Answer<Subject> {
    match (wanted.id, wanted.number, wanted.person) {
        (Some(id), None, None) => Ok(Subject::Message(id)),
        (None, Some(number), Some(person)) => Ok(Subject::Person { number, person }),
        _ => Err(Problem::bad_parameter(
            "id",
            "must be there, or number and person together, and not both",
        )),
    }
}

/// What the caller's role lets them see.
fn sight(caller: &Caller) -> Sight {
    match caller.principal.role() {
        Some(Role::Operator) => Sight::OPERATOR,
        Some(Role::TenantAdmin) => Sight::ADMIN,
        Some(Role::Developer | Role::Agent) => Sight::DESK,
        _ => Sight::MASKED,
    }
}
