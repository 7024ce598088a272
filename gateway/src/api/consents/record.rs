//! `POST /contacts/{contact}/consents`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::contacts::{ConsentView, consent};
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::moment::Moment;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use super::WordingView;
use crate::consent::tell::{self, Shown, Told};
use crate::domain::{ConsentChannel, ConsentId, ConsentStatus, ContactId};

/// What a person has agreed to or withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConsent {
    /// `all`, `marketing`, `utility` or `topic:NAME`.
    #[schema(min_length = 1, max_length = 60)]
    scope: String,
    /// `given`, `withdrawn`, or `pending`: then the person confirms it by answering with the digit that you get.
    #[schema(min_length = 1, max_length = 20)]
    status: String,
    /// `form`, `checkout`, `agent`, `import`, `api` or `block_list`. What the person did themselves (form, checkout) lifts
    /// an earlier opt-out; nothing else does.
    #[schema(min_length = 1, max_length = 20)]
    channel: String,
    /// When the person said so; now, when it is left out.
    at: Option<Moment>,
    /// Must be given for forms, the checkout and what waits to be confirmed.
    wording: Option<WordingView>,
    /// From where: an address of a page, a campaign, a ticket.
    #[serde(default)]
    #[schema(max_length = 500)]
    source: String,
    /// IP address of the person's browser.
    #[serde(default)]
    #[schema(max_length = 64)]
    address: String,
    /// Whatever shows it.
    #[serde(default)]
    #[schema(value_type = Object)]
    proof: Value,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsentKept {
    id: ConsentId,
    contact: ContactId,
    /// The digit that the person is to answer with, within seven days. Ask them: "Reply 1 to confirm".
    confirm_with: Option<String>,
    /// As it stands now.
    consent: ConsentView,
}

/// Record an opt-in or a withdrawal
///
/// An opt-in from before an opt-out that is in force is kept, and changes nothing.
#[utoipa::path(
    post, path = "/contacts/{contact}/consents", operation_id = "consents.record", tag = "consents",
    params(("contact" = ContactId, Path), TenantParam),
    request_body = NewConsent,
    responses((status = 201, description = "Recorded", body = ConsentKept)),
)]
pub(super) async fn record(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(contact): ObjectId<ContactId>,
    Input(new): Input<NewConsent>,
) -> Answer<Response> {
    let told = new.read()?;
    let setup = api.acting(&caller);
    let kept = tell::tell(&setup, tenant, contact, &told).await?;
    let kept = kept.map_err(|problems| {
        let at = |(field, what): (&str, String)| FieldProblem::at(format!("/{field}"), what);
        Problem::invalid(problems.into_iter().map(at).collect())
    })?;
    let body = ConsentKept {
        id: kept.id,
        contact: kept.contact,
        confirm_with: kept.confirm_with,
        consent: consent(&kept.state),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

impl NewConsent {
    fn read(self) -> Answer<Told> {
        let mut problems = Vec::new();
        let mut wrong = |field: &str, what: &str| {
            problems.push(FieldProblem::at(format!("/{field}"), what));
        };
        let scope = self.scope.parse().ok();
        if scope.is_none() {
            wrong("scope", "must be all, marketing, utility or topic:NAME");
        }
        let status: Option<ConsentStatus> = self.status.parse().ok();
        if status.is_none() {
            wrong("status", "must be given, withdrawn or pending");
        }
        let channel: Option<ConsentChannel> = self.channel.parse().ok();
        if channel.is_none() {
            wrong(
                "channel",
                "must be form, checkout, agent, import, api or block_list",
            );
        }
        let (Some(scope), Some(status), Some(channel)) = (scope, status, channel) else {
            return Err(Problem::invalid(problems));
        };
        Ok(Told {
            scope,
            status,
            channel,
            at: self.at.map(|at| at.0),
            wording: self.wording.map(|wording| Shown {
                text: wording.text,
                version: wording.version,
                language: wording.language,
            }),
            source: self.source,
            address: self.address,
            proof: self.proof,
        })
    }
}
