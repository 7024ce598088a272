//! Schemas and settings that an ordinary author and tenant would write. What would hurt is in `tests/it/settings`, where
//! it runs in the limited child.

use serde_json::json;

use super::*;

fn checked(schema: &Value, settings: Value) -> Answer {
    let Value::Object(settings) = settings else {
        panic!("settings are an object");
    };
    let json = answer(&question(schema, &settings)).expect("answered");
    serde_json::from_slice(&json).expect("an answer")
}

fn filled(schema: &Value, settings: Value) -> Value {
    match checked(schema, settings) {
        Answer::Fit(settings) => Value::Object(settings),
        other => panic!("{other:?}"),
    }
}

/// Problems as `pointer: problem`.
fn misfits(schema: &Value, settings: Value) -> Vec<String> {
    match checked(schema, settings) {
        Answer::Misfit(problems) => lines(problems),
        other => panic!("{other:?}"),
    }
}

fn mistakes(schema: &Value) -> Vec<String> {
    match checked(schema, json!({})) {
        Answer::Schema(problems) => lines(problems),
        other => panic!("{other:?}"),
    }
}

fn lines(problems: Vec<SettingsProblem>) -> Vec<String> {
    let line = |found: SettingsProblem| format!("{}: {}", found.pointer, found.problem);
    problems.into_iter().map(line).collect()
}

fn shop() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 5 },
            "style": { "enum": ["text", "buttons"], "default": "text" },
            "hours": { "$ref": "#/$defs/hours" },
            "people": { "type": "array", "maxItems": 2, "items": { "$ref": "#/$defs/person" } },
        },
        "$defs": {
            "hours": {
                "type": "object",
                "properties": { "from": { "type": "integer", "minimum": 0, "default": 9 } },
            },
            "person": {
                "type": "object",
                "required": ["name"],
                "anyOf": [{ "required": ["phone"] }, { "required": ["queue"] }],
                "properties": {
                    "name": { "type": "string", "pattern": "^[A-Z]" },
                    "queue": { "type": "string" },
                    "language": { "type": "string", "default": "en" },
                },
            },
        },
    })
}

#[test]
fn what_fits_is_taken_with_the_defaults_of_objects_that_are_there() {
    assert_eq!(
        filled(&shop(), json!({"name": "Rosa"})),
        json!({"name": "Rosa", "style": "text"})
    );
    let given = json!({
        "name": "Rosa", "style": "buttons", "hours": {},
        "people": [{"name": "Ines", "queue": "a"}, {"name": "Ole", "queue": "a", "language": "da"}],
    });
    assert_eq!(
        filled(&shop(), given),
        json!({
            "name": "Rosa", "style": "buttons", "hours": {"from": 9},
            "people": [
                {"name": "Ines", "queue": "a", "language": "en"},
                {"name": "Ole", "queue": "a", "language": "da"},
            ],
        })
    );
}

#[test]
fn everything_that_does_not_fit_is_told_at_once_with_its_place() {
    let given = json!({
        "stile": "text", "style": "loud", "hours": {"from": -1},
        "people": [{"name": "ines", "queue": 7}, {"name": "Ole"}, {}],
        "a/b": true,
    });
    assert_eq!(
        misfits(&shop(), given),
        [
            ": lacks `name`",
            "/a~1b: there is no such setting",
            "/hours/from: must be >=0, but got -1",
            "/people: must have at most 2 items, not 3",
            "/people/0/name: 'ines' does not match pattern '^[A-Z]'",
            "/people/0/queue: must be string, not number",
            "/people/1: fits none of the alternatives: lacks `phone`; or lacks `queue`",
            "/people/2: fits none of the alternatives: lacks `phone`; or lacks `queue`",
            "/people/2: lacks `name`",
            "/stile: there is no such setting",
            "/style: value must be one of 'text', 'buttons'",
        ]
    );
}

#[test]
fn a_long_list_of_problems_ends_and_says_so() {
    let schema = json!({"properties": {"n": {"items": {"type": "string"}}}});
    let numbers: Vec<_> = (0..1_000).collect();
    let told = misfits(&schema, json!({"n": numbers}));
    assert!(told.len() < 100, "{}", told.len());
    assert_eq!(told.last().map(String::as_str), Some(": and more"));
}

#[test]
fn formats_are_checked() {
    let schema = json!({"properties": {"mail": {"format": "email"}}});
    assert_eq!(misfits(&schema, json!({"mail": "nobody"})).len(), 1);
    filled(&schema, json!({"mail": "a@example.org"}));
}

#[test]
fn a_mistake_in_a_schema_is_named_with_its_place() {
    for (schema, expected) in [
        (
            json!({"properties": {"a": {"type": "text"}}}),
            "/properties/a/type: ",
        ),
        (
            json!({"properties": {"a": {"type": 7}}}),
            "/properties/a/type: ",
        ),
        (
            json!({"properties": {"a": {"minLength": -1}}}),
            "/properties/a/minLength: ",
        ),
        (
            json!({"properties": {"a": {"pattern": "("}}}),
            "/properties/a/pattern: ",
        ),
        (
            json!({"properties": {"a": {"$ref": "#/$defs/no"}}}),
            "/properties/a/$ref: refers to `#/$defs/no`, which is not there",
        ),
        (
            json!({"properties": {"a b": {"items": {"$ref": "https://example.org/s.json"}}}}),
            "/properties/a b/items/$ref: refers to https://example.org/s.json; nothing is fetched",
        ),
        (
            json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
            "/properties/a/$ref: refers to file:///etc/passwd; nothing is fetched",
        ),
        (
            json!({"properties": {"a": {"$ref": "other.json"}}}),
            "/properties/a/$ref: refers to json-schema:///other.json; nothing is fetched",
        ),
        (
            json!({"$schema": "https://example.org/my-own"}),
            "/$schema: refers to https://example.org/my-own; nothing is fetched",
        ),
        (
            json!({"properties": {"a b": {"type": "string", "default": 7}}}),
            "/properties/a b/default: must be string, not number",
        ),
        (json!({"$ref": "#"}), ": both "),
    ] {
        let found = mistakes(&schema);
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{schema}: expected {expected}, found {found:#?}"
        );
    }
}

#[test]
fn older_drafts_are_understood() {
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let schema = json!({"$schema": draft, "properties": {"a": {"type": "string"}}});
        filled(&schema, json!({"a": "x"}));
        assert_eq!(misfits(&schema, json!({"a": 1})).len(), 1, "{draft}");
    }
}

#[test]
fn defaults_come_through_what_always_holds_and_not_through_alternatives() {
    let part = |name: &str| json!({"properties": {name: {"default": name}}});
    let schema = json!({
        "allOf": [part("all"), {"$ref": "#/$defs/other"}],
        "anyOf": [part("any"), part("one")],
        "if": part("if"),
        "$defs": {"other": part("other")},
    });
    assert_eq!(
        filled(&schema, json!({})),
        json!({"all": "all", "other": "other"})
    );
}

#[test]
fn a_default_is_taken_as_it_is_written_so_a_schema_within_itself_ends() {
    let schema = json!({
        "$ref": "#/$defs/node",
        "$defs": {"node": {
            "type": "object",
            "properties": {"child": {"$ref": "#/$defs/node", "default": {}}},
        }},
    });
    assert_eq!(filled(&schema, json!({})), json!({"child": {}}));
    assert_eq!(
        filled(&schema, json!({"child": {"child": {}}})),
        json!({"child": {"child": {"child": {}}}})
    );
}

#[test]
fn defaults_that_would_make_settings_too_large_are_refused() {
    let big = "x".repeat(10_000);
    let schema = json!({"properties": {"a": {"items": {"properties": {"b": {"default": big}}}}}});
    let many: Vec<_> = (0..100).map(|_| json!({})).collect();
    let told = misfits(&schema, json!({"a": many}));
    assert_eq!(
        told,
        [": with the defaults they have more than 262144 bytes"]
    );
}

#[test]
fn what_the_child_says_is_read_as_it_was_meant() {
    let crashed = ChildError::Crashed {
        status: "signal: 11".to_owned(),
        message: String::new(),
    };
    assert!(!verdict(Err(crashed)).expect_err("an error").is_refusal());
    for child in [ChildError::CpuTime, ChildError::Memory, ChildError::Stack] {
        let error = verdict(Err(child)).expect_err("an error");
        assert!(error.is_refusal(), "{error}");
        assert!(error.to_string().contains("than it may"), "{error}");
    }
    assert!(verdict(Ok(b"nonsense".to_vec())).is_err());
}
