//! Every fixture of a webhook, and what it causes: events, people, consent, owners, holds, facts. Each is posted to a
//! business of its own that knows one customer, with a reply of the bot's still queued and one on its way to her.
//!
//! A snapshot has the lines of the business's state that are new (`+`) and gone (`-`) after the post.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use vestibule::directory::NumberEntry;
use vestibule::domain::{
    Clock, Draft, DraftClass, InstallationId, OutboundContent, OutboxId, OutboxState, Sender,
};
use vestibule::policy::{BacklogFact, ConsentState, Decision, decide};
use vestibule::storage::conversations::{self, Conversation};
use vestibule::storage::outbox::{self, NewSend, OutboxRow};
use vestibule::tenants::numbers::NewNumber;
use vestibule::tenants::{add_tenant, credentials, numbers};
use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{APPS, Desk, body, text};
use super::sends::put;
use super::state::{State, state};

/// Ids and the time that the fixtures are written with.
pub(crate) const NUMBER: &str = "770001112223334";
pub(crate) const WABA: &str = "990001112223334";
pub(crate) const PORTFOLIO: &str = "550001112223334";
pub(crate) const OUTBOX: &str = "out_000000000001a";
pub(crate) const NOW: i64 = 1_795_254_000;
pub(crate) const PHONE: &str = "447700900123";
pub(crate) const BSUID: &str = "GB.4410093827716523";

#[tokio::test]
async fn every_fixture_causes_what_its_snapshot_shows() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        for (n, (name, text)) in fixtures().into_iter().enumerate() {
            let business = Business::open(&desk, &database, n).await;
            let before = business.state().await;
            let posted = business.rewritten(&text);
            let posted: Value = serde_json::from_str(&posted).expect("JSON");
            assert_eq!(desk.post_by(0, &posted).await, 200, "{name}");
            desk.attach().await;
            let after = business.state().await;
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(format!("causes_{name}"), after.since(&before));
            });
        }
    })
    .await;
}

#[tokio::test]
async fn a_fixture_that_comes_twice_or_with_its_parts_reversed_causes_the_same() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        for (n, (name, text)) in fixtures().into_iter().enumerate() {
            let business = Business::open(&desk, &database, n).await;
            let posted = business.rewritten(&text);
            let posted: Value = serde_json::from_str(&posted).expect("JSON");
            assert_eq!(desk.post_by(0, &posted).await, 200, "{name}");
            desk.attach().await;
            let once = business.state().await;
            assert_eq!(desk.post_by(0, &reversed(posted)).await, 200, "{name}");
            desk.attach().await;
            let twice = business.state().await;
            assert_eq!(twice.since(&once), "", "{name}");
        }
    })
    .await;
}

fn reversed(mut body: Value) -> Value {
    let list = |value: &mut Value, key: &str| -> Vec<Value> {
        let list = value.get_mut(key).and_then(Value::as_array_mut);
        list.map(std::mem::take).unwrap_or_default()
    };
    let mut entries = list(&mut body, "entry");
    entries.reverse();
    for entry in &mut entries {
        let mut changes = list(entry, "changes");
        changes.reverse();
        if !changes.is_empty() {
            entry["changes"] = changes.into();
        }
    }
    if !entries.is_empty() {
        body["entry"] = entries.into();
    }
    body
}

pub fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/webhooks");
    let files = std::fs::read_dir(folder).expect("the fixtures' folder");
    let mut fixtures: Vec<(String, String)> = files
        .map(|file| {
            let path = file.expect("a fixture").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a fixture's text");
            (name.into_owned(), text)
        })
        .collect();
    fixtures.sort();
    fixtures
}

/// One business with one number, and Ines, who has written to it.
struct Business<'a> {
    desk: &'a Desk,
    database: &'a TestDatabase,
    number: String,
    waba: String,
    portfolio: String,
    entry: Arc<NumberEntry>,
    /// A reply of the bot's that is on its way.
    sent: OutboxId,
    n: usize,
    /// Seconds from the fixtures' time to the test's.
    shift: i64,
}

impl<'a> Business<'a> {
    async fn open(desk: &'a Desk, database: &'a TestDatabase, n: usize) -> Self {
        let tenant = format!("business {n}");
        add_tenant(&desk.setup, &tenant, r#"{"consent_basis":"attested"}"#)
            .await
            .expect("a tenant");
        let token = SecretString::from("a-token");
        credentials::add(&desk.setup, &tenant, "main", &token, false)
            .await
            .expect("a credential");
        let id = |kind: &str| format!("{kind}{n:011}");
        let (number, waba, portfolio) = (id("7700"), id("9900"), id("5500"));
        let new = NewNumber {
            tenant,
            app: Some(APPS[0].to_owned()),
            credential: "main".to_owned(),
            portfolio: Some(portfolio.clone()),
            waba_id: waba.clone(),
            phone_number_id: number.clone(),
            display_number: "+44 1632 960111".to_owned(),
            time_zone: "Europe/London".to_owned(),
            throughput: 80,
        };
        numbers::add(&desk.setup, &new).await.expect("a number");
        for directory in [&desk.receiver, &desk.owner] {
            directory.refresh().await.expect("readable setup");
        }
        let hello = format!("wamid.{n}.HELLO");
        let at = desk.ago(4_000);
        let hello = text(&hello, Some(PHONE), Some(BSUID), at, "hello");
        desk.post_by(0, &body(&number, &[hello])).await;
        desk.attach().await;
        let entry = desk.owner.snapshot().number_named(&number).cloned();
        let mut business = Self {
            shift: desk.ago(0) - NOW,
            entry: entry.expect("the number"),
            sent: OutboxId::from_raw(0),
            desk,
            database,
            number,
            waba,
            portfolio,
            n,
        };
        let row = business.reply("on its way").await;
        put(desk, &row, OutboxState::Claimed, 0, "").await;
        let claimed = super::sends::row(desk, &row).await;
        put(desk, &claimed, OutboxState::Accepted, 0, "").await;
        business.sent = row.draft.id;
        business.reply("waits").await;
        business
    }

    /// A reply of the bot's, queued.
    async fn reply(&self, words: &str) -> OutboxRow {
        let (desk, now) = (self.desk, self.desk.clock.now());
        let conversation = self.conversation().await;
        let content = OutboundContent::Text {
            body: words.to_owned(),
            preview_url: false,
        };
        let draft = Draft {
            id: OutboxId::from_raw(desk.ids.next(now)),
            tenant: conversation.tenant,
            number: conversation.number,
            conversation: conversation.id,
            contact: conversation.contact,
            recipient: conversation.recipient().expect("a phone"),
            content,
            reply_to: None,
            class: DraftClass::Reply,
            sender: Sender::Plugin {
                installation: InstallationId::from_raw(1),
                name: "menu".to_owned(),
                version: "0.1.0".to_owned(),
                farewell: false,
            },
            owner_version: conversation.owner_version,
            created_at: now,
        };
        let consent = ConsentState::default();
        let backlog = BacklogFact::default();
        let facts = self
            .entry
            .facts(&conversation, consent, backlog, &draft.content, now);
        let Decision::Cleared(draft) = decide(&facts, &draft, now) else {
            panic!("a reply within the window is cleared");
        };
        let send = NewSend {
            draft,
            bucket: conversation.bucket,
            turn: None,
            due_at: now,
            waits: None,
            prev: 0,
            claimed_at: None,
        };
        let mut tx = desk.db.begin().await.expect("a transaction");
        let rows = outbox::insert_all_tenants(&mut tx, vec![send]).await;
        tx.commit().await.expect("a commit");
        rows.expect("inserted").remove(0)
    }

    async fn conversation(&self) -> Conversation {
        let mut tx = self.desk.db.read().await.expect("a transaction");
        let query = format!(
            "SELECT CAST(MIN(id) AS TEXT) FROM conversation WHERE number = {}",
            self.entry.number.id.raw()
        );
        let id = self.database.texts(query.leak()).await.remove(0);
        let id = vestibule::domain::ConversationId::from_raw(id.parse().expect("an id"));
        let found = conversations::load_all_tenants(&mut tx, &[id]).await;
        found.expect("readable").remove(0)
    }

    /// The fixture as Meta would send it to this business, today.
    fn rewritten(&self, text: &str) -> String {
        let text = text
            .replace(NUMBER, &self.number)
            .replace(WABA, &self.waba)
            .replace(PORTFOLIO, &self.portfolio)
            .replace("wamid.", &format!("wamid.{}.", self.n))
            .replace(OUTBOX, &self.sent.to_string());
        shifted(&text, |secs| secs + self.shift)
    }

    /// The business's state with the fixtures' own ids and times.
    async fn state(&self) -> State {
        let number = &self.entry.number;
        let lines = state(self.database, number.tenant, number.id).await;
        let back = |line: String| {
            let line = line
                .replace(&self.number, NUMBER)
                .replace(&self.waba, WABA)
                .replace(&self.portfolio, PORTFOLIO)
                .replace(&format!("wamid.{}.", self.n), "wamid.")
                .replace(&self.sent.to_string(), OUTBOX);
            shifted(&line, |secs| secs - self.shift)
        };
        State(lines.into_iter().map(back).collect())
    }
}

/// The text with its unix times, in seconds or milliseconds, moved.
pub(crate) fn shifted(text: &str, moved: impl Fn(i64) -> i64) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from.len());
        let (digits, after) = from.split_at(length);
        out.push_str(before);
        let number = || digits.parse::<i64>().expect("digits");
        match length {
            10 if digits.starts_with("17") || digits.starts_with("18") => {
                out.push_str(&moved(number()).to_string());
            }
            13 if digits.starts_with("17") || digits.starts_with("18") => {
                out.push_str(&format!("{}s", moved(number() / 1000)));
            }
            _ => out.push_str(digits),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

impl State {
    /// What is new and what is gone since.
    fn since(&self, before: &Self) -> String {
        let [now, then] = [self, before].map(|state| state.0.iter().collect::<BTreeSet<_>>());
        let gone = before.0.iter().filter(|line| !now.contains(line));
        let gone = gone.map(|line| format!("- {line}\n"));
        let new = self.0.iter().filter(|line| !then.contains(line));
        gone.chain(new.map(|line| format!("+ {line}\n"))).collect()
    }
}
