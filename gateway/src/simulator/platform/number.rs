//! A number's own reads and settings: fields, business profile, settings, username (`whatsapp-cloud-api.md` §1.3, §6.6,
//! §6.10).

use serde_json::{Map, Value, json};

use super::super::error::GraphError;
use super::super::number::Number;
use super::{Answer, Answered, Call, for_whatsapp, success};

/// What a read without `fields` shows.
const USUAL: &[&str] = &[
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
];

/// Fields of the business profile and how long each may be.
const PROFILE: &[(&str, usize)] = &[
    ("about", 139),
    ("address", 256),
    ("description", 512),
    ("email", 128),
    ("vertical", 64),
    ("profile_picture_handle", 4096),
];

impl Call<'_> {
    /// `GET /{number}`
    pub(super) fn number_object(&self, number: &Number) -> Answered {
        match self.method {
            "GET" => {
                let all = self.number_fields(number);
                Ok(self.select(number.id(), &all, USUAL)?.into())
            }
            _ => Err(self.no_such_method()),
        }
    }

    pub(super) fn number_edge(&self, number: &Number, edge: &str) -> Answered {
        match (self.method, edge) {
            ("GET", "whatsapp_business_profile") => Ok(self.profile(number)),
            ("POST", "whatsapp_business_profile") => self.change_profile(number),
            ("GET" | "POST", "settings") => self.settings(number),
            ("GET" | "POST" | "DELETE", "username") => self.username(number),
            ("POST", "register" | "deregister" | "request_code" | "verify_code") => {
                self.registration(number, edge)
            }
            (_, "block_users") => self.block_users(number),
            _ => Err(GraphError::unknown_object(&format!(
                "{}/{edge}",
                number.id()
            ))),
        }
    }

    fn number_fields(&self, number: &Number) -> Map<String, Value> {
        let (spec, state) = (number.spec(), number.state());
        let blocked = state.status == "BANNED" || self.world.waba(number.waba_id()).banned;
        let can_send = if blocked { "BLOCKED" } else { "AVAILABLE" };
        let fields = json!({
            "verified_name": number.display_name(),
            "code_verification_status": state.code_verification_status,
            "display_phone_number": format!("+{}", spec.display_number),
            "quality_rating": state.quality_rating,
            "quality_score": { "score": state.quality_rating },
            "platform_type": if state.registered { "CLOUD_API" } else { "NOT_APPLICABLE" },
            "throughput": { "level": state.throughput_level },
            "name_status": state.name_status,
            "status": state.status,
            "account_mode": "LIVE",
            "is_official_business_account": state.official,
            "is_pin_enabled": state.pin.is_some(),
            "username": state.username,
            "whatsapp_business_manager_messaging_limit": self.world.tier(number.waba_id()).word(),
            "webhook_configuration": state.settings.get("webhook_configuration"),
            "health_status": { "can_send_message": can_send, "entities": [
                { "entity_type": "PHONE_NUMBER", "id": number.id(), "can_send_message": can_send },
                { "entity_type": "WABA", "id": number.waba_id(), "can_send_message": can_send },
            ] },
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    /// `POST /{number}`: the phone's own callback override (§1.3).
    pub(super) async fn webhook_configuration(&self, number: &Number) -> Answered {
        let body = self.json()?;
        let given = &body["webhook_configuration"];
        let uri = given["override_callback_uri"].as_str().ok_or_else(|| {
            GraphError::new(100, "The parameter webhook_configuration is required.")
        })?;
        let token = given["verify_token"].as_str().unwrap_or_default();
        self.world.set_callback(number.id(), uri, token).await?;
        let mut account = number.account.lock();
        match uri {
            "" => drop(account.state.settings.remove("webhook_configuration")),
            uri => {
                let value = json!({ "phone_number": uri });
                account
                    .state
                    .settings
                    .insert("webhook_configuration".to_owned(), value);
            }
        }
        Ok(success())
    }

    fn profile(&self, number: &Number) -> Answer {
        let mut profile = number.state().profile;
        profile.insert("messaging_product".to_owned(), json!("whatsapp"));
        if let Some(fields) = self.query.get("fields") {
            let asked: Vec<&str> = fields.split(',').chain(["messaging_product"]).collect();
            profile.retain(|name, _| asked.contains(&name.as_str()));
        }
        Answer::Ok(json!({ "data": [profile] }))
    }

    fn change_profile(&self, number: &Number) -> Answered {
        let body = self.json()?;
        for_whatsapp(&body)?;
        let mut changes = Map::new();
        for (name, value) in body.as_object().into_iter().flatten() {
            match (
                name.as_str(),
                PROFILE.iter().find(|(known, _)| known == name),
            ) {
                ("messaging_product", _) => {}
                ("websites", _) if value.as_array().is_some_and(|all| all.len() <= 2) => {
                    changes.insert(name.clone(), value.clone());
                }
                (_, Some((_, most))) => {
                    let text = value
                        .as_str()
                        .ok_or_else(|| GraphError::invalid(name, "must be a string"))?;
                    if text.chars().count() > *most {
                        return Err(GraphError::too_long(name, *most));
                    }
                    changes.insert(name.clone(), value.clone());
                }
                _ => return Err(GraphError::invalid(name, "is not a field of the profile")),
            }
        }
        number.account.lock().state.profile.extend(changes);
        Ok(success())
    }

    fn settings(&self, number: &Number) -> Answered {
        if self.method == "GET" {
            return Ok(Answer::Ok(Value::Object(number.state().settings)));
        }
        let body = self.json()?;
        let given = body.as_object().cloned().unwrap_or_default();
        number.account.lock().state.settings.extend(given);
        Ok(success())
    }

    fn username(&self, number: &Number) -> Answered {
        let mut account = number.account.lock();
        match self.method {
            "GET" => {
                let status = if account.state.username.is_some() {
                    "approved"
                } else {
                    "none"
                };
                return Ok(Answer::Ok(
                    json!({ "username": account.state.username, "status": status }),
                ));
            }
            "DELETE" => account.state.username = None,
            _ => {
                let body = self.json()?;
                let wanted = body["username"].as_str().unwrap_or_default();
                if !is_username(wanted) {
                    return Err(GraphError::new(147001, "The username is not available"));
                }
                account.state.username = Some(wanted.to_owned());
            }
        }
        Ok(success())
    }
}

/// 3 to 35 of `a-z 0-9 . _`, at least one letter (§2.3; details unverified).
fn is_username(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_';
    (3..=35).contains(&text.len())
        && text.bytes().all(allowed)
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && !text.starts_with("www.")
}
