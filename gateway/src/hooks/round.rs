//! One endpoint's rounds: read its row, try again what failed, deliver a page of the stream, record. Until nothing is left.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;

use super::backoff;
use super::endpoints::{old_place, place};
use super::pump::{PumpParts, bucket};
use super::sign::{self, Secret};
use crate::domain::{ConversationId, HookId, TenantId, Timestamp};
use crate::events::{self, Page, Shown};
use crate::storage::hooks::{self, Delivery, Hook, Progress, delivery};
use crate::storage::{Result, StorageError, buckets};
use crate::sync::{into_inner, lock};
use crate::telemetry::names;

/// Events of the stream looked at in one round.
const PAGE: usize = 64;
/// Requests to one endpoint at once; each is of another conversation.
const AT_ONCE: usize = 8;
/// Failed events tried again in one round.
const RETRIES: i64 = 8;
/// `Retry-After` is obeyed up to here.
const PUT_OFF_MOST: Duration = Duration::from_secs(3600);

/// Goes on until the endpoint has everything, or is to be left alone.
pub(super) async fn all(parts: &PumpParts, tenant: TenantId, id: HookId) -> Result<()> {
    while one(parts, tenant, id).await? {}
    Ok(())
}

/// Answers whether there may be more to do.
async fn one(parts: &PumpParts, tenant: TenantId, id: HookId) -> Result<bool> {
    let now = parts.clock.now();
    let mut tx = parts.db.glance().await?;
    let Some(hook) = hooks::find(&mut tx, tenant, id).await? else {
        return Ok(false);
    };
    if !hook.enabled || hook.next_try_at > now {
        return Ok(false);
    }
    let open = hook.failures >= backoff::OPENS;
    let due = hooks::due(&mut tx, tenant, id, now, if open { 1 } else { RETRIES }).await?;
    drop(tx);
    let secrets = secrets(parts, &hook, now);
    if secrets.is_empty() {
        return Ok(false);
    }
    let round = Round {
        parts,
        secrets,
        failures: AtomicI64::new(hook.failures),
        gone: AtomicBool::new(false),
        answered: AtomicBool::new(false),
        last_error: Mutex::new(hook.last_error.clone()),
        hook,
    };
    let tried = round.again(due).await?;
    // One request tells whether an endpoint that was left alone is back.
    let most = match (open, tried.is_empty()) {
        (true, true) => 1,
        (true, false) if round.is_open() => 0,
        _ => PAGE,
    };
    let fresh = round.fresh(most).await?;
    let moved = fresh.position > round.hook.position || !tried.is_empty();
    let goes_on = round.record(tried, fresh).await?;
    Ok(goes_on && moved && !round.is_open())
}

/// What signs now: the secret, and the one before while it may. None: the secret does not open.
fn secrets(parts: &PumpParts, hook: &Hook, now: Timestamp) -> Vec<Secret> {
    let open = |place, envelope: &[u8]| match parts.keyring.open(place, envelope) {
        Ok(text) => Secret::parse(text),
        Err(error) => {
            tracing::error!(hook = %hook.id, %error, "an endpoint's secret does not open");
            None
        }
    };
    let Some(secret) = open(place(hook.tenant, hook.id), &hook.secret) else {
        return Vec::new();
    };
    let mut secrets = vec![secret];
    if now < hook.old_secret_until {
        secrets.extend(open(old_place(hook.tenant, hook.id), &hook.old_secret));
    }
    secrets
}

struct Round<'a> {
    parts: &'a PumpParts,
    hook: Hook,
    /// The newest first.
    secrets: Vec<Secret>,
    /// In a row, up to now.
    failures: AtomicI64,
    /// It answered 410: nobody wants these events any more.
    gone: AtomicBool,
    /// A request of this round went well.
    answered: AtomicBool,
    last_error: Mutex<String>,
}

/// What came of a page of the stream.
struct Fresh {
    position: i64,
    failed: Vec<Delivery>,
}

impl Round<'_> {
    fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= backoff::OPENS || self.gone.load(Ordering::Relaxed)
    }

    /// Tries failed events again, one after the other.
    async fn again(&self, due: Vec<Delivery>) -> Result<Vec<Delivery>> {
        if due.is_empty() {
            return Ok(due);
        }
        let snapshot = self.parts.directory.snapshot();
        let (db, tenant) = (&self.parts.db, self.hook.tenant);
        let seqs: Vec<i64> = due.iter().map(|one| one.seq).collect();
        let kept = events::of(db, &snapshot, tenant, &seqs).await?;
        let mut tried = Vec::new();
        for mut one in due {
            match kept.iter().find(|shown| shown.seq == one.seq) {
                Some(shown) => match self.attempt(shown).await {
                    Ok(()) => one.state = delivery::DONE,
                    Err(error) => self.put_off(&mut one, error),
                },
                None => {
                    one.state = delivery::DEAD;
                    one.error = "the event is past retention".to_owned();
                }
            }
            tried.push(one);
            if self.is_open() {
                break;
            }
        }
        Ok(tried)
    }

    fn put_off(&self, one: &mut Delivery, error: Failed) {
        let now = self.parts.clock.now();
        let first = Timestamp::from_millis(one.first_at);
        one.attempts += 1;
        let chance = backoff::chance(self.hook.id.raw(), one.seq, one.attempts);
        let pause = backoff::of_event(one.attempts, chance);
        let next = now.plus(pause.max(error.retry_after.min(PUT_OFF_MOST)));
        one.next_at = next.millis();
        one.error = error.what;
        if next.since(first) > self.parts.retry_for {
            one.state = delivery::DEAD;
            metrics::counter!(names::HOOK_DELIVERIES, "outcome" => "dead").increment(1);
        }
    }

    /// Delivers what comes next in the stream.
    async fn fresh(&self, most: usize) -> Result<Fresh> {
        let from = self.hook.position;
        let nothing = Fresh {
            position: from,
            failed: Vec::new(),
        };
        if most == 0 || self.gone.load(Ordering::Relaxed) {
            return Ok(nothing);
        }
        let snapshot = self.parts.directory.snapshot();
        let (db, tenant) = (&self.parts.db, self.hook.tenant);
        let (shown, position) =
            match events::page(db, &snapshot, tenant, from, &self.hook.kinds, most).await? {
                Page::Events { events, position } => (events, position),
                Page::Gone { first } => {
                    self.note(format!("events before {first} are past retention"));
                    return Ok(Fresh {
                        position: first - 1,
                        ..nothing
                    });
                }
            };
        let asked: Vec<i64> = shown.iter().map(|event| event.seq).collect();
        let results = self.deliver(shown).await;
        let skipped = asked.iter().find(|seq| !results.contains_key(seq));
        let position = skipped.map_or(position, |seq| seq - 1);
        // What lies behind the new position comes again with the stream: it needs no note.
        let failed = results
            .into_iter()
            .filter(|(seq, _)| *seq <= position)
            .filter_map(|(seq, result)| Some(self.first_failure(seq, result.err()?)));
        Ok(Fresh {
            position,
            failed: failed.collect(),
        })
    }

    fn first_failure(&self, seq: i64, error: Failed) -> Delivery {
        let now = self.parts.clock.now();
        let mut one = Delivery {
            id: self.parts.ids.next(now),
            seq,
            state: delivery::RETRY,
            attempts: 0,
            next_at: 0,
            first_at: now.millis(),
            error: String::new(),
        };
        self.put_off(&mut one, error);
        one
    }

    /// Conversations side by side, the events of each in order. When the endpoint fails every time, the rest is left.
    async fn deliver(&self, shown: Vec<Shown>) -> BTreeMap<i64, Result<(), Failed>> {
        let mut order: Vec<ConversationId> = Vec::new();
        let mut groups: HashMap<ConversationId, Vec<Shown>> = HashMap::new();
        for event in shown {
            let group = groups.entry(event.conversation).or_default();
            if group.is_empty() {
                order.push(event.conversation);
            }
            group.push(event);
        }
        let results = Mutex::new(BTreeMap::new());
        let groups = order.iter().filter_map(|id| groups.remove(id));
        futures::stream::iter(groups.collect::<Vec<_>>())
            .for_each_concurrent(AT_ONCE, async |group| {
                for event in group {
                    if self.is_open() && self.failures.load(Ordering::Relaxed) > self.hook.failures
                    {
                        return;
                    }
                    let result = self.attempt(&event).await;
                    lock(&results).insert(event.seq, result);
                }
            })
            .await;
        into_inner(results)
    }

    /// One request. No transaction is open.
    async fn attempt(&self, event: &Shown) -> Result<(), Failed> {
        let result = self.request(event).await;
        let outcome = match &result {
            Ok(()) => {
                self.failures.store(0, Ordering::Relaxed);
                self.answered.store(true, Ordering::Relaxed);
                "delivered"
            }
            Err(failed) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.note(failed.what.clone());
                "failed"
            }
        };
        metrics::counter!(names::HOOK_DELIVERIES, "outcome" => outcome).increment(1);
        result
    }

    async fn request(&self, event: &Shown) -> Result<(), Failed> {
        let body = serde_json::to_string(event).map_err(|_| Failed::of("not JSON"))?;
        let id = format!("{}.{}", event.tenant, event.seq);
        let headers = sign::headers(&self.secrets, &id, self.parts.clock.now(), &body);
        let headers = headers.ok_or_else(|| Failed::of("the secret cannot sign"))?;
        let answer = self
            .parts
            .egress
            .post(event.tenant, &self.hook.url, &headers, body)
            .await
            .map_err(|error| Failed::of(&error.to_string()))?;
        match answer.status {
            200..300 => Ok(()),
            status => {
                // The standard: the endpoint is gone for good and wants no more.
                self.gone.fetch_or(status == 410, Ordering::Relaxed);
                Err(Failed {
                    what: format!("status {status}"),
                    retry_after: answer.retry_after.unwrap_or_default(),
                })
            }
        }
    }

    fn note(&self, what: String) {
        *lock(&self.last_error) = what;
    }

    /// Writes the round down. `false`: it does not count any more.
    async fn record(&self, tried: Vec<Delivery>, fresh: Fresh) -> Result<bool> {
        let (tenant, id) = (self.hook.tenant, self.hook.id);
        let failures = self.failures.load(Ordering::Relaxed);
        let gone = self.gone.load(Ordering::Relaxed);
        let chance = backoff::chance(id.raw(), fresh.position, failures);
        let pause = backoff::of_endpoint(failures, chance);
        let now = self.parts.clock.now();
        let progress = Progress {
            from: self.hook.position,
            position: fresh.position,
            failures,
            next_try_at: pause.map_or(Timestamp::ZERO, |pause| now.plus(pause)),
            enabled: !gone,
            last_error: match (gone, failures) {
                (true, _) => "status 410: the endpoint is gone, and was switched off".to_owned(),
                (false, 0) => String::new(),
                _ => lock(&self.last_error).clone(),
            },
            answered_at: self.answered.load(Ordering::Relaxed).then_some(now),
        };
        let lease = self.parts.owned.borrow().lease(bucket(id));
        let lease = lease.ok_or(StorageError::Fenced(bucket(id).raw()))?;
        let mut tx = self.parts.db.begin().await?;
        buckets::fence(&mut tx, &[lease]).await?;
        if !hooks::record(&mut tx, tenant, id, &progress).await? {
            return Ok(false);
        }
        hooks::add_failed(&mut tx, tenant, id, &fresh.failed).await?;
        for one in &tried {
            hooks::settle(&mut tx, tenant, id, one).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Why a request did not deliver.
#[derive(Debug)]
struct Failed {
    what: String,
    retry_after: Duration,
}

impl Failed {
    fn of(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            retry_after: Duration::ZERO,
        }
    }
}
