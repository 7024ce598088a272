//! Checks a request's body against the schema that the document shows: every problem at once, each with its JSON
//! pointer. Document and check cannot disagree, because they are one.

use serde_json::{Map, Value};

use super::document;
use super::problem::FieldProblem;
use crate::domain::id::is_id;

/// Everything that is wrong with `value`.
pub(super) fn check(schema: &Value, value: &Value) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    at(schema, value, "", &mut problems);
    problems
}

fn at(schema: &Value, value: &Value, pointer: &str, problems: &mut Vec<FieldProblem>) {
    let schema = resolved(schema);
    if let Some(variants) = one_of(schema) {
        return best_of(variants, value, pointer, problems);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        at(part, value, pointer, problems);
    }
    let mut wrong = |detail: String| problems.push(FieldProblem::at(pointer, detail));
    if let Some(expected) = wrong_type(schema, value) {
        return wrong(format!("must be {expected}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        return wrong(format!("must be one of {}", allowed.join(", ")));
    }
    match value {
        Value::String(text) => text_problems(schema, text).for_each(&mut wrong),
        Value::Number(number) => number_problems(schema, number.as_f64()).for_each(&mut wrong),
        Value::Array(items) => array(schema, items, pointer, problems),
        Value::Object(fields) => object(schema, fields, pointer, problems),
        Value::Null | Value::Bool(_) => {}
    }
}

fn resolved(schema: &Value) -> &Value {
    let Some(reference) = schema["$ref"].as_str() else {
        return schema;
    };
    let pointer = reference.trim_start_matches('#');
    document::json().pointer(pointer).unwrap_or(schema)
}

fn one_of(schema: &Value) -> Option<&Vec<Value>> {
    schema["oneOf"].as_array().or(schema["anyOf"].as_array())
}

/// The variant that fits, or the complaints of the one that fits best: one whose tag is right has no complaint there.
fn best_of(variants: &[Value], value: &Value, pointer: &str, problems: &mut Vec<FieldProblem>) {
    let tried = variants.iter().map(|variant| {
        let mut found = Vec::new();
        at(variant, value, pointer, &mut found);
        // A variant of another type or tag was not meant, however few its complaints.
        let distance = found.iter().map(|problem| match &problem.detail {
            detail if detail.starts_with("must be") => 10,
            _ => 1,
        });
        // Null stands for what is left out: who gives a value means another variant, however much of it is wrong.
        let left_out = !value.is_null() && variant["type"] == "null";
        ((left_out, distance.sum::<usize>()), found)
    });
    if let Some((_, best)) = tried.min_by_key(|(distance, _)| *distance) {
        problems.extend(best);
    }
}

fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if types.iter().any(fits) {
        return None;
    }
    let named = types.iter().map(|name| match *name {
        "null" => "null",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        _ => "an object",
    });
    Some(named.collect::<Vec<_>>().join(" or "))
}

fn text_problems(schema: &Value, text: &str) -> impl Iterator<Item = String> {
    let length = text.chars().count() as u64;
    let least = schema["minLength"].as_u64().filter(|least| length < *least);
    let most = schema["maxLength"].as_u64().filter(|most| length > *most);
    let least = least.map(|least| format!("must have at least {least} characters"));
    let most = most.map(|most| format!("must have at most {most} characters"));
    let format = schema["format"]
        .as_str()
        .and_then(|name| wrong_format(name, text));
    [least, most, format].into_iter().flatten()
}

fn wrong_format(name: &str, text: &str) -> Option<String> {
    if let Some(prefix) = name.strip_suffix("-id") {
        return (!is_id(prefix, text)).then(|| format!("must be an id, `{prefix}_…`"));
    }
    match name {
        "date-time" if text.parse::<jiff::Timestamp>().is_err() => {
            Some("must be a time like 2026-11-25T15:00:00Z".to_owned())
        }
        "scope" => text.parse::<crate::access::Scope>().err(),
        _ => None,
    }
}

fn number_problems(schema: &Value, number: Option<f64>) -> impl Iterator<Item = String> {
    let number = number.unwrap_or_default();
    let least = schema["minimum"].as_f64().filter(|least| number < *least);
    let most = schema["maximum"].as_f64().filter(|most| number > *most);
    let least = least.map(|least| format!("must be at least {least}"));
    let most = most.map(|most| format!("must be at most {most}"));
    [least, most].into_iter().flatten()
}

fn array(schema: &Value, items: &[Value], pointer: &str, problems: &mut Vec<FieldProblem>) {
    let count = items.len() as u64;
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| count > *most) {
        problems.push(FieldProblem::at(
            pointer,
            format!("must have at most {most} items"),
        ));
    }
    if let Some(least) = schema["minItems"].as_u64().filter(|least| count < *least) {
        problems.push(FieldProblem::at(
            pointer,
            format!("must have at least {least} items"),
        ));
    }
    for (index, item) in items.iter().enumerate() {
        at(
            &schema["items"],
            item,
            &format!("{pointer}/{index}"),
            problems,
        );
    }
}

fn object(
    schema: &Value,
    fields: &Map<String, Value>,
    pointer: &str,
    problems: &mut Vec<FieldProblem>,
) {
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().unwrap_or_default();
        if !fields.contains_key(name) {
            problems.push(FieldProblem::at(below(name), "is missing"));
        }
    }
    for (name, value) in fields {
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => {
                problems.push(FieldProblem::at(
                    below(name),
                    "is not a field that is known here",
                ));
            }
            (Value::Null, rest) => at(rest, value, &below(name), problems),
            (known, _) => at(known, value, &below(name), problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: Value, value: Value) -> Vec<String> {
        let problem = |problem: FieldProblem| {
            format!(
                "{}: {}",
                problem.pointer.unwrap_or_default(),
                problem.detail
            )
        };
        let mut found: Vec<String> = check(&schema, &value).into_iter().map(problem).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let schema = json!({
            "type": "object",
            "required": ["name", "id"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "maxLength": 3},
                "id": {"type": "string", "format": "num-id"},
                "list": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                "when": {"type": ["string", "null"], "format": "date-time"},
            },
        });
        let value = json!({"name": "long", "list": [1, 0, "x"], "a/b": 1, "when": "today"});
        assert_eq!(
            found(schema.clone(), value),
            [
                "/a~1b: is not a field that is known here",
                "/id: is missing",
                "/list/1: must be at least 1",
                "/list/2: must be a whole number",
                "/name: must have at most 3 characters",
                "/when: must be a time like 2026-11-25T15:00:00Z",
            ]
        );
        let good = json!({"name": "abc", "id": "num_0000000000001", "when": null});
        assert!(found(schema, good).is_empty());
    }

    #[test]
    fn of_variants_the_one_that_was_meant_complains() {
        let variant = |tag: &str, field: &str| {
            json!({
                "type": "object",
                "required": ["scope", field],
                "properties": {"scope": {"type": "string", "enum": [tag]}, field: {"type": "string"}},
            })
        };
        let schema = json!({"oneOf": [variant("number", "number"), variant("plugin", "plugin")]});
        assert_eq!(
            found(schema.clone(), json!({"scope": "plugin"})),
            ["/plugin: is missing"]
        );
        assert!(found(schema, json!({"scope": "number", "number": "x"})).is_empty());
    }

    #[test]
    fn who_gives_a_value_is_not_told_that_it_must_be_null() {
        let share = json!({"type": "number", "minimum": 0, "maximum": 100});
        let bounds = json!({"type": "object", "properties": {"a": share, "b": share}});
        let schema = json!({"oneOf": [{"type": "null"}, bounds]});
        assert_eq!(
            found(schema.clone(), json!({"a": 200, "b": -1})),
            ["/a: must be at most 100", "/b: must be at least 0"]
        );
        assert!(found(schema, Value::Null).is_empty());
    }
}
