//! Interactive kinds with one action: link, flow, location, address, call, contact (`whatsapp-cloud-api.md` §4.2, §4.3).

use serde_json::Value;

use super::super::super::error::GraphError;
use super::super::content::{bounded, optional, required};
use super::parameters;

const PARAMETERS: &str = "interactive['action']['parameters']";

pub(super) fn read(kind: &str, action: &Value) -> Result<(), GraphError> {
    match kind {
        "cta_url" => link(parameters(action, "cta_url")?),
        "flow" => flow(parameters(action, "flow")?),
        "location_request_message" => parameters(action, "send_location").map(drop),
        "voice_call" => voice_call(parameters(action, "voice_call")?),
        "call_permission_request" => parameters(action, "call_permission_request").map(drop),
        "address_message" => address(parameters(action, "address_message")?),
        "request_contact_info" => parameters(action, "request_contact_info").map(drop),
        "order_details" | "order_status" => Err(GraphError::new(
            134011,
            "WhatsApp Payments terms of service are not accepted",
        )),
        _ => Err(GraphError::invalid("interactive['type']", "is not known")),
    }
}

fn at(name: &str) -> String {
    format!("{PARAMETERS}['{name}']")
}

/// Also of a carousel's cards.
pub(super) fn link(parameters: &Value) -> Result<(), GraphError> {
    bounded(&parameters["display_text"], 20, &at("display_text"))?;
    let url = required(&parameters["url"], &at("url"))?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(GraphError::invalid(&at("url"), "is not a URL"));
    }
    Ok(())
}

fn flow(parameters: &Value) -> Result<(), GraphError> {
    required(
        &parameters["flow_message_version"],
        &at("flow_message_version"),
    )?;
    // Thirty is advised, more is cut off on the phone (§4.3).
    bounded(&parameters["flow_cta"], 30, &at("flow_cta"))?;
    optional(&parameters["flow_token"], 4096, &at("flow_token"))?;
    let (id, name) = (&parameters["flow_id"], &parameters["flow_name"]);
    if id.is_null() == name.is_null() {
        return Err(GraphError::missing(&format!(
            "{} or {}",
            at("flow_id"),
            at("flow_name")
        )));
    }
    let action = parameters["flow_action"].as_str().unwrap_or("navigate");
    match action {
        "navigate" | "data_exchange" => {}
        _ => {
            return Err(GraphError::invalid(
                &at("flow_action"),
                "must be navigate or data_exchange",
            ));
        }
    }
    let payload = &parameters["flow_action_payload"];
    if !payload.is_null() {
        required(&payload["screen"], &at("flow_action_payload']['screen"))?;
    }
    match parameters["mode"].as_str().unwrap_or("published") {
        "published" | "draft" => Ok(()),
        _ => Err(GraphError::invalid(
            &at("mode"),
            "must be published or draft",
        )),
    }
}

fn voice_call(parameters: &Value) -> Result<(), GraphError> {
    optional(&parameters["display_text"], 20, &at("display_text"))?;
    optional(&parameters["payload"], 512, &at("payload"))?;
    let minutes = &parameters["ttl_minutes"];
    if !minutes.is_null()
        && !minutes
            .as_u64()
            .is_some_and(|minutes| (1..=43_200).contains(&minutes))
    {
        return Err(GraphError::invalid(
            &at("ttl_minutes"),
            "must be 1 to 43200",
        ));
    }
    Ok(())
}

/// India only (§4.2).
fn address(parameters: &Value) -> Result<(), GraphError> {
    if required(&parameters["country"], &at("country"))? != "IN" {
        return Err(GraphError::invalid(&at("country"), "must be IN"));
    }
    Ok(())
}
