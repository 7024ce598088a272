//! The grant `http` within one turn: what a plugin asks is checked against its grants and limits here, numbered, answered
//! from what is known already, and only then given to whoever sends it. This file knows no network.
//!
//! Secrets and personal data are names here ([`Part`]): their values never come into the process of a guest's call.

mod check;
mod journal;
mod places;
mod rule;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio_util::task::AbortOnDropHandle;

use crate::domain::{InstallationId, TenantId};

use super::limits::HTTP_WAIT;
use super::request::Grants;

pub use journal::HttpRecord;
pub(super) use places::Places;
pub use rule::{HostPattern, HttpRule};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const ALL: [Self; 6] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// A piece of a text; what is no text is written in by whoever sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Text(String),
    Secret(String),
    Phone,
    Bsuid,
}

#[derive(Debug, Clone, Serialize)]
pub enum HttpBody {
    Bytes(Vec<u8>),
    /// A JSON document in its normal form, and texts to be put at these pointers.
    Json(Box<RawValue>, Vec<(String, Vec<Part>)>),
}

/// A request as a plugin means it, in its normal form.
#[derive(Debug, Clone, Serialize)]
pub struct HttpRequest {
    pub method: Method,
    /// Without fragment.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<Part>)>,
    pub body: Option<HttpBody>,
    /// At most; whoever sends has a limit of its own. No part of what is asked.
    #[serde(skip)]
    pub timeout: Option<Duration>,
}

impl HttpRequest {
    /// Everything in it that is written in.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let members = match &self.body {
            Some(HttpBody::Json(_, members)) => members.as_slice(),
            _ => &[],
        };
        let texts = self.headers.iter().chain(members);
        texts.flat_map(|(_, parts)| parts)
    }
}

/// What the guest is given. Text of a secret or of personal data is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpRefused {
    Denied(String),
    Invalid(String),
    Quota(String),
    Absent(String),
    Timeout,
    TooLarge,
    Unreachable(String),
    Unavailable(String),
}

pub type HttpAnswer = Result<HttpResponse, HttpRefused>;

/// One request in its place.
#[derive(Debug, Clone)]
pub struct HttpAsked {
    pub tenant: TenantId,
    pub installation: InstallationId,
    /// Among the installation's requests of the turn, from 0 on.
    pub ordinal: u32,
    /// Equal for equal requests of an installation.
    pub mark: String,
    pub request: Arc<HttpRequest>,
}

/// Who sends: the gateway's way out in service, a journal in a replay, a script in tests.
pub trait HttpSender: Send + Sync {
    /// What this request was answered in this place before, if it is known.
    fn recall(&self, asked: &HttpAsked) -> Option<HttpAnswer>;

    /// Sends it. Never called in shadow.
    fn send<'a>(&'a self, asked: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer>;
}

/// Where nothing can be sent.
#[derive(Debug, Clone, Copy)]
pub struct NoHttp;

impl HttpSender for NoHttp {
    fn recall(&self, _: &HttpAsked) -> Option<HttpAnswer> {
        None
    }

    fn send<'a>(&'a self, _: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer> {
        let why = "this host sends no requests".to_owned();
        Box::pin(std::future::ready(Err(HttpRefused::Unavailable(why))))
    }
}

/// What a version in shadow is told.
const IN_SHADOW: &str = "a version in shadow sends nothing";

/// One installation's requests during a turn.
pub(super) struct HttpSession {
    sender: Arc<dyn HttpSender>,
    io: Arc<tokio::runtime::Handle>,
    tenant: TenantId,
    installation: InstallationId,
    grants: Grants,
    shadow: bool,
    most: u32,
    records: Vec<HttpRecord>,
    waited: Duration,
}

impl HttpSession {
    pub(super) fn new(
        (sender, io): (Arc<dyn HttpSender>, Arc<tokio::runtime::Handle>),
        (tenant, installation): (TenantId, InstallationId),
        grants: Grants,
        shadow: bool,
        most: u32,
    ) -> Self {
        Self {
            sender,
            io,
            tenant,
            installation,
            grants,
            shadow,
            most,
            records: Vec::new(),
            waited: Duration::ZERO,
        }
    }

    pub(super) async fn send(&mut self, asked: Asking) -> HttpAnswer {
        if self.grants.http.is_empty() {
            return Err(HttpRefused::Denied("the grant `http` is missing".into()));
        }
        let (request, url) = check::request(asked).map_err(HttpRefused::Invalid)?;
        check::allowed(&self.grants, &request, &url).map_err(HttpRefused::Denied)?;
        let ordinal = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        if ordinal >= self.most {
            let most = self.most;
            return Err(HttpRefused::Quota(format!(
                "at most {most} requests a turn"
            )));
        }
        let asked = HttpAsked {
            tenant: self.tenant,
            installation: self.installation,
            ordinal,
            mark: mark(self.installation, &request),
            request: Arc::new(request),
        };
        let answer = match self.sender.recall(&asked) {
            Some(known) => known,
            None if self.shadow => Err(HttpRefused::Unavailable(IN_SHADOW.to_owned())),
            None => self.ask(asked.clone()).await,
        };
        self.records.push(HttpRecord::of(&asked, answer.clone()));
        answer
    }

    /// The request runs on the host's own runtime, and ends with the turn.
    #[allow(
        clippy::disallowed_methods,
        reason = "how long a call waited is telemetry, no decision depends on it"
    )]
    async fn ask(&mut self, asked: HttpAsked) -> HttpAnswer {
        let (sender, began) = (self.sender.clone(), Instant::now());
        let task = self.io.spawn(async move { sender.send(&asked).await });
        let task = AbortOnDropHandle::new(task);
        let answer = match tokio::time::timeout(HTTP_WAIT, task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(HttpRefused::Unavailable("the gateway failed".to_owned())),
            Err(_) => Err(HttpRefused::Timeout),
        };
        self.waited += began.elapsed();
        answer
    }

    /// What the turn waited for the outside in all: no doing of the plugin's.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    pub(super) fn finish(self) -> Vec<HttpRecord> {
        self.records
    }
}

/// A request as the guest wrote it, unchecked.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(String, Vec<Part>)>,
    pub(super) body: Option<AskingBody>,
    pub(super) timeout: Option<Duration>,
}

#[derive(Debug)]
pub(super) enum AskingBody {
    Bytes(Vec<u8>),
    Json(String, Vec<(String, Vec<Part>)>),
}

fn mark(installation: InstallationId, request: &HttpRequest) -> String {
    let mut hash = Sha256::new();
    hash.update(b"vestibule:plugin/http");
    hash.update(installation.raw().to_le_bytes());
    hash.update(serde_json::to_vec(request).expect("a request is JSON"));
    hex::encode(&hash.finalize()[..8])
}
