//! People who change number or user id (`whatsapp-cloud-api.md` §2.3): Meta says so by two ways, in any order, before or
//! after they write from the new one. Their opt-outs go with them, their opt-ins and open windows do not.

use serde_json::{Value, json};
use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{Desk, NUMBERS, from, text};

const OLD: &str = "447700900123";
const NEW: &str = "447700900999";
const OLD_ID: &str = "GB.4410093827716523";
const NEW_ID: &str = "GB.9987711223344556";

/// What comes in; the number is how many seconds ago.
#[derive(Clone, Copy)]
enum Step {
    Says(
        Option<&'static str>,
        Option<&'static str>,
        &'static str,
        u64,
    ),
    /// `system` `user_changed_number`, with the user id it came under.
    Number(Option<&'static str>, u64),
    /// `user_id_update`, with or without the new phone.
    UserId(Option<&'static str>, u64),
}

use Step::{Number, Says, UserId};

struct Case {
    name: &'static str,
    steps: &'static [Step],
    /// Who is known: `phone bsuid, opt-out level, messages`, by phone; of those that are not part of another.
    people: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "a new number by one notice",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "hi", 500),
            Number(Some(OLD_ID), 400),
            Says(Some(NEW), Some(NEW_ID), "it is me", 300),
        ],
        people: &["447700900999 GB.9987711223344556, 0, 2 + 1"],
    },
    Case {
        name: "a new number by both notices",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "hi", 500),
            Number(Some(OLD_ID), 400),
            UserId(Some(NEW), 399),
            Says(None, Some(NEW_ID), "it is me", 300),
        ],
        people: &["447700900999 GB.9987711223344556, 0, 2 + 2"],
    },
    Case {
        name: "a new number by both notices, the other way round",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "hi", 500),
            UserId(Some(NEW), 399),
            Number(Some(OLD_ID), 400),
            Says(Some(NEW), None, "it is me", 300),
        ],
        people: &["447700900999 GB.9987711223344556, 0, 2 + 2"],
    },
    Case {
        name: "the opt-out goes with the person",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "STOP", 500),
            Number(Some(OLD_ID), 400),
            UserId(Some(NEW), 399),
        ],
        people: &["447700900999 GB.9987711223344556, 2, 1 + 2"],
    },
    Case {
        name: "the opt-out goes to who has written from the new number already",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "STOP", 500),
            Says(Some(NEW), Some(NEW_ID), "hi", 300),
            UserId(Some(NEW), 400),
        ],
        people: &["447700900999 GB.9987711223344556, 2, 1 + 1"],
    },
    Case {
        name: "a new number alone may be that of whoever had it before, and stops both",
        steps: &[
            Says(Some(NEW), Some(NEW_ID), "hi", 600),
            Says(Some(OLD), Some(OLD_ID), "STOP", 500),
            Number(Some(OLD_ID), 400),
        ],
        people: &[
            "- GB.9987711223344556, 2, 1 + 0",
            "447700900999 -, 2, 1 + 1",
        ],
    },
    Case {
        name: "whoever gets the old number is somebody else",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "STOP", 500),
            Number(Some(OLD_ID), 400),
            Says(Some(OLD), None, "hello", 300),
        ],
        people: &["447700900123 -, 0, 1 + 0", "447700900999 -, 2, 1 + 1"],
    },
    Case {
        name: "what was written before the change and comes after it is the person's",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "hi", 500),
            Number(Some(OLD_ID), 400),
            Says(Some(OLD), Some(OLD_ID), "late", 450),
        ],
        people: &["447700900999 -, 0, 2 + 1"],
    },
    Case {
        name: "a user id without a phone leaves no phone to write to",
        steps: &[Says(Some(OLD), Some(OLD_ID), "hi", 500), UserId(None, 400)],
        people: &["- GB.9987711223344556, 0, 1 + 1"],
    },
    Case {
        name: "a phone that stayed is shown again",
        steps: &[
            Says(Some(OLD), Some(OLD_ID), "hi", 500),
            UserId(None, 400),
            Says(Some(OLD), Some(NEW_ID), "still here", 300),
        ],
        people: &["447700900123 GB.9987711223344556, 0, 2 + 1"],
    },
    Case {
        name: "nobody whom we know yet is remembered as one",
        steps: &[UserId(Some(NEW), 400), Number(None, 300)],
        people: &["447700900999 GB.9987711223344556, 0, 0 + 2"],
    },
];

fn notice(desk: &Desk, n: usize, step: Step) -> Value {
    match step {
        Says(phone, bsuid, words, ago) => {
            text(&format!("wamid.{n}"), phone, bsuid, desk.ago(ago), words)
        }
        Number(bsuid, ago) => {
            let system = json!({ "type": "user_changed_number", "wa_id": NEW, "body": "changed" });
            let element = json!({ "type": "system", "system": system });
            let mut value = from(
                &format!("wamid.{n}"),
                Some(OLD),
                bsuid,
                desk.ago(ago),
                element,
            );
            // Such messages come without (§2.2).
            value.as_object_mut().expect("a value").remove("contacts");
            value
        }
        UserId(phone, ago) => {
            let mut update = json!({ "detail": "user id changed", "timestamp": desk.ago(ago).to_string(),
                "user_id": { "previous": OLD_ID, "current": NEW_ID } });
            if let Some(phone) = phone {
                update["wa_id"] = json!(phone);
            }
            json!({ "user_id_update": [update] })
        }
    }
}

async fn hear(desk: &Desk, values: &[Value]) {
    let changes: Vec<Value> = values
        .iter()
        .map(|value| {
            let update = value.get("user_id_update").is_some();
            let field = if update { "user_id_update" } else { "messages" };
            let mut value = value.clone();
            value["metadata"] = json!({ "phone_number_id": NUMBERS[0] });
            json!({ "field": field, "value": value })
        })
        .collect();
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "990001", "changes": changes }] });
    assert_eq!(desk.post_by(0, &body).await, 200);
    desk.attach().await;
}

/// Messages and notices of each person.
async fn people(database: &TestDatabase) -> Vec<String> {
    let query = "SELECT COALESCE(NULLIF(p.phone, ''), '-') || ' ' || COALESCE(NULLIF(p.bsuid, ''), '-') || ', '
            || CAST(c.opt_out AS TEXT) || ', '
            || CAST((SELECT COUNT(*) FROM inbound_event e WHERE e.contact = p.id AND e.kind = 1) AS TEXT) || ' + '
            || CAST((SELECT COUNT(*) FROM inbound_event e WHERE e.contact = p.id AND e.kind = 3) AS TEXT)
        FROM contact p JOIN consent c ON c.contact = p.id WHERE c.merged_into = 0 ORDER BY 1";
    let mut people = database.texts(query).await;
    people.sort();
    people
}

#[tokio::test]
async fn people_who_change_number_or_user_id_stay_who_they_are() {
    for case in CASES {
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            for (n, step) in case.steps.iter().enumerate() {
                hear(&desk, &[notice(&desk, n, *step)]).await;
            }
            assert_eq!(people(&database).await, case.people, "{}", case.name);
        })
        .await;
    }
}

#[tokio::test]
async fn a_change_and_what_is_written_after_it_may_come_in_one_post() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let steps = [
            Says(Some(OLD), Some(OLD_ID), "STOP", 500),
            Number(Some(OLD_ID), 400),
            UserId(Some(NEW), 399),
            Says(Some(NEW), Some(NEW_ID), "it is me", 300),
        ];
        let said: Vec<Value> = steps
            .iter()
            .enumerate()
            .map(|(n, step)| notice(&desk, n, *step))
            .collect();
        hear(&desk, &said[..1]).await;
        hear(&desk, &said[1..]).await;
        let expected = ["447700900999 GB.9987711223344556, 2, 2 + 2"];
        assert_eq!(people(&database).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_new_number_has_no_open_window_and_no_reopened_replies_until_it_writes() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let state = async || {
            let query = "SELECT CASE WHEN v.closed_by_meta_at > v.last_inbound_at THEN 'closed' ELSE 'open' END
                || CASE WHEN c.reopened_at = 0 THEN ', stopped' ELSE ', replies' END
                FROM conversation v JOIN consent c ON c.contact = v.contact";
            database.texts(query).await
        };
        let steps = [
            (Says(Some(OLD), Some(OLD_ID), "STOP", 500), "open, stopped"),
            (Says(Some(OLD), Some(OLD_ID), "a question", 450), "open, replies"),
            (Number(Some(OLD_ID), 400), "closed, stopped"),
            (Says(Some(NEW), Some(NEW_ID), "it is me", 300), "open, replies"),
            // The same change once more, by the other way: nothing moves.
            (UserId(Some(NEW), 399), "open, replies"),
        ];
        for (n, (step, expected)) in steps.into_iter().enumerate() {
            hear(&desk, &[notice(&desk, n, step)]).await;
            assert_eq!(state().await, [expected], "step {n}");
        }
    })
    .await;
}
