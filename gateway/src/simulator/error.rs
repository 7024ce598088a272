//! Graph's errors as Meta words them (`whatsapp-cloud-api.md` §4.1, §7): code, HTTP status, title, details.

use http::StatusCode;
use serde_json::{Value, json};

/// One refusal of the Graph API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("(#{code}) {details}")]
pub struct GraphError {
    pub code: i64,
    pub status: StatusCode,
    pub title: String,
    pub details: String,
    pub subcode: Option<i64>,
}

/// Code, HTTP status and title of the errors that the simulator gives by itself or when a fault names only the code.
const KNOWN: &[(i64, u16, &str)] = &[
    (0, 401, "AuthException"),
    (1, 400, "API Unknown"),
    (2, 503, "API Service"),
    (3, 500, "API Method"),
    (4, 400, "API Too Many Calls"),
    (10, 403, "API Permission Denied"),
    (33, 400, "Parameter value is not valid"),
    (100, 400, "Invalid parameter"),
    (190, 401, "Invalid OAuth access token."),
    (200, 403, "API Permission"),
    (368, 403, "Temporarily blocked for policies violations"),
    (80007, 400, "Rate limit issues"),
    (130429, 400, "Rate limit hit"),
    (130472, 400, "User's number is part of an experiment"),
    (
        130497,
        403,
        "Business account is restricted from messaging users in this country",
    ),
    (131000, 500, "Something went wrong"),
    (131005, 403, "Access denied"),
    (131008, 400, "Required parameter is missing"),
    (131009, 400, "Parameter value is not valid"),
    (131016, 500, "Service unavailable"),
    (131021, 400, "Recipient cannot be sender"),
    (131026, 400, "Message undeliverable"),
    (131031, 403, "Account has been locked"),
    (131042, 400, "Business eligibility payment issue"),
    (131045, 500, "Incorrect certificate"),
    (131047, 400, "Re-engagement message"),
    (131048, 400, "Spam rate limit hit"),
    (
        131049,
        400,
        "This message was not delivered to maintain healthy ecosystem engagement.",
    ),
    (131050, 400, "User has stopped marketing messages"),
    (131051, 400, "Unsupported message type"),
    (131053, 400, "Media upload error"),
    (
        131056,
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
    ),
    (131057, 500, "Account in maintenance mode"),
    (
        131062,
        400,
        "Business-scoped user ID recipients are not supported for this message",
    ),
    (132000, 400, "Template Param Count Mismatch"),
    (132001, 404, "Template does not exist"),
    (132005, 400, "Template Hydrated Text Too Long"),
    (132007, 400, "Template Format Character Policy Violated"),
    (132012, 400, "Template Parameter Format Mismatch"),
    (132015, 400, "Template is Paused"),
    (132016, 400, "Template is Disabled"),
    (132018, 400, "Template parameters are not valid"),
    (133010, 400, "Phone number Not Registered"),
];

impl GraphError {
    /// An error with Meta's own status and title; an unknown code is a 400.
    pub fn new(code: i64, details: impl Into<String>) -> Self {
        let (status, title) = KNOWN
            .iter()
            .find(|known| known.0 == code)
            .map_or((400, "Error"), |known| (known.1, known.2));
        Self {
            code,
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            title: title.to_owned(),
            details: details.into(),
            subcode: None,
        }
    }

    /// A required parameter inside the message object is not there.
    pub fn missing(parameter: &str) -> Self {
        Self::new(131008, format!("The parameter {parameter} is required."))
    }

    /// A parameter has a value that Meta does not take.
    pub fn invalid(parameter: &str, why: &str) -> Self {
        Self::new(
            131009,
            format!("Parameter value is not valid: {parameter} {why}"),
        )
    }

    pub fn too_long(parameter: &str, max: usize) -> Self {
        Self::new(
            100,
            format!("Param {parameter} must be at most {max} characters long."),
        )
    }

    /// The number does not exist or the token does not see it.
    pub fn unknown_object(id: &str) -> Self {
        let details = format!(
            "Unsupported post request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
             permissions, or does not support this operation."
        );
        Self {
            subcode: Some(33),
            ..Self::new(100, details)
        }
    }

    pub fn bad_token() -> Self {
        Self::new(
            190,
            "Invalid OAuth access token - Cannot parse access token",
        )
    }

    /// The error body. Errors of the platform itself (token, object) have no `error_data`.
    pub fn body(&self, trace: &str) -> Value {
        let mut error = if matches!(self.code, 190) || self.subcode.is_some() {
            json!({ "message": self.details, "type": "OAuthException", "code": self.code })
        } else {
            json!({
                "message": format!("(#{}) {}", self.code, self.title),
                "type": "OAuthException",
                "code": self.code,
                "error_data": { "messaging_product": "whatsapp", "details": self.details },
            })
        };
        if let Some(subcode) = self.subcode {
            error["type"] = json!("GraphMethodException");
            error["error_subcode"] = json!(subcode);
        }
        error["fbtrace_id"] = json!(trace);
        json!({ "error": error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_whatsapp_has_metas_shape() {
        let error = GraphError::new(131047, "window closed");
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
        insta::assert_json_snapshot!(error.body("AbC123"), @r#"
        {
          "error": {
            "code": 131047,
            "error_data": {
              "details": "window closed",
              "messaging_product": "whatsapp"
            },
            "fbtrace_id": "AbC123",
            "message": "(#131047) Re-engagement message",
            "type": "OAuthException"
          }
        }
        "#);
    }

    #[test]
    fn an_unknown_object_is_100_with_subcode_33() {
        insta::assert_json_snapshot!(GraphError::unknown_object("77").body("AbC123"), @r#"
        {
          "error": {
            "code": 100,
            "error_subcode": 33,
            "fbtrace_id": "AbC123",
            "message": "Unsupported post request. Object with ID '77' does not exist, cannot be loaded due to missing permissions, or does not support this operation.",
            "type": "GraphMethodException"
          }
        }
        "#);
    }
}
