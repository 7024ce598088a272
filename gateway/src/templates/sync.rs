//! Reading an account's templates from Graph: a job that takes a page a step, from wherever the last one ended.
//!
//! A pass is known by its job's id. Whoever is heard of in it, or by a webhook since it began, carries that id or a later
//! one; when it has ended, those with an earlier one are gone. So a pass may begin again as often as it must.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keep::{Said, Spoken, forget_unheard, keep};
use super::learn::Words;
use crate::directory::Directory;
use crate::domain::template::Learnt;
use crate::domain::{Bucket, Clock, IdGenerator, TenantId, Timestamp};
use crate::graph::GraphClient;
use crate::graph::client::call::CallError;
use crate::graph::client::templates::{ListedTemplate, TemplatePage, Wanted};
use crate::graph::errors::{Action, classify};
use crate::jobs::{self, Fetched, JobKind, Step, StepError};
use crate::storage::jobs::Job;
use crate::storage::{Tx, changes, template_accounts, templates};
use crate::tenants::{SetupContext, SetupError};

/// Templates of a page. A guess: 6,000 are 240 pages, and a page's rows a millisecond or two of the writer.
const PAGE: usize = 25;
/// Of one page. Meta takes seconds for large ones.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Rows that a step marks as gone.
const GONE: i64 = 200;
/// Expired cursors in one job, and failures of one page, before it is a person's to look at.
const RESTARTS_MOST: u32 = 5;
const TRIES_MOST: u32 = 6;
/// Meta's longest wait is an hour (facts §6.7).
const WAIT_MOST: Duration = Duration::from_secs(3_600);
/// More than Meta lets an account have, several times: a cursor that leads in circles.
const TEMPLATES_MOST: i64 = 50_000;
/// "Invalid or expired cursor" (facts §7.4).
const EXPIRED_CURSOR: i64 = 131_059;

/// The kind of job.
#[derive(Debug)]
pub struct SyncJob {
    pub graph: GraphClient,
    pub directory: Arc<Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    account: String,
    /// Only these; empty: all, and what is not among them is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    /// Of `names`: which one is read.
    name: usize,
    /// Where the next page begins.
    after: Option<String>,
    /// Everything is read; what was not seen is marked.
    read: bool,
    seen: i64,
    new: usize,
    changed: usize,
    gone: usize,
    unread: usize,
    restarts: u32,
    tries: u32,
}

/// What was fetched, and for which progress.
struct Came {
    progress: String,
    at: Timestamp,
    answer: Answer,
}

enum Answer {
    Page(TemplatePage),
    Failed(CallError),
    NoToken,
    /// This step needs nothing.
    Nothing,
}

impl SyncJob {
    pub const NAME: &'static str = "templates.sync";

    async fn ask(&self, job: &Job) -> Answer {
        let (params, progress) = (params(job), progress(job));
        if progress.read {
            return Answer::Nothing;
        }
        let snapshot = self.directory.snapshot();
        let entry = snapshot.account(job.tenant, &params.account);
        let Some(token) = entry.and_then(|entry| entry.token.as_ref()) else {
            return Answer::NoToken;
        };
        let wanted = Wanted {
            account: &params.account,
            name: params.names.get(progress.name).map(String::as_str),
            after: progress.after.as_deref(),
            limit: PAGE,
        };
        match self.graph.list_templates(token, wanted, TIMEOUT).await {
            Ok(page) => Answer::Page(page),
            Err(error) => Answer::Failed(error),
        }
    }

    async fn go_on(&self, tx: &mut Tx, job: &Job, came: Came) -> Result<Step, StepError> {
        let (params, mut now) = (params(job), progress(job));
        let before = now.seen;
        let wait = match came.answer {
            Answer::NoToken => {
                let why = "no number of the account has an access token that opens";
                return Err(StepError::Refused(why.to_owned()));
            }
            Answer::Failed(error) => Some(put_off(&error, &mut now)?),
            Answer::Page(page) => {
                let said = self.said(job, &params.account, came.at);
                take(tx, said, page, &params, &mut now).await?;
                None
            }
            Answer::Nothing => {
                let said = self.said(job, &params.account, came.at);
                if let Some(result) = end(tx, said, job, &params, &mut now).await? {
                    return Ok(step(&now, before, None, Some(result)));
                }
                None
            }
        };
        Ok(step(&now, before, wait, None))
    }

    fn said<'a>(&'a self, job: &Job, account: &'a str, at: Timestamp) -> Said<'a> {
        Said {
            ids: &self.ids,
            tenant: job.tenant,
            account,
            at,
            now: self.clock.now(),
            how: Learnt::Sync,
            heard: job.id.raw(),
        }
    }
}

fn params(job: &Job) -> Params {
    serde_json::from_str(&job.params).unwrap_or(Params {
        account: String::new(),
        names: Vec::new(),
    })
}

fn progress(job: &Job) -> Progress {
    serde_json::from_str(&job.progress).unwrap_or_default()
}

fn step(
    now: &Progress,
    before: i64,
    wait: Option<Duration>,
    result: Option<serde_json::Value>,
) -> Step {
    Step {
        done: now.seen - before,
        progress: json!(now),
        result,
        wait,
        ..Step::default()
    }
}

async fn take(
    tx: &mut Tx,
    said: Said<'_>,
    page: TemplatePage,
    params: &Params,
    now: &mut Progress,
) -> Result<(), StepError> {
    let spoken: Vec<Spoken> = page.templates.into_iter().map(spoken).collect();
    let kept = keep(tx, said, &spoken).await?;
    now.seen += i64::try_from(spoken.len()).unwrap_or(i64::MAX);
    now.new += kept.new;
    now.changed += kept.changed;
    now.unread += page.unread;
    now.tries = 0;
    let circles = page.next.is_some() && page.next == now.after;
    if circles || now.seen > TEMPLATES_MOST {
        let why = "Graph's pages have no end: its cursor leads in circles";
        return Err(StepError::Refused(why.to_owned()));
    }
    now.after = page.next;
    if now.after.is_none() {
        now.name += 1;
        now.read = now.name >= params.names.len();
    }
    Ok(())
}

/// What became of what was not seen; then, of the whole.
async fn end(
    tx: &mut Tx,
    said: Said<'_>,
    job: &Job,
    params: &Params,
    now: &mut Progress,
) -> Result<Option<serde_json::Value>, StepError> {
    let (tenant, account, pass) = (said.tenant, said.account, job.id.raw());
    let names = match params.names.is_empty() {
        true => vec![""],
        false => params.names.iter().map(String::as_str).collect(),
    };
    // An entry that does not read may be any of them.
    if now.unread == 0 {
        for name in names {
            let unheard = templates::lock_unheard(tx, tenant, account, name, pass, GONE).await?;
            let more = unheard.len() as i64 == GONE;
            now.gone += forget_unheard(tx, said, unheard).await?.changed;
            if more {
                return Ok(None);
            }
        }
    }
    if params.names.is_empty() {
        let revision = changes::bump_templates_all_tenants(tx).await?;
        template_accounts::synced(tx, tenant, account, said.now, revision).await?;
    }
    Ok(Some(json!({
        "templates": now.seen,
        "new": now.new,
        "changed": now.changed,
        "gone": now.gone,
        "unread": now.unread,
        "restarts": now.restarts,
    })))
}

/// How long a page that did not come is waited for.
fn put_off(error: &CallError, now: &mut Progress) -> Result<Duration, StepError> {
    let refused = || Err(StepError::Refused(error.to_string()));
    let (code, status) = match error {
        CallError::Refused(refused) => (refused.error.code, Some(refused.http_status)),
        CallError::Unreadable { http_status, .. } => (None, Some(*http_status)),
        CallError::NotSent(_) | CallError::NoAnswer(_) => (None, Some(503)),
        CallError::Argument(_) => return refused(),
    };
    if code == Some(EXPIRED_CURSOR) {
        now.restarts += 1;
        if now.restarts > RESTARTS_MOST {
            return refused();
        }
        (now.after, now.seen) = (None, 0);
        (now.name, now.unread) = (0, 0);
        return Ok(Duration::ZERO);
    }
    now.tries += 1;
    let action = classify(code, status, false).action;
    let may_wait = match action {
        // A throttle is nobody's failure: it ends.
        Action::Slow(_) => true,
        Action::Retry { .. } | Action::RetryInDoubt { .. } => now.tries <= TRIES_MOST,
        _ => false,
    };
    if !may_wait {
        return match classify(code, status, false) {
            verdict if code.is_some() => Err(StepError::Refused(format!(
                "{error}. {} {}",
                verdict.meaning, verdict.remedy
            ))),
            _ => refused(),
        };
    }
    // Two of one account never ask at once, so they need not be spread by chance.
    let own = action.wait(now.tries, 0.5).unwrap_or_default();
    Ok(error.retry_after().unwrap_or(own).min(WAIT_MOST))
}

/// What a list says of one.
pub(super) fn spoken(listed: ListedTemplate) -> Spoken {
    let some = |text: String| (!text.is_empty()).then_some(text);
    Spoken {
        name: listed.name,
        language: listed.language,
        words: Words {
            meta_id: Some(listed.id),
            status: Some(listed.status),
            rejected: some(listed.rejected_reason),
            category: Some(listed.category),
            quality: some(listed.quality),
            components: Some(listed.components),
            ttl_seconds: Some(listed.ttl_seconds.unwrap_or(0)),
            ..Words::default()
        },
    }
}

impl JobKind for SyncJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn fetches(&self) -> bool {
        true
    }

    fn fetch<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Fetched> {
        async move {
            let at = self.clock.now();
            Fetched::new(Came {
                progress: job.progress.clone(),
                at,
                answer: self.ask(job).await,
            })
        }
        .boxed()
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        self.step_with(tx, job, Fetched::default())
    }

    fn step_with<'a>(
        &'a self,
        tx: &'a mut Tx,
        job: &'a Job,
        fetched: Fetched,
    ) -> BoxFuture<'a, Result<Step, StepError>> {
        async move {
            match fetched.take::<Came>() {
                Some(came) if came.progress == job.progress => self.go_on(tx, job, came).await,
                // For a step that is done: the next one is fetched.
                _ => Ok(step(&progress(job), progress(job).seen, None, None)),
            }
        }
        .boxed()
    }
}

/// Which bucket's owner begins the syncs of an account.
pub(super) fn bucket_of(tenant: TenantId, account: &str) -> Bucket {
    let hash = account.bytes().fold(tenant.raw(), |hash, byte| {
        hash.wrapping_mul(0x0100_0193) ^ i64::from(byte)
    });
    Bucket::spread(hash)
}

/// Queues a whole sync. One that is under way is answered instead: it sees what this one would.
pub async fn begin(
    setup: &SetupContext,
    tenant: TenantId,
    account: &str,
    next: Timestamp,
) -> Result<Job, SetupError> {
    let mut tx = setup.db.begin().await?;
    let now = setup.clock.now();
    template_accounts::keep(&mut tx, tenant, account, bucket_of(tenant, account), now).await?;
    let kept = template_accounts::lock(&mut tx, tenant, account).await?;
    if let Some(job) = kept.and_then(|kept| kept.job)
        && let Some(job) = crate::storage::jobs::job(&mut tx, tenant, job).await?
        && job.state.is_open()
    {
        template_accounts::queued(&mut tx, tenant, account, job.id, next).await?;
        setup.commit(tx).await?;
        return Ok(job);
    }
    let params = json!(Params {
        account: account.to_owned(),
        names: Vec::new(),
    });
    let job = jobs::queue(setup, &mut tx, tenant, SyncJob::NAME, &params, None).await?;
    template_accounts::queued(&mut tx, tenant, account, job.id, next).await?;
    setup.commit(tx).await?;
    Ok(job)
}

/// Queues a look at some names of an account, and takes them off the list of what is to be looked at.
pub(super) async fn begin_names(
    setup: &SetupContext,
    tenant: TenantId,
    account: &str,
    names: Vec<String>,
) -> Result<Job, SetupError> {
    let mut tx = setup.db.begin().await?;
    for name in &names {
        templates::mark_fresh(&mut tx, tenant, account, name).await?;
    }
    let account = account.to_owned();
    let params = json!(Params { account, names });
    let job = jobs::queue(setup, &mut tx, tenant, SyncJob::NAME, &params, None).await?;
    setup.commit(tx).await?;
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::client::{GraphError, Refused};

    fn refusal(code: i64, http_status: u16, retry_after: Option<Duration>) -> CallError {
        CallError::Refused(Box::new(Refused {
            error: GraphError {
                code: Some(code),
                ..GraphError::default()
            },
            http_status,
            retry_after,
        }))
    }

    fn halfway() -> Progress {
        Progress {
            after: Some("c7".to_owned()),
            seen: 700,
            ..Progress::default()
        }
    }

    #[test]
    fn an_expired_cursor_begins_the_pass_again_but_not_for_ever() {
        let mut now = halfway();
        let wait = put_off(&refusal(131_059, 400, None), &mut now);
        assert_eq!(wait.ok(), Some(Duration::ZERO));
        assert_eq!((now.after.clone(), now.seen, now.restarts), (None, 0, 1));
        for _ in 1..RESTARTS_MOST {
            assert!(put_off(&refusal(131_059, 400, None), &mut now).is_ok());
        }
        assert!(put_off(&refusal(131_059, 400, None), &mut now).is_err());
    }

    #[test]
    fn a_throttle_waits_as_graph_says_and_keeps_its_place() {
        let seven = Some(Duration::from_secs(7));
        let mut now = halfway();
        for code in [4, 80_007] {
            let wait = put_off(&refusal(code, 400, seven), &mut now);
            assert_eq!(wait.ok(), seven);
        }
        let own = put_off(&refusal(80_007, 400, None), &mut now).ok();
        assert!(own >= Some(Duration::from_secs(60)), "{own:?}");
        let endless = Some(Duration::from_secs(1 << 40));
        assert_eq!(
            put_off(&refusal(4, 400, endless), &mut now).ok(),
            Some(WAIT_MOST)
        );
        let bare = CallError::Unreadable {
            http_status: 429,
            retry_after: seven,
        };
        assert_eq!(put_off(&bare, &mut now).ok(), seven);
        assert_eq!((now.after.as_deref(), now.seen), (Some("c7"), 700));
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_fails_with_its_meaning() {
        let mut now = halfway();
        for _ in 0..TRIES_MOST {
            assert!(put_off(&CallError::NoAnswer("it took too long"), &mut now).is_ok());
        }
        assert!(put_off(&CallError::NoAnswer("it took too long"), &mut now).is_err());
        let denied = put_off(&refusal(190, 401, None), &mut halfway());
        let why = denied.expect_err("a bad token").to_string();
        assert!(why.to_lowercase().contains("token"), "{why}");
    }
}
