//! Where a request is about: the realm (the operator's own, or a tenant) and the object of the path.
//!
//! A tenant's key is about its own tenant. The operator says which one with `?tenant=ten_…`. Somebody else's tenant,
//! and somebody else's object, is answered exactly as one that does not exist.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use super::guard::Caller;
use super::problem::Problem;
use crate::audit::OPERATOR;
use crate::domain::TenantId;
use crate::storage;

/// The operator's own realm, or a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Realm(pub TenantId);

/// A tenant.
#[derive(Debug, Clone, Copy)]
pub struct InTenant(pub TenantId);

/// As the document shows it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TenantParam {
    /// For operators: which tenant. A tenant's key is about its own.
    tenant: Option<String>,
}

async fn realm(parts: &mut Parts, api: &Api) -> Result<TenantId, Problem> {
    let Query(param) = Query::<TenantParam>::try_from_uri(&parts.uri)
        .map_err(|_| Problem::bad_parameter("the query", "cannot be read"))?;
    let own = Caller::of(parts)?.principal.realm;
    let Some(name) = param.tenant else {
        return Ok(own);
    };
    let none = || Problem::no_such("tenant", &name);
    let asked: TenantId = name.parse().map_err(|_| none())?;
    if own == OPERATOR {
        let mut tx = api.setup.db.read().await?;
        let found = storage::tenants::tenant(&mut tx, asked).await?;
        return found.map(|tenant| tenant.id).ok_or_else(none);
    }
    (asked == own).then_some(own).ok_or_else(none)
}

impl FromRequestParts<Arc<Api>> for Realm {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        realm(parts, api).await.map(Self)
    }
}

impl FromRequestParts<Arc<Api>> for InTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match realm(parts, api).await? {
            OPERATOR => Err(Problem::bad_parameter(
                "tenant",
                "must say which tenant it is about, as ?tenant=ten_…",
            )),
            tenant => Ok(Self(tenant)),
        }
    }
}

/// The last parameter of the path as an id. What cannot be one is not found.
#[derive(Debug, Clone, Copy)]
pub struct ObjectId<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for ObjectId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("there is no such resource"))?;
        let (what, text) = params
            .iter()
            .last()
            .ok_or_else(|| Problem::not_found("there is no such resource"))?;
        text.parse()
            .map(Self)
            .map_err(|_| Problem::no_such(what, text))
    }
}
