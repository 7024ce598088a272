//! Somebody changes more than once, and Meta tells it in another order (`whatsapp-cloud-api.md` §2.3): it is one person
//! at the end, with one conversation, whatever came first.

use serde_json::{Value, json};
use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{Desk, NUMBERS, text};

/// User ids and phones, one after the other.
const IDS: [&str; 3] = ["GB.1111", "GB.2222", "GB.3333"];
const PHONES: [&str; 3] = ["447700900111", "447700900222", "447700900333"];

/// What Meta tells; the number says from which to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// `user_id_update`, with the new phone.
    UserId(usize),
    /// `user_id_update` that names no phone.
    HiddenUserId(usize),
    /// `system` `user_changed_number`, without user ids.
    Number(usize),
    /// They write, with all that they are known by then.
    Says(usize),
}

use Told::{HiddenUserId, Number, Says, UserId};

struct Case {
    told: &'static [Told],
    /// How the one contact is known in the end.
    known: &'static str,
    conversations: i64,
}

const CASES: &[Case] = &[
    Case {
        told: &[Says(0), UserId(0), UserId(1)],
        known: "447700900333 GB.3333",
        conversations: 1,
    },
    Case {
        told: &[Says(0), UserId(1), UserId(0)],
        known: "447700900333 GB.3333",
        conversations: 1,
    },
    Case {
        told: &[Says(0), UserId(1), UserId(0), Says(2)],
        known: "447700900333 GB.3333",
        conversations: 1,
    },
    Case {
        told: &[Says(0), HiddenUserId(1), HiddenUserId(0)],
        known: "- GB.3333",
        conversations: 1,
    },
    Case {
        told: &[Says(0), Number(1), Number(0)],
        known: "447700900333 -",
        conversations: 1,
    },
    // Both changes by both ways, every one too early but the last.
    Case {
        told: &[Says(0), Number(1), UserId(1), Number(0), UserId(0)],
        known: "447700900333 GB.3333",
        conversations: 1,
    },
    // Nobody was known when the first came.
    Case {
        told: &[UserId(1), UserId(0), Says(2)],
        known: "447700900333 GB.3333",
        conversations: 1,
    },
    // They wrote from the last before we heard of anything: two conversations, and still one person.
    Case {
        told: &[Says(0), Says(2), UserId(1), UserId(0)],
        known: "447700900333 GB.3333",
        conversations: 2,
    },
];

fn change(desk: &Desk, told: Told) -> Value {
    // The first change was 400 s ago, the second 300.
    let at = |n: usize| desk.ago(400 - 100 * n as u64);
    let update = |n: usize, phone: Option<&str>| {
        let mut update = json!({ "timestamp": at(n).to_string(),
            "user_id": { "previous": IDS[n], "current": IDS[n + 1] } });
        if let Some(phone) = phone {
            update["wa_id"] = json!(phone);
        }
        json!({ "field": "user_id_update", "value": { "user_id_update": [update] } })
    };
    let mut change = match told {
        UserId(n) => update(n, Some(PHONES[n + 1])),
        HiddenUserId(n) => update(n, None),
        Number(n) => {
            let system = json!({ "type": "user_changed_number", "wa_id": PHONES[n + 1] });
            let message = json!({ "id": format!("wamid.N{n}"), "from": PHONES[n], "timestamp": at(n).to_string(),
                "type": "system", "system": system });
            json!({ "field": "messages", "value": { "messages": [message] } })
        }
        Says(n) => {
            let words = format!("from the {n}th");
            let (phone, id) = (PHONES[n], IDS[n]);
            let at = desk.ago(450 - 200 * n as u64);
            let value = text(&format!("wamid.S{n}"), Some(phone), Some(id), at, &words);
            json!({ "field": "messages", "value": value })
        }
    };
    change["value"]["metadata"] = json!({ "phone_number_id": NUMBERS[0] });
    change
}

async fn hear(desk: &Desk, changes: &[Value]) {
    let body = json!({ "object": "whatsapp_business_account",
        "entry": [{ "id": "990001", "changes": changes }] });
    assert_eq!(desk.post_by(0, &body).await, 200);
    desk.attach().await;
}

async fn people(database: &TestDatabase) -> Vec<String> {
    let query =
        "SELECT COALESCE(NULLIF(p.phone, ''), '-') || ' ' || COALESCE(NULLIF(p.bsuid, ''), '-')
        FROM contact p JOIN consent c ON c.contact = p.id WHERE c.merged_into = 0 ORDER BY 1";
    database.texts(query).await
}

#[tokio::test]
async fn changes_that_come_in_another_order_end_in_one_contact() {
    for case in CASES {
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            for told in case.told {
                hear(&desk, &[change(&desk, *told)]).await;
            }
            let found = people(&database).await;
            assert_eq!(found, [case.known], "{:?}", case.told);
            let conversations = database.count("SELECT COUNT(*) FROM conversation").await;
            assert_eq!(conversations, case.conversations, "{:?}", case.told);
        })
        .await;
    }
}

#[tokio::test]
async fn the_same_within_one_post() {
    for case in CASES {
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            let (first, rest) = case.told.split_at(1);
            hear(&desk, &[change(&desk, first[0])]).await;
            let rest: Vec<Value> = rest.iter().map(|told| change(&desk, *told)).collect();
            hear(&desk, &rest).await;
            assert_eq!(people(&database).await, [case.known], "{:?}", case.told);
        })
        .await;
    }
}

#[tokio::test]
async fn windows_close_by_the_latest_change_and_opt_outs_go_along() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let at = desk.ago(450);
        let stop = text("wamid.STOP", Some(PHONES[0]), Some(IDS[0]), at, "STOP");
        desk.hear(&[stop]).await;
        for told in [UserId(1), UserId(0)] {
            hear(&desk, &[change(&desk, told)]).await;
        }
        let query = "SELECT CAST(v.closed_by_meta_at AS TEXT) || ' ' || CAST(c.opt_out AS TEXT)
            FROM conversation v JOIN consent c ON c.contact = v.contact";
        let expected = format!("{} 2", desk.ago(300) * 1000);
        assert_eq!(database.texts(query).await, [expected]);
    })
    .await;
}
