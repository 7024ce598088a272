//! A person's file: their records with evidence and wordings, for clients, and whole, for a regulator.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::record::Evidence;
use crate::domain::{ContactId, TenantId};
use crate::storage::consents::{self, ConsentRecord, Wording};
use crate::storage::{Result as Stored, Tx, contacts, people, person};
use crate::tenants::{SetupContext, SetupError};

/// A record with what it points at.
#[derive(Debug, Clone)]
pub struct Entry {
    pub record: ConsentRecord,
    /// `None`: the person was erased.
    pub evidence: Option<Evidence>,
    pub wording: Option<Wording>,
}

/// A person's records before an id, newest first, whichever of their contacts they name.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
    before: i64,
    most: i64,
) -> Result<Vec<Entry>, SetupError> {
    let mut tx = setup.db.read().await?;
    let known = contacts::find(&mut tx, tenant, contact).await?;
    known.ok_or_else(|| SetupError::not_found("contact", &contact.to_string()))?;
    Ok(entries(&mut tx, tenant, contact, before, most).await?)
}

async fn entries(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    before: i64,
    most: i64,
) -> Stored<Vec<Entry>> {
    let mut records = Vec::new();
    for one in person::all_of(tx, tenant, contact).await? {
        records.extend(consents::of_contact(tx, tenant, one, before, most).await?);
    }
    records.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
    records.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let mut entries = Vec::with_capacity(records.len());
    for record in records {
        let wording = match record.wording.is_empty() {
            true => None,
            false => consents::wording(tx, tenant, &record.wording).await?,
        };
        entries.push(Entry {
            evidence: serde_json::from_str(&record.value).ok(),
            wording,
            record,
        });
    }
    Ok(entries)
}

/// Records read at once while a file is made.
const STEP: i64 = 500;

/// A person's whole file as JSON: who they are here, what stands now, and every record.
pub async fn export(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Value, SetupError> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let unknown = || SetupError::not_found("contact", &contact.to_string());
    let known = contacts::find(&mut tx, tenant, contact)
        .await?
        .ok_or_else(unknown)?;
    let mut identities = Vec::new();
    for one in person::all_of(&mut tx, tenant, contact).await? {
        identities.extend(person::identities(&mut tx, tenant, one).await?);
    }
    let rows = people::read_consent_all_tenants(&mut tx, &[contact]).await?;
    let state = rows.of(contact).map(|row| row.state).unwrap_or_default();
    let (mut before, mut records) = (i64::MAX, Vec::new());
    loop {
        let some = entries(&mut tx, tenant, contact, before, STEP).await?;
        before = some.last().map_or(0, |entry| entry.record.id.raw());
        let full = some.len() >= usize::try_from(STEP).unwrap_or(usize::MAX);
        records.extend(some.iter().map(shown));
        if !full {
            break;
        }
    }
    setup
        .record(&mut tx, tenant, "consent.export", contact, None, None)
        .await?;
    setup.commit(tx).await?;
    let named = identities
        .iter()
        .map(|key| json!({"kind": format!("{:?}", key.kind).to_lowercase(), "value": key.value}));
    let moment = |at: Option<crate::domain::Timestamp>| at.map(|at| at.to_string());
    Ok(json!({
        "made_at": now.to_string(),
        "contact": {
            "id": contact, "name": known.display_name, "external_id": known.external_id,
            "attributes": serde_json::from_str::<Value>(&known.attributes).ok(),
            "known_by": named.collect::<Vec<_>>(),
            "since": known.created_at.to_string(),
        },
        "consent": {
            "opted_out": state.opt_out.word(), "since": moment(state.since),
            "marketing_stopped_in_whatsapp_at": moment(state.meta_stopped_at),
            "marketing_given_at": moment(state.marketing_given_at),
            "utility_given_at": moment(state.utility_given_at),
            "utility_withdrawn_at": moment(state.utility_stopped_at),
        },
        "records": records,
    }))
}

fn shown(entry: &Entry) -> Value {
    let record = &entry.record;
    json!({
        "id": record.id, "contact": record.contact, "scope": record.scope.to_string(),
        "status": record.status.word(), "channel": record.channel.word(),
        "said_at": record.said_at.to_string(), "recorded_at": record.recorded_at.to_string(),
        "recorded_by": record.recorded_by,
        "wording": entry.wording.as_ref().map(|wording| json!({
            "text": wording.body, "version": wording.version, "language": wording.language,
        })),
        "evidence": entry.evidence,
        "seal": (record.seq != 0).then(|| json!({"place": record.seq, "hash": hex::encode(&record.mac)})),
    })
}

/// The same file for people to read: one page without a script.
pub fn page_of(file: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Consent file</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.4rem;text-align:left;vertical-align:top}
th{background:#f4f4f4}pre{white-space:pre-wrap;margin:0;overflow-wrap:anywhere}</style>",
    );
    let contact = &file["contact"];
    let _ = write!(
        page,
        "<h1>Consent file of {}</h1><p>Made {}. Every record below is sealed in a chain; <code>vestibule consent verify</code> \
         finds any change to it.</p>",
        escape(&text(&contact["id"])),
        escape(&text(&file["made_at"])),
    );
    section(&mut page, "The person", contact);
    section(&mut page, "What stands now", &file["consent"]);
    page += "<h2>Records, newest first</h2><table><tr><th>Said<th>What<th>How<th>Wording<th>Evidence<th>Recorded";
    for record in file["records"].as_array().into_iter().flatten() {
        let wording = &record["wording"];
        let shown = match wording.is_null() {
            true => String::new(),
            false => format!("{} ({})", text(&wording["text"]), text(&wording["version"])),
        };
        let evidence = match record["evidence"].is_null() {
            true => "erased".to_owned(),
            false => pretty(&record["evidence"]),
        };
        let cells = [
            text(&record["said_at"]),
            format!("{} {}", text(&record["scope"]), text(&record["status"])),
            text(&record["channel"]),
            shown,
            evidence,
            format!(
                "{} by {}",
                text(&record["recorded_at"]),
                text(&record["recorded_by"])
            ),
        ];
        page += "<tr>";
        for cell in cells {
            let _ = write!(page, "<td><pre>{}</pre>", escape(&cell));
        }
    }
    page + "</table></html>"
}

fn section(page: &mut String, title: &str, value: &Value) {
    let _ = write!(page, "<h2>{title}</h2><table>");
    for (name, value) in value.as_object().into_iter().flatten() {
        let value = if value.is_string() {
            text(value)
        } else {
            pretty(value)
        };
        let _ = write!(
            page,
            "<tr><th>{}<td><pre>{}</pre>",
            escape(name),
            escape(&value)
        );
    }
    page.push_str("</table>");
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Text that a page shows as it is, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shows_what_people_wrote_and_runs_none_of_it() {
        let evil = "<script>alert(1)</script>\"'&";
        let file = json!({
            "made_at": "now", "contact": {"id": "con_1", "name": evil}, "consent": {"opted_out": evil},
            "records": [{"scope": evil, "evidence": {"source": evil}, "wording": {"text": evil, "version": evil}},
                {"scope": "all", "evidence": null}],
        });
        let page = page_of(&file);
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 6, "{page}");
        assert!(page.contains("erased"));
    }
}
