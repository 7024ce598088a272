//! Errors as clients get them: problem details (RFC 9457) that name every field that is wrong, all at once.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use super::permission::PermissionView;
use crate::domain::OutboxId;
use crate::graph::client::call::Failed;
use crate::plugin_host::{SettingsError, SettingsProblem};
use crate::storage::StorageError;
use crate::tenants::SetupError;

/// An error on its way out. Boxed, because every handler's answer has room for one.
#[derive(Debug)]
pub struct Problem(Box<Inside>);

#[derive(Debug)]
struct Inside {
    status: StatusCode,
    body: ProblemBody,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A problem (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Which problem it is: `urn:vestibule:problem:` and a word that stays the same.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// Every field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    /// Of a message that policy did not let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalView>,
    /// Beside a refusal: what may be sent to this person now.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<PermissionView>,
}

/// Why policy refused a message, and what it would let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RefusalView {
    /// The id that the message would have had: `/explain` tells more of it.
    pub send: OutboxId,
    /// A stable word: `docs/policy.md` lists them.
    pub reason: String,
    /// Meta's code for it.
    pub meta_code: i64,
    /// What would be let through instead, in words.
    pub allowed: Option<String>,
    /// When this very message would be let through, when that is known.
    pub from: Option<super::moment::Moment>,
}

/// Where something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// JSON pointer (RFC 6901) into the body; `""` is all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// A parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    pub detail: String,
}

impl FieldProblem {
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            detail: detail.into(),
        }
    }

    pub fn of_parameter(parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(parameter.into()),
            detail: detail.into(),
        }
    }
}

impl Problem {
    /// `kind` stays the same for ever: clients compare it.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        let body = ProblemBody {
            kind: format!("urn:vestibule:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            refusal: None,
            allowed: None,
        };
        let headers = Vec::new();
        Self(Box::new(Inside {
            status,
            body,
            headers,
        }))
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The same words whether it is somebody else's or nobody's.
    pub fn no_such(what: &str, name: &str) -> Self {
        Self::not_found(format!("there is no {what} `{name}`"))
    }

    /// The body says something that it may not say.
    pub fn invalid(errors: Vec<FieldProblem>) -> Self {
        let detail = match errors.len() {
            1 => "one field is wrong".to_owned(),
            many => format!("{many} fields are wrong"),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.0.body.errors = errors;
        problem
    }

    /// A parameter or header says something that it may not say.
    pub fn bad_parameter(parameter: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::new(
            StatusCode::BAD_REQUEST,
            "bad_parameter",
            format!("{parameter} {detail}"),
        );
        problem.0.body.errors = vec![FieldProblem::of_parameter(parameter, detail)];
        problem
    }

    /// Policy said no, or not yet.
    pub fn refused(detail: impl Into<String>, refusal: RefusalView) -> Self {
        let mut problem = Self::new(StatusCode::CONFLICT, "refused", detail);
        problem.0.body.refusal = Some(refusal);
        problem
    }

    /// With what may be sent instead.
    #[must_use]
    pub fn with_allowed(mut self, allowed: PermissionView) -> Self {
        self.0.body.allowed = Some(allowed);
        self
    }

    /// The gateway's own trouble: told to the operator's log, not to the client.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let causes = causes.fold(String::new(), |text, cause| format!("{text}: {cause}"));
        tracing::error!(error = %format_args!("{error}{causes}"), "a request to the API failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "the gateway could not do it; whether something changed has to be looked up",
        )
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// A service's refusal, for a route whose body names other things: `(what, pointer)` says where each stands. What
    /// is not found and not named there was named by the path.
    pub fn of(error: SetupError, named: &[(&str, &str)]) -> Self {
        let pointer = |what: &str| named.iter().find(|(named, _)| *named == what).map(|n| n.1);
        match error {
            SetupError::NotFound { what, name } => match pointer(what) {
                Some(pointer) => {
                    let detail = format!("there is no {what} `{name}`");
                    Self::invalid(vec![FieldProblem::at(pointer, detail)])
                }
                None => Self::no_such(what, &name),
            },
            SetupError::Taken { what, name } => Self::new(
                StatusCode::CONFLICT,
                "exists",
                format!("{what} `{name}` exists already"),
            ),
            error @ SetupError::InUse { .. } => {
                Self::new(StatusCode::CONFLICT, "in_use", error.to_string())
            }
            error @ SetupError::TooMany { .. } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, "too_many", error.to_string())
                    .with_header(RETRY_AFTER, HeaderValue::from_static("60"))
            }
            SetupError::Invalid { field, problem } => {
                let pointer = pointer(field).or_else(|| field_pointer(field));
                Self::invalid(vec![FieldProblem::at(
                    pointer.unwrap_or(""),
                    format!("{field} {problem}"),
                )])
            }
            SetupError::Changed => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "changed",
                "somebody has changed it since you read it: read it again",
            ),
            SetupError::Settings(SettingsError::Misfit(found)) => {
                let at = |found: SettingsProblem| {
                    FieldProblem::at(format!("/settings{}", found.pointer), found.problem)
                };
                Self::invalid(found.into_iter().map(at).collect())
            }
            SetupError::Settings(_) if error.is_refusal() => {
                Self::invalid(vec![FieldProblem::at("/settings", error.to_string())])
            }
            // The body is the component: it has no fields.
            SetupError::Upload(problems) => {
                let whole = |problem| FieldProblem::at("", problem);
                Self::invalid(problems.into_iter().map(whole).collect())
            }
            SetupError::Several(errors) => {
                let each = errors.into_iter().map(|error| Self::of(error, named));
                Self::of_all(each.collect())
            }
            SetupError::State(problem) => Self::new(StatusCode::CONFLICT, "state", problem),
            error => Self::failed(&error),
        }
    }
}

impl Problem {
    /// What the body's schema found wrong, and what the service finds wrong beside it.
    pub fn beside(
        wrong: Vec<FieldProblem>,
        found: Result<(), SetupError>,
        named: &[(&str, &str)],
    ) -> Self {
        let wrong = Self::invalid(wrong);
        let Err(error) = found else {
            return wrong;
        };
        let found = Self::of(error, named);
        match found.0.status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => {
                Self::of_all(vec![wrong, found])
            }
            // It is gone, has changed, or nobody knows: what the body says does not matter then.
            _ => found,
        }
    }

    /// One answer of several: the fields of all of them. What has none is about the whole body.
    fn of_all(problems: Vec<Self>) -> Self {
        if problems
            .iter()
            .all(|problem| problem.0.body.errors.is_empty())
        {
            let details: Vec<&str> = problems.iter().map(|p| p.0.body.detail.as_str()).collect();
            return Self::new(StatusCode::CONFLICT, "state", details.join("; "));
        }
        let fields = problems.into_iter().flat_map(|problem| {
            let body = problem.0.body;
            match body.errors.is_empty() {
                true => vec![FieldProblem::at("", body.detail)],
                false => body.errors,
            }
        });
        Self::invalid(fields.collect())
    }
}

/// Where a service's field stands in bodies, for those that stand in the same place in every body.
fn field_pointer(field: &str) -> Option<&'static str> {
    const FIELDS: [(&str, &str); 29] = [
        ("the public key", "/public_key"),
        ("the stage", "/stage"),
        ("the URL", "/url"),
        ("the number", "/after"),
        ("the hook's secret", "/secret"),
        ("the secret's name", "/name"),
        ("the secret", "/value"),
        ("the hosts", "/hosts"),
        ("the Meta app id", "/meta_app_id"),
        ("the app's name", "/name"),
        ("the verify token", "/verify_token"),
        ("the app secret", "/secret"),
        ("the credential's name", "/name"),
        ("the access token", "/token"),
        ("the tenant's name", "/name"),
        ("the tenant's settings", "/settings"),
        ("the phone-number id", "/phone_number_id"),
        ("the WABA id", "/waba_id"),
        ("the portfolio", "/portfolio"),
        ("the display number", "/display_number"),
        ("the time zone", "/time_zone"),
        ("the throughput", "/throughput"),
        ("the reason", "/reason"),
        ("the key's name", "/name"),
        ("the user's name", "/name"),
        ("the role", "/role"),
        ("the scopes", "/scopes"),
        ("the expiry", "/expires_at"),
        ("the email", "/email"),
    ];
    FIELDS.iter().find(|(name, _)| *name == field).map(|f| f.1)
}

impl From<SetupError> for Problem {
    fn from(error: SetupError) -> Self {
        Self::of(error, &[])
    }
}

/// None of these is kept for an `Idempotency-Key`: all are 5xx, so that the same request can be sent again.
impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let (status, kind) = match &failed {
            Failed::Refused { .. } => (StatusCode::BAD_GATEWAY, "meta_refused"),
            Failed::Busy(..) => (StatusCode::SERVICE_UNAVAILABLE, "meta_busy"),
            Failed::Unreached(_) => (StatusCode::BAD_GATEWAY, "meta_failed"),
            Failed::Doubt(..) => (StatusCode::GATEWAY_TIMEOUT, "meta_unclear"),
        };
        let problem = Self::new(status, kind, failed.to_string());
        match failed {
            Failed::Busy(_, wait) => problem.with_header(RETRY_AFTER, wait.as_secs().max(1).into()),
            _ => problem,
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Self::failed(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0.body).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.0.headers);
        response
    }
}
