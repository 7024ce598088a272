//! Sends of the shop, as a turn or an API client would have committed them, in whatever state a test needs.

use vestibule::domain::outbound::TemplateContent;
use vestibule::domain::{
    Clock, ContactId, ConversationId, Draft, DraftClass, NumberId, OutboundContent, OutboxId,
    OutboxState, Phone, Recipient, Sender, TenantId,
};
use vestibule::policy::{BacklogFact, ConsentState, Decision, decide};
use vestibule::storage::conversations::{self, Conversation};
use vestibule::storage::outbox::{self, Move, NewSend, OutboxRow};
use vestibule_tests::TestDatabase;

use super::desk::{Desk, NUMBERS, text};

pub const CUSTOMER: &str = "447700900123";

/// The one conversation that there is.
pub async fn only_conversation(desk: &Desk, database: &TestDatabase) -> Conversation {
    let ids = database
        .texts("SELECT CAST(id AS TEXT) FROM conversation")
        .await;
    assert_eq!(ids.len(), 1, "one conversation");
    let id = ConversationId::from_raw(ids[0].parse().expect("an id"));
    let mut tx = desk.db.read().await.expect("a transaction");
    let found = conversations::load_all_tenants(&mut tx, &[id]).await;
    found.expect("readable").remove(0)
}

/// A conversation that a customer has opened.
pub async fn opened(desk: &Desk, database: &TestDatabase) -> Conversation {
    let hello = text("wamid.HELLO", Some(CUSTOMER), None, desk.ago(60), "hello");
    desk.hear(&[hello]).await;
    only_conversation(desk, database).await
}

pub fn template(class: DraftClass) -> (OutboundContent, DraftClass) {
    let content = OutboundContent::Template(Box::new(TemplateContent::new("spring_sale", "en")));
    (content, class)
}

pub fn reply(words: &str) -> (OutboundContent, DraftClass) {
    let content = OutboundContent::Text {
        body: words.to_owned(),
        preview_url: false,
    };
    (content, DraftClass::Reply)
}

/// Commits sends to a conversation; they wait queued and nobody sends them.
pub async fn queued(
    desk: &Desk,
    to: &Conversation,
    what: (OutboundContent, DraftClass),
    count: usize,
) -> Vec<OutboxRow> {
    let now = desk.clock.now();
    let snapshot = desk.owner.snapshot();
    let entry = snapshot.number_named(NUMBERS[0]).expect("the number");
    let send = |_| {
        let draft = draft(desk, to, &what);
        let consent = ConsentState::default();
        let mut facts = entry.facts(to, consent, BacklogFact::default(), &draft.content, now);
        // They were cleared before anything was held.
        facts.holds.clear();
        let Decision::Cleared(draft) = decide(&facts, &draft, now) else {
            panic!("everything is allowed here");
        };
        NewSend {
            draft,
            bucket: to.bucket,
            turn: None,
            due_at: now,
            waits: None,
            prev: 0,
            claimed_at: None,
        }
    };
    let sends = (0..count).map(send).collect();
    let mut tx = desk.db.begin().await.expect("a transaction");
    let rows = outbox::insert_all_tenants(&mut tx, sends).await;
    tx.commit().await.expect("a commit");
    rows.expect("inserted")
}

/// What policy says of it as things stand: `cleared`, or the reason's code.
pub fn decided(
    desk: &Desk,
    to: &Conversation,
    what: (OutboundContent, DraftClass),
) -> &'static str {
    let now = desk.clock.now();
    let snapshot = desk.owner.snapshot();
    let entry = snapshot.number_named(NUMBERS[0]).expect("the number");
    let draft = draft(desk, to, &what);
    let (consent, backlog) = (ConsentState::default(), BacklogFact::default());
    let facts = entry.facts(to, consent, backlog, &draft.content, now);
    match decide(&facts, &draft, now) {
        Decision::Cleared(_) => "cleared",
        Decision::Refused(refusal) => refusal.reason.code(),
        Decision::Deferred { reason, .. } => reason.code(),
    }
}

fn draft(desk: &Desk, to: &Conversation, what: &(OutboundContent, DraftClass)) -> Draft {
    let now = desk.clock.now();
    Draft {
        id: OutboxId::from_raw(desk.ids.next(now)),
        tenant: to.tenant,
        number: to.number,
        conversation: to.id,
        contact: to.contact,
        recipient: Recipient::Phone(Phone::parse(CUSTOMER).expect("a phone")),
        content: what.0.clone(),
        reply_to: None,
        class: what.1,
        sender: Sender::ApiKey { name: "crm".into() },
        owner_version: to.owner_version,
        created_at: now,
    }
}

/// Moves a row to where a test needs it.
pub async fn put(desk: &Desk, row: &OutboxRow, state: OutboxState, doubts: u32, reason: &str) {
    let change = Move {
        doubts,
        attempts: doubts,
        reason: reason.to_owned(),
        ..Move::of(row, state)
    };
    let mut tx = desk.db.begin().await.expect("a transaction");
    let moved = outbox::move_all_tenants(&mut tx, &[change], desk.clock.now()).await;
    assert_eq!(moved.expect("moved").len(), 1);
    tx.commit().await.expect("a commit");
}

/// The row as it stands.
pub async fn row(desk: &Desk, row: &OutboxRow) -> OutboxRow {
    let mut tx = desk.db.read().await.expect("a transaction");
    let found = outbox::find(&mut tx, row.draft.tenant, row.draft.id).await;
    found.expect("readable").expect("the row is there")
}

/// Whose sends they are.
pub fn whose(row: &OutboxRow) -> (TenantId, NumberId, ContactId) {
    (row.draft.tenant, row.draft.number, row.draft.contact)
}
