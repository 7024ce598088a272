//! Buttons of a submitted template: how many of which kind, in which order, with what (`whatsapp-cloud-api.md` §6.5).

use serde_json::Value;

use super::super::super::error::GraphError;
use super::super::parameters::list;
use super::text;

/// Most buttons of a kind; all together there are at most ten.
const BUTTONS: &[(&str, usize)] = &[
    ("QUICK_REPLY", 10),
    ("URL", 2),
    ("PHONE_NUMBER", 1),
    ("COPY_CODE", 1),
    ("FLOW", 1),
    ("CATALOG", 1),
    ("MPM", 1),
    ("SPM", 1),
    ("OTP", 1),
    ("VOICE_CALL", 1),
    ("ORDER_DETAILS", 1),
    ("REQUEST_CONTACT_INFO", 1),
];

/// All buttons of a template.
pub(super) fn check(buttons: &[Value]) -> Result<(), GraphError> {
    let invalid = |details: String| GraphError::new(100, details);
    if buttons.is_empty() || buttons.len() > 10 {
        return Err(invalid("BUTTONS must have 1 to 10 buttons.".to_owned()));
    }
    for button in buttons {
        let kind = button["type"].as_str().unwrap_or_default();
        let Some((_, most)) = BUTTONS.iter().find(|(known, _)| *known == kind) else {
            return Err(invalid(format!("BUTTONS: type {kind} is not known.")));
        };
        if buttons.iter().filter(|one| one["type"] == kind).count() > *most {
            return Err(invalid(format!("BUTTONS: at most {most} of type {kind}.")));
        }
        check_button(kind, button)?;
    }
    let is_reply: Vec<bool> = buttons
        .iter()
        .map(|button| button["type"] == "QUICK_REPLY")
        .collect();
    // Quick replies stand together, before or after the others: one change at most.
    if is_reply
        .windows(2)
        .filter(|pair| pair[0] != pair[1])
        .count()
        > 1
    {
        return Err(invalid(
            "BUTTONS: quick replies must stand together.".to_owned(),
        ));
    }
    Ok(())
}

fn check_button(kind: &str, button: &Value) -> Result<(), GraphError> {
    if !matches!(kind, "OTP" | "COPY_CODE") {
        text(button, "BUTTONS", 25, 100)?;
    }
    let field = |name: &str, most: usize| {
        let value = button[name].as_str().unwrap_or_default();
        let fits = !value.is_empty() && value.chars().count() <= most;
        fits.then_some(value).ok_or_else(|| {
            GraphError::new(
                100,
                format!("BUTTONS: {name} must have 1 to {most} characters."),
            )
        })
    };
    match kind {
        "URL" => {
            let url = field("url", 2000)?;
            let has_example = !list(&button["example"]).is_empty();
            let fits = url.ends_with("{{1}}") && has_example;
            if url.contains("{{") && !fits {
                return Err(GraphError::new(
                    100,
                    "BUTTONS: a URL's one variable stands at its end and has an example.",
                ));
            }
            Ok(())
        }
        "PHONE_NUMBER" => field("phone_number", 20).map(drop),
        "COPY_CODE" => {
            let example = button["example"]
                .as_str()
                .or(button["example"][0].as_str())
                .unwrap_or_default();
            let fits = (1..=20).contains(&example.chars().count());
            fits.then_some(()).ok_or_else(|| {
                GraphError::new(
                    100,
                    "BUTTONS: a copy code needs an example of 1 to 20 characters.",
                )
            })
        }
        "FLOW"
            if ["flow_id", "flow_json", "flow_name"]
                .iter()
                .all(|name| button[*name].is_null()) =>
        {
            Err(GraphError::new(
                100,
                "BUTTONS: a flow button needs flow_id, flow_name or flow_json.",
            ))
        }
        _ => Ok(()),
    }
}
