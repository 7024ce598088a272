//! The codes of facts §7 that concern consent, the window and templates, as failures that come after a send was taken.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::domain::outbound::TemplateContent;
use vestibule::domain::{
    Clock, ConversationId, DraftClass, OutboundContent, OutboxState, ReceiptStatus, TenantId,
};
use vestibule::storage::conversations;
use vestibule::storage::holds::{Held, holds_all_tenants};
use vestibule::storage::outbox::OutboxRow;
use vestibule_tests::for_each_database;

use super::desk::{Desk, status, text};
use super::sends::{put, queued, reply, row, whose};
use crate::codes::{CODES, Code, Met, left, read_templates, template_name};

/// As the shop's number has it.
const ACCOUNT: &str = "990001";

fn what(code: &Code) -> (OutboundContent, DraftClass) {
    if code.class == DraftClass::Reply {
        return reply("hello");
    }
    let content = TemplateContent::new(template_name(code), "en");
    (OutboundContent::Template(Box::new(content)), code.class)
}

async fn read(desk: &Desk, tenant: TenantId, status: &str) {
    desk.clock.advance(Duration::from_secs(120));
    let now = desk.clock.now();
    read_templates(&desk.db, &desk.ids, (tenant, ACCOUNT), status, now).await;
}

/// The codes for which templates are held.
async fn held(desk: &Desk) -> Vec<i64> {
    let mut tx = desk.db.read().await.expect("a transaction");
    let holds = holds_all_tenants(&mut tx).await.expect("holds");
    let mut codes: Vec<i64> = holds
        .iter()
        .filter(|hold| matches!(hold.held, Held::Template(..)))
        .filter_map(|hold| hold.placed_by.rsplit(' ').next()?.parse().ok())
        .collect();
    codes.sort_unstable();
    codes
}

#[tokio::test]
async fn every_code_that_fails_a_send_later_leaves_what_the_table_asks_for() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let said = |n: usize| {
            let phone = format!("4477009001{n:02}");
            text(
                &format!("wamid.{n}"),
                Some(&phone),
                None,
                desk.ago(60),
                "hello",
            )
        };
        let hello: Vec<Value> = (0..CODES.len()).map(said).collect();
        desk.hear(&hello).await;
        let ids = database
            .texts("SELECT CAST(id AS TEXT) FROM conversation ORDER BY id")
            .await;
        let ids: Vec<ConversationId> = ids
            .iter()
            .map(|id| ConversationId::from_raw(id.parse().expect("an id")))
            .collect();
        assert_eq!(ids.len(), CODES.len());
        let mut tx = desk.db.read().await.expect("a transaction");
        let conversations = conversations::load_all_tenants(&mut tx, &ids).await;
        let conversations = conversations.expect("readable");
        drop(tx);
        let tenant = conversations[0].tenant;
        read(&desk, tenant, "APPROVED").await;
        let mut sent = Vec::new();
        for (conversation, code) in conversations.iter().zip(CODES) {
            let one = queued(&desk, conversation, what(code), 1).await.remove(0);
            put(&desk, &one, OutboxState::Accepted, 0, "").await;
            sent.push(one);
        }
        let failed = |(one, code): (&OutboxRow, &Code)| {
            let wamid = format!("wamid.OUT{}", code.code);
            let id = one.draft.id.to_string();
            status(&id, &wamid, "failed", desk.ago(5), Some(code.code))
        };
        let statuses: Vec<Value> = sent.iter().zip(CODES).map(failed).collect();
        desk.hear(&[json!({ "statuses": statuses })]).await;
        for (one, code) in sent.iter().zip(CODES) {
            let now = row(&desk, one).await;
            // It was taken once: by itself it never goes again.
            assert_eq!(
                (now.state, now.receipt, now.error),
                (
                    OutboxState::Accepted,
                    Some(ReceiptStatus::Failed),
                    Some(code.code)
                )
            );
            let (tenant, _, contact) = whose(one);
            let met = Met {
                by: "receipt",
                tenant,
                contact,
                conversation: one.draft.conversation,
                account: ACCOUNT,
            };
            let left = left(&desk.db, code, &met).await;
            assert!(left.iter().eq(code.leaves), "{}: {left:?}", code.code);
        }
        // What is paused goes on once a list says that it may be sent. What is disabled does not, for the list may be
        // behind; only when it has been seen so and is approved again. A blocked flow is a person's to look at.
        assert_eq!(held(&desk).await, [132_015, 132_016, 132_068, 139_000]);
        read(&desk, tenant, "APPROVED").await;
        assert_eq!(held(&desk).await, [132_016, 132_068, 139_000]);
        read(&desk, tenant, "DISABLED").await;
        read(&desk, tenant, "APPROVED").await;
        assert_eq!(held(&desk).await, [132_068, 139_000]);
    })
    .await;
}
