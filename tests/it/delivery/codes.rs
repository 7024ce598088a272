//! The codes of facts §7 that concern consent, the window and templates, as Graph's answers to sends.

use std::time::Duration;

use vestibule::domain::outbound::TemplateContent;
use vestibule::domain::{
    Clock, ContactId, ConversationId, Draft, DraftClass, OutboundContent, OutboxState,
};
use vestibule_tests::{for_each_database, until};

use super::graph::Reply;
use super::ground::{Ground, NUMBER, Node, TENANT};
use crate::codes::{CODES, Code, Fate, Met, left, read_templates, template_name};

/// As the ground's numbers have it.
const ACCOUNT: &str = "w";

fn draft(ground: &Ground, person: i64, code: &Code) -> Draft {
    if code.class == DraftClass::Reply {
        return ground.reply(person, "hello");
    }
    let content = TemplateContent::new(template_name(code), "en");
    Draft {
        content: OutboundContent::Template(Box::new(content)),
        ..ground.template(person, code.class)
    }
}

async fn meets(ground: &Ground, node: &Node, person: i64, code: &Code) {
    ground.graph.answers([Reply::Error(code.code)]);
    let rows = ground.commit(vec![draft(ground, person, code)]).await;
    let id = rows[0].draft.id;
    node.intake.offer(rows);
    // What an earlier code has stopped is stopped for a moment only: this directory knows no holds.
    let row = until("its answer is recorded", async || {
        ground.pass(node, Duration::from_secs(1));
        let row = ground.row(id).await;
        (row.error == Some(code.code)).then_some(row)
    })
    .await;
    match code.fate {
        Fate::Fails => assert_eq!(row.state, OutboxState::Failed, "{}", code.code),
        Fate::Again(secs) => {
            assert_eq!(row.state, OutboxState::Queued, "{}", code.code);
            let wait = row.due_at.since(row.changed_at);
            let around = Duration::from_secs(secs.unsigned_abs());
            assert!(
                around.mul_f64(0.79) < wait && wait < around.mul_f64(1.21),
                "{}: {wait:?}",
                code.code
            );
            let step = Duration::from_secs(30);
            ground
                .pass_until(node, step, id, OutboxState::Accepted)
                .await;
        }
    }
}

#[tokio::test]
async fn every_code_that_answers_a_send_leaves_what_the_table_asks_for() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let now = ground.clock.now();
        read_templates(&ground.db, &ground.ids, (TENANT, ACCOUNT), "APPROVED", now).await;
        let last = 300 + i64::try_from(CODES.len()).expect("a few");
        ground.add_people(301..=last).await;
        ground.add_conversations(301..=last, NUMBER, 0).await;
        let node = ground.start().await;
        for (person, code) in (301..).zip(CODES) {
            meets(&ground, &node, person, code).await;
            let met = Met {
                by: "delivery",
                tenant: TENANT,
                contact: ContactId::from_raw(person),
                conversation: ConversationId::from_raw(person),
                account: ACCOUNT,
            };
            let left = left(&ground.db, code, &met).await;
            assert!(left.iter().eq(code.leaves), "{}: {left:?}", code.code);
        }
        node.stop().await;
    })
    .await;
}
