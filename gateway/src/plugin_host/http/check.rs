//! Is it a request that could be sent, and may this plugin send it? Decided before anything leaves, and equally in a replay.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::to_raw_value;
use url::Url;

use super::write::put;
use super::{Asking, AskingBody, HttpBody, HttpRequest, Method, Part};
use crate::plugin_host::limits::{
    HTTP_BODY_BYTES, HTTP_HEADER_BYTES, HTTP_HEADER_PARTS, HTTP_HEADERS, HTTP_MEMBER_PARTS,
    HTTP_MEMBERS, HTTP_URL_CHARS,
};
use crate::plugin_host::request::Grants;
use crate::plugin_host::words::shown;

type Checked<T> = Result<T, String>;

/// In its normal form, or what is wrong with it.
pub(super) fn request(asked: Asking) -> Checked<(HttpRequest, Url)> {
    let url = address(&asked.url)?;
    let headers = headers(asked.headers)?;
    let body = asked.body.map(body).transpose()?;
    if body.is_some() && matches!(asked.method, Method::Get | Method::Head) {
        return Err("body: not with get and head".to_owned());
    }
    let request = HttpRequest {
        method: asked.method,
        url: url.as_str().to_owned(),
        headers,
        body,
        timeout: asked.timeout,
    };
    Ok((request, url))
}

/// Do the grants allow it, with all that is to be written in?
pub(super) fn allowed(grants: &Grants, request: &HttpRequest, url: &Url) -> Checked<()> {
    let mut rules = grants.http.iter();
    if !rules.any(|rule| rule.allows(request.method, url)) {
        let (method, host) = (request.method.name(), url.host_str().unwrap_or(""));
        return Err(format!(
            "the tenant has not allowed {method} to this address of {host}"
        ));
    }
    for part in request.parts() {
        let missing = match part {
            Part::Secret(name) if !grants.secrets.contains(name) => {
                format!("secret {}", shown(name, 64))
            }
            Part::Phone if !grants.phone => "personal-data phone".to_owned(),
            Part::Bsuid if !grants.bsuid => "personal-data bsuid".to_owned(),
            _ => continue,
        };
        return Err(format!("the grant `{missing}` is missing"));
    }
    Ok(())
}

fn address(text: &str) -> Checked<Url> {
    if text.chars().count() > HTTP_URL_CHARS {
        return Err(format!("url: at most {HTTP_URL_CHARS} characters"));
    }
    // The parser would drop tabs and line ends, and read a backslash as a slash.
    let strange = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.contains(strange) {
        return Err("url: with spaces, control characters or backslashes".to_owned());
    }
    let mut url = Url::parse(text).map_err(|_| "url: is none".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("url: neither https nor http".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url: with a user name or password".to_owned());
    }
    // The same machine under another name: rules, certificates and secrets' hosts know it without.
    if url
        .host_str()
        .is_none_or(|host| host.is_empty() || host.ends_with('.'))
    {
        return Err("url: without a host name, or with a dot behind it".to_owned());
    }
    url.set_fragment(None);
    // What is no ASCII is three times as long in its normal form.
    if url.as_str().len() > HTTP_URL_CHARS {
        return Err(format!(
            "url: at most {HTTP_URL_CHARS} characters, encoded as it is sent"
        ));
    }
    Ok(url)
}

/// What says how a message is framed, routed or known is the gateway's to say. Encoded and partial answers would hide
/// what they repeat.
const REFUSED: [&str; 21] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "idempotency-key",
    "if-range",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-host",
];

fn headers(asked: Vec<(String, Vec<Part>)>) -> Checked<Vec<(String, Vec<Part>)>> {
    if asked.len() > HTTP_HEADERS {
        return Err(format!("headers: at most {HTTP_HEADERS}"));
    }
    let (mut seen, mut bytes, mut checked) = (BTreeSet::new(), 0, Vec::new());
    for (name, value) in asked {
        let name = name.to_ascii_lowercase();
        let label = shown(&name, 64);
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(format!("headers: `{label}` is no name"));
        }
        if REFUSED.contains(&name.as_str()) {
            return Err(format!("headers: `{label}` is the gateway's"));
        }
        if value.len() > HTTP_HEADER_PARTS {
            return Err(format!(
                "headers: the value of `{label}` has more than {HTTP_HEADER_PARTS} parts"
            ));
        }
        let texts = value.iter().filter_map(text);
        if !texts.clone().all(is_header_text) {
            return Err(format!(
                "headers: the value of `{label}` is not plain ASCII"
            ));
        }
        bytes += name.len() + texts.map(str::len).sum::<usize>() + value.len();
        if bytes > HTTP_HEADER_BYTES {
            return Err(format!("headers: at most {HTTP_HEADER_BYTES} bytes"));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("headers: `{label}` twice"));
        }
        checked.push((name, value));
    }
    Ok(checked)
}

fn text(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        _ => None,
    }
}

fn is_header_text(text: &str) -> bool {
    text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

fn body(asked: AskingBody) -> Checked<HttpBody> {
    let (bytes, pieces) = match &asked {
        AskingBody::Bytes(bytes) => (bytes.len(), 0),
        AskingBody::Json(json, members) => {
            let of = |(at, parts): &(String, Vec<Part>)| {
                at.len() + parts.len() + parts.iter().filter_map(text).map(str::len).sum::<usize>()
            };
            (
                json.len() + members.iter().map(of).sum::<usize>(),
                members.len(),
            )
        }
    };
    if bytes > HTTP_BODY_BYTES {
        return Err(format!("body: at most {HTTP_BODY_BYTES} bytes"));
    }
    if pieces > HTTP_MEMBERS {
        return Err(format!("body: at most {HTTP_MEMBERS} members"));
    }
    match asked {
        AskingBody::Bytes(bytes) => Ok(HttpBody::Bytes(bytes)),
        AskingBody::Json(json, members) => document(&json, members),
    }
}

/// In its normal form as text: as a tree, a document of empty objects takes a hundred times its bytes.
fn document(json: &str, members: Vec<(String, Vec<Part>)>) -> Checked<HttpBody> {
    let not_json = |_| "body: not JSON".to_owned();
    let mut tried: Value = serde_json::from_str(json).map_err(not_json)?;
    let json = to_raw_value(&tried).map_err(not_json)?;
    // Numbers may be longer than they were.
    if json.get().len() > HTTP_BODY_BYTES {
        return Err(format!("body: at most {HTTP_BODY_BYTES} bytes"));
    }
    for (at, parts) in &members {
        let label = shown(at, 64);
        if parts.len() > HTTP_MEMBER_PARTS {
            return Err(format!(
                "body: the value of `{label}` has more than {HTTP_MEMBER_PARTS} parts"
            ));
        }
        let wrong = || format!("body: `{label}` names no member of an object in it");
        put(&mut tried, at, String::new()).ok_or_else(wrong)?;
    }
    Ok(HttpBody::Json(json, members))
}
