//! The body of a request: JSON, within its limit, checked against its schema before it becomes a value.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::check::check;
use super::problem::{FieldProblem, Problem};

/// A checked body.
#[derive(Debug)]
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        if content_type.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "the body must be application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await;
        read(&bytes.map_err(|error| unread(&error))?).map(Self)
    }
}

fn read<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        // Not serde's own words: they repeat what it met.
        let place = format!("line {}, column {}", error.line(), error.column());
        let detail = format!("the body is no JSON (at {place})");
        Problem::new(StatusCode::BAD_REQUEST, "not_json", detail)
    })?;
    let schema = serde_json::to_value(T::schema()).map_err(|error| Problem::failed(&error))?;
    let problems = check(&schema, &value);
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    serde_json::from_value(value)
        .map_err(|error| Problem::invalid(vec![FieldProblem::at("", error.to_string())]))
}

pub(super) fn unread(error: &BytesRejection) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the body is larger than this resource takes",
        ),
        _ => Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable",
            "the body did not arrive whole",
        ),
    }
}
