//! `POST /holds`

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{Realm, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use super::{HeldView, HoldView, OF_TENANT, view};
use crate::audit::OPERATOR;
use crate::domain::TenantId;
use crate::tenants::holds::{self, Scope};

/// What is to be stopped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHold {
    held: HeldView,
    /// Why, for those who meet it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Left out: until it is lifted.
    #[schema(minimum = 1, maximum = 31_536_000)]
    seconds: Option<u32>,
}

/// Stop sending
///
/// No send that it concerns is cleared or claimed once the nodes have noticed, within a second. What it refused stays
/// refused when it is lifted.
#[utoipa::path(
    post, path = "/holds", operation_id = "holds.place", tag = "holds",
    params(TenantParam),
    request_body = NewHold,
    responses((status = 201, description = "Placed", body = HoldView)),
)]
pub(super) async fn place(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    Input(new): Input<NewHold>,
) -> Answer<Response> {
    let scope = scope(realm, new.held)?;
    let lasts = new
        .seconds
        .map(|seconds| Duration::from_secs(seconds.into()));
    let name = &caller.principal.name;
    let by = match caller.principal.is_operator() {
        true => format!("operator: {name}"),
        false => format!("{OF_TENANT}{name}"),
    };
    let by: String = by.chars().take(100).collect();
    let setup = api.acting(&caller);
    let placed = holds::add(&setup, &scope, &new.reason, &by, lasts).await;
    let named = [
        ("number", "/held/number"),
        ("credential", "/held/credential"),
        ("the plugin's name", "/held/plugin"),
    ];
    let hold = placed.map_err(|error| Problem::of(error, &named))?;
    Ok((StatusCode::CREATED, Json(view(&hold))).into_response())
}

fn scope(realm: TenantId, held: HeldView) -> Answer<Scope> {
    let wrong = |detail: &str| Problem::invalid(vec![FieldProblem::at("/held/scope", detail)]);
    if matches!(held, HeldView::All) {
        let detail = "all is for the operator, who names no tenant with it";
        return (realm == OPERATOR)
            .then_some(Scope::All)
            .ok_or_else(|| wrong(detail));
    }
    if realm == OPERATOR {
        return Err(Problem::bad_parameter(
            "tenant",
            "must say which tenant it is about, as ?tenant=ten_…",
        ));
    }
    let tenant = realm.to_string();
    Ok(match held {
        HeldView::All => Scope::All,
        HeldView::Tenant => Scope::Tenant { tenant },
        HeldView::AllTemplates => Scope::AllTemplates { tenant },
        HeldView::Plugin { plugin } => Scope::Plugin { tenant, plugin },
        HeldView::Number { number } => Scope::Number {
            tenant,
            number: number.to_string(),
        },
        HeldView::Credential { credential } => Scope::Credential {
            tenant,
            credential: credential.to_string(),
        },
        HeldView::Template { .. }
        | HeldView::NumberTemplates { .. }
        | HeldView::NumberMarketing { .. }
        | HeldView::NumberReplies { .. } => {
            return Err(wrong(
                "template, number_templates, number_marketing and number_replies are for the gateway to place, when Meta stops them",
            ));
        }
    })
}
