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

use crate::domain::{ContactId, ConversationId, EventId, NoRoom, TenantId};
use crate::egress::{Egress, EgressError, Fetch, Fetched, Room, UrlError};
use crate::plugin_host::{
    HTTP_ANSWER_BYTES, HttpAnswer, HttpAsked, HttpBody, HttpRefused, HttpRequest, HttpResponse,
    HttpSender,
};
use crate::secrets::Keyring;
use crate::storage::Db;
use crate::telemetry::names;

use fill::{Filled, Filler, Values};
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
            let (outcome, answer) = match self.ask(asked).await {
                Ok(response) => ("answered", Ok(response)),
                Err(Failure { refused, word }) => (word, Err(refused)),
            };
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

    async fn ask(&self, asked: &HttpAsked) -> Result<HttpResponse, Failure> {
        let Outcalls {
            room,
            egress,
            config,
            ..
        } = &*self.outcalls;
        let (tenant, request) = (self.place.tenant, &asked.request);
        let _place = room.enter(tenant).map_err(|why| no_room(why, config))?;
        let values = Arc::new(self.values(request).await?);
        let Filled { mut headers, body } = filled(request, &values).await?;
        headers.push(("idempotency-key".to_owned(), self.idempotency_key(asked)));
        let fetch = Fetch {
            tenant,
            method: request.method.name(),
            url: request.url.clone(),
            headers,
            body,
            timeout: timeout(request.timeout, config.timeout),
            most: HTTP_ANSWER_BYTES,
        };
        // Else the message that asks may be forgotten by a machine that loses its power, and come again as another.
        self.outcalls.db.lasts().await.map_err(|error| {
            tracing::warn!(%error, "a plugin's request is not sent before what it stands on is on disk");
            HttpRefused::Unavailable("the database did not answer".to_owned())
        })?;
        let fetched = egress.fetch(fetch).await;
        let fetched = fetched.map_err(|error| Failure::of(&error))?;
        let bytes = fetched.bytes() + SPELLINGS * values.secret_bytes();
        Ok(aside(bytes, move || masked(fetched, &values.mask())).await?)
    }

    async fn values(&self, request: &HttpRequest) -> Result<Values, HttpRefused> {
        let filler = Filler {
            db: &self.outcalls.db,
            keyring: &self.outcalls.keyring,
            place: &self.place,
            host: &host_of(&request.url),
        };
        filler.values(request).await
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

/// Why there is no answer: what the plugin is told, and a word for the operator's metric. The operator may know more.
struct Failure {
    refused: HttpRefused,
    word: &'static str,
}

impl From<HttpRefused> for Failure {
    fn from(refused: HttpRefused) -> Self {
        let word = word(&refused);
        Self { refused, word }
    }
}

impl Failure {
    fn of(error: &EgressError) -> Self {
        let told = Self::from(refused(error));
        match error {
            EgressError::Url(UrlError::Private) | EgressError::NotPublic => Self {
                word: "not_public",
                ..told
            },
            _ => told,
        }
    }
}

fn word(refused: &HttpRefused) -> &'static str {
    match refused {
        HttpRefused::Denied(_) => "denied",
        HttpRefused::Invalid(_) => "invalid",
        HttpRefused::Quota(_) => "quota",
        HttpRefused::Absent(_) => "absent",
        HttpRefused::Timeout => "timeout",
        HttpRefused::TooLarge => "too_large",
        HttpRefused::Unreachable(_) => "unreachable",
        HttpRefused::Unavailable(_) => "unavailable",
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

async fn filled(request: &Arc<HttpRequest>, values: &Arc<Values>) -> Result<Filled, HttpRefused> {
    // The document is read again for it.
    let bytes = match &request.body {
        Some(HttpBody::Json(json, members)) if !members.is_empty() => json.get().len(),
        _ => 0,
    };
    let (request, values) = (request.clone(), values.clone());
    aside(bytes, move || values.fill(&request)).await?
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
        // Were these two, a plugin could ask which names there are in the operator's network.
        EgressError::Url(UrlError::Private) | EgressError::NotPublic | EgressError::Connect => {
            HttpRefused::Unreachable("no connection to a public address".to_owned())
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
        EgressError::Broken => HttpRefused::Unreachable("the connection broke".to_owned()),
    }
}
