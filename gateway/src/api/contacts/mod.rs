//! Contacts: the people that a tenant writes with, under its own key and with typed attributes.

mod attributes;
mod get;
mod import;
mod list;
mod update;
mod upsert;

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::etag::Tagged;
use super::moment::Moment;
use super::problem::{FieldProblem, Problem};
use crate::contacts::{ContactError, NewContact, revision_of};
use crate::domain::ContactId;
use crate::storage::contacts::Contact;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, upsert::upsert))
        .routes(routes!(get::get, update::update))
        .routes(routes!(import::import))
        .routes(routes!(attributes::list, attributes::define))
}

/// A contact.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contact)]
struct ContactView {
    id: ContactId,
    /// Your own key.
    external_id: Option<String>,
    name: String,
    phone: Option<String>,
    /// Meta's id of a person who shows no phone.
    bsuid: Option<String>,
    #[schema(value_type = Object)]
    attributes: Value,
    created_at: Moment,
}

fn view(contact: &Contact) -> ContactView {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    ContactView {
        id: contact.id,
        external_id: some(&contact.external_id),
        name: contact.display_name.clone(),
        phone: some(&contact.phone),
        bsuid: some(&contact.bsuid),
        attributes: serde_json::from_str(&contact.attributes).unwrap_or_default(),
        created_at: Moment(contact.created_at),
    }
}

fn tagged(contact: &Contact) -> Tagged<ContactView> {
    Tagged {
        revision: revision_of(contact),
        body: view(contact),
    }
}

/// A contact as a client puts it; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ContactBody {
    /// Your own key.
    #[schema(min_length = 1, max_length = 200)]
    external_id: Option<String>,
    /// With its country code. It finds a contact, or begins one; a person's own message decides whose it is.
    #[schema(max_length = 40)]
    phone: Option<String>,
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Of defined attributes; `null` takes one out.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
}

impl ContactBody {
    fn into_new(self) -> NewContact {
        NewContact {
            external_id: self.external_id,
            phone: self.phone,
            name: self.name,
            attributes: self.attributes,
        }
    }
}

pub(super) fn problem(error: ContactError) -> Problem {
    match error {
        ContactError::Invalid(wrong) => {
            let wrong = wrong.into_iter();
            Problem::invalid(
                wrong
                    .map(|(place, what)| FieldProblem::at(place, what))
                    .collect(),
            )
        }
        ContactError::Taken(_) => Problem::new(StatusCode::CONFLICT, "exists", error.to_string()),
        ContactError::Setup(error) => error.into(),
        ContactError::Storage(error) => error.into(),
    }
}
