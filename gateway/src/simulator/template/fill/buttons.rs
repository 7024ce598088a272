//! Buttons of a send by template (`whatsapp-cloud-api.md` §4.4).

use serde_json::{Value, json};

use super::super::super::chat::{Choice, ChoiceKind};
use super::super::super::error::GraphError;
use super::super::parameters::list;
use super::{Filling, index_of};

impl Filling<'_> {
    pub(super) fn buttons(
        &mut self,
        stored: &[Value],
        given: &[Value],
    ) -> Result<Value, GraphError> {
        let given: Vec<&Value> = given
            .iter()
            .filter(|one| {
                one["type"]
                    .as_str()
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("button"))
            })
            .collect();
        for button in &given {
            let index = index_of(&button["index"]).and_then(|index| usize::try_from(index).ok());
            let Some(stored) = index.and_then(|index| stored.get(index)) else {
                return Err(GraphError::new(
                    132012,
                    format!("button: no button has the index {}", button["index"]),
                ));
            };
            let kind = stored["type"].as_str().unwrap_or_default();
            let sub_type = button["sub_type"].as_str().unwrap_or_default();
            if !sub_type.eq_ignore_ascii_case(sub_type_of(kind)) {
                return Err(GraphError::new(
                    132012,
                    format!("button: sub_type {sub_type} does not fit a button of type {kind}"),
                ));
            }
        }
        let mut shown = Vec::new();
        for (index, stored) in (0_u64..).zip(stored) {
            let given = given
                .iter()
                .find(|button| index_of(&button["index"]) == Some(index));
            let parameter = given.map_or(&Value::Null, |given| &given["parameters"][0]);
            shown.push(self.button(index, stored, parameter)?);
        }
        Ok(Value::Array(shown))
    }

    fn button(&mut self, index: u64, stored: &Value, given: &Value) -> Result<Value, GraphError> {
        let kind = stored["type"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let text = stored["text"].as_str().unwrap_or_default();
        let required = |value: &Value| {
            let value = value
                .as_str()
                .filter(|value| !value.is_empty())
                .map(str::to_owned);
            value.ok_or_else(|| {
                GraphError::missing(&format!("buttons: Button at index {index} of type {kind}"))
            })
        };
        let mut shown = json!({ "kind": kind, "text": text });
        match kind.as_str() {
            "quick_reply" => {
                let payload = given["payload"].as_str().unwrap_or(text);
                shown["id"] = json!(payload);
                self.choices.push(Choice {
                    kind: ChoiceKind::TemplateButton,
                    id: payload.to_owned(),
                    title: text.to_owned(),
                    description: None,
                });
            }
            "url" => {
                let url = stored["url"].as_str().unwrap_or_default();
                let dynamic = url.contains("{{1}}");
                let suffix = if dynamic {
                    required(&given["text"])?
                } else {
                    String::new()
                };
                shown["url"] = json!(url.replace("{{1}}", &suffix));
            }
            "phone_number" => shown["phone"] = stored["phone_number"].clone(),
            "copy_code" => {
                let code = required(&given["coupon_code"])?;
                if code.chars().count() > 20 {
                    return Err(GraphError::invalid(
                        "coupon_code",
                        "has more than 20 characters",
                    ));
                }
                shown["code"] = json!(code);
                shown["text"] = json!("Copy offer code");
            }
            "otp" => shown = self.one_time_code(stored, &required(&given["text"])?)?,
            "mpm" if list(&given["action"]["sections"]).is_empty() => {
                return Err(GraphError::missing("buttons: action['sections']"));
            }
            "flow" => shown["token"] = given["action"]["flow_token"].clone(),
            _ => shown["action"] = given["action"].clone(),
        }
        Ok(shown)
    }

    fn one_time_code(&self, stored: &Value, code: &str) -> Result<Value, GraphError> {
        if self.code.as_deref() != Some(code) {
            return Err(GraphError::new(
                132012,
                "button: the code must be the body's first parameter too",
            ));
        }
        let text = stored["text"].as_str().unwrap_or("Copy code");
        Ok(json!({ "kind": "otp", "text": text, "code": code }))
    }
}

/// What a send calls a button of that type.
fn sub_type_of(kind: &str) -> &str {
    match kind {
        "OTP" => "url",
        other => other,
    }
}
