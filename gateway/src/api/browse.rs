//! The document for programs, and a page to read it by. Both are public: they tell of the program, not of its data.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::{Api, ROOT, document};

/// Whole in itself: nothing of it comes from elsewhere.
const PAGE: &str = include_str!("browse.html");
const POLICY: &str = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(&format!("{ROOT}/openapi.json"), get(openapi))
        .route(&format!("{ROOT}/docs"), get(page))
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], document::pretty()).into_response()
}

async fn page() -> Response {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}
