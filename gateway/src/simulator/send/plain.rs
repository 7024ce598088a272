//! Locations and contact cards (`whatsapp-cloud-api.md` §4.2).

use serde_json::Value;

use super::super::error::GraphError;
use super::content::required;

pub(super) fn location(object: &Value) -> Result<String, GraphError> {
    let latitude = degrees(object, "latitude", 90.0)?;
    let longitude = degrees(object, "longitude", 180.0)?;
    Ok(format!("[location {latitude} {longitude}]"))
}

/// Meta takes numbers as text, too.
fn degrees(object: &Value, name: &str, most: f64) -> Result<String, GraphError> {
    let parameter = format!("location['{name}']");
    let (text, number) = match &object[name] {
        Value::Number(number) => (number.to_string(), number.as_f64()),
        Value::String(text) => (text.clone(), text.parse().ok()),
        Value::Null => return Err(GraphError::missing(&parameter)),
        _ => return Err(GraphError::invalid(&parameter, "must be a number")),
    };
    match number {
        Some(number) if number.abs() <= most => Ok(text),
        _ => Err(GraphError::invalid(
            &parameter,
            &format!("must be a number up to {most}"),
        )),
    }
}

pub(super) fn contacts(object: &Value) -> Result<String, GraphError> {
    let cards = object.as_array().filter(|cards| !cards.is_empty());
    let cards = cards.ok_or_else(|| GraphError::missing("contacts"))?;
    if cards.len() > 257 {
        return Err(GraphError::invalid(
            "contacts",
            "has more than 257 elements",
        ));
    }
    let names: Result<Vec<_>, _> = cards.iter().map(name).collect();
    Ok(format!("[contacts {}]", names?.join(", ")))
}

/// The whole name and at least one part of it.
fn name(card: &Value) -> Result<&str, GraphError> {
    const PARTS: [&str; 5] = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
    let name = &card["name"];
    let whole = required(
        &name["formatted_name"],
        "contacts['name']['formatted_name']",
    )?;
    if PARTS
        .iter()
        .all(|part| name[*part].as_str().is_none_or(str::is_empty))
    {
        return Err(GraphError::missing(
            "contacts['name']['first_name'] or another part of the name",
        ));
    }
    Ok(whole)
}
