//! `GET` and `POST /contact_attributes`: which attributes contacts may have.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::contacts::{self, Kind};

/// An attribute that contacts may have.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContactAttribute)]
pub(super) struct AttributeBody {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// It never changes.
    kind: KindView,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AttributeKind)]
enum KindView {
    Text,
    Number,
    /// A day: `2026-11-25`.
    Date,
    Boolean,
    /// Texts.
    List,
}

impl KindView {
    fn kind(self) -> Kind {
        match self {
            Self::Text => Kind::Text,
            Self::Number => Kind::Number,
            Self::Date => Kind::Date,
            Self::Boolean => Kind::Boolean,
            Self::List => Kind::List,
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Number => Self::Number,
            Kind::Date => Self::Date,
            Kind::Boolean => Self::Boolean,
            Kind::List => Self::List,
        }
    }
}

/// Every attribute that is defined, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Attributes {
    items: Vec<AttributeBody>,
}

/// The attributes that contacts may have
#[utoipa::path(
    get, path = "/contact_attributes", operation_id = "contact_attributes.list", tag = "contacts",
    params(TenantParam),
    responses((status = 200, description = "All of them", body = Attributes)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
) -> Answer<Json<Attributes>> {
    let known = contacts::definitions(&api.setup, tenant).await?;
    let items = known.into_iter().map(|(name, kind)| AttributeBody {
        name,
        kind: KindView::of(kind),
    });
    Ok(Json(Attributes {
        items: items.collect(),
    }))
}

/// Define an attribute
#[utoipa::path(
    post, path = "/contact_attributes", operation_id = "contact_attributes.define", tag = "contacts",
    params(TenantParam),
    request_body = AttributeBody,
    responses((status = 201, description = "Defined", body = AttributeBody)),
)]
pub(super) async fn define(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(body): Input<AttributeBody>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let named = [("the attribute's name", "/name")];
    contacts::define(&setup, tenant, &body.name, body.kind.kind())
        .await
        .map_err(|error| Problem::of(error, &named))?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
