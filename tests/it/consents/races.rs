//! Changes of consent that somebody else's comes before, on PostgreSQL: made again, they find it. SQLite has one writer, and
//! nobody comes before.

use vestibule::consent::pages::{self, NewPage};
use vestibule::domain::{Clock, ConsentChannel, ConsentScope, ConsentStatus, ContactId, NumberId};
use vestibule::storage::consent_pages::{self, PageRow};
use vestibule::storage::consents::{self, Wording};
use vestibule::storage::people;
use vestibule_tests::{Kind, TestDatabase, for_each_database};

use super::{records, say, shop, told};
use crate::ingest::desk::{Desk, text};
use crate::ingest::locks::until_somebody_waits;

async fn ids(database: &TestDatabase, query: &'static str) -> Vec<i64> {
    let ids = database.texts(query).await;
    ids.iter().map(|id| id.parse().expect("an id")).collect()
}

#[tokio::test]
async fn what_is_said_of_somebody_who_becomes_one_with_another_is_said_of_who_stays() {
    for_each_database(async |database| {
        if database.kind == Kind::Sqlite {
            return;
        }
        let desk = Desk::open(&database).await;
        let heard = |n: usize| {
            let phone = format!("44770090012{n}");
            text(
                &format!("wamid.{n}"),
                Some(&phone),
                None,
                desk.ago(90),
                "hi",
            )
        };
        desk.hear(&[heard(1), heard(2)]).await;
        let tenant = shop(&database).await;
        let contacts = ids(
            &database,
            "SELECT CAST(id AS TEXT) FROM contact ORDER BY id",
        )
        .await;
        let [stays, gone] = contacts[..] else {
            panic!("two people: {contacts:?}");
        };
        let [stays, gone] = [stays, gone].map(ContactId::from_raw);
        let mut merging = desk.db.begin().await.expect("a transaction");
        let merged = people::merge_contact(&mut merging, tenant, gone, stays).await;
        assert!(merged.expect("a merge").is_some());
        let given = told("marketing", ConsentStatus::Given, ConsentChannel::Form);
        let merged = async {
            // It has read that the two are two.
            until_somebody_waits(&database).await;
            merging.commit().await.expect("a commit");
        };
        let ((), kept) = tokio::join!(merged, say(&desk, tenant, gone, &given));
        assert_eq!(kept.contact, stays);
        assert!(kept.state.marketing_given_at.is_some());
        assert_eq!(records(&database).await, ["marketing given form"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_put_a_page_at_once_one_puts_the_next_version() {
    for_each_database(async |database| {
        if database.kind == Kind::Sqlite {
            return;
        }
        let desk = Desk::open(&database).await;
        let tenant = shop(&database).await;
        let numbers = "SELECT CAST(id AS TEXT) FROM number WHERE tenant IN (SELECT id FROM tenant WHERE name = 'shop')";
        let number = ids(&database, numbers).await[0];
        let now = desk.clock.now().millis();
        let wording = Wording {
            digest: vec![1],
            version: "page news version 1".to_owned(),
            language: "en".to_owned(),
            body: "News?".to_owned(),
            created_at: now,
        };
        let theirs = PageRow {
            name: "news".to_owned(),
            seq: 1,
            scope: "marketing".to_owned(),
            number,
            title: "Theirs".to_owned(),
            wording: wording.digest.clone(),
            enabled: 1,
            created_at: now,
        };
        let mut putting = desk.db.begin().await.expect("a transaction");
        let kept = consents::keep_wording(&mut putting, tenant, &wording).await;
        kept.expect("a wording");
        let added = consent_pages::add(&mut putting, tenant, &theirs).await;
        assert!(added.expect("a page"));
        let ours = NewPage {
            name: "news".to_owned(),
            scope: ConsentScope::Marketing,
            number: NumberId::from_raw(number),
            title: "Ours".to_owned(),
            text: "News?".to_owned(),
            language: "en".to_owned(),
            enabled: true,
        };
        let put = async {
            // It has read that there is none.
            until_somebody_waits(&database).await;
            putting.commit().await.expect("a commit");
        };
        let ((), page) = tokio::join!(put, pages::put(&desk.setup, tenant, &ours));
        let row = page.expect("it is put").row;
        assert_eq!((row.seq, row.title.as_str()), (2, "Ours"));
    })
    .await;
}
