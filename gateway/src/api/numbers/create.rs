//! `POST /numbers`

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{NumberView, tagged};
use crate::domain::{AppId, CredentialId};
use crate::tenants::numbers::{self, NewNumber};

/// A number to connect.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNumberBody {
    /// Left out: the default app.
    app: Option<AppId>,
    credential: CredentialId,
    /// Left out: the WABA, which every number of it shares.
    #[schema(min_length = 1, max_length = 64)]
    portfolio: Option<String>,
    #[schema(min_length = 1, max_length = 32)]
    waba_id: String,
    /// Meta's id of the number.
    #[schema(min_length = 1, max_length = 32)]
    phone_number_id: String,
    /// Internationally, like `+49 151 12345678`.
    #[schema(max_length = 40)]
    display_number: String,
    /// An IANA name, like `Europe/Berlin`.
    #[serde(default = "utc")]
    #[schema(max_length = 64)]
    time_zone: String,
    /// Messages a second that Meta allows it.
    #[serde(default = "throughput")]
    #[schema(minimum = 1, maximum = 1000)]
    throughput: i64,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What Meta gives a new number (facts §6.7).
fn throughput() -> i64 {
    80
}

/// Connect a number
///
/// It works as soon as the nodes have noticed, within a second.
#[utoipa::path(
    post, path = "/numbers", operation_id = "numbers.create", tag = "numbers",
    params(TenantParam),
    request_body = NewNumberBody,
    responses((status = 201, description = "Connected", body = NumberView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewNumberBody>,
) -> Answer<Response> {
    let new = NewNumber {
        tenant: tenant.to_string(),
        app: new.app.map(|app| app.to_string()),
        credential: new.credential.to_string(),
        portfolio: new.portfolio,
        waba_id: new.waba_id,
        phone_number_id: new.phone_number_id,
        display_number: new.display_number,
        time_zone: new.time_zone,
        throughput: new.throughput,
    };
    let added = numbers::add(&api.acting(&caller), &new).await;
    let named = [("credential", "/credential"), ("app", "/app")];
    let number = added.map_err(|error| Problem::of(error, &named))?;
    Ok((StatusCode::CREATED, tagged(&number)).into_response())
}
