//! How a person's file is written: as JSON, and as a page for people to read and print.

use std::fmt::Write as _;

use serde_json::Value;

use super::Format;

const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Consent file</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.4rem;text-align:left;vertical-align:top}
th{background:#f4f4f4}pre{white-space:pre-wrap;margin:0;overflow-wrap:anywhere}</style>";

impl Format {
    /// `file`: who they are, and what stands now. Ends within the list of records.
    pub(super) fn begin(self, file: &Value) -> String {
        if self == Self::Json {
            let mut text = file.to_string();
            // The lists stand in the same object.
            text.pop();
            return text + ",\"records\":[";
        }
        let contact = &file["contact"];
        let mut page = PAGE.to_owned();
        let _ = write!(
            page,
            "<h1>Consent file of {}</h1><p>Made {}. Every record below is sealed in a chain; <code>vestibule consent \
             verify</code> finds any change to it.</p>",
            escape(&text(&contact["id"])),
            escape(&text(&file["made_at"])),
        );
        section(&mut page, "The person", contact);
        section(&mut page, "What stands now", &file["consent"]);
        page + "<h2>Records, newest first</h2><table>\
            <tr><th>Said<th>What<th>How<th>Wording<th>Evidence<th>Recorded"
    }

    pub(super) fn records(self, records: &[Value], some: bool) -> String {
        match self {
            Self::Json => list(records, some),
            Self::Html => records
                .iter()
                .map(|record| row(&record_cells(record)))
                .collect(),
        }
    }

    /// From the list of records to that of messages.
    pub(super) fn between(self) -> &'static str {
        match self {
            Self::Json => "],\"messages\":[",
            Self::Html => {
                "</table><h2>Messages, by conversation, newest first</h2><table>\
                <tr><th>When<th>Which way<th>What<th>What became of it<th>Ids"
            }
        }
    }

    pub(super) fn messages(self, messages: &[Value], some: bool) -> String {
        match self {
            Self::Json => list(messages, some),
            Self::Html => messages
                .iter()
                .map(|one| row(&message_cells(one)))
                .collect(),
        }
    }

    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Json => "]}",
            Self::Html => "</table></html>",
        }
    }
}

/// Items of a JSON list that goes on. `some`: there are items before them.
fn list(items: &[Value], some: bool) -> String {
    let mut text = String::new();
    for (place, item) in items.iter().enumerate() {
        if some || place > 0 {
            text.push(',');
        }
        let _ = write!(text, "{item}");
    }
    text
}

fn record_cells(record: &Value) -> Vec<String> {
    let wording = &record["wording"];
    let shown = match wording.is_null() {
        true => String::new(),
        false => format!("{} ({})", text(&wording["text"]), text(&wording["version"])),
    };
    let evidence = match record["evidence"].is_null() {
        true => "erased".to_owned(),
        false => pretty(&record["evidence"]),
    };
    vec![
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
    ]
}

fn message_cells(message: &Value) -> Vec<String> {
    let became = match message["direction"] == "out" {
        false => String::new(),
        true => {
            let receipts = message["receipts"].as_array().into_iter().flatten();
            let told = receipts.map(|one| format!("{} {}", text(&one["status"]), text(&one["at"])));
            let first = format!("{} {}", text(&message["state"]), text(&message["reason"]));
            std::iter::once(first)
                .chain(told)
                .collect::<Vec<_>>()
                .join("\n")
        }
    };
    vec![
        text(&message["at"]),
        format!(
            "{} ({})",
            text(&message["direction"]),
            text(&message["kind"])
        ),
        pretty(&message["content"]),
        became,
        format!("{}\n{}", text(&message["id"]), text(&message["wamid"])),
    ]
}

fn row(cells: &[String]) -> String {
    let mut row = "<tr>".to_owned();
    for cell in cells {
        let _ = write!(row, "<td><pre>{}</pre>", escape(cell));
    }
    row
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
    use serde_json::json;

    use super::*;

    fn whole(format: Format, evil: &str) -> String {
        let file = json!({"made_at": "now", "contact": {"id": "con_1", "name": evil}, "consent": {"opted_out": evil}});
        let record = json!({"scope": evil, "evidence": {"source": evil}, "wording": {"text": evil, "version": evil}});
        let message =
            json!({"direction": "in", "kind": "message", "content": {"body": evil}, "wamid": evil});
        let erased = json!({"scope": "all", "evidence": null});
        let sent = json!({"direction": "out", "state": "accepted", "receipts": [{"status": "read", "at": evil}]});
        [
            format.begin(&file),
            format.records(&[record], false),
            format.records(&[erased], true),
            format.between().to_owned(),
            format.messages(&[message, sent.clone()], false),
            format.messages(&[sent], true),
            format.end().to_owned(),
        ]
        .concat()
    }

    #[test]
    fn a_file_shows_what_people_wrote_and_runs_none_of_it() {
        let page = whole(Format::Html, "<script>alert(1)</script>\"'&");
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 10, "{page}");
        assert!(page.contains("erased"));
    }

    #[test]
    fn its_parts_are_one_json_object() {
        let file: Value = serde_json::from_str(&whole(Format::Json, "\"],")).expect("JSON");
        assert_eq!(file["contact"]["name"], "\"],");
        let lengths = ["records", "messages"].map(|list| file[list].as_array().map(Vec::len));
        assert_eq!(lengths, [Some(2), Some(3)]);
    }
}
