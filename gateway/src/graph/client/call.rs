//! One call of Graph's management API that is answered with JSON. Unlike a send, nothing personal hangs on it.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{RequestBuilder, Response};
use secrecy::SecretString;

use super::answer::{Refused, refused};
use super::{Unread, bearer, retry_after, whole};
use crate::graph::errors::{Action, classify};

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Branch on its code (facts §7).
    #[error("Graph refused it: {}", .0.error.said())]
    Refused(Box<Refused>),
    #[error("Graph answered HTTP {http_status}, which cannot be understood")]
    Unreadable {
        http_status: u16,
        retry_after: Option<Duration>,
    },
    /// Provably never left this machine.
    #[error("Graph was not reached: {0}")]
    NotSent(&'static str),
    /// What it asked for may have happened.
    #[error("Graph gave no whole answer: {0}")]
    NoAnswer(&'static str),
    #[error("{0} cannot stand in a request")]
    Argument(&'static str),
}

impl CallError {
    /// How long Graph wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refused) => refused.retry_after,
            Self::Unreadable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// May what was asked for have happened all the same?
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Unreadable { http_status, .. } => *http_status < 400 || *http_status >= 500,
            Self::Refused(refused) => {
                refused.http_status >= 500 || !refused.verdict().action.proves_not_sent()
            }
            Self::NotSent(_) | Self::Argument(_) => false,
        }
    }

    /// Where it was not done and time mends it: how long Graph is to be left alone before it is asked again.
    fn wait(&self) -> Option<Duration> {
        let action = match self {
            Self::Refused(refused) => refused.verdict().action,
            Self::Unreadable { http_status, .. } => {
                classify(None, Some(*http_status), false).action
            }
            _ => return None,
        };
        let own = match action {
            // Whoever asks again is one person, whom chance need not keep apart from others.
            Action::Slow(_) | Action::Retry { .. } => action.wait(1, 0.5)?,
            _ => return None,
        };
        Some(self.retry_after().unwrap_or(own))
    }

    /// For who waits for it and will not be asked again by us. `in_doubt`: how it comes to be known whether it was done.
    pub fn told(&self, in_doubt: &'static str) -> Failed {
        if self.is_in_doubt() {
            return Failed::Doubt(self.to_string(), in_doubt);
        }
        let wait = self.wait();
        let Self::Refused(refused) = self else {
            return match wait {
                Some(wait) => Failed::Busy(self.to_string(), wait),
                None => Failed::Unreached(self.to_string()),
            };
        };
        let verdict = refused.verdict();
        let code = refused.error.telling_code().unwrap_or(0);
        let message = refused.error.said();
        match wait {
            Some(wait) => {
                let why = format!("{} (code {code}: {message})", verdict.meaning);
                Failed::Busy(why, wait)
            }
            None => Failed::Refused {
                code,
                message: message.to_owned(),
                meaning: format!("{}. {}", verdict.meaning, verdict.remedy),
            },
        }
    }
}

/// What came of a call, in words for whoever waits for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    #[error("Meta refused it with code {code}: {message}. {meaning}")]
    Refused {
        code: i64,
        message: String,
        /// What the code means and what helps.
        meaning: String,
    },
    /// It was not done, and may be asked for again then.
    #[error("{0}. Nothing was done: ask again in {secs} seconds", secs = .1.as_secs())]
    Busy(String, Duration),
    /// It was not done.
    #[error("Meta was not reached: {0}")]
    Unreached(String),
    /// It may have been done.
    #[error("Meta gave no clear answer ({0}): {1}")]
    Doubt(String, &'static str),
}

/// `most`: bytes of the answer.
pub(super) async fn ask(
    request: RequestBuilder,
    token: &SecretString,
    timeout: Duration,
    most: usize,
) -> Result<String, CallError> {
    whole_answer(ask_plainly(request, token, timeout, most).await?)
}

/// An answer as it came, error or not.
pub(super) struct Plain {
    pub http_status: u16,
    pub retry_after: Option<Duration>,
    pub text: String,
}

/// What there is of an answer, if it is no error.
pub(super) fn whole_answer(answer: Plain) -> Result<String, CallError> {
    let Plain {
        http_status,
        retry_after,
        text,
    } = answer;
    if let Some(refused) = refused(http_status, retry_after, &text) {
        return Err(CallError::Refused(Box::new(refused)));
    }
    match http_status {
        200..=299 => Ok(text),
        _ => Err(CallError::Unreadable {
            http_status,
            retry_after,
        }),
    }
}

/// For calls whose errors carry more than an error.
pub(super) async fn ask_plainly(
    request: RequestBuilder,
    token: &SecretString,
    timeout: Duration,
    most: usize,
) -> Result<Plain, CallError> {
    let bearer = bearer(token).ok_or(CallError::Argument("the access token"))?;
    let request = request.header(AUTHORIZATION, bearer).timeout(timeout);
    let response = request.send().await.map_err(|error| unsent(&error))?;
    let http_status = response.status().as_u16();
    let retry_after = retry_after(&response).max(regain(&response));
    let unreadable = || CallError::Unreadable {
        http_status,
        retry_after,
    };
    let body = whole(response, most).await.map_err(|unread| match unread {
        Unread::Endless => unreadable(),
        Unread::Broken => CallError::NoAnswer("the connection broke"),
    })?;
    let text = String::from_utf8(body).map_err(|_| unreadable())?;
    Ok(Plain {
        http_status,
        retry_after,
        text,
    })
}

pub(super) fn unsent(error: &reqwest::Error) -> CallError {
    if error.is_timeout() {
        CallError::NoAnswer("it took too long")
    } else if error.is_dns() {
        CallError::NotSent("its name did not resolve")
    } else if error.is_connect() {
        CallError::NotSent("no connection")
    } else {
        CallError::NoAnswer("the connection broke")
    }
}

/// When the account may call again, by the usage header (facts §6.7): minutes, of whichever business waits longest.
fn regain(response: &Response) -> Option<Duration> {
    let header = response.headers().get("x-business-use-case-usage")?;
    minutes(header.to_str().ok()?)
}

fn minutes(header: &str) -> Option<Duration> {
    let usage: serde_json::Value = serde_json::from_str(header).ok()?;
    let entries = usage.as_object()?.values().filter_map(|one| one.as_array());
    let minutes = entries
        .flatten()
        .filter_map(|entry| entry["estimated_time_to_regain_access"].as_u64());
    let longest = minutes.max().filter(|minutes| *minutes > 0)?;
    Some(Duration::from_secs(longest.saturating_mul(60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::client::answer::GraphError;

    fn refusal(code: i64, subcode: Option<i64>, http_status: u16) -> CallError {
        let error = GraphError {
            code: Some(code),
            subcode,
            message: "Meta's words".to_owned(),
            ..GraphError::default()
        };
        CallError::Refused(Box::new(Refused {
            error,
            http_status,
            retry_after: (http_status == 429).then_some(Duration::from_secs(7)),
        }))
    }

    #[test]
    fn who_waits_is_told_what_mends_it_or_when_to_ask_again() {
        let told = |code, subcode, status| refusal(code, subcode, status).told("look").to_string();
        // By the subcode where it says more; 33 is of another list than the code 33.
        assert!(told(100, Some(2_388_072), 400).ends_with("Correct the body."));
        assert!(told(100, Some(33), 400).starts_with("Meta refused it with code 100: "));
        let busy = "The WhatsApp account makes too many calls (code 80007: Meta's words). Nothing was done: ask again in ";
        assert_eq!(told(80_007, None, 400), format!("{busy}120 seconds"));
        assert_eq!(
            told(80_007, None, 429),
            format!("{busy}7 seconds"),
            "Meta knows better"
        );
        let doubt = "Meta gave no clear answer (Graph refused it: Meta's words): look";
        assert_eq!(told(1, None, 400), doubt);
        assert_eq!(told(424_242, None, 503), doubt);
        let silent = |http_status| CallError::Unreadable {
            http_status,
            retry_after: None,
        };
        assert!(matches!(silent(429).told("look"), Failed::Busy(..)));
        assert!(matches!(silent(403).told("look"), Failed::Unreached(_)));
        assert!(matches!(silent(502).told("look"), Failed::Doubt(..)));
    }

    #[test]
    fn the_longest_wait_of_the_usage_header_counts() {
        let header = r#"{"99":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":3}],
            "98":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":7}]}"#;
        assert_eq!(minutes(header), Some(Duration::from_secs(420)));
        let idle =
            r#"{"99":[{"type":"whatsapp","call_count":1,"estimated_time_to_regain_access":0}]}"#;
        assert_eq!(minutes(idle), None);
        assert_eq!(minutes("no JSON"), None);
    }
}
