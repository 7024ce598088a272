//! What Meta tells beside conversations: of accounts and groups, and whatever the gateway keeps raw.

mod list;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::account::AccountNews;
use crate::domain::{ContactId, EventId, InboundMessage, NumberId};
use crate::storage::history::InboundEntry;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list::list))
}

/// One thing that Meta told, of no conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountEvent)]
struct EventView {
    id: EventId,
    /// Meta's time, or when it came if it has none.
    at: Moment,
    /// The field and what stood there, such as `account_update.DISABLED_UPDATE` or `group_lifecycle_update.groups`.
    what: String,
    /// Of whom Meta speaks, when it names one of your numbers.
    number: Option<NumberId>,
    contact: Option<ContactId>,
    /// What the gateway understood: of an account its subject, facts and what followed from them, of a person what they
    /// are known by since. `null`: it keeps it only.
    #[schema(value_type = Option<Object>)]
    news: Option<Value>,
    /// What Meta sent, as long as it is kept.
    #[schema(value_type = Option<Object>)]
    element: Option<Value>,
}

fn view(row: &InboundEntry, element: Option<Value>) -> EventView {
    let account: Option<AccountNews> = serde_json::from_str(&row.content).ok();
    let person: Option<InboundMessage> = serde_json::from_str(&row.content).ok();
    let word = person.map(|message| message.content.word().to_owned());
    let what = account.map(|news| news.what).or(word);
    let news = what.is_some().then_some(&row.content);
    EventView {
        id: row.id,
        at: Moment(row.at),
        number: (row.number.raw() != 0).then_some(row.number),
        contact: (row.contact.raw() != 0).then_some(row.contact),
        news: news.and_then(|content| serde_json::from_str(content).ok()),
        what: what.unwrap_or_else(|| row.content.clone()),
        element,
    }
}
