//! Filling templates in.

use super::fill::Filled;
use super::*;
use serde_json::json;

fn spec(body: &str) -> TemplateSpec {
    TemplateSpec::approved("990001", "eta", "en_GB", body)
}

fn body(parameters: &Value) -> Value {
    json!([{ "type": "body", "parameters": parameters }])
}

impl TemplateSpec {
    /// Every medium is fine.
    fn filled(&self, components: &Value) -> Result<Filled, GraphError> {
        self.fill(components, &|_, _, _| Ok(()))
    }
}

fn code(filled: Result<Filled, GraphError>) -> i64 {
    filled.map_or_else(|error| error.code, |_| 0)
}

#[test]
fn positions_and_names_are_filled_in() {
    let given =
        body(&json!([{ "type": "text", "text": "Ines" }, { "type": "text", "text": "10:30" }]));
    let filled = spec("Hello {{1}}, at {{2}}.")
        .filled(&given)
        .expect("filled");
    assert_eq!(filled.text, "Hello Ines, at 10:30.");
    let given = body(&json!([{ "type": "text", "parameter_name": "who", "text": "Ines" }]));
    let filled = spec("Hello {{who}}.").filled(&given).expect("filled");
    assert_eq!(filled.text, "Hello Ines.");
}

#[test]
fn wrong_parameters_have_metas_codes() {
    let one = body(&json!([{ "type": "text", "text": "Ines" }]));
    assert_eq!(code(spec("{{1}} and {{2}}").filled(&one)), 132000);
    assert_eq!(code(spec("none").filled(&one)), 132000);
    assert_eq!(code(spec("{{who}}").filled(&one)), 132012);
    let broken = body(&json!([{ "type": "text", "text": "two\nlines" }]));
    assert_eq!(code(spec("{{1}}").filled(&broken)), 132018);
    let long = body(&json!([{ "type": "text", "text": "x".repeat(1100) }]));
    assert_eq!(code(spec("{{1}}").filled(&long)), 132005);
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
        assert_eq!(code(template.filled(&Value::Null)), expected, "{status:?}");
    }
}
