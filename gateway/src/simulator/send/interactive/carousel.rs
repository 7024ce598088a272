//! Cards side by side: with media and a button, or with products (`whatsapp-cloud-api.md` §4.2, §4.3).

use serde_json::Value;

use super::super::super::chat::{Choice, ChoiceKind};
use super::super::super::error::GraphError;
use super::super::content::{Scope, bounded, required};
use super::super::medium::MediaKind;
use super::{actions, products};

pub(super) fn read(scope: &Scope<'_>, action: &Value) -> Result<Vec<Choice>, GraphError> {
    let parameter = "interactive['action']['cards']";
    let cards = action["cards"].as_array().map_or(&[][..], Vec::as_slice);
    if !(2..=10).contains(&cards.len()) {
        return Err(GraphError::invalid(parameter, "must have 2 to 10 cards"));
    }
    let mut choices = Vec::new();
    for (index, one) in (0_u64..).zip(cards) {
        if one["card_index"].as_u64() != Some(index) {
            return Err(GraphError::invalid(
                "card['card_index']",
                "must count from 0",
            ));
        }
        if shape(one) != shape(&cards[0]) {
            return Err(GraphError::invalid(
                parameter,
                "must all have the same header type and buttons",
            ));
        }
        card(scope, one, &mut choices)?;
    }
    Ok(choices)
}

/// What must be the same on every card.
fn shape(card: &Value) -> (Value, Value, usize) {
    let buttons = card["action"]["buttons"].as_array().map_or(0, Vec::len);
    (
        card["type"].clone(),
        card["header"]["type"].clone(),
        buttons,
    )
}

fn card(scope: &Scope<'_>, card: &Value, choices: &mut Vec<Choice>) -> Result<(), GraphError> {
    let kind = required(&card["type"], "card['type']")?;
    if kind == "product" {
        return products::product(&card["action"]);
    }
    let header = required(&card["header"]["type"], "card['header']['type']")?;
    match (header, MediaKind::parse(header)) {
        ("image" | "video", Some(media)) => {
            scope.media(
                media,
                &card["header"][header],
                &format!("card['header']['{header}']"),
            )?;
        }
        _ => {
            return Err(GraphError::invalid(
                "card['header']['type']",
                "must be image or video",
            ));
        }
    }
    if !card["body"].is_null() {
        let text = bounded(&card["body"]["text"], 160, "card['body']['text']")?;
        if text.matches('\n').count() > 2 {
            return Err(GraphError::invalid(
                "card['body']['text']",
                "has more than 2 line breaks",
            ));
        }
    }
    match kind {
        "cta_url" => actions::link(&card["action"]["parameters"]),
        "button" | "quick_reply" => replies(&card["action"], choices),
        _ => Err(GraphError::invalid("card['type']", "is not known")),
    }
}

fn replies(action: &Value, choices: &mut Vec<Choice>) -> Result<(), GraphError> {
    let buttons = action["buttons"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=2).contains(&buttons.len()) {
        return Err(GraphError::invalid(
            "card['action']['buttons']",
            "must have 1 or 2 buttons",
        ));
    }
    for button in buttons {
        let reply = match button["type"].as_str() {
            Some("quick_reply") => &button["quick_reply"],
            _ => &button["reply"],
        };
        choices.push(Choice {
            kind: ChoiceKind::Button,
            id: bounded(&reply["id"], 256, "button['id']")?.to_owned(),
            title: bounded(&reply["title"], 20, "button['title']")?.to_owned(),
            description: None,
        });
    }
    Ok(())
}
