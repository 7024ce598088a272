//! What delivery asks of the world around it, as small traits that `app` meets and tests replace.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::domain::number::Number;
use crate::domain::{
    AuditId, ConsentId, ConversationId, Draft, HoldId, NumberId, OutboxId, OutboxState, TenantId,
    Timestamp,
};
use crate::policy::limits::LimitRules;
use crate::policy::{ActiveHold, ConsentBasis, TemplateFact, TopicFact};

/// Access tokens, opened.
pub trait Credentials: Send + Sync {
    /// The one that a number sends with. `None`: there is none that opens.
    fn token(&self, number: &Number) -> BoxFuture<'_, Option<SecretString>>;
}

/// Numbers and what stops them, from memory.
pub trait Directory: Send + Sync {
    fn number(&self, id: NumberId) -> Option<Arc<Number>>;

    /// What the number's tenant limits.
    fn limits(&self, number: NumberId) -> Arc<LimitRules>;

    /// What a decision about this draft is made from. `None`: its number is gone.
    fn bearing_on(&self, draft: &Draft, now: Timestamp) -> Option<Bearing>;
}

/// What is set up that bears on a draft, all as of one moment.
#[derive(Debug)]
pub struct Bearing {
    pub number: Arc<Number>,
    /// Holds on the number's sends; policy judges which concern the draft.
    pub holds: Vec<ActiveHold>,
    /// What the tenant relies on when it writes first.
    pub basis: ConsentBasis,
    /// What is known of the topic that the content names.
    pub topic: TopicFact,
    /// What is known of the template that the content names, at the number's account.
    pub template: TemplateFact,
    /// What the tenant limits.
    pub limits: Arc<LimitRules>,
    /// End of the last time in which webhooks may have been missed.
    pub ingest_gap_until: Option<Timestamp>,
}

/// Is ingest up and without a backlog of that number, so that a receipt that was sent to us would have come?
pub trait Receipts: Send + Sync {
    fn come(&self, number: NumberId) -> bool;
}

impl Receipts for std::sync::atomic::AtomicBool {
    fn come(&self, _: NumberId) -> bool {
        self.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A clock that no one sets: time since some moment of this process.
pub trait Monotonic: Send + Sync {
    fn now(&self) -> Duration;
}

/// What draws chance and ids.
pub trait Draw: Send + Sync {
    /// Uniform in 0..1, for jitter.
    fn jitter(&self) -> f64;

    fn hold_id(&self) -> HoldId;
    /// Of the audit log's entry about it.
    fn audit_id(&self) -> AuditId;
    /// Of a record of the consent ledger.
    fn consent_id(&self) -> ConsentId;
}

/// Who wants to see every attempt: `demo`, traces, a Cloud-API client that waits for its row. Must not block.
pub trait Observer: Send + Sync {
    fn sent(&self, trace: &SendTrace);
}

/// Nobody looks.
impl Observer for () {
    fn sent(&self, _trace: &SendTrace) {}
}

/// One attempt to send, after it was recorded. No text, no phone.
#[derive(Debug, Clone)]
pub struct SendTrace {
    pub outbox: OutboxId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub conversation: ConversationId,
    /// [`OutboundContent::kind`](crate::domain::OutboundContent::kind).
    pub kind: &'static str,
    /// 1 is the first.
    pub attempt: u32,
    /// What policy said when it was claimed: `cleared` or a reason's code.
    pub decision: &'static str,
    /// How long Graph took; `None`: it was not asked.
    pub elapsed: Option<Duration>,
    /// Where the row stands now.
    pub state: OutboxState,
    /// Meta's error code.
    pub error: Option<i64>,
    /// The row's reason, for people.
    pub reason: String,
    /// Personal data: it contains the phone number.
    pub wamid: Option<String>,
}
