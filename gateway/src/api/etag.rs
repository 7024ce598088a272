//! ETags: whoever edits says which state they have read, and is refused when it is no longer the state.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ETAG, HeaderValue, IF_MATCH};
use http::request::Parts;
use serde::Serialize;

use super::problem::Problem;
use crate::tenants::Expected;

/// An object with its revision.
#[derive(Debug)]
pub struct Tagged<T> {
    pub revision: String,
    pub body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.revision)) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// The `If-Match` header, without which nothing that people edit is changed.
#[derive(Debug)]
pub struct IfMatch(pub Expected);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let values = parts.headers.get_all(IF_MATCH);
        let texts: Vec<&str> = values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        if texts.is_empty() {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "if_match_missing",
                "say in If-Match which state you have read (its ETag), or * for any",
            ));
        }
        let mut tags = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        if tags.clone().any(|tag| tag == "*") {
            return Ok(Self(Expected::Anything));
        }
        let unquoted = |tag: &str| {
            let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
            Some(tag.to_owned())
        };
        let wrong = || Problem::bad_parameter("If-Match", "must be an ETag as it was given, or *");
        let revisions: Option<Vec<String>> = tags.by_ref().map(unquoted).collect();
        Ok(Self(Expected::OneOf(revisions.ok_or_else(wrong)?)))
    }
}
