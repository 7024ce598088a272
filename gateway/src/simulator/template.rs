//! Message templates as Meta keeps them, and what a send by template must look like (`whatsapp-cloud-api.md` §4.4, §6.5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chat::{Choice, ChoiceKind};
use super::error::GraphError;

/// One language version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    pub waba_id: String,
    pub name: String,
    pub language: String,
    #[serde(default)]
    pub category: TemplateCategory,
    #[serde(default)]
    pub status: TemplateStatus,
    /// Placeholders `{{1}}`, `{{2}}` … or `{{first_name}}`; never both kinds.
    pub body: String,
    /// Texts of the quick-reply buttons.
    #[serde(default)]
    pub quick_replies: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateCategory {
    Marketing,
    #[default]
    Utility,
    Authentication,
}

impl TemplateCategory {
    /// As the `pricing` object spells it.
    pub(super) fn in_pricing(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateStatus {
    #[default]
    Approved,
    Pending,
    Rejected,
    Paused,
    Disabled,
}

/// A template filled in, as the customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled {
    pub text: String,
    pub choices: Vec<Choice>,
}

impl TemplateSpec {
    /// An approved utility template.
    pub fn approved(
        waba_id: impl Into<String>,
        name: impl Into<String>,
        language: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        Self {
            waba_id: waba_id.into(),
            name: name.into(),
            language: language.into(),
            category: TemplateCategory::default(),
            status: TemplateStatus::Approved,
            body: body.into(),
            quick_replies: Vec::new(),
        }
    }

    /// Checks the state and fills the `components` of a send in.
    pub(super) fn fill(&self, components: &Value) -> Result<Filled, GraphError> {
        self.sendable()?;
        let given = body_parameters(components)?;
        let text = self.hydrate(&given)?;
        if text.chars().count() > 1024 {
            return Err(GraphError::new(132005, "Translated text too long"));
        }
        let choices = self.choices(components);
        Ok(Filled { text, choices })
    }

    fn sendable(&self) -> Result<(), GraphError> {
        match self.status {
            TemplateStatus::Approved => Ok(()),
            TemplateStatus::Paused => Err(GraphError::new(132015, "Template is paused")),
            TemplateStatus::Disabled => Err(GraphError::new(132016, "Template is disabled")),
            TemplateStatus::Pending | TemplateStatus::Rejected => {
                Err(missing_template(&self.name, &self.language))
            }
        }
    }

    fn hydrate(&self, given: &[Parameter<'_>]) -> Result<String, GraphError> {
        let wanted = placeholders(&self.body);
        if wanted.len() != given.len() {
            let details = format!(
                "body: number of localizable_params ({}) does not match the expected number of params ({})",
                given.len(),
                wanted.len()
            );
            return Err(GraphError::new(132000, details));
        }
        let mut text = self.body.clone();
        for (place, name) in wanted.iter().enumerate() {
            let parameter = find(given, place, name)?;
            text = text.replace(&format!("{{{{{name}}}}}"), parameter.text);
        }
        Ok(text)
    }

    fn choices(&self, components: &Value) -> Vec<Choice> {
        (0_u64..)
            .zip(&self.quick_replies)
            .map(|(index, title)| Choice {
                kind: ChoiceKind::TemplateButton,
                id: payload(components, index).unwrap_or_else(|| title.clone()),
                title: title.clone(),
                description: None,
            })
            .collect()
    }
}

pub(super) fn missing_template(name: &str, language: &str) -> GraphError {
    GraphError::new(
        132001,
        format!("template name ({name}) does not exist in {language}"),
    )
}

struct Parameter<'a> {
    name: Option<&'a str>,
    text: &'a str,
}

/// Names between double braces, in order, each once.
fn placeholders(body: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for rest in body.split("{{").skip(1) {
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

fn find<'a>(
    given: &'a [Parameter<'a>],
    place: usize,
    name: &str,
) -> Result<&'a Parameter<'a>, GraphError> {
    let positional = name.parse::<u32>().is_ok();
    let found = if positional {
        given
            .get(place)
            .filter(|parameter| parameter.name.is_none())
    } else {
        given.iter().find(|parameter| parameter.name == Some(name))
    };
    found.ok_or_else(|| {
        GraphError::new(
            132012,
            format!("body: parameter {name} is missing or of the other style"),
        )
    })
}

fn components_of<'a>(components: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = components.as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter(move |component| {
        let given = component["type"].as_str().unwrap_or_default();
        given.eq_ignore_ascii_case(kind)
    })
}

fn body_parameters(components: &Value) -> Result<Vec<Parameter<'_>>, GraphError> {
    components_of(components, "body")
        .filter_map(|body| body["parameters"].as_array())
        .flatten()
        .map(parameter)
        .collect()
}

fn parameter(value: &Value) -> Result<Parameter<'_>, GraphError> {
    let text = match value["type"].as_str() {
        Some("text") => value["text"].as_str(),
        Some(kind @ ("currency" | "date_time")) => value[kind]["fallback_value"].as_str(),
        _ => None,
    };
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| {
        GraphError::new(
            132012,
            "body: parameter must be text, currency or date_time",
        )
    })?;
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

/// The payload that the send set for a quick-reply button; `index` may be text or a number.
fn payload(components: &Value, index: u64) -> Option<String> {
    components_of(components, "button")
        .find(|button| {
            let given = &button["index"];
            let same = given.as_u64() == Some(index) || given.as_str() == Some(&index.to_string());
            same && button["sub_type"] == "quick_reply"
        })
        .and_then(|button| button["parameters"][0]["payload"].as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(body: &str) -> TemplateSpec {
        TemplateSpec::approved("990001", "eta", "en_GB", body)
    }

    fn body(parameters: &Value) -> Value {
        json!([{ "type": "body", "parameters": parameters }])
    }

    fn code(filled: Result<Filled, GraphError>) -> i64 {
        filled.map_or_else(|error| error.code, |_| 0)
    }

    #[test]
    fn positions_and_names_are_filled_in() {
        let given =
            body(&json!([{ "type": "text", "text": "Ines" }, { "type": "text", "text": "10:30" }]));
        let filled = spec("Hello {{1}}, at {{2}}.").fill(&given).expect("filled");
        assert_eq!(filled.text, "Hello Ines, at 10:30.");
        let given = body(&json!([{ "type": "text", "parameter_name": "who", "text": "Ines" }]));
        let filled = spec("Hello {{who}}.").fill(&given).expect("filled");
        assert_eq!(filled.text, "Hello Ines.");
    }

    #[test]
    fn wrong_parameters_have_metas_codes() {
        let one = body(&json!([{ "type": "text", "text": "Ines" }]));
        assert_eq!(code(spec("{{1}} and {{2}}").fill(&one)), 132000);
        assert_eq!(code(spec("none").fill(&one)), 132000);
        assert_eq!(code(spec("{{who}}").fill(&one)), 132012);
        let broken = body(&json!([{ "type": "text", "text": "two\nlines" }]));
        assert_eq!(code(spec("{{1}}").fill(&broken)), 132018);
        let long = body(&json!([{ "type": "text", "text": "x".repeat(1100) }]));
        assert_eq!(code(spec("{{1}}").fill(&long)), 132005);
    }

    #[test]
    fn only_an_approved_template_is_sent() {
        for (status, expected) in [
            (TemplateStatus::Approved, 0),
            (TemplateStatus::Pending, 132001),
            (TemplateStatus::Rejected, 132001),
            (TemplateStatus::Paused, 132015),
            (TemplateStatus::Disabled, 132016),
        ] {
            let template = TemplateSpec {
                status,
                ..spec("hi")
            };
            assert_eq!(code(template.fill(&Value::Null)), expected, "{status:?}");
        }
    }
}
