//! Drafts, cleared by the real policy and committed as a turn commits them.

use std::time::Duration;

use vestibule::domain::outbound::TemplateContent;
use vestibule::domain::{
    Bucket, Clock, ContactId, ConversationId, Draft, DraftClass, InstallationId, OutboundContent,
    OutboxId, Owner, Phone, Recipient, Sender,
};
use vestibule::policy::limits::LimitFacts;
use vestibule::policy::{
    BacklogFact, ConsentBasis, ConsentState, Decision, Facts, LoopBrake, SpendFact, TemplateFact,
    TopicFact, WindowFacts, decide,
};
use vestibule::storage::outbox::{self, NewSend, OutboxRow};

use super::ground::{Ground, NUMBER, TENANT};

impl Ground {
    pub fn reply(&self, person: i64, text: &str) -> Draft {
        let now = self.clock.now();
        Draft {
            id: OutboxId::from_raw(self.ids.next(now)),
            tenant: TENANT,
            number: NUMBER,
            conversation: ConversationId::from_raw(person),
            contact: ContactId::from_raw(person),
            recipient: Recipient::Phone(
                Phone::parse(&format!("4477009{person:05}")).expect("a phone"),
            ),
            content: OutboundContent::Text {
                body: text.to_owned(),
                preview_url: false,
            },
            reply_to: None,
            class: DraftClass::Reply,
            sender: Sender::Plugin {
                installation: InstallationId::from_raw(1),
                name: "menu".into(),
                version: "1.0.0".into(),
                farewell: false,
            },
            owner_version: 0,
            created_at: now,
        }
    }

    /// A template of some class, from an API client.
    pub fn template(&self, person: i64, class: DraftClass) -> Draft {
        Draft {
            content: OutboundContent::Template(Box::new(TemplateContent::new(
                "order_update",
                "en",
            ))),
            class,
            sender: Sender::ApiKey {
                name: "shop".into(),
            },
            ..self.reply(person, "")
        }
    }

    pub fn tick(&self, person: i64) -> Draft {
        let content = OutboundContent::MarkRead {
            message_id: "wamid.IN".into(),
            typing: true,
        };
        Draft {
            content,
            ..self.reply(person, "")
        }
    }

    /// Commits drafts; the rows are for the node's intake, or for a scan to find.
    pub async fn commit(&self, drafts: Vec<Draft>) -> Vec<OutboxRow> {
        let sends = self.cleared(drafts);
        let mut tx = self.db.begin().await.expect("a transaction");
        let rows = outbox::insert_all_tenants(&mut tx, sends)
            .await
            .expect("inserted");
        tx.commit().await.expect("a commit");
        rows
    }

    /// What the first gate lets through.
    pub fn cleared(&self, drafts: Vec<Draft>) -> Vec<NewSend> {
        let now = self.clock.now();
        drafts
            .into_iter()
            .map(|draft| {
                let bucket = Bucket::of(draft.number);
                let Decision::Cleared(draft) = decide(&self.facts(), &draft, now) else {
                    panic!("everything is allowed here");
                };
                NewSend {
                    draft,
                    bucket,
                    turn: None,
                    due_at: now,
                    waits: None,
                    prev: 0,
                    claimed_at: None,
                }
            })
            .collect()
    }

    /// Commits one draft that the node has to find by itself.
    pub async fn commit_one(&self, draft: Draft) -> OutboxId {
        self.commit(vec![draft]).await[0].draft.id
    }

    fn facts(&self) -> Facts {
        let now = self.clock.now();
        Facts {
            holds: Vec::new(),
            owner: Owner::Bot,
            owner_version: 0,
            consent: ConsentState::default(),
            blocked_at: None,
            basis: ConsentBasis::Attested,
            topic: TopicFact::None,
            window: WindowFacts {
                last_inbound_at: Some(now),
                number_connected_at: now.minus(Duration::from_secs(90 * 86_400)),
                ingest_gap_until: None,
                closed_by_meta_at: None,
            },
            template: TemplateFact::Unknown,
            backlog: BacklogFact::default(),
            spend: SpendFact::Unknown,
            brake: LoopBrake::default(),
            limits: LimitFacts::default(),
        }
    }
}
