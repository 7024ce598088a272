//! Placeholders of a stored text and the parameters that a send gives for them (`whatsapp-cloud-api.md` §4.3, §4.4).

use serde_json::Value;

use super::super::error::GraphError;

/// Names between double braces, in order, each once.
pub(super) fn placeholders(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for rest in text.split("{{").skip(1) {
        if let Some((name, _)) = rest.split_once("}}")
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    if names.iter().all(|name| name.parse::<u32>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u32>().unwrap_or(0));
    }
    names
}

/// A part of a send by its type; types are not case-sensitive.
pub(super) fn part<'a>(components: &'a [Value], kind: &str) -> Option<&'a Value> {
    let mut all = components.iter();
    all.find(|component| {
        component["type"]
            .as_str()
            .is_some_and(|given| given.eq_ignore_ascii_case(kind))
    })
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

struct Parameter<'a> {
    name: Option<&'a str>,
    text: &'a str,
}

/// Fills the placeholders of `text` (the part `place`) with the parameters of the send.
pub(super) fn hydrate(place: &str, text: &str, given: &[Value]) -> Result<String, GraphError> {
    let given: Vec<Parameter<'_>> = given
        .iter()
        .map(|value| parameter(place, value))
        .collect::<Result<_, _>>()?;
    let wanted = placeholders(text);
    if wanted.len() != given.len() {
        return Err(count(place, given.len(), wanted.len()));
    }
    let mut filled = text.to_owned();
    for (index, name) in wanted.iter().enumerate() {
        let parameter = find(place, &given, index, name)?;
        filled = filled.replace(&format!("{{{{{name}}}}}"), parameter.text);
    }
    Ok(filled)
}

pub(super) fn count(place: &str, given: usize, wanted: usize) -> GraphError {
    let details = format!(
        "{place}: number of localizable_params ({given}) does not match the expected number of params ({wanted})"
    );
    GraphError::new(132000, details)
}

fn find<'a>(
    place: &str,
    given: &'a [Parameter<'a>],
    index: usize,
    name: &str,
) -> Result<&'a Parameter<'a>, GraphError> {
    let positional = name.parse::<u32>().is_ok();
    let found = if positional {
        given
            .get(index)
            .filter(|parameter| parameter.name.is_none())
    } else {
        given.iter().find(|parameter| parameter.name == Some(name))
    };
    let details = || format!("{place}: parameter {name} is missing or of the other style");
    found.ok_or_else(|| GraphError::new(132012, details()))
}

fn parameter<'a>(place: &str, value: &'a Value) -> Result<Parameter<'a>, GraphError> {
    let text = match value["type"].as_str() {
        Some("text") => value["text"].as_str(),
        Some(kind @ ("currency" | "date_time")) => value[kind]["fallback_value"].as_str(),
        _ => None,
    };
    let details = || format!("{place}: parameter must be text, currency or date_time");
    let text = text.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| GraphError::new(132012, details()))?;
    // New lines, tabs and runs of more than four spaces are refused (§4.3).
    if text.contains(['\n', '\t']) || text.contains("     ") {
        let details =
            "Param text cannot have new-line/tab characters or more than 4 consecutive spaces";
        return Err(GraphError::new(132018, details));
    }
    Ok(Parameter {
        name: value["parameter_name"].as_str(),
        text,
    })
}
