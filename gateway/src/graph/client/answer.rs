//! What Graph's answer to a send means (facts §4.1), as far as HTTP and JSON tell. What to do about it is `errors`'.

use std::time::Duration;

use crate::graph::errors::{Verdict, classify, is_listed};
use crate::graph::json::Object;

/// One send's end, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendAnswer {
    pub outcome: SendOutcome,
    pub elapsed: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// HTTP 200. Accepted, not delivered: receipts tell the rest.
    Accepted(Accepted),
    /// Graph said no. Some refusals leave a doubt (facts §7 "RETRY?"): ask `errors::classify`.
    Refused(Refused),
    /// Provably never left this machine: may be sent again at once.
    NotSent { reason: String },
    /// May have arrived. Never send again before a receipt or the grace period has settled it.
    InDoubt { reason: String },
}

#[derive(Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Absent for mark-as-read only.
    pub wamid: Option<String>,
    /// Templates only: `accepted`, `held_for_quality_assessment`, `paused`.
    pub message_status: Option<String>,
    /// Whom Meta took the recipient for; may differ from the phone we sent to (facts §4.1).
    pub wa_id: Option<String>,
    /// The recipient's BSUID, when sent to one.
    pub user_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub error: GraphError,
    pub http_status: u16,
    pub retry_after: Option<Duration>,
}

impl Refused {
    /// By its code, or by the subcode that says more.
    pub fn verdict(&self) -> Verdict {
        let error = &self.error;
        classify(
            error.telling_code(),
            Some(self.http_status),
            error.is_transient,
        )
    }
}

/// Graph's error object. Branch on `code` only (facts §7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphError {
    /// `None` when the answer carried no Graph error.
    pub code: Option<i64>,
    pub subcode: Option<i64>,
    pub message: String,
    pub details: Option<String>,
    /// What Meta's support asks for.
    pub fbtrace_id: Option<String>,
    pub is_transient: bool,
}

/// Below it subcodes are those of the platform (33, 460 …): numbers of another list, which mean other things as codes.
const OWN_SUBCODES: i64 = 2_000_000;

impl GraphError {
    /// Of what is wrong with a template, the code says no more than "a parameter" (100) where the answer has a subcode:
    /// that is then one of facts §7.4.
    pub fn telling_code(&self) -> Option<i64> {
        let listed = |code: &i64| *code >= OWN_SUBCODES && is_listed(*code);
        self.subcode.filter(listed).or(self.code)
    }

    /// What Meta says of it.
    pub fn said(&self) -> &str {
        self.details.as_ref().unwrap_or(&self.message)
    }
}

impl SendOutcome {
    pub(super) fn not_sent(reason: impl Into<String>) -> Self {
        Self::NotSent {
            reason: reason.into(),
        }
    }

    pub(super) fn in_doubt(reason: impl Into<String>) -> Self {
        Self::InDoubt {
            reason: reason.into(),
        }
    }
}

/// Wamids and recipients are personal data: they do not print.
impl std::fmt::Debug for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepted")
            .field("has_wamid", &self.wamid.is_some())
            .field("message_status", &self.message_status)
            .finish_non_exhaustive()
    }
}

/// Reads a whole answer. A Graph error is believed under any HTTP status; without one, only a plain 4xx is a refusal.
pub(super) fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendOutcome {
    let text = str::from_utf8(body).unwrap_or_default();
    if let Some(refused) = refused(status, retry_after, text) {
        return SendOutcome::Refused(refused);
    }
    match (status, Object::parse(text).as_ref().and_then(accepted)) {
        (200..=299, Some(accepted)) => SendOutcome::Accepted(accepted),
        (200..=299, None) => {
            SendOutcome::in_doubt(format!("HTTP {status} without a readable body"))
        }
        // 408 is a proxy's timeout: what it had passed on by then is unknown.
        (400..=499, _) if status != 408 => SendOutcome::Refused(Refused {
            error: GraphError {
                message: format!("HTTP {status} without a Graph error"),
                ..GraphError::default()
            },
            http_status: status,
            retry_after,
        }),
        _ => SendOutcome::in_doubt(format!("HTTP {status} without a Graph error")),
    }
}

/// The Graph error in an answer, if it has one.
pub(super) fn refused(
    http_status: u16,
    retry_after: Option<Duration>,
    body: &str,
) -> Option<Refused> {
    let error = Object::parse(body)?.object("error")?;
    Some(Refused {
        error: graph_error(&error),
        http_status,
        retry_after,
    })
}

/// `None` when it is neither a send's answer nor mark-as-read's `{"success":true}` (facts §4.5).
fn accepted(answer: &Object<'_>) -> Option<Accepted> {
    let Some(message) = answer.first("messages") else {
        return answer.flag("success").then(Accepted::default);
    };
    let contact = answer.first("contacts").unwrap_or_default();
    Some(Accepted {
        wamid: Some(message.string("id")?),
        message_status: message.string("message_status"),
        wa_id: contact.string("wa_id"),
        user_id: contact.string("user_id"),
    })
}

fn graph_error(error: &Object<'_>) -> GraphError {
    let data = error.object("error_data").unwrap_or_default();
    GraphError {
        code: error.integer("code"),
        subcode: error.integer("error_subcode"),
        message: error.string("message").unwrap_or_default(),
        details: data
            .string("details")
            .or_else(|| error.string("error_user_msg")),
        fbtrace_id: error.string("fbtrace_id"),
        is_transient: error.flag("is_transient"),
    }
}
