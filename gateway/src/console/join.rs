//! Opt-in pages, at `/join/TENANT/PAGE` on the public listener: what is agreed to, a button, and then a code to send from
//! one's own WhatsApp, as a link and as a QR code.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, REFERRER_POLICY, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Extensions, StatusCode};

use super::rate::Rate;
use crate::consent::file::escape;
use crate::consent::opt_in::CODE_PREFIX;
use crate::consent::pages::{self, Business, Page};
use crate::domain::TenantId;
use crate::storage::StorageError;
use crate::tenants::SetupContext;

/// What the pages work with.
#[derive(Debug)]
pub struct Joining {
    setup: SetupContext,
    /// The header in which a proxy says who asks; `None`: whoever is connected.
    address_header: Option<String>,
    rate: Rate,
}

impl Joining {
    pub fn new(setup: SetupContext, address_header: Option<String>) -> Self {
        Self {
            setup,
            address_header,
            rate: Rate::default(),
        }
    }
}

/// The pages as they are served.
pub fn routes(joining: Arc<Joining>) -> Router {
    Router::new()
        .route("/join/{tenant}/{page}", get(show).post(agree))
        .layer(DefaultBodyLimit::max(1_024))
        .with_state(joining)
}

async fn show(
    State(joining): State<Arc<Joining>>,
    Path((tenant, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let asked = joining
        .find(&tenant, &name, request.headers(), request.extensions())
        .await;
    match asked {
        Ok((_, page, business)) => framed(StatusCode::OK, &question(&page, &business, false)),
        Err(response) => *response,
    }
}

async fn agree(
    State(joining): State<Arc<Joining>>,
    Path((tenant, name)): Path<(String, String)>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (tenant, page, business) = match joining.find(&tenant, &name, &headers, &extensions).await {
        Ok(found) => found,
        Err(response) => return *response,
    };
    // What was agreed to is what was read: after a change it is shown again.
    if version(&body.unwrap_or_default()) != Some(page.row.seq) {
        return framed(StatusCode::CONFLICT, &question(&page, &business, true));
    }
    let address = joining.address(&headers, &extensions);
    let address = address.map_or_else(String::new, |address| address.to_string());
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    let agent: String = agent.unwrap_or("").chars().take(200).collect();
    let path = format!("/join/{tenant}/{name}");
    let who = (path.as_str(), address.as_str(), agent.as_str());
    match pages::agree(&joining.setup, tenant, &page, who).await {
        Ok(Some(code)) => match answer(&page, &business, &code) {
            Some(body) => framed(StatusCode::OK, &body),
            None => failed("a QR code could not be made"),
        },
        Ok(None) => busy(),
        Err(error) => failed_in_database(&error),
    }
}

/// Of the button's form: the version that was shown.
fn version(body: &[u8]) -> Option<i64> {
    let mut fields = form_urlencoded::parse(body);
    let (_, value) = fields.find(|(name, _)| name == "version")?;
    value.parse().ok()
}

type Found = (TenantId, Page, Business);

impl Joining {
    async fn find(
        &self,
        tenant: &str,
        name: &str,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Found, Box<Response>> {
        let address = self.address(headers, extensions);
        if !self.rate.lets(address, self.setup.clock.now()) {
            return Err(busy().into());
        }
        let tenant: TenantId = tenant.parse().map_err(|_| missing())?;
        let page = pages::shown(&self.setup.db, tenant, name).await;
        let page = page.map_err(|error| failed_in_database(&error))?;
        let (page, business) = page.ok_or_else(missing)?;
        Ok((tenant, page, business))
    }

    fn address(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let named = self.address_header.as_ref();
        let said = named
            .and_then(|name| headers.get_all(name).iter().next_back())
            .and_then(|value| value.to_str().ok())
            .and_then(|list| list.rsplit(',').next())
            .and_then(|last| last.trim().parse().ok());
        let connected = extensions.get::<ConnectInfo<SocketAddr>>();
        said.or(connected.map(|info| info.0.ip()))
    }
}

const STYLE: &str = "body{font:17px/1.5 system-ui,sans-serif;background:#f3f5f4;color:#1c2420;margin:0}\
main{max-width:34rem;margin:8vh auto;background:#fff;padding:2rem;border-radius:.75rem;box-shadow:0 1px 4px #0002}\
h1{font-size:1.4rem;margin:0 0 1rem}p{margin:.8rem 0}.text{white-space:pre-wrap;overflow-wrap:anywhere}\
button,.go{display:block;width:100%;box-sizing:border-box;border:0;border-radius:.5rem;padding:.9rem;font:inherit;\
font-weight:600;text-align:center;text-decoration:none;background:#12805c;color:#fff;cursor:pointer}\
.code{font:600 1.2rem ui-monospace,monospace;letter-spacing:.08em;text-align:center}\
.qr{width:14rem;margin:1rem auto}.qr svg{width:100%;height:auto;display:block}\
small{color:#5a6660}.note{background:#fff4d6;padding:.6rem .8rem;border-radius:.5rem}";

/// The page in which everything stands; what is in it is safe already.
fn page_of(language: &str, title: &str, body: &str) -> String {
    let (language, title) = (escape(language), escape(title));
    format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
}

fn language(page: &Page) -> &str {
    match page.wording.language.as_str() {
        "" => "en",
        language => language,
    }
}

fn question(page: &Page, business: &Business, changed: bool) -> String {
    let mut body = format!("<h1>{}</h1>", escape(&page.row.title));
    if changed {
        body += "<p class=\"note\">The text has changed since you opened this page. Please read it again.</p>";
    }
    let _ = write!(
        body,
        "<p class=\"text\">{}</p><form method=\"post\"><input type=\"hidden\" name=\"version\" value=\"{}\">\
         <button>I agree</button></form><p><small>Messages come from {} by WhatsApp, {}. You confirm with a message from \
         your own phone. You can end it at any time with STOP.</small></p>",
        escape(&page.wording.text),
        page.row.seq,
        escape(&business.name),
        escape(&business.number),
    );
    page_of(language(page), &page.row.title, &body)
}

/// The code to send, as a link for the phone and as a QR code for whoever sits at another screen.
fn answer(page: &Page, business: &Business, code: &str) -> Option<String> {
    let words = format!("{CODE_PREFIX}{}", code.to_uppercase());
    let digits: String = business
        .number
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let link = format!("https://wa.me/{digits}?text={}", words.replace(' ', "%20"));
    let qr = qrcode::QrCode::new(link.as_bytes()).ok()?;
    let svg = qr.render::<qrcode::render::svg::Color<'_>>().build();
    // The XML declaration has no place within a page.
    let svg = svg.find("<svg").map_or("", |at| &svg[at..]);
    let body = format!(
        "<h1>{}</h1><p>One step is left: send this message from your own WhatsApp.</p><p class=\"code\">{}</p>\
         <p><a class=\"go\" href=\"{}\" rel=\"noreferrer\">Open WhatsApp</a></p><div class=\"qr\">{svg}</div>\
         <p><small>Or scan the code with your phone. It works for one day and once. Until you send it nothing is agreed to.\
         </small></p>",
        escape(&page.row.title),
        escape(&words),
        escape(&link),
    );
    Some(page_of(language(page), &page.row.title, &body))
}

fn framed(status: StatusCode, page: &str) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
                  frame-ancestors 'none'";
    let headers = [
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(page.to_owned())).into_response()
}

fn said(status: StatusCode, words: &str) -> Response {
    let body = format!("<h1>{}</h1>", escape(words));
    framed(status, &page_of("en", words, &body))
}

fn missing() -> Response {
    said(StatusCode::NOT_FOUND, "There is no such page.")
}

fn busy() -> Response {
    let words = "Too many people ask at the moment. Please try again in a minute.";
    said(StatusCode::TOO_MANY_REQUESTS, words)
}

fn failed(why: &str) -> Response {
    tracing::error!(why, "an opt-in page could not be shown");
    let words = "Something went wrong here. Please try again in a moment.";
    said(StatusCode::INTERNAL_SERVER_ERROR, words)
}

fn failed_in_database(error: &StorageError) -> Response {
    failed(&error.to_string())
}
