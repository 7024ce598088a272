//! Interactive messages: what all kinds have in common; each kind's action is read in a file of its own
//! (`whatsapp-cloud-api.md` §4.2, §4.3).

mod actions;
mod carousel;
mod products;
mod replies;

use serde_json::Value;

use super::super::chat::Choice;
use super::super::error::GraphError;
use super::content::{Scope, bounded, optional, required};
use super::medium::MediaKind;

/// What the customer reads and can tap.
pub(super) fn read(scope: &Scope<'_>, object: &Value) -> Result<(String, Vec<Choice>), GraphError> {
    let kind = required(&object["type"], "interactive['type']")?;
    let body = body(kind, object)?;
    optional(
        &object["footer"]["text"],
        60,
        "interactive['footer']['text']",
    )?;
    header(scope, kind, &object["header"])?;
    let action = &object["action"];
    if !action.is_object() {
        return Err(GraphError::missing("interactive['action']"));
    }
    let choices = match kind {
        "button" => replies::buttons(action)?,
        "list" => replies::rows(action)?,
        "carousel" => carousel::read(scope, action)?,
        "product" | "product_list" | "catalog_message" => {
            products::read(kind, action)?;
            Vec::new()
        }
        _ => {
            actions::read(kind, action)?;
            Vec::new()
        }
    };
    Ok((body, choices))
}

fn body(kind: &str, object: &Value) -> Result<String, GraphError> {
    let (text, parameter) = (&object["body"]["text"], "interactive['body']['text']");
    let most = if kind == "list" { 4096 } else { 1024 };
    // A single product may come without words, and so may a question for permission to call.
    if matches!(kind, "product" | "call_permission_request") {
        return Ok(optional(text, most, parameter)?
            .unwrap_or_default()
            .to_owned());
    }
    Ok(bounded(text, most, parameter)?.to_owned())
}

/// Which kinds take which headers (§4.3).
fn header(scope: &Scope<'_>, kind: &str, header: &Value) -> Result<(), GraphError> {
    let parameter = "interactive['header']['type']";
    if header.is_null() {
        return match kind {
            "product_list" => Err(GraphError::missing("interactive['header']")),
            _ => Ok(()),
        };
    }
    let refused = || GraphError::invalid(parameter, "is not allowed here");
    let given = required(&header["type"], parameter)?;
    let takes_text = matches!(
        kind,
        "button" | "list" | "cta_url" | "flow" | "product_list"
    );
    let takes_media = matches!(kind, "button" | "cta_url" | "flow");
    match (given, MediaKind::parse(given)) {
        ("text", _) if takes_text => {
            bounded(&header["text"], 60, "interactive['header']['text']").map(drop)
        }
        ("image" | "video" | "document", Some(media)) if takes_media => {
            let at = format!("interactive['header']['{given}']");
            scope.media(media, &header[given], &at)
        }
        _ => Err(refused()),
    }
}

/// The parameters of an action with a name, which must be its kind's.
fn parameters<'a>(action: &'a Value, name: &str) -> Result<&'a Value, GraphError> {
    let parameter = "interactive['action']['name']";
    if required(&action["name"], parameter)? != name {
        return Err(GraphError::invalid(parameter, &format!("must be {name}")));
    }
    Ok(&action["parameters"])
}
