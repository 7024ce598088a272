//! `GET` and `POST /consent_topics`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::moment::Moment;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::consent::topics;
use crate::domain::Timestamp;
use crate::storage::consents::Topic;

/// A part of marketing with a name: consent to it covers templates that name it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentTopic)]
pub(super) struct TopicView {
    name: String,
    title: String,
    created_at: Moment,
}

/// A new topic.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTopic {
    /// `a-z`, `0-9`, `_` and `-`. It never changes, and a topic is never taken away: records name it.
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    /// What people read.
    #[schema(min_length = 1, max_length = 100)]
    title: String,
}

/// Every topic of the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentTopics)]
pub(super) struct Topics {
    items: Vec<TopicView>,
}

fn view(topic: Topic) -> TopicView {
    TopicView {
        name: topic.name,
        title: topic.title,
        created_at: Moment(Timestamp::from_millis(topic.created_at)),
    }
}

/// The tenant's topics
#[utoipa::path(
    get, path = "/consent_topics", operation_id = "consent_topics.list", tag = "consents",
    params(TenantParam),
    responses((status = 200, description = "All of them", body = Topics)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
) -> Answer<Json<Topics>> {
    let all = topics::list(&api.setup, tenant).await?;
    let items = all.into_iter().map(view).collect();
    Ok(Json(Topics { items }))
}

/// Add a topic
#[utoipa::path(
    post, path = "/consent_topics", operation_id = "consent_topics.add", tag = "consents",
    params(TenantParam),
    request_body = NewTopic,
    responses((status = 201, description = "Added", body = TopicView)),
)]
pub(super) async fn add(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewTopic>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let named = [
        ("the topic's name", "/name"),
        ("the topic's title", "/title"),
    ];
    let topic = topics::add(&setup, tenant, &new.name, &new.title).await;
    let topic = topic.map_err(|error| Problem::of(error, &named))?;
    Ok((StatusCode::CREATED, Json(view(topic))).into_response())
}
