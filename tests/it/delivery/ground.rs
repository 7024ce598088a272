//! The ground that the tests stand on: people, conversations, a node that owns all buckets, and its delivery.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vestibule::delivery::{
    Bearing, Chance, ClaimsAtOnce, Credentials, Delivery, DeliveryConfig, Directory, Intake,
    Monotonic, World,
};
use vestibule::domain::number::Number;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{
    AppId, Bucket, Clock, ContactId, ConversationId, CredentialId, IdGenerator, IdentityKind,
    NumberId, OutboundContent, OutboxId, OutboxState, TenantId, Timestamp,
};
use vestibule::graph::GraphClient;
use vestibule::graph::client::{HttpClientConfig, http_client};
use vestibule::ownership::{OwnedBuckets, UnderWay, Wakeups};
use vestibule::policy::limits::LimitRules;
use vestibule::policy::{ConsentBasis, TemplateFact, TopicFact};
use vestibule::storage::conversations::{self, Conversation};
use vestibule::storage::outbox::{self, OutboxRow};
use vestibule::storage::people::{self, ContactRow, IdentityKey};
use vestibule::storage::{Db, buckets, nodes};
use vestibule_tests::{TestDatabase, until};

use super::graph::FakeGraph;

pub const TENANT: TenantId = TenantId::from_raw(1);
pub const NUMBER: NumberId = NumberId::from_raw(7);
/// People, and their conversations, of these ids exist.
pub const PEOPLE: std::ops::RangeInclusive<i64> = 101..=110;

/// The grace of [`Ground::start_impatient`].
const IMPATIENT_GRACE: Duration = Duration::from_secs(4);

/// A database with people in it, a Graph, and what outlives a crash of the node.
pub struct Ground {
    pub db: Db,
    pub graph: FakeGraph,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<IdGenerator>,
    pub receipts: Arc<AtomicBool>,
    pub gate: Arc<Gate>,
    pub monotonic: Arc<Stopwatch>,
    /// Of every number, when its node starts: plenty, unless a test wants less.
    pub throughput: i64,
    /// What is known of every template: nothing, unless a test says so.
    pub template: Arc<Mutex<TemplateFact>>,
    /// Of the tenant, when its node starts: none, unless a test wants some.
    pub limits: LimitRules,
    slot: u16,
    /// Buckets that its node takes.
    share: usize,
}

/// A node's delivery while it runs.
pub struct Node {
    pub intake: Intake,
    pub claims: ClaimsAtOnce,
    pub wakeups: Arc<Wakeups>,
    pub owned: watch::Sender<Arc<OwnedBuckets>>,
    soft: CancellationToken,
    running: JoinHandle<()>,
}

impl Ground {
    pub async fn lay(database: &TestDatabase) -> Self {
        let ground = Self::bare(database, 256).await;
        ground.add_people(PEOPLE).await;
        ground.add_conversations(PEOPLE, NUMBER, 0).await;
        ground
    }

    /// Nobody is there yet. Its node takes so many buckets; another ground on the same database may take the others.
    pub async fn bare(database: &TestDatabase, share: usize) -> Self {
        vestibule_tests::tls::provide();
        let db = database.open().await;
        let now = vestibule_tests::db::now();
        let slot = lease_slot(&db).await;
        let monotonic = Arc::<Stopwatch>::default();
        Self {
            graph: FakeGraph::start(monotonic.clone()).await,
            ids: Arc::new(IdGenerator::new(slot.number, slot.id_floor)),
            receipts: Arc::new(AtomicBool::new(true)),
            gate: Arc::default(),
            monotonic,
            throughput: 100_000,
            template: Arc::new(Mutex::new(TemplateFact::Unknown)),
            limits: LimitRules::default(),
            slot: slot.number,
            share,
            clock: Arc::new(ManualClock::at(now)),
            db,
        }
    }

    pub async fn add_people(&self, ids: std::ops::RangeInclusive<i64>) {
        let now = self.clock.now();
        let contacts: Vec<ContactRow> = ids
            .map(|id| ContactRow {
                display_name: "Somebody".into(),
                phone: format!("4477009{id:05}"),
                ..ContactRow::blank(TENANT, ContactId::from_raw(id))
            })
            .collect();
        let phones: Vec<(IdentityKey, ContactId)> = contacts
            .iter()
            .map(|row| {
                let key = IdentityKey {
                    tenant: TENANT,
                    scope: String::new(),
                    kind: IdentityKind::Phone,
                    value: row.phone.clone(),
                };
                (key, row.id)
            })
            .collect();
        let mut tx = self.db.begin().await.expect("a transaction");
        people::add_contacts_all_tenants(&mut tx, &contacts, now)
            .await
            .expect("contacts");
        people::add_identities_all_tenants(&mut tx, &phones, now)
            .await
            .expect("identities");
        tx.commit().await.expect("a commit");
    }

    /// These people's conversations with a number; a conversation's id is its person's, moved by `by`.
    pub async fn add_conversations(
        &self,
        people: std::ops::RangeInclusive<i64>,
        number: NumberId,
        by: i64,
    ) {
        let now = self.clock.now();
        let conversations: Vec<Conversation> = people
            .map(|person| conversation(person, number, by, now))
            .collect();
        let mut tx = self.db.begin().await.expect("a transaction");
        conversations::add_all_tenants(&mut tx, &conversations, now)
            .await
            .expect("conversations");
        tx.commit().await.expect("a commit");
    }

    /// Starts a node that owns everything: what an earlier one claimed is then somebody's who is gone.
    pub async fn start(&self) -> Node {
        self.start_with(DeliveryConfig::default()).await
    }

    pub async fn start_with(&self, config: DeliveryConfig) -> Node {
        let buckets = self.take_buckets().await;
        self.start_owning(buckets, config)
    }

    /// A node whose doubts end soon: grace is counted once a second of real time, two seconds at most.
    pub async fn start_impatient(&self) -> Node {
        let config = DeliveryConfig {
            unknown_grace: IMPATIENT_GRACE,
            ..DeliveryConfig::default()
        };
        self.start_with(config).await
    }

    /// A node that owns these buckets.
    pub fn start_owning(&self, buckets: OwnedBuckets, config: DeliveryConfig) -> Node {
        let (sender, owned) = watch::channel(Arc::new(buckets));
        let wakeups = Arc::<Wakeups>::default();
        let http = http_client(&HttpClientConfig::default()).expect("a client");
        let world = World {
            db: self.db.clone(),
            graph: GraphClient::new(http, &self.graph.url, "v25.0"),
            clock: self.clock.clone(),
            monotonic: self.monotonic.clone(),
            draw: Arc::new(Chance::new(1, self.ids.clone(), self.clock.clone())),
            credentials: self.gate.clone(),
            directory: Arc::new(OpenNumbers {
                now: self.clock.now(),
                throughput: self.throughput,
                template: self.template.clone(),
                limits: Arc::new(self.limits.clone()),
            }),
            receipts: self.receipts.clone(),
            observer: Arc::new(()),
            meter: Arc::default(),
            under_way: UnderWay::default(),
            config,
        };
        let (delivery, intake, claims) = Delivery::new(world, owned, wakeups.clone());
        let soft = CancellationToken::new();
        let running = tokio::spawn(delivery.run(soft.clone(), CancellationToken::new()));
        Node {
            intake,
            claims,
            wakeups,
            owned: sender,
            soft,
            running,
        }
    }

    /// This ground's share of the buckets, under new epochs: whoever owned them before has lost them.
    pub async fn take_buckets(&self) -> OwnedBuckets {
        let freed = nodes::free_slot(&self.db, self.slot, "test").await;
        assert!(freed.expect("a database"), "it is ours");
        // Its session may take a moment to end.
        until("its slot is leased again", async || {
            (lease_slot(&self.db).await.number == self.slot).then_some(())
        })
        .await;
        let leases = buckets::take(&self.db, self.slot, "test", self.share)
            .await
            .expect("buckets");
        let leases: BTreeMap<Bucket, i64> = leases
            .into_iter()
            .map(|lease| (lease.bucket, lease.epoch))
            .collect();
        assert_eq!(leases.len(), self.share);
        OwnedBuckets { leases }
    }

    pub async fn row(&self, id: OutboxId) -> OutboxRow {
        let mut tx = self.db.read().await.expect("a transaction");
        outbox::find(&mut tx, TENANT, id)
            .await
            .expect("a readable row")
            .expect("the row is there")
    }

    /// Waits until a row stands there, and answers it.
    pub async fn until_state(&self, id: OutboxId, state: OutboxState) -> OutboxRow {
        until(&format!("{id} is {}", state.word()), async || {
            let row = self.row(id).await;
            (row.state == state).then_some(row)
        })
        .await
    }

    pub async fn until_posted(&self, count: usize) {
        until(&format!("{count} POSTs"), async || {
            (self.graph.posted().len() >= count).then_some(())
        })
        .await;
    }

    /// Moves the time and tells the node.
    pub fn pass(&self, node: &Node, time: Duration) {
        self.clock.advance(time);
        node.wakeups.outbox.notify_one();
    }

    /// Moves the time until a row stands there.
    pub async fn pass_until(
        &self,
        node: &Node,
        step: Duration,
        id: OutboxId,
        state: OutboxState,
    ) -> OutboxRow {
        until(&format!("{id} is {}", state.word()), async || {
            self.pass(node, step);
            let row = self.row(id).await;
            (row.state == state).then_some(row)
        })
        .await
    }
}

impl Node {
    /// As `kill -9`: nothing is finished, nothing is recorded.
    pub async fn crash(self) {
        self.running.abort();
        let _ = self.running.await;
    }

    /// A clean end.
    pub async fn stop(self) {
        self.soft.cancel();
        self.running.await.expect("a clean end");
    }
}

async fn lease_slot(db: &Db) -> nodes::Slot {
    let slot = nodes::lease_slot(db, "test", Duration::from_secs(3600)).await;
    slot.expect("a database").expect("a free slot").slot
}

fn conversation(person: i64, number: NumberId, by: i64, now: Timestamp) -> Conversation {
    let (id, contact) = (
        ConversationId::from_raw(person + by),
        ContactId::from_raw(person),
    );
    Conversation {
        last_inbound_at: Some(now),
        contact_attributes: "{}".to_owned(),
        ..Conversation::begun(id, TENANT, number, contact)
    }
}

/// Every number that is asked for, without holds.
struct OpenNumbers {
    now: Timestamp,
    throughput: i64,
    template: Arc<Mutex<TemplateFact>>,
    limits: Arc<LimitRules>,
}

impl Directory for OpenNumbers {
    fn number(&self, id: NumberId) -> Option<Arc<Number>> {
        Some(Arc::new(Number {
            id,
            tenant: TENANT,
            app: AppId::from_raw(1),
            credential: CredentialId::from_raw(1),
            portfolio: "p".into(),
            waba_id: "w".into(),
            phone_number_id: "770001112223334".into(),
            display_number: "441632960111".into(),
            time_zone: "UTC".into(),
            throughput: self.throughput,
            connected_at: self.now.minus(Duration::from_secs(90 * 86_400)),
        }))
    }

    fn limits(&self, _number: NumberId) -> Arc<LimitRules> {
        self.limits.clone()
    }

    fn bearing_on(&self, draft: &vestibule::domain::Draft, _: Timestamp) -> Option<Bearing> {
        Some(Bearing {
            number: self.number(draft.number)?,
            holds: Vec::new(),
            basis: ConsentBasis::Attested,
            topic: TopicFact::None,
            template: match draft.content {
                OutboundContent::Template(_) => self.template.lock().expect("a fact").clone(),
                _ => TemplateFact::NotATemplate,
            },
            limits: self.limits.clone(),
            ingest_gap_until: None,
        })
    }
}

/// Access tokens behind a gate: what a test does to it happens between a claim and its POST.
#[derive(Default)]
pub struct Gate {
    at_next: Mutex<Option<Act>>,
}

struct Act {
    act: Box<dyn FnOnce() + Send>,
    /// Whoever was at the gate gets through it afterwards.
    opens: bool,
}

impl Gate {
    pub fn at_next(&self, act: impl FnOnce() + Send + 'static) {
        self.put(act, true);
    }

    /// The same, and whoever was at the gate stays there for ever: as long as its process lives.
    pub fn at_next_and_no_further(&self, act: impl FnOnce() + Send + 'static) {
        self.put(act, false);
    }

    fn put(&self, act: impl FnOnce() + Send + 'static, opens: bool) {
        let act = Box::new(act);
        *self.at_next.lock().expect("a gate") = Some(Act { act, opens });
    }
}

impl Credentials for Gate {
    fn token(&self, _: &Number) -> BoxFuture<'_, Option<SecretString>> {
        let act = self.at_next.lock().expect("a gate").take();
        if let Some(Act { act, opens }) = act {
            act();
            if !opens {
                return futures::future::pending().boxed();
            }
        }
        async { Some(SecretString::from("token")) }.boxed()
    }
}

/// A monotonic clock that only the test moves.
#[derive(Debug, Default)]
pub struct Stopwatch(Mutex<Duration>);

impl Stopwatch {
    pub fn advance(&self, by: Duration) {
        *self.0.lock().expect("a stopwatch") += by;
    }
}

impl Monotonic for Stopwatch {
    fn now(&self) -> Duration {
        *self.0.lock().expect("a stopwatch")
    }
}

/// Receipts do not come from now on.
pub fn cut_off(ground: &Ground) {
    ground.receipts.store(false, Ordering::Relaxed);
}
