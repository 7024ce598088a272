//! What plugins ask of other servers: secrets and personal data written in, sent through `egress`, and masked where the
//! answer repeats them. Whether a plugin may ask at all, `plugin_host` has decided.
//!
//! At least once. The answer of a request that may have arrived is remembered until its turn has committed, so that a run
//! after a lost race is told the same; after a crash the same request goes out again under the same `Idempotency-Key`.

mod fill;
mod mask;
mod recall;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::domain::{ContactId, ConversationId, EventId, TenantId};
use crate::egress::{Egress, EgressError, Fetch, Fetched, NoRoom, Room, UrlError};
use crate::plugin_host::{
    HTTP_ANSWER_BYTES, HttpAnswer, HttpAsked, HttpBody, HttpRefused, HttpRequest, HttpResponse,
    HttpSender,
};
use crate::secrets::Keyring;
use crate::storage::Db;
use crate::telemetry::names;

use fill::{Filled, Filler};
use mask::Mask;
use recall::Recall;

/// How much is asked at once, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct OutcallsConfig {
    /// Of one request, the name's look-up and the whole answer included.
    pub timeout: Duration,
    /// Requests at once on this node.
    pub concurrency: usize,
    /// Of one tenant among them.
    pub concurrency_per_tenant: usize,
}

/// The way out for plugins.
pub struct Outcalls {
    db: Db,
    keyring: Arc<Keyring>,
    egress: Egress,
    config: OutcallsConfig,
    /// Who finds no room is told so and does not wait: a waiting turn holds an instance, and a tenant whose server is slow
    /// would hold everybody's.
    room: Room,
    recall: Recall,
}

/// A turn: whose, with whom, and by what it is known when it runs again.
#[derive(Debug, Clone)]
pub struct TurnPlace {
    pub tenant: TenantId,
    pub contact: ContactId,
    /// Of the number: within which the contact's user id is valid.
    pub portfolio: String,
    pub event: EventId,
    pub conversation: ConversationId,
    pub seq: i64,
}

impl Outcalls {
    pub fn new(db: Db, keyring: Arc<Keyring>, egress: Egress, config: OutcallsConfig) -> Arc<Self> {
        Arc::new(Self {
            db,
            keyring,
            egress,
            room: Room::new(config.concurrency, config.concurrency_per_tenant),
            config,
            recall: Recall::default(),
        })
    }

    /// The sender of one turn, in all its runs.
    pub fn of_turn(self: &Arc<Self>, place: TurnPlace) -> Arc<dyn HttpSender> {
        Arc::new(TurnSender {
            outcalls: self.clone(),
            place,
        })
    }

    /// The turn is over, or asks anew.
    pub fn forget(&self, conversation: ConversationId, seq: i64) {
        self.recall.forget((conversation, seq));
    }
}

/// Bytes that are not worked through between webhooks. A guess: this many take a tenth of a millisecond.
const LARGE: usize = 8 << 10;
/// A secret is looked for in so many times its bytes, with all its spellings together.
const SPELLINGS: usize = 20;

/// A request has at least so long, whatever its plugin says: one that is over before anything can answer costs a look-up,
/// a connection and a place in the turn's journal, and brings nothing. A guess: no server on another continent is faster.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);

struct TurnSender {
    outcalls: Arc<Outcalls>,
    place: TurnPlace,
}

impl HttpSender for TurnSender {
    fn recall(&self, asked: &HttpAsked) -> Option<HttpAnswer> {
        self.outcalls.recall.get(self.key(), asked)
    }

    fn send<'a>(&'a self, asked: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer> {
        async move {
            let answer = self.ask(asked).await;
            let outcome = word(&answer);
            metrics::counter!(names::PLUGIN_REQUESTS, "outcome" => outcome).increment(1);
            let may_have_arrived = matches!(
                &answer,
                Ok(_)
                    | Err(HttpRefused::Timeout
                        | HttpRefused::TooLarge
                        | HttpRefused::Unreachable(_))
            );
            if may_have_arrived {
                let recall = &self.outcalls.recall;
                recall.keep(self.key(), asked, answer.clone());
            }
            answer
        }
        .boxed()
    }
}

impl TurnSender {
    fn key(&self) -> recall::Key {
        (self.place.conversation, self.place.seq)
    }

    async fn ask(&self, asked: &HttpAsked) -> HttpAnswer {
        let outcalls = &self.outcalls;
        let tenant = self.place.tenant;
        let room = outcalls.room.enter(tenant);
        let _place = room.map_err(|why| no_room(why, &outcalls.config))?;
        let host = host_of(&asked.request.url);
        let filler = Filler {
            db: &outcalls.db,
            keyring: &outcalls.keyring,
            place: &self.place,
            host: &host,
        };
        let values = Arc::new(filler.values(&asked.request).await?);
        let request = &asked.request;
        let filled = {
            let (values, request) = (values.clone(), request.clone());
            aside(read_anew(&request), move || values.fill(&request)).await?
        };
        let Filled { mut headers, body } = filled?;
        let is_json = matches!(request.body, Some(HttpBody::Json(..)));
        if is_json && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push((
                "content-type".to_owned(),
                "application/json".to_owned().into(),
            ));
        }
        headers.push(("idempotency-key".to_owned(), self.idempotency_key(asked)));
        let fetched = outcalls
            .egress
            .fetch(Fetch {
                tenant,
                method: request.method.name(),
                url: request.url.clone(),
                headers,
                body,
                timeout: timeout(request.timeout, outcalls.config.timeout),
                most: HTTP_ANSWER_BYTES,
            })
            .await;
        let fetched = fetched.map_err(|error| refused(&error))?;
        let bytes = fetched.bytes() + SPELLINGS * values.secret_bytes();
        aside(bytes, move || masked(fetched, &values.mask())).await
    }

    /// The turn, by its event, and the request's number in it. Equal for every run of the turn that asks the same, and for
    /// no other: a server that was asked something else under a key that it knows would refuse it.
    fn idempotency_key(&self, asked: &HttpAsked) -> SecretString {
        let HttpAsked { ordinal, mark, .. } = asked;
        format!("{}/{ordinal}-{mark}", self.place.event).into()
    }
}

/// What a plugin asked for, within the operator's limit.
fn timeout(own: Option<Duration>, limit: Duration) -> Duration {
    own.map_or(limit, |own| own.max(LEAST_TIMEOUT).min(limit))
}

fn no_room(why: NoRoom, config: &OutcallsConfig) -> HttpRefused {
    match why {
        NoRoom::Own => {
            let most = config.concurrency_per_tenant;
            HttpRefused::Quota(format!("the tenant has {most} requests under way"))
        }
        NoRoom::All => {
            let why = "the gateway has as many requests under way as it can";
            HttpRefused::Unavailable(why.to_owned())
        }
    }
}

/// For the metric.
fn word(answer: &HttpAnswer) -> &'static str {
    match answer {
        Ok(_) => "answered",
        Err(HttpRefused::Denied(_)) => "denied",
        Err(HttpRefused::Invalid(_)) => "invalid",
        Err(HttpRefused::Quota(_)) => "quota",
        Err(HttpRefused::Absent(_)) => "absent",
        Err(HttpRefused::Timeout) => "timeout",
        Err(HttpRefused::TooLarge) => "too_large",
        Err(HttpRefused::Unreachable(_)) => "unreachable",
        Err(HttpRefused::Unavailable(_)) => "unavailable",
    }
}

/// The host of an address that was checked.
fn host_of(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or_default().to_owned()
}

/// Works through so many bytes, elsewhere if they are many: milliseconds are not for the threads that take webhooks.
async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HttpRefused> {
    if bytes < LARGE {
        return Ok(work());
    }
    let failed = |_| HttpRefused::Unavailable("the gateway failed".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// Bytes of the document that is read again to be filled.
fn read_anew(request: &HttpRequest) -> usize {
    match &request.body {
        Some(HttpBody::Json(json, members)) if !members.is_empty() => json.get().len(),
        _ => 0,
    }
}

fn masked(fetched: Fetched, mask: &Mask) -> HttpResponse {
    let headers = fetched.headers.into_iter();
    let headers = headers.filter(|(name, _)| !mask.hides(name.as_bytes()));
    HttpResponse {
        status: fetched.status,
        headers: headers
            .map(|(name, value)| {
                let value = mask.over(value);
                (name, String::from_utf8_lossy(&value).into_owned())
            })
            .collect(),
        body: mask.over(fetched.body),
    }
}

/// In our own words: those of libraries could repeat what was sent.
fn refused(error: &EgressError) -> HttpRefused {
    match error {
        EgressError::Timeout => HttpRefused::Timeout,
        EgressError::Large => HttpRefused::TooLarge,
        EgressError::Url(UrlError::Scheme) => {
            HttpRefused::Denied("the operator has not allowed plain http to this host".to_owned())
        }
        EgressError::Url(UrlError::Private) | EgressError::NotPublic => {
            HttpRefused::Unreachable("no public address".to_owned())
        }
        EgressError::Url(_) => HttpRefused::Invalid("url: is none that can be asked".to_owned()),
        EgressError::Header => {
            HttpRefused::Invalid("headers: what is written in does not fit there".to_owned())
        }
        EgressError::Encoded => {
            HttpRefused::Unreachable("the answer is encoded, and nobody asked for that".to_owned())
        }
        EgressError::Busy => {
            let why = "the gateway looks up as many names as it can";
            HttpRefused::Unavailable(why.to_owned())
        }
        EgressError::Connect => HttpRefused::Unreachable("no connection".to_owned()),
        EgressError::Broken => HttpRefused::Unreachable("the connection broke".to_owned()),
    }
}
