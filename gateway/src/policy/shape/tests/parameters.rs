//! What a template's variables may be filled with.

use serde_json::{Value, json};

use super::contents::*;
use super::{cleared, refused};

#[test]
fn no_variable_is_ever_sent_empty() {
    let parameters = |parameter: Value| template(json!({ "parameters": [parameter] }));
    for blank in ["", " ", "\u{a0}"] {
        let without = parameters(json!({ "value": blank }));
        refused(&without, "template_parameter_empty", "parameters[0].value");
        cleared(&parameters(json!({ "value": blank, "default": "there" })));
        let header = template(json!({ "header": { "type": "text", "value": blank } }));
        refused(&header, "template_parameter_empty", "header.value");
        let card = template_cards(2, &body(blank));
        refused(
            &card,
            "template_parameter_empty",
            "cards[0].parameters[0].value",
        );
    }
}

#[test]
fn parameters_are_of_one_style_and_named_once() {
    let mixed = |parameters: Value| {
        let content = template(json!({ "parameters": parameters }));
        refused(&content, "template_parameter_mix", "parameters");
    };
    mixed(json!([{ "name": "a", "value": "x" }, { "value": "y" }]));
    mixed(json!([{ "name": "a", "value": "x" }, { "name": "a", "value": "y" }]));
    mixed(json!([{ "name": "First Name", "value": "x" }]));
    mixed(json!([{ "name": "", "value": "x" }]));
    cleared(&template(
        json!({ "parameters": [{ "name": "first_name", "value": "x" }, { "name": "eta_2", "value": "y" }] }),
    ));
    let header = template(json!({
        "header": { "type": "text", "value": "x" }, "parameters": [{ "name": "a", "value": "x" }] }));
    refused(&header, "template_parameter_mix", "header.name");
    let mut card = template_cards(2, &body("x"));
    card["parameters"] = json!([{ "name": "a", "value": "x" }]);
    refused(&card, "template_parameter_mix", "cards[].parameters");
}

#[test]
fn a_parameter_is_one_line_with_few_spaces() {
    for bad in ["a\nb", "a\tb", "a\rb", "a     b"] {
        let value = template(body(bad));
        refused(&value, "template_parameter_text", "parameters[0].value");
        let default = template(json!({ "parameters": [{ "value": "", "default": bad }] }));
        refused(&default, "template_parameter_text", "parameters[0].default");
    }
    cleared(&template(body("a    b")));
}
