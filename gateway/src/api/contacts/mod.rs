//! Contacts: the people that a tenant writes with, under its own key and with typed attributes.

mod attributes;
mod erase_journals;
mod get;
mod import;
mod list;
mod permission;
mod update;
mod upsert;

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::etag::Tagged;
use super::moment::Moment;
use super::problem::{FieldProblem, Problem};
use super::{Answer, Api};
use crate::contacts::{ContactError, NewContact, revision_of};
use crate::domain::ContactId;
use crate::policy::ConsentState;
use crate::storage::contacts::Contact;
use crate::storage::people::{self, Consents};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, upsert::upsert))
        .routes(routes!(get::get, update::update))
        .routes(routes!(permission::permission))
        .routes(routes!(import::import))
        .routes(routes!(erase_journals::erase_journals))
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
    /// The id that linked portfolios share.
    parent_bsuid: Option<String>,
    /// As they show it. It may become somebody else's: never a key.
    username: Option<String>,
    /// When Meta last said that they have another number or user id.
    moved_at: Option<Moment>,
    /// The contact that this one turned out to be: that one's words count.
    merged_into: Option<ContactId>,
    consent: ConsentView,
    #[schema(value_type = Object)]
    attributes: Value,
    created_at: Moment,
}

/// What the person has said about being written to.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Consent)]
pub(super) struct ConsentView {
    /// `none`, `marketing` (END, CANCEL …), `business_initiated` (STOP …), `all_but_security` (STOPALL), `everything`.
    opted_out: String,
    /// Of the latest word that stopped or lifted anything.
    since: Option<Moment>,
    /// May they be answered?
    replies_open: bool,
    /// They stopped marketing in WhatsApp itself.
    marketing_stopped_at: Option<Moment>,
    /// When the opt-in to marketing on record was given.
    marketing_given_at: Option<Moment>,
    utility_given_at: Option<Moment>,
    /// When they withdrew utility messages by themselves.
    utility_withdrawn_at: Option<Moment>,
}

pub(super) fn consent(state: &ConsentState) -> ConsentView {
    ConsentView {
        opted_out: state.opt_out.word().to_owned(),
        since: state.since.map(Moment),
        replies_open: state.replies_open(),
        marketing_stopped_at: state.meta_stopped_at.map(Moment),
        marketing_given_at: state.marketing_given_at.map(Moment),
        utility_given_at: state.utility_given_at.map(Moment),
        utility_withdrawn_at: state.utility_stopped_at.map(Moment),
    }
}

/// What people have said is read with them: one question a page.
async fn consents(api: &Api, contacts: &[Contact]) -> Answer<Consents> {
    let ids: Vec<ContactId> = contacts.iter().map(|contact| contact.id).collect();
    let mut tx = api.setup.db.read().await?;
    Ok(people::read_consent_all_tenants(&mut tx, &ids).await?)
}

fn view(contact: &Contact, said: &Consents) -> ContactView {
    let own = said.of(contact.id);
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    ContactView {
        id: contact.id,
        external_id: some(&contact.external_id),
        name: contact.display_name.clone(),
        phone: some(&contact.phone),
        bsuid: some(&contact.bsuid),
        parent_bsuid: some(&contact.parent_bsuid),
        username: some(&contact.username),
        moved_at: contact.moved_at.map(Moment),
        merged_into: own.map(|row| row.contact).filter(|id| *id != contact.id),
        consent: own.map(|row| consent(&row.state)).unwrap_or_default(),
        attributes: serde_json::from_str(&contact.attributes).unwrap_or_default(),
        created_at: Moment(contact.created_at),
    }
}

async fn shown(api: &Api, contact: &Contact) -> Answer<Tagged<ContactView>> {
    let said = consents(api, std::slice::from_ref(contact)).await?;
    Ok(tagged(contact, &said))
}

fn tagged(contact: &Contact, said: &Consents) -> Tagged<ContactView> {
    Tagged {
        revision: revision_of(contact),
        body: view(contact, said),
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
