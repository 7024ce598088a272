//! A person who is erased cannot be read back, the ledger verifies, and what they had stopped holds if they come back.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use vestibule::audit::{self, Actor, Record};
use vestibule::consent::erase::{self, EraseJob};
use vestibule::contacts::{self, Kind, NewContact};
use vestibule::domain::{AuditId, Clock, ConsentChannel, ConsentStatus, ConversationId, TenantId};
use vestibule::policy::OptOut;
use vestibule::storage::jobs::{Job, JobState};
use vestibule::storage::kv::{self, KvKey, KvValue};
use vestibule::storage::{Tx, contacts as stored, conversations, people};
use vestibule_tests::{Kind as Which, TestDatabase, for_each_database, until};

use super::imports::run;
use super::{contact, faults, records, say, shop, state, told, verified};
use crate::ingest::desk::{Desk, from, text};
use crate::ingest::locks::until_somebody_waits;

const PHONE: &str = "447700900123";
const BSUID: &str = "GB.4410093827716523";

/// All that the database holds, as one text: of SQLite the files, of PostgreSQL every row of every table.
async fn everything(database: &TestDatabase) -> Vec<u8> {
    if let Some(path) = database.file() {
        let mut all = std::fs::read(path).expect("the file");
        for beside in ["-wal", "-journal"] {
            all.extend(std::fs::read(format!("{path}{beside}")).unwrap_or_default());
        }
        return all;
    }
    let tables = database
        .texts(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
        )
        .await;
    let mut all = Vec::new();
    for table in tables {
        let rows = database
            .texts(format!("SELECT x::text FROM {table} x").leak())
            .await;
        all.extend(rows.join("\n").into_bytes());
    }
    all
}

fn holds(all: &[u8], needle: &str) -> bool {
    // PostgreSQL shows bytes as hexadecimal.
    let hex: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
    let found = |needle: &[u8]| all.windows(needle.len()).any(|part| part == needle);
    found(needle.as_bytes()) || found(hex.as_bytes())
}

/// An entry of the audit log about something.
async fn note(desk: &Desk, tenant: TenantId, action: &'static str, object: String, became: Value) {
    let now = desk.clock.now();
    let record = Record {
        tenant,
        action,
        object,
        was: None,
        became: Some(became),
        by: &Actor::gateway(),
    };
    let mut tx = desk.db.begin().await.expect("a transaction");
    let id = AuditId::from_raw(desk.ids.next(now));
    audit::append(&mut tx, id, now, record)
        .await
        .expect("an entry");
    tx.commit().await.expect("a commit");
}

/// What is wrong with the audit log, each once.
async fn audited(desk: &Desk, tenant: TenantId) -> BTreeSet<&'static str> {
    let key = desk.setup.keyring.chain_key();
    audit::seal_all(&desk.db, &key).await.expect("sealed");
    let report = audit::verify(&desk.db, &key, tenant)
        .await
        .expect("a report");
    report.faults.iter().map(|fault| fault.what).collect()
}

#[tokio::test]
async fn an_erased_person_cannot_be_read_back_and_is_remembered_only_for_what_they_stopped() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let said = json!({ "type": "text", "text": { "body": "my secret is marzipan" } });
        desk.hear(&[from("wamid.1", Some(PHONE), Some(BSUID), desk.ago(90), said)]).await;
        desk.hear(&[text("wamid.SECRETID", Some(PHONE), Some(BSUID), desk.ago(80), "STOP")]).await;
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        let mut given = told("marketing", ConsentStatus::Given, ConsentChannel::Form);
        given.proof = json!({"name": "Zebulon Quark"});
        say(&desk, tenant, contact, &given).await;
        contacts::define(&desk.setup, tenant, "city", Kind::Text)
            .await
            .expect("an attribute");
        let name = NewContact {
            phone: Some(format!("+{PHONE}")),
            name: Some("Zebulon Quark".to_owned()),
            attributes: [("city".to_owned(), json!("Nowhereville"))].into_iter().collect(),
            ..NewContact::default()
        };
        contacts::upsert(&desk.setup, tenant, &name).await.expect("a name");
        database.execute("INSERT INTO conversation_note (id, tenant, conversation, author, body) SELECT 1, tenant, id, 'p', 'likes marzipan' FROM conversation").await;
        let named = json!({"name": "Zebulon Quark", "phone": PHONE});
        note(&desk, tenant, "contact.update", contact.to_string(), named).await;
        note(&desk, tenant, "hold.place", "hld_1".to_owned(), json!({"reason": format!("+{PHONE} called")})).await;
        note(&desk, tenant, "hold.lift", "hld_1".to_owned(), json!({"reason": "over"})).await;
        // Their turns are over.
        database.execute("UPDATE inbound_event SET state = 1").await;
        let needles = [PHONE, BSUID, "marzipan", "Zebulon", "Nowhereville", "SECRETID", "203.0.113.9"];
        let before = everything(&database).await;
        for needle in needles {
            assert!(holds(&before, needle), "{needle} was there");
        }
        let job = erase::begin(&desk.setup, tenant, contact).await.expect("a job");
        let kind = EraseJob { setup: desk.setup.clone() };
        let over = run(&desk, Arc::new(kind), &job).await;
        assert_eq!(over.state, JobState::Done, "{over:?}");
        let after = everything(&database).await;
        for needle in needles {
            assert!(!holds(&after, needle), "{needle} can be read back");
        }
        let report = verified(&desk, tenant).await;
        assert!(report.faults.is_empty(), "{report:?}");
        assert_eq!(audited(&desk, tenant).await, BTreeSet::new());
        let kept = "SELECT became FROM audit_entry WHERE action = 'hold.lift'";
        assert_eq!(database.texts(kept).await, [r#"{"reason":"over"}"#]);
        // Who takes more away than the erasure did, and says that it was the erasure, is found out.
        database.execute("UPDATE audit_entry SET became = '', salt = '', erased_by = (SELECT MAX(erased_by) FROM audit_entry) WHERE action = 'hold.lift'").await;
        let gone = "what it said is gone, and no entry says that it went with a person";
        assert!(audited(&desk, tenant).await.contains(gone));
        assert_eq!(
            records(&database).await,
            ["all withdrawn keyword", "marketing given form", "all erased api"]
        );
        // Whoever takes the record of the erasure away is found out.
        database.execute("UPDATE consent_record SET status = 'given' WHERE status = 'erased'").await;
        let silent = "what it said is gone, and no record says that the person was erased";
        assert!(faults(&verified(&desk, tenant).await).contains(silent));
        database.execute("UPDATE consent_record SET status = 'erased' WHERE seq = 3").await;
        // They come back, as somebody new who is still out.
        desk.hear(&[text("wamid.2", Some(PHONE), None, desk.ago(10), "hello")]).await;
        let ids = database.texts("SELECT CAST(id AS TEXT) FROM contact WHERE phone <> ''").await;
        let back = vestibule::domain::ContactId::from_raw(ids[0].parse().expect("an id"));
        assert_ne!(back, contact);
        let now = state(&desk, back).await;
        assert_eq!(now.opt_out, OptOut::BusinessInitiated);
        assert_eq!(now.marketing_given_at, None);
    })
    .await;
}

#[tokio::test]
async fn an_erasure_waits_for_the_contact_before_it_locks_their_consent() {
    for_each_database(async |database| {
        if database.kind == Which::Sqlite {
            return;
        }
        let desk = Desk::open(&database).await;
        desk.hear(&[text("wamid.1", Some(PHONE), None, desk.ago(90), "hello")])
            .await;
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        // A turn that changes them, in the order of everybody.
        let mut turn = desk.db.begin().await.expect("a transaction");
        let locked = stored::lock(&mut turn, tenant, contact).await;
        assert!(locked.expect("locked").is_some());
        let turning = async {
            until_somebody_waits(&database).await;
            // A deadlock would be found and one of both try again: look, rather than wait for one.
            let free = "SELECT CAST(contact AS TEXT) FROM consent FOR UPDATE NOWAIT";
            assert_eq!(database.texts(free).await.len(), 1);
            let locked = people::lock_consent_all_tenants(&mut turn, &[contact]).await;
            assert!(locked.expect("nobody is in the way").of(contact).is_some());
            turn.commit().await.expect("a commit");
        };
        let (_, job) = tokio::join!(turning, erase::begin(&desk.setup, tenant, contact));
        job.expect("a job");
    })
    .await;
}

/// An erasure that failed, because a message of the person has had no turn.
async fn failed(desk: &Desk, database: &TestDatabase) -> (TenantId, Job, Arc<EraseJob>) {
    desk.hear(&[text("wamid.1", Some(PHONE), None, desk.ago(90), "hello")])
        .await;
    let (tenant, contact) = (shop(database).await, contact(database).await);
    let job = erase::begin(&desk.setup, tenant, contact)
        .await
        .expect("a job");
    let kind = Arc::new(EraseJob {
        setup: desk.setup.clone(),
    });
    let over = run(desk, kind.clone(), &job).await;
    assert_eq!(over.state, JobState::Failed);
    assert!(
        over.problem.contains("still wait for their turn"),
        "{over:?}"
    );
    (tenant, job, kind)
}

/// The message has its turn, and the job goes on.
async fn resumed(
    desk: &Desk,
    database: &TestDatabase,
    (tenant, job, kind): (TenantId, Job, Arc<EraseJob>),
) {
    database.execute("UPDATE inbound_event SET state = 1").await;
    vestibule::jobs::resume(&desk.setup, tenant, job.id)
        .await
        .expect("resumed");
    let over = run(desk, kind, &job).await;
    assert_eq!(over.state, JobState::Done, "{over:?}");
    assert!(!holds(&everything(database).await, PHONE));
}

#[tokio::test]
async fn what_still_waits_for_its_turn_is_told_and_the_job_can_be_resumed() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let failed = failed(&desk, &database).await;
        resumed(&desk, &database, failed).await;
    })
    .await;
}

#[tokio::test]
async fn a_job_that_failed_before_it_came_to_the_reports_looks_again_when_it_is_resumed() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let failed = failed(&desk, &database).await;
        // As a version left it that knew no reports, or a database that refused that step.
        database
            .execute(
                r#"UPDATE job SET progress = '{"table":6,"after":0,"rows":3,"waiting":1,"walks":5}'"#,
            )
            .await;
        resumed(&desk, &database, failed).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_turn_wrote_that_still_waited_when_the_erasure_began_goes_too() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let failed = failed(&desk, &database).await;
        let conversation = database.count("SELECT MAX(id) FROM conversation").await;
        let key = KvKey {
            tenant: failed.0,
            plugin: "menu".to_owned(),
            item: format!("\u{1}c{conversation:x}/likes"),
        };
        let turn = remember(&desk, conversation, &key, b"marzipan").await;
        turn.commit().await.expect("committed");
        for written in [
            journal(&desk),
            "INSERT INTO conversation_note (id, tenant, conversation, author, body)
             SELECT 1, tenant, id, 'p', 'likes marzipan' FROM conversation"
                .to_owned(),
        ] {
            database.execute(written.leak()).await;
        }
        resumed(&desk, &database, failed).await;
        assert!(!holds(&everything(&database).await, "marzipan"));
        assert_eq!(database.count("SELECT bytes FROM plugin_kv_usage").await, 0);
    })
    .await;
}

/// The journal of a turn that was just now.
fn journal(desk: &Desk) -> String {
    let id = desk.ids.next(desk.clock.now());
    format!(
        r#"INSERT INTO turn (id, tenant, number, conversation, event, outcome, journal, at)
        SELECT {id}, tenant, number, id, 1, 'silent', '{{"said":"marzipan"}}', 0 FROM conversation"#
    )
}

/// A timer of the conversation rang just now.
fn rang(desk: &Desk) -> String {
    let id = desk.ids.next(desk.clock.now());
    format!(
        r#"INSERT INTO inbound_event (id, tenant, number, bucket, conversation, contact, seq, raw, ordinal, kind, at, wamid,
            content, state)
        SELECT {id}, tenant, number, bucket, id, contact, 99, 0, 0, 9, 0, '', '{{"fields":"marzipan"}}', 0 FROM conversation"#
    )
}

#[tokio::test]
async fn what_a_late_turns_timer_does_when_the_events_were_walked_through_goes_too() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let (tenant, job, kind) = failed(&desk, &database).await;
        // The message had its turn, and the job went on as far as the audit log before the timer rang.
        for done in [
            "UPDATE inbound_event SET state = 1".to_owned(),
            rang(&desk),
            r#"UPDATE job SET progress = '{"table":5,"after":0,"rows":3}'"#.to_owned(),
        ] {
            database.execute(done.leak()).await;
        }
        vestibule::jobs::resume(&desk.setup, tenant, job.id)
            .await
            .expect("resumed");
        let over = run(&desk, kind.clone(), &job).await;
        assert_eq!(over.state, JobState::Failed, "the timer's turn waits");
        assert!(over.problem.contains("wait for their turn"), "{over:?}");
        database.execute(journal(&desk).leak()).await;
        resumed(&desk, &database, (tenant, job, kind)).await;
        assert!(!holds(&everything(&database).await, "marzipan"));
    })
    .await;
}

#[tokio::test]
async fn what_a_turn_wrote_behind_the_back_of_the_last_walk_goes_too() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let failed = failed(&desk, &database).await;
        // The turn of a timer that rang before the last walk, which was past the journals when the turn wrote one.
        for done in [
            rang(&desk),
            journal(&desk),
            r#"UPDATE job SET progress = '{"table":3,"after":0,"rows":3,"swept":true}'"#.to_owned(),
        ] {
            database.execute(done.leak()).await;
        }
        resumed(&desk, &database, failed).await;
        assert!(!holds(&everything(&database).await, "marzipan"));
    })
    .await;
}

/// What the commit of a turn does to plugins' memory, not committed yet.
async fn remember(desk: &Desk, conversation: i64, key: &KvKey, value: &[u8]) -> Tx {
    let mut tx = desk.db.begin().await.expect("a transaction");
    let conversation = ConversationId::from_raw(conversation);
    conversations::lock_versions_all_tenants(&mut tx, &[conversation])
        .await
        .expect("locked");
    let owner = key.owner();
    let used = kv::lock_usage_all_tenants(&mut tx, std::slice::from_ref(&owner)).await;
    let [(_, used)] = used.expect("locked")[..] else {
        panic!("one owner");
    };
    let written = KvValue {
        value: value.to_vec(),
        version: 1,
        expires_at: 0,
    };
    kv::put_all_tenants(&mut tx, &[(key.clone(), written)])
        .await
        .expect("written");
    kv::set_usage_all_tenants(&mut tx, &[(owner, used + key.bytes(value))])
        .await
        .expect("counted");
    tx
}

#[tokio::test]
async fn what_a_turn_remembers_of_somebody_who_is_erased_meanwhile_is_counted_right() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.hear(&[text("wamid.1", Some(PHONE), None, desk.ago(90), "hello")])
            .await;
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        let conversation = database.count("SELECT MAX(id) FROM conversation").await;
        let key = |item: String| KvKey {
            tenant,
            plugin: "menu".to_owned(),
            item,
        };
        // Of the contact, whose memory the erasure lets go of first: there it waits for the turn.
        let theirs = key(format!("\u{1}p{:x}/name", contact.raw()));
        let of_all = key("visits".to_owned());
        let turn = remember(&desk, conversation, &of_all, b"12").await;
        turn.commit().await.expect("committed");
        let turn = remember(&desk, conversation, &theirs, b"Zebulon Quark").await;
        let setup = desk.setup.clone();
        let erasing = tokio::spawn(async move { erase::begin(&setup, tenant, contact).await });
        if database.kind == vestibule_tests::Kind::Postgres {
            until("the erasure waits for the turn", async || {
                let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
                (database.count(waiting).await > 0).then_some(())
            })
            .await;
        }
        turn.commit().await.expect("committed");
        erasing.await.expect("it ends").expect("erased");
        assert_eq!(
            database.texts("SELECT item FROM plugin_kv").await,
            ["visits"]
        );
        let used = database.count("SELECT bytes FROM plugin_kv_usage").await;
        assert_eq!(used, of_all.bytes(b"12"));
    })
    .await;
}
