//! Who wrote: phones, business-scoped user ids, and what happens when a webhook shows both or one moves.

use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{Desk, text};

const PHONE: &str = "447700900123";
const OTHER_PHONE: &str = "447700900999";
const BSUID: &str = "GB.4410093827716523";
const OTHER_BSUID: &str = "GB.9987711223344556";

/// Messages as `(phone, BSUID)`, and then who is known: each contact that is not part of another, with its messages.
struct Case {
    name: &'static str,
    messages: &'static [(Option<&'static str>, Option<&'static str>)],
    /// `phone bsuid messages`, by phone.
    people: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "a BSUID without a phone is somebody",
        messages: &[(None, Some(BSUID)), (None, Some(BSUID))],
        people: &["- GB.4410093827716523 2"],
    },
    Case {
        name: "a phone and a BSUID of one person merge when a webhook shows both",
        messages: &[
            (Some(PHONE), None),
            (None, Some(BSUID)),
            (Some(PHONE), Some(BSUID)),
        ],
        people: &["447700900123 GB.4410093827716523 2"],
    },
    Case {
        name: "a known phone learns its BSUID",
        messages: &[
            (Some(PHONE), None),
            (Some(PHONE), Some(BSUID)),
            (None, Some(BSUID)),
        ],
        people: &["447700900123 GB.4410093827716523 3"],
    },
    Case {
        name: "a phone moves to the person who has it now",
        messages: &[
            (Some(PHONE), Some(BSUID)),
            (Some(PHONE), Some(OTHER_BSUID)),
            (Some(PHONE), None),
            (None, Some(BSUID)),
        ],
        people: &[
            "- GB.4410093827716523 2",
            "447700900123 GB.9987711223344556 2",
        ],
    },
    Case {
        name: "a person with a new phone stays who they are",
        messages: &[(Some(PHONE), Some(BSUID)), (Some(OTHER_PHONE), Some(BSUID))],
        people: &["447700900999 GB.4410093827716523 2"],
    },
];

/// By identities, which are the truth of who is reached how; a contact's columns only show the latest.
async fn people(database: &TestDatabase) -> Vec<String> {
    let query = "SELECT COALESCE((SELECT MAX(i.value) FROM identity i WHERE i.contact = p.id AND i.kind = 1), '-')
            || ' ' || COALESCE((SELECT MAX(i.value) FROM identity i WHERE i.contact = p.id AND i.kind = 2), '-')
            || ' ' || CAST((SELECT COUNT(*) FROM inbound_event e WHERE e.contact = p.id) AS TEXT)
        FROM contact p WHERE p.merged_into = 0 ORDER BY 1";
    database.texts(query).await
}

#[tokio::test]
async fn people_are_known_by_phone_and_bsuid_as_webhooks_show_them() {
    for case in CASES {
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            for (n, (phone, bsuid)) in case.messages.iter().enumerate() {
                let said = text(&format!("wamid.{n}"), *phone, *bsuid, desk.ago(60), "hi");
                assert_eq!(desk.hear(&[said]).await.len(), 1, "{}", case.name);
            }
            assert_eq!(people(&database).await, case.people, "{}", case.name);
        })
        .await;
    }
}

#[tokio::test]
async fn people_of_one_post_are_told_apart_as_if_each_had_come_alone() {
    for case in CASES {
        // Both halves of a person who was two in the same transaction stay two until they write again.
        if case.name.contains("merge") {
            continue;
        }
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            let say = |(n, (phone, bsuid)): (usize, &(Option<&str>, Option<&str>))| {
                text(&format!("wamid.{n}"), *phone, *bsuid, desk.ago(60), "hi")
            };
            let said: Vec<_> = case.messages.iter().enumerate().map(say).collect();
            desk.hear(&said).await;
            assert_eq!(people(&database).await, case.people, "{}", case.name);
        })
        .await;
    }
}
