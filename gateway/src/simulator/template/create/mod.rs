//! A template as it is submitted: names, lengths, variables, buttons (`whatsapp-cloud-api.md` §4.3, §6.5, §7.4).

mod buttons;
mod kinds;

use serde_json::Value;

use super::super::error::GraphError;
use super::parameters::{list, part, placeholders};
use super::{TemplateCategory, TemplateSpec, TemplateStatus};

/// Reads and checks what was submitted for an account. The result waits for its review.
pub(in super::super) fn check(waba_id: &str, body: &Value) -> Result<TemplateSpec, GraphError> {
    let name = body["name"].as_str().unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() || name.len() > 512 || !name.bytes().all(allowed) {
        return Err(GraphError::new(
            100,
            "Param name must be lower-case letters, digits and underscores, at most 512.",
        ));
    }
    let language = body["language"]
        .as_str()
        .filter(|language| !language.is_empty());
    let language =
        language.ok_or_else(|| GraphError::new(100, "The parameter language is required."))?;
    let category = category(&body["category"])?;
    let components = list(&body["components"]).to_vec();
    check_components(category, &components)?;
    let ttl = ttl(category, &body["message_send_ttl_seconds"])?;
    Ok(TemplateSpec {
        category,
        status: TemplateStatus::Pending,
        components,
        message_send_ttl_seconds: ttl,
        ..TemplateSpec::approved(waba_id, name, language, "")
    })
}

fn category(value: &Value) -> Result<TemplateCategory, GraphError> {
    let known = serde_json::from_value(value.clone());
    known.map_err(|_| {
        GraphError::new(
            100,
            "Param category must be one of {AUTHENTICATION, MARKETING, UTILITY}.",
        )
    })
}

fn ttl(category: TemplateCategory, value: &Value) -> Result<Option<i64>, GraphError> {
    if value.is_null() {
        return Ok(None);
    }
    let seconds = value.as_i64().unwrap_or(0);
    let fits = match category {
        TemplateCategory::Authentication => seconds == -1 || (30..=900).contains(&seconds),
        TemplateCategory::Utility => seconds == -1 || (30..=43_200).contains(&seconds),
        TemplateCategory::Marketing => (43_200..=2_592_000).contains(&seconds),
    };
    fits.then_some(Some(seconds)).ok_or_else(|| {
        GraphError::new(
            100,
            "Param message_send_ttl_seconds is out of range for the category.",
        )
    })
}

/// Also of an edit, which replaces all components.
pub(in super::super) fn check_components(
    category: TemplateCategory,
    components: &[Value],
) -> Result<(), GraphError> {
    let body = part(components, "BODY");
    let body = body.ok_or_else(|| GraphError::new(100, "A component of type BODY is required."))?;
    if category == TemplateCategory::Authentication {
        return kinds::authentication(components);
    }
    let offer = part(components, "LIMITED_TIME_OFFER").is_some();
    text(body, "BODY", if offer { 600 } else { 1024 }, 2388072)?;
    edges(body["text"].as_str().unwrap_or_default())?;
    examples(
        body,
        "body_text",
        placeholders(body["text"].as_str().unwrap_or_default()).len(),
    )?;
    if let Some(header) = part(components, "HEADER") {
        check_header(header)?;
    }
    if let Some(footer) = part(components, "FOOTER") {
        text(footer, "FOOTER", 60, 2388073)?;
        if footer["text"]
            .as_str()
            .is_some_and(|text| text.contains("{{"))
        {
            return Err(GraphError::new(2388073, "The footer takes no variables"));
        }
    }
    if let Some(buttons) = part(components, "BUTTONS") {
        buttons::check(list(&buttons["buttons"]))?;
    }
    match part(components, "CAROUSEL") {
        Some(carousel) => kinds::cards(list(&carousel["cards"])),
        None => Ok(()),
    }
}

fn text(component: &Value, name: &str, most: usize, format: i64) -> Result<(), GraphError> {
    let text = component["text"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(GraphError::new(format, format!("{name} needs a text")));
    }
    if text.chars().count() > most {
        return Err(GraphError::new(
            2388040,
            format!("{name} has more than {most} characters"),
        ));
    }
    Ok(())
}

/// No variable at either end, none next to another, and enough words for the variables there are. Meta does not
/// publish the ratio: three words for each is a guess that ordinary templates pass.
fn edges(text: &str) -> Result<(), GraphError> {
    let text = text.trim();
    if text.starts_with("{{") || text.ends_with("}}") {
        return Err(GraphError::new(
            2388299,
            "Variables can't be at the start or end of the template",
        ));
    }
    if text.contains("}}{{") || text.contains("}} {{") {
        return Err(GraphError::new(
            2388293,
            "Two variables stand next to each other",
        ));
    }
    let variables = placeholders(text);
    let numbers = variables
        .iter()
        .filter(|name| name.parse::<u32>().is_ok())
        .count();
    if numbers != 0 && numbers != variables.len() {
        return Err(GraphError::new(
            100,
            "Positional and named variables cannot be mixed.",
        ));
    }
    let words = text
        .split_whitespace()
        .filter(|word| !word.contains("{{"))
        .count();
    if variables.len() * 2 > words {
        return Err(GraphError::new(
            2388293,
            "Too many variables for the length of the text",
        ));
    }
    Ok(())
}

/// Every variable needs an example (§6.5): `body_text` is a list of lists, named ones have a list of their own.
fn examples(component: &Value, name: &str, wanted: usize) -> Result<(), GraphError> {
    let example = &component["example"];
    let flat = list(&example[name]);
    let positional = match flat.first() {
        Some(Value::Array(first)) => first.len(),
        _ => flat.len(),
    };
    let given = positional.max(list(&example[format!("{name}_named_params")]).len());
    if given < wanted {
        let details =
            format!("{name}: {wanted} variables need as many examples, {given} are given");
        return Err(GraphError::new(100, details));
    }
    Ok(())
}

fn check_header(header: &Value) -> Result<(), GraphError> {
    let format = header["format"].as_str().unwrap_or_default();
    match format {
        "TEXT" => {
            text(header, "HEADER", 60, 2388047)?;
            let text = header["text"].as_str().unwrap_or_default();
            let variables = placeholders(text).len();
            if variables > 1 || text.contains(['*', '_', '~', '\n']) {
                return Err(GraphError::new(
                    2388047,
                    "A header has one variable at most, no markdown, no new lines",
                ));
            }
            examples(header, "header_text", variables)
        }
        "IMAGE" | "VIDEO" | "DOCUMENT" | "GIF" => {
            let handle = list(&header["example"]["header_handle"]).first();
            let given = handle
                .and_then(Value::as_str)
                .is_some_and(|handle| !handle.is_empty());
            given.then_some(()).ok_or_else(|| {
                GraphError::new(2388047, "A media header needs example.header_handle")
            })
        }
        "LOCATION" | "PRODUCT" => Ok(()),
        _ => Err(GraphError::new(
            2388047,
            format!("HEADER: format {format} is not known"),
        )),
    }
}
