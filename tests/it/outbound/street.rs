//! The street that the examples go down: a simulated Meta that holds every rule, a node, and people who have written.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::stream;
use secrecy::SecretString;
use serde_json::Value;
use vestibule::clock::SystemClock;
use vestibule::domain::{
    Bucket, Clock, ConversationId, Draft, IdGenerator, OutboundContent, OutboxId, Sender,
};
use vestibule::graph::GraphClient;
use vestibule::graph::client::media::{MediaError, MediaType, Upload};
use vestibule::graph::client::{HttpClientConfig, http_client};
use vestibule::policy::limits::LimitFacts;
use vestibule::policy::{
    BacklogFact, ConsentBasis, ConsentState, Decision, Facts, LoopBrake, Reason, SpendFact,
    TemplateFact, TopicFact, WindowFacts, decide,
};
use vestibule::simulator::{
    Customer, Profile, Simulator, SimulatorConfig, SimulatorHandle, WebhookPolicy,
};
use vestibule::storage::conversations::{self, Conversation};
use vestibule::storage::outbox::{self, NewSend, OutboxRow};
use vestibule::storage::{Db, nodes};
use vestibule_tests::{Business, Deployment, InProcessNode, Program, TestDatabase, settle};

use super::templates;

/// More than any call here takes.
pub const WAIT: Duration = Duration::from_secs(30);

pub struct Street {
    pub meta: SimulatorHandle,
    pub business: Business,
    db: Db,
    ids: IdGenerator,
    node: InProcessNode,
}

/// Somebody who has written to the business, what they wrote, and the conversation that it opened.
pub struct Person {
    pub customer: Customer,
    pub said: String,
    pub conversation: Conversation,
}

impl Street {
    pub async fn open(database: &TestDatabase, samples: &[Value]) -> Self {
        let business = Business::new(1, 1, 1000);
        let waba = &business.numbers[0].waba_id;
        let mut config = SimulatorConfig::new(Arc::new(SystemClock), &business.app_secret);
        config.numbers = business.sim_numbers();
        config.webhooks = WebhookPolicy::quick();
        config.templates = samples
            .iter()
            .filter(|sample| sample["type"] == "template")
            .map(|sample| templates::stored(waba, sample))
            .collect();
        let meta = Simulator::start(config)
            .await
            .expect("the simulator starts");
        let deployment = Deployment::new(Program::under_test(), &database.url, &meta.base_url());
        business.onboard(&deployment, "node").await;
        let node = deployment
            .start_in_process("node", Arc::new(SystemClock))
            .await;
        meta.set_webhook(&node.webhook_url(), None).expect("a URL");
        let db = database.open().await;
        let slot = nodes::lease_slot(&db, "test", Duration::from_secs(600)).await;
        let slot = slot.expect("a database").expect("a free slot").slot;
        Self {
            meta,
            business,
            ids: IdGenerator::new(slot.number, slot.id_floor),
            db,
            node,
        }
    }

    /// All of them say hello; `hidden` ones show no phone.
    pub async fn people(
        &self,
        database: &TestDatabase,
        phones: &[String],
        hidden: bool,
    ) -> Vec<Person> {
        let number = &self.business.numbers[0].phone_number_id;
        let mut hellos = Vec::new();
        for phone in phones {
            let customer = self.meta.customer(number, phone).expect("a customer");
            customer.set_profile(Profile {
                name: phone.clone(),
                shows_phone: !hidden,
                ..Profile::default()
            });
            let said = customer.text("hello").expect("sent");
            hellos.push((customer, said));
        }
        self.settled().await;
        let rows = database
            .texts(
                "SELECT p.display_name || ' ' || CAST(c.id AS TEXT)
                 FROM conversation c JOIN contact p ON p.id = c.contact",
            )
            .await;
        let mut people = Vec::new();
        for ((customer, said), phone) in hellos.into_iter().zip(phones) {
            let mut ids = rows.iter().filter_map(|row| row.strip_prefix(phone));
            let id = ids.next().and_then(|id| id.trim().parse().ok());
            let id = ConversationId::from_raw(id.expect("a conversation"));
            people.push(Person {
                customer,
                said,
                conversation: self.conversation(id).await,
            });
        }
        people
    }

    async fn conversation(&self, id: ConversationId) -> Conversation {
        let mut tx = self.db.read().await.expect("a transaction");
        let found = conversations::load_all_tenants(&mut tx, &[id]).await;
        found.expect("readable").remove(0)
    }

    /// What the business wants to send this person, whose message it quotes. `image`: what an upload was called.
    pub fn draft(&self, person: &Person, sample: &Value, image: &str) -> Draft {
        let now = SystemClock.now();
        let mut sample = sample.clone();
        if sample.get("message_id").is_some() {
            sample["message_id"] = Value::from(person.said.as_str());
        }
        if sample.get("id").is_some() {
            sample["id"] = Value::from(image);
        }
        let class = templates::class(&sample);
        let content: OutboundContent = serde_json::from_value(sample).expect("content");
        let to = &person.conversation;
        Draft {
            id: OutboxId::from_raw(self.ids.next(now)),
            tenant: to.tenant,
            number: to.number,
            conversation: to.id,
            contact: to.contact,
            recipient: to.recipient().expect("an address"),
            content,
            reply_to: Some(person.said.clone()),
            class,
            sender: Sender::ApiKey { name: "crm".into() },
            owner_version: to.owner_version,
            created_at: now,
        }
    }

    /// Commits what policy clears; the reason when it does not.
    pub async fn commit(&self, draft: &Draft, to: &Conversation) -> Result<(), Reason> {
        let now = SystemClock.now();
        let cleared = match decide(&facts(to, &draft.content), draft, now) {
            Decision::Cleared(draft) => draft,
            Decision::Refused(refusal) => return Err(refusal.reason),
            other => panic!("{other:?}"),
        };
        let send = NewSend {
            draft: cleared,
            bucket: Bucket::of(draft.number),
            turn: None,
            due_at: now,
            waits: None,
            prev: 0,
            claimed_at: None,
        };
        let mut tx = self.db.begin().await.expect("a transaction");
        let rows = outbox::insert_all_tenants(&mut tx, vec![send]).await;
        rows.expect("inserted");
        tx.commit().await.expect("a commit");
        Ok(())
    }

    /// Nothing is under way any more, receipts included.
    pub async fn settled(&self) {
        self.meta.webhooks_idle().await;
        settle(&self.db).await;
        self.meta.webhooks_idle().await;
        settle(&self.db).await;
    }

    pub async fn row(&self, draft: &Draft) -> OutboxRow {
        let mut tx = self.db.read().await.expect("a transaction");
        let found = outbox::find(&mut tx, draft.tenant, draft.id).await;
        found.expect("readable").expect("the row is there")
    }

    /// Uploads this and answers its id.
    pub async fn upload(&self, mime: &str, content: &'static [u8]) -> Result<String, MediaError> {
        let file = Upload {
            media_type: MediaType::parse(mime).expect("a type"),
            filename: "plan.jpg".to_owned(),
            length: Some(content.len() as u64),
            content: stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(content))]),
        };
        let (graph, token, number) = self.graph();
        graph.upload_media(&token, &number, file, WAIT).await
    }

    /// Graph as a node of the first tenant sees it: its client, token and phone-number id.
    pub fn graph(&self) -> (GraphClient, SecretString, String) {
        let http = http_client(&HttpClientConfig::default()).expect("a client");
        let number = self.business.sim_numbers().remove(0);
        (
            GraphClient::new(http, &self.meta.base_url(), "v25.0"),
            SecretString::from(number.access_token),
            number.phone_number_id,
        )
    }

    pub async fn close(self) {
        self.node.end().await;
        self.db.close().await;
    }
}

fn facts(conversation: &Conversation, content: &OutboundContent) -> Facts {
    Facts {
        holds: Vec::new(),
        owner: conversation.owner.clone(),
        owner_version: conversation.owner_version,
        consent: ConsentState::default(),
        blocked_at: None,
        basis: ConsentBasis::Attested,
        topic: TopicFact::None,
        window: WindowFacts {
            last_inbound_at: conversation.last_inbound_at,
            number_connected_at: SystemClock.now(),
            ingest_gap_until: None,
            closed_by_meta_at: None,
        },
        template: match content.template() {
            Some(_) => TemplateFact::Unknown,
            None => TemplateFact::NotATemplate,
        },
        backlog: BacklogFact::default(),
        spend: SpendFact::Unknown,
        brake: LoopBrake::default(),
        limits: LimitFacts::default(),
    }
}
