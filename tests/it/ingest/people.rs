//! Who wrote: phones, business-scoped user ids, and what happens when a webhook shows both or one moves.

use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{Desk, text};

const PHONE: &str = "447700900123";
const OTHER_PHONE: &str = "447700900999";
pub(super) const BSUID: &str = "GB.4410093827716523";
const OTHER_BSUID: &str = "GB.9987711223344556";

/// Messages as `(phone, BSUID)`, and then who is known: each contact that is not part of another, with its messages.
/// "A phone moves" is what keeps a reply to one person from going to another.
struct Case {
    name: &'static str,
    messages: &'static [(Option<&'static str>, Option<&'static str>)],
    /// `phone bsuid messages`, by phone.
    people: &'static [&'static str],
    /// The same when they come in one post, where that is better than one after the other.
    together: Option<&'static [&'static str]>,
}

const CASES: &[Case] = &[
    Case {
        name: "a BSUID without a phone is somebody",
        messages: &[(None, Some(BSUID)), (None, Some(BSUID))],
        people: &["- GB.4410093827716523 2"],
        together: None,
    },
    Case {
        name: "a phone and a BSUID of one person merge when a webhook shows both",
        messages: &[
            (Some(PHONE), None),
            (None, Some(BSUID)),
            (Some(PHONE), Some(BSUID)),
        ],
        // What was said before as somebody else stays where it was said.
        people: &["447700900123 GB.4410093827716523 2"],
        together: Some(&["447700900123 GB.4410093827716523 3"]),
    },
    Case {
        name: "a known phone learns its BSUID",
        messages: &[
            (Some(PHONE), None),
            (Some(PHONE), Some(BSUID)),
            (None, Some(BSUID)),
        ],
        people: &["447700900123 GB.4410093827716523 3"],
        together: None,
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
        together: None,
    },
    Case {
        name: "a person with a new phone stays who they are",
        messages: &[(Some(PHONE), Some(BSUID)), (Some(OTHER_PHONE), Some(BSUID))],
        people: &["447700900999 GB.4410093827716523 2"],
        together: None,
    },
];

/// By identities, which are the truth of who is reached how; a contact's columns, by which it is written to, must never
/// show what is somebody else's.
async fn people(database: &TestDatabase) -> Vec<String> {
    let foreign = "SELECT COUNT(*) FROM contact p JOIN consent c ON c.contact = p.id WHERE c.merged_into = 0 AND (
        (p.phone <> '' AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.contact = p.id AND i.value = p.phone)) OR
        (p.bsuid <> '' AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.contact = p.id AND i.value = p.bsuid)) OR
        (p.phone = '' AND EXISTS (SELECT 1 FROM identity i WHERE i.contact = p.id AND i.kind = 1 AND i.superseded_at = 0)) OR
        (p.bsuid = '' AND EXISTS (SELECT 1 FROM identity i WHERE i.contact = p.id AND i.kind = 2 AND i.superseded_at = 0)))";
    assert_eq!(
        database.count(foreign).await,
        0,
        "columns are not as identities say"
    );
    let query =
        "SELECT COALESCE(NULLIF(p.phone, ''), '-') || ' ' || COALESCE(NULLIF(p.bsuid, ''), '-')
            || ' ' || CAST((SELECT COUNT(*) FROM inbound_event e WHERE e.contact = p.id) AS TEXT)
        FROM contact p JOIN consent c ON c.contact = p.id WHERE c.merged_into = 0 ORDER BY 1";
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
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            let say = |(n, (phone, bsuid)): (usize, &(Option<&str>, Option<&str>))| {
                text(&format!("wamid.{n}"), *phone, *bsuid, desk.ago(60), "hi")
            };
            let said: Vec<_> = case.messages.iter().enumerate().map(say).collect();
            desk.hear(&said).await;
            let people: Vec<String> = people(&database).await;
            let expected = case.together.unwrap_or(case.people);
            assert_eq!(people, expected, "{}", case.name);
        })
        .await;
    }
}
