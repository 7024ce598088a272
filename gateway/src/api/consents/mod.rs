//! Consent: what people have agreed to and withdrawn, with its evidence; topics; the ledger's verification.

mod erase;
mod export;
mod import;
mod list;
mod pages;
mod record;
mod topics;
mod verify;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::consent::file::Entry;
use crate::domain::{ConsentId, ContactId};

pub use import::LARGEST as LARGEST_IMPORT;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, record::record))
        .routes(routes!(import::import))
        .routes(routes!(export::export))
        .routes(routes!(erase::erase))
        .routes(routes!(topics::list, topics::add))
        .routes(routes!(pages::list, pages::put))
        .routes(routes!(verify::verify))
}

/// What the person was shown, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConsentWording)]
struct WordingView {
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
    /// Your own name for this state of the text.
    #[serde(default)]
    #[schema(max_length = 60)]
    version: String,
    /// BCP 47.
    #[serde(default)]
    #[schema(max_length = 20)]
    language: String,
}

/// One record of the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentRecord)]
struct RecordView {
    id: ConsentId,
    contact: ContactId,
    /// `all`, `marketing`, `utility`, `topic:NAME`; from words also `all_but_security`, `replies`, `meta_marketing`;
    /// `number:num_…` of the number's block list.
    scope: String,
    /// `given`, `withdrawn`, `pending` or `erased`.
    status: &'static str,
    /// `form`, `checkout`, `keyword`, `double_opt_in`, `agent`, `import`, `api`, `meta`, `message`, `plugin`, `identity` or
    /// `block_list`.
    channel: &'static str,
    /// When the person said so.
    said_at: Moment,
    recorded_at: Moment,
    recorded_by: String,
    wording: Option<WordingView>,
    /// By what they were known. `null`, like the rest of the evidence, once the person is erased.
    subject: Option<String>,
    source: Option<String>,
    address: Option<String>,
    #[schema(value_type = Object)]
    proof: Value,
    /// The person's data was erased.
    erased: bool,
    /// Its place in the sealed chain; `null` for the first two seconds.
    seal: Option<i64>,
}

fn view(entry: &Entry) -> RecordView {
    let record = &entry.record;
    let evidence = entry.evidence.clone().unwrap_or_default();
    let some = |text: String| (!text.is_empty()).then_some(text);
    RecordView {
        id: record.id,
        contact: record.contact,
        scope: record.scope.to_string(),
        status: record.status.word(),
        channel: record.channel.word(),
        said_at: Moment(record.said_at),
        recorded_at: Moment(record.recorded_at),
        recorded_by: record.recorded_by.clone(),
        wording: entry.wording.as_ref().map(|wording| WordingView {
            text: wording.body.clone(),
            version: wording.version.clone(),
            language: wording.language.clone(),
        }),
        subject: some(evidence.subject),
        source: some(evidence.source),
        address: some(evidence.address),
        proof: evidence.proof,
        erased: entry.evidence.is_none(),
        seal: (record.seq != 0).then_some(record.seq),
    }
}
