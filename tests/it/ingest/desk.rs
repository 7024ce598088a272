//! The desk that the tests work at: a receiving endpoint, an attacher that owns every bucket, two Meta apps with a
//! number each, and nothing that acts on what was attached.
//!
//! The endpoint and the attacher read setup each for itself, as two nodes do: [`Desk::receiver`] and [`Desk::owner`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use siphasher::sip::SipHasher13;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use vestibule::clock::SystemClock;
use vestibule::directory::Directory;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{Clock, IdGenerator, Leeway, Timestamp};
use vestibule::ingest::{
    Attacher, AttacherConfig, Backlogs, Intake, Kept, RawWriter, RawWriterConfig, routes,
};
use vestibule::ownership::{Owned, OwnedBuckets};
use vestibule::secrets::{Keyring, Source, SystemEntropy};
use vestibule::simulator::{Signature, Simulator, SimulatorConfig, SimulatorHandle};
use vestibule::storage::events::PendingEvent;
use vestibule::storage::outbox::OutboxRow;
use vestibule::storage::{Db, buckets, nodes, raw};
use vestibule::tenants::numbers::NewNumber;
use vestibule::tenants::{SetupContext, add_tenant, apps, credentials, numbers};
use vestibule_tests::{TestDatabase, until};

pub const VERIFY: &str = "a-verify-token";
/// Meta's ids of the apps; `shop` and `bank` are their tenants' names.
pub const APPS: [&str; 2] = ["900100", "900200"];
/// The shop's number, of the first app, and the bank's, of the second.
pub const NUMBERS: [&str; 2] = ["770001", "770002"];
pub const TENANTS: [&str; 2] = ["shop", "bank"];
const PORTFOLIO: &str = "a-portfolio";
const WABA: &str = "990001";

pub struct Desk {
    pub db: Db,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<IdGenerator>,
    pub setup: SetupContext,
    pub receiver: Arc<Directory>,
    pub owner: Arc<Directory>,
    /// Confirmations that were committed.
    pub sends: Arc<Mutex<Vec<OutboxRow>>>,
    pub url: String,
    metas: Vec<SimulatorHandle>,
    owned: watch::Sender<Arc<OwnedBuckets>>,
    config: AttacherConfig,
    pub leeway: Arc<Leeway>,
    pub backlogs: Arc<Backlogs>,
}

impl Desk {
    pub async fn open(database: &TestDatabase) -> Self {
        Self::with(database, AttacherConfig::default()).await
    }

    pub async fn with(database: &TestDatabase, config: AttacherConfig) -> Self {
        vestibule_tests::tls::provide();
        let db = database.open().await;
        let slot = nodes::lease_slot(&db, "test", Duration::from_secs(3600)).await;
        let slot = slot.expect("a database").expect("a free slot").slot;
        let clock = Arc::new(ManualClock::at(vestibule_tests::db::now()));
        let ids = IdGenerator::new(slot.number, slot.id_floor);
        let keyring = Arc::new(keyring());
        let setup = SetupContext::new(db.clone(), keyring.clone(), clock.clone(), ids);
        let ids = setup.ids.clone();
        for n in 0..2 {
            set_up(&setup, n).await;
        }
        let load = async || {
            let directory = Directory::load(db.clone(), keyring.clone()).await;
            Arc::new(directory.expect("readable setup"))
        };
        let (receiver, owner) = (load().await, load().await);
        let leases = buckets::take(&db, slot.number, "test", 256).await;
        let leases = leases.expect("buckets");
        let leases: BTreeMap<_, _> = leases.iter().map(|l| (l.bucket, l.epoch)).collect();
        let (owned, watched) = watch::channel(Arc::new(OwnedBuckets { leases }));
        let (writer, writing) = RawWriter::new(db.clone(), WRITER, (watched, Arc::default()), None);
        tokio::spawn(writing);
        let url = serve(intake(writer, &receiver, &clock, &ids)).await;
        let mut metas = Vec::new();
        for app in APPS {
            let config = SimulatorConfig::new(Arc::new(SystemClock), secret(app));
            let meta = Simulator::start(config).await.expect("a simulator");
            meta.set_webhook(&format!("{url}/{app}"), None)
                .expect("a URL");
            metas.push(meta);
        }
        Self {
            db,
            clock,
            ids,
            setup,
            receiver,
            owner,
            sends: Arc::default(),
            url,
            metas,
            owned,
            config,
            leeway: Arc::default(),
            backlogs: Arc::default(),
        }
    }

    /// Posts a body, signed by one of the apps, and answers the HTTP status.
    pub async fn post_by(&self, app: usize, body: &Value) -> u16 {
        let posted = self.metas[app].deliver_body(body.to_string(), Signature::Valid, 1);
        posted.await.expect("an answer")[0].as_u16()
    }

    /// From now on Meta posts to a node that attaches what it takes in, where it can; answers what that hands on.
    pub async fn attach_as_it_comes(&self) -> mpsc::Receiver<Vec<PendingEvent>> {
        let (events, attached) = mpsc::channel(10_000);
        let attacher = Arc::new(self.attacher(events));
        let told = (self.owned(), attacher.wakeups.clone());
        let (writer, writing) = RawWriter::new(self.db.clone(), WRITER, told, Some(attacher));
        tokio::spawn(writing);
        self.hear_at(&serve(intake(writer, &self.owner, &self.clock, &self.ids)).await);
        attached
    }

    /// From now on Meta posts to this address.
    pub fn hear_at(&self, url: &str) {
        for (app, meta) in APPS.iter().zip(&self.metas) {
            meta.set_webhook(&format!("{url}/{app}"), None)
                .expect("a URL");
        }
    }

    /// The node has lost its buckets, and knows.
    pub fn lose_all(&self) {
        self.owned.send_replace(Arc::default());
    }

    /// Posts changes of the shop's number and attaches them.
    pub async fn hear(&self, values: &[Value]) -> Vec<PendingEvent> {
        let status = self.post_by(0, &body(NUMBERS[0], values)).await;
        assert_eq!(status, 200);
        self.attach().await
    }

    /// Attaches until nothing waits; answers what now waits for its turn.
    pub async fn attach(&self) -> Vec<PendingEvent> {
        let (events, mut attached) = mpsc::channel(10_000);
        let stop = CancellationToken::new();
        let attaching = tokio::spawn(Arc::new(self.attacher(events)).run(stop.clone()));
        until("every body is attached", async || {
            (self.waiting().await == 0).then_some(())
        })
        .await;
        stop.cancel();
        attaching.await.expect("the attacher ends");
        let mut all = Vec::new();
        while let Ok(mut some) = attached.try_recv() {
            all.append(&mut some);
        }
        all
    }

    /// The buckets, which are all this desk's.
    pub fn owned(&self) -> Owned {
        self.owned.subscribe()
    }

    /// An attacher as the owner of every bucket runs it.
    pub fn attacher(&self, events: mpsc::Sender<Vec<PendingEvent>>) -> Attacher {
        let sends = self.sends.clone();
        Attacher {
            db: self.db.clone(),
            config: AttacherConfig {
                look: Duration::from_millis(10),
                ..self.config
            },
            directory: self.owner.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            hasher: SipHasher13::new_with_key(&[7; 16]),
            owned: self.owned.subscribe(),
            wakeups: Arc::default(),
            events,
            sends: Arc::new(move |mut rows| sends.lock().expect("sends").append(&mut rows)),
            meter: Arc::default(),
            kept: Kept::default(),
            leeway: self.leeway.clone(),
            backlogs: self.backlogs.clone(),
            received: Arc::new(|_| {}),
        }
    }

    pub async fn waiting(&self) -> i64 {
        let mut tx = self.db.read().await.expect("a transaction");
        let waiting = raw::count_unattached_all_tenants(&mut tx).await;
        waiting.expect("a count")
    }

    /// Adds a number to a tenant's app. Only who reads setup again knows it.
    pub async fn add_number(&self, n: usize, phone_number_id: &str) {
        add_number(&self.setup, n, phone_number_id, WABA).await;
    }

    /// The same, of another account.
    pub async fn add_number_of(&self, n: usize, phone_number_id: &str, waba_id: &str) {
        add_number(&self.setup, n, phone_number_id, waba_id).await;
    }

    /// Meta's time, in whole seconds, so long ago.
    pub fn ago(&self, secs: u64) -> i64 {
        let then = self.clock.now().minus(Duration::from_secs(secs));
        then.millis() / 1000
    }

    pub fn at(&self, secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }
}

fn keyring() -> Keyring {
    let keys = [
        "root:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
    ];
    let keys = keys.map(SecretString::from).to_vec();
    Keyring::load(Source::Given(keys), Arc::new(SystemEntropy)).expect("keys")
}

fn secret(app: &str) -> String {
    format!("the-secret-of-{app}")
}

async fn set_up(setup: &SetupContext, n: usize) {
    let app = apps::NewApp {
        meta_app_id: APPS[n].to_owned(),
        name: format!("app of the {}", TENANTS[n]),
        verify_token: SecretString::from(VERIFY),
        secrets: vec![SecretString::from(secret(APPS[n]))],
        is_default: n == 0,
    };
    apps::add(setup, &app).await.expect("an app");
    add_tenant(setup, TENANTS[n], r#"{"consent_basis":"attested"}"#)
        .await
        .expect("a tenant");
    let token = SecretString::from("a-token");
    credentials::add(setup, TENANTS[n], "main", &token, false)
        .await
        .expect("a credential");
    add_number(setup, n, NUMBERS[n], WABA).await;
}

async fn add_number(setup: &SetupContext, n: usize, phone_number_id: &str, waba_id: &str) {
    let number = NewNumber {
        tenant: TENANTS[n].to_owned(),
        app: Some(APPS[n].to_owned()),
        credential: "main".to_owned(),
        portfolio: Some(PORTFOLIO.to_owned()),
        waba_id: waba_id.to_owned(),
        phone_number_id: phone_number_id.to_owned(),
        display_number: "+44 1632 960111".to_owned(),
        time_zone: "Europe/London".to_owned(),
        throughput: 80,
    };
    numbers::add(setup, &number).await.expect("a number");
}

const WRITER: RawWriterConfig = RawWriterConfig {
    most: 64,
    waiting: 1_000,
};

fn intake(
    writer: RawWriter,
    directory: &Arc<Directory>,
    clock: &Arc<ManualClock>,
    ids: &Arc<IdGenerator>,
) -> Arc<Intake> {
    Arc::new(Intake {
        directory: directory.clone(),
        writer,
        clock: clock.clone(),
        ids: ids.clone(),
        max_body: 4 << 20,
    })
}

async fn serve(intake: Arc<Intake>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes(intake)).await });
    format!("http://{address}/webhooks/whatsapp")
}

/// A body of one number: each value is the `messages` field's, completed with what stands in all of them.
pub fn body(phone_number_id: &str, values: &[Value]) -> Value {
    let change = |value: &Value| {
        let mut value = value.clone();
        value["messaging_product"] = json!("whatsapp");
        value["metadata"] =
            json!({ "display_phone_number": "1", "phone_number_id": phone_number_id });
        let choices = value.get("user_preferences").is_some();
        let field = if choices {
            "user_preferences"
        } else {
            "messages"
        };
        json!({ "field": field, "value": value })
    };
    let changes: Vec<Value> = values.iter().map(change).collect();
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "990001", "changes": changes }] })
}

/// A value with one text message.
pub fn text(wamid: &str, phone: Option<&str>, bsuid: Option<&str>, at: i64, words: &str) -> Value {
    let element = json!({ "type": "text", "text": { "body": words } });
    from(wamid, phone, bsuid, at, element)
}

/// A value with one message of any type.
pub fn from(
    wamid: &str,
    phone: Option<&str>,
    bsuid: Option<&str>,
    at: i64,
    mut element: Value,
) -> Value {
    element["id"] = json!(wamid);
    element["timestamp"] = json!(at.to_string());
    let mut contact = json!({ "profile": { "name": "Ines" } });
    if let Some(phone) = phone {
        element["from"] = json!(phone);
        contact["wa_id"] = json!(phone);
    }
    if let Some(bsuid) = bsuid {
        element["from_user_id"] = json!(bsuid);
        contact["user_id"] = json!(bsuid);
    }
    json!({ "contacts": [contact], "messages": [element] })
}

/// One status of one of our sends.
pub fn status(outbox: &str, wamid: &str, word: &str, at: i64, error: Option<i64>) -> Value {
    let mut status = json!({
        "id": wamid, "status": word, "timestamp": at.to_string(), "recipient_id": "447700900123",
        "biz_opaque_callback_data": outbox,
    });
    if let Some(code) = error {
        status["errors"] = json!([{ "code": code, "title": "refused" }]);
    }
    status
}
