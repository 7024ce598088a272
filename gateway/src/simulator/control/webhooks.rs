//! Webhooks by hand: where they go, held and let go, any bytes with any signature.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::super::webhook::{PostError, Signature};
use super::{Answer, Call, Refusal, done};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTarget {
    url: String,
    #[serde(default)]
    app_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handshake {
    verify_token: String,
}

pub(super) async fn route(call: &Call<'_>, method: &str, path: &[&str]) -> Answer {
    let outlet = &call.world.outlet;
    match (method, path) {
        ("PUT", ["webhooks"]) => {
            let target: NewTarget = call.body()?;
            call.world
                .set_webhook(&target.url, target.app_secret.as_deref())?;
            done()
        }
        ("POST", ["webhooks", "hold"]) => {
            outlet.hold();
            done()
        }
        ("POST", ["webhooks", "flush"]) => answers(outlet.flush(call.body_or_default()?).await),
        ("POST", ["webhooks", "deliver"]) => {
            let times = call.number("times")?.unwrap_or(1);
            let times = u32::try_from(times).map_err(|_| Refusal::Query { name: "times" })?;
            let body = call.body.clone();
            answers(outlet.deliver(body, signature(call)?, times).await)
        }
        ("POST", ["webhooks", "handshake"]) => {
            let handshake: Handshake = call.body()?;
            let verified = outlet.handshake(&handshake.verify_token).await?;
            Ok(json!({ "verified": verified }))
        }
        _ => Err(Refusal::Path),
    }
}

/// `?signature=valid|wrong|missing`
fn signature(call: &Call<'_>) -> Result<Signature, Refusal> {
    let word = call.word("signature").unwrap_or("valid");
    Ok(serde_json::from_value(json!(word))?)
}

fn answers(answers: Result<Vec<StatusCode>, PostError>) -> Answer {
    let codes: Vec<u16> = answers?.iter().map(StatusCode::as_u16).collect();
    Ok(json!({ "answers": codes }))
}
