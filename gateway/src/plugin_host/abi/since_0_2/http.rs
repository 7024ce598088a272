//! `http`: requests of the grant. Their rules are in [`crate::plugin_host::http`].

use std::time::Duration;

use futures::FutureExt;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::http::{
    self, AnswerHeader, Body, Header, HttpError, Member, Request, Response,
};
use crate::plugin_host::abi::charge::{Carried, Element, waiting_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::http::{Asking, AskingBody, HttpRefused, HttpResponse, Method, Part};

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    waiting_function(to, "send", |state, (request,): (Request,)| {
        async move {
            let answer = state.http.send(request.into()).await;
            Ok((answer.map(Response::from).map_err(HttpError::from),))
        }
        .boxed()
    })
}

impl From<Request> for Asking {
    fn from(request: Request) -> Self {
        let header = |header: Header| (header.name, parts(header.value));
        let member = |member: Member| (member.at, parts(member.value));
        Self {
            method: request.method.into(),
            url: request.url,
            headers: request.headers.into_iter().map(header).collect(),
            body: request.body.map(|body| match body {
                Body::Bytes(bytes) => AskingBody::Bytes(bytes),
                Body::Json(document) => {
                    let members = document.members.into_iter().map(member);
                    AskingBody::Json(document.json, members.collect())
                }
            }),
            timeout: request.timeout.map(|ms| Duration::from_millis(ms.into())),
        }
    }
}

fn parts(parts: Vec<http::Part>) -> Vec<Part> {
    let part = |part| match part {
        http::Part::Text(text) => Part::Text(text),
        http::Part::Secret(name) => Part::Secret(name),
        http::Part::Phone => Part::Phone,
        http::Part::Bsuid => Part::Bsuid,
    };
    parts.into_iter().map(part).collect()
}

impl From<http::Method> for Method {
    fn from(method: http::Method) -> Self {
        match method {
            http::Method::Get => Self::Get,
            http::Method::Head => Self::Head,
            http::Method::Post => Self::Post,
            http::Method::Put => Self::Put,
            http::Method::Patch => Self::Patch,
            http::Method::Delete => Self::Delete,
        }
    }
}

impl From<HttpResponse> for Response {
    fn from(response: HttpResponse) -> Self {
        let header = |(name, value)| AnswerHeader { name, value };
        Self {
            status: response.status,
            headers: response.headers.into_iter().map(header).collect(),
            body: response.body,
        }
    }
}

impl From<HttpRefused> for HttpError {
    fn from(refused: HttpRefused) -> Self {
        match refused {
            HttpRefused::Denied(why) => Self::Denied(why),
            HttpRefused::Invalid(what) => Self::Invalid(what),
            HttpRefused::Quota(what) => Self::Quota(what),
            HttpRefused::Absent(what) => Self::Absent(what),
            HttpRefused::Timeout => Self::Timeout,
            HttpRefused::TooLarge => Self::TooLarge,
            HttpRefused::Unreachable(why) => Self::Unreachable(why),
            HttpRefused::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl Element for http::Part {}

impl Carried for http::Part {
    fn carried(&self) -> usize {
        match self {
            Self::Text(text) | Self::Secret(text) => text.len(),
            Self::Phone | Self::Bsuid => 0,
        }
    }
}

impl Element for Header {}

impl Carried for Header {
    fn carried(&self) -> usize {
        self.name.len() + self.value.carried()
    }
}

impl Element for Member {}

impl Carried for Member {
    fn carried(&self) -> usize {
        self.at.len() + self.value.carried()
    }
}

impl Carried for Request {
    fn carried(&self) -> usize {
        let body = match &self.body {
            Some(Body::Bytes(bytes)) => bytes.len(),
            Some(Body::Json(document)) => document.json.len() + document.members.carried(),
            None => 0,
        };
        self.url.len() + self.headers.carried() + body
    }
}

impl Element for AnswerHeader {}

impl Carried for AnswerHeader {
    fn carried(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

impl Carried for Response {
    fn carried(&self) -> usize {
        self.headers.carried() + self.body.len()
    }
}
