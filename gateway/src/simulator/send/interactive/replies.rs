//! Reply buttons and lists (`whatsapp-cloud-api.md` §4.2, §4.3).

use serde_json::Value;

use super::super::super::chat::{Choice, ChoiceKind};
use super::super::super::error::GraphError;
use super::super::content::{bounded, optional};

pub(super) fn buttons(action: &Value) -> Result<Vec<Choice>, GraphError> {
    let given = action["buttons"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=3).contains(&given.len()) {
        return Err(GraphError::invalid(
            "interactive['action']['buttons']",
            "must have 1 to 3 buttons",
        ));
    }
    let mut choices: Vec<Choice> = Vec::with_capacity(given.len());
    for button in given {
        let choice = reply_button(button)?;
        let doubled = |known: &Choice| known.id == choice.id || known.title == choice.title;
        if choices.iter().any(doubled) {
            return Err(GraphError::invalid(
                "interactive['action']['buttons']",
                "must have unique ids and titles",
            ));
        }
        choices.push(choice);
    }
    Ok(choices)
}

fn reply_button(button: &Value) -> Result<Choice, GraphError> {
    if button["type"] != "reply" {
        return Err(GraphError::invalid("button['type']", "must be reply"));
    }
    Ok(Choice {
        kind: ChoiceKind::Button,
        id: bounded(&button["reply"]["id"], 256, "button['reply']['id']")?.to_owned(),
        title: bounded(&button["reply"]["title"], 20, "button['reply']['title']")?.to_owned(),
        description: None,
    })
}

pub(super) fn rows(action: &Value) -> Result<Vec<Choice>, GraphError> {
    bounded(&action["button"], 20, "interactive['action']['button']")?;
    let sections = action["sections"].as_array().map_or(&[][..], Vec::as_slice);
    let sections_ok = (1..=10).contains(&sections.len());
    let mut choices: Vec<Choice> = Vec::new();
    for section in sections {
        let title = optional(&section["title"], 24, "section['title']");
        if sections.len() > 1 {
            title?.ok_or_else(|| GraphError::missing("section['title']"))?;
        } else if section["title"] != "" {
            title?;
        }
        for given in section["rows"].as_array().into_iter().flatten() {
            choices.push(row(given)?);
        }
    }
    let mut ids: Vec<&str> = choices.iter().map(|choice| &*choice.id).collect();
    ids.sort_unstable();
    ids.dedup();
    // Ten rows over all sections together, not in each (§4.3).
    if !sections_ok || !(1..=10).contains(&choices.len()) || ids.len() != choices.len() {
        return Err(GraphError::invalid(
            "interactive['action']['sections']",
            "must have 1 to 10 sections with 1 to 10 rows of unique ids in all",
        ));
    }
    Ok(choices)
}

fn row(row: &Value) -> Result<Choice, GraphError> {
    Ok(Choice {
        kind: ChoiceKind::Row,
        id: bounded(&row["id"], 200, "row['id']")?.to_owned(),
        title: bounded(&row["title"], 24, "row['title']")?.to_owned(),
        description: match &row["description"] {
            Value::String(text) if text.is_empty() => None,
            description => optional(description, 72, "row['description']")?.map(str::to_owned),
        },
    })
}
