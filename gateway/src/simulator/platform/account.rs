//! Accounts: their fields, numbers and subscribed apps (`whatsapp-cloud-api.md` §1.3, §4.6).

use serde_json::{Map, Value, json};

use super::super::error::GraphError;
use super::{Answer, Answered, Call, success};

/// The one app of a simulator.
const APP: &str = "1000";

impl Call<'_> {
    /// `GET /{waba}`
    pub(super) fn account_object(&self, waba_id: &str) -> Answered {
        self.account(waba_id)?;
        if self.method != "GET" {
            return Err(self.no_such_method());
        }
        let waba = self.world.waba(waba_id);
        let can_send = if waba.banned { "BLOCKED" } else { "AVAILABLE" };
        let fields = json!({
            "name": waba.name,
            "currency": waba.currency,
            "timezone_id": "1",
            "message_template_namespace": format!("sim_{waba_id}"),
            "account_review_status": "APPROVED",
            "business_verification_status": "verified",
            "country": "GB",
            "ownership_type": "SELF",
            "status": if waba.banned { "DISABLED" } else { "ACTIVE" },
            "marketing_messages_lite_api_status": waba.marketing_messages,
            "marketing_messages_onboarding_status": waba.marketing_messages,
            "disable_marketing_messages_on_cloud_api": !waba.marketing_on_cloud_api,
            "owner_business_info": { "id": self.world.portfolio_of(waba_id), "name": waba.name },
            "whatsapp_business_manager_messaging_limit": self.world.tier(waba_id).word(),
            "health_status": { "can_send_message": can_send, "entities": [
                { "entity_type": "WABA", "id": waba_id, "can_send_message": can_send },
            ] },
        });
        let fields = fields.as_object().cloned().unwrap_or_default();
        let usual = [
            "name",
            "timezone_id",
            "message_template_namespace",
            "currency",
        ];
        Ok(self.select(waba_id, &fields, &usual)?.into())
    }

    pub(super) async fn account_edge(&self, waba_id: &str, edge: &str) -> Answered {
        self.account(waba_id)?;
        match (self.method, edge) {
            ("GET", "phone_numbers") => self.account_numbers(waba_id),
            ("GET" | "POST" | "DELETE", "subscribed_apps") => self.subscribed_apps(waba_id).await,
            (_, "message_templates") => self.templates(waba_id),
            ("POST", "upsert_message_templates") => self.upsert_templates(waba_id),
            _ => Err(self.no_such_method()),
        }
    }

    fn account_numbers(&self, waba_id: &str) -> Answered {
        let numbers = self.world.numbers_of(waba_id);
        let data: Result<Vec<Value>, GraphError> = numbers
            .iter()
            .map(|number| match self.number_object(number)? {
                Answer::Ok(value) | Answer::With(_, value) => Ok(value),
            })
            .collect();
        Ok(Answer::Ok(
            json!({ "data": data?, "paging": { "cursors": { "before": "", "after": "" } } }),
        ))
    }

    async fn subscribed_apps(&self, waba_id: &str) -> Answered {
        match self.method {
            "GET" => {
                let subscribed = self.world.waba(waba_id).subscribed;
                let data: Vec<Value> = subscribed.iter().map(subscription).collect();
                return Ok(Answer::Ok(json!({ "data": data })));
            }
            "POST" => {
                let body = self.json()?;
                let uri = self
                    .given(&body, "override_callback_uri")
                    .unwrap_or_default();
                let token = self.given(&body, "verify_token").unwrap_or_default();
                self.world.set_callback(waba_id, &uri, &token).await?;
                self.world.change_waba(waba_id, |waba| {
                    waba.subscribed.insert(APP.to_owned(), uri);
                });
            }
            _ => {
                self.world.set_callback(waba_id, "", "").await?;
                self.world
                    .change_waba(waba_id, |waba| waba.subscribed.clear());
            }
        }
        Ok(success())
    }
}

fn subscription((app, uri): (&String, &String)) -> Value {
    let link = format!("https://www.facebook.com/games/?app_id={app}");
    let mut element = Map::new();
    let data = json!({ "id": app, "name": "Simulated app", "link": link });
    element.insert("whatsapp_business_api_data".to_owned(), data);
    if !uri.is_empty() {
        element.insert("override_callback_uri".to_owned(), json!(uri));
    }
    Value::Object(element)
}
