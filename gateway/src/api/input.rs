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

/// A body that reads, with what its schema finds wrong in it: for routes whose service can tell what else is wrong, so that
/// all of it is told at once.
#[derive(Debug)]
pub struct Checked<T> {
    pub body: T,
    pub wrong: Vec<FieldProblem>,
}

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let checked = Checked::<T>::from_request(request, state).await?;
        match checked.wrong.is_empty() {
            true => Ok(Self(checked.body)),
            false => Err(Problem::invalid(checked.wrong)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for Checked<T> {
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
        read(&bytes.map_err(|error| unread(&error))?)
    }
}

fn read<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<Checked<T>, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        // Not serde's own words: they repeat what it met.
        let place = format!("line {}, column {}", error.line(), error.column());
        let detail = format!("the body is no JSON (at {place})");
        Problem::new(StatusCode::BAD_REQUEST, "not_json", detail)
    })?;
    let schema = serde_json::to_value(T::schema()).map_err(|error| Problem::failed(&error))?;
    let wrong = check(&schema, &value);
    match serde_json::from_value(value) {
        Ok(body) => Ok(Checked { body, wrong }),
        Err(error) if wrong.is_empty() => Err(Problem::invalid(vec![FieldProblem::at(
            "",
            error.to_string(),
        )])),
        Err(_) => Err(Problem::invalid(wrong)),
    }
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
