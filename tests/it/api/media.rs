//! Files by the API: uploaded for messages, and fetched from the messages that brought them; from a Meta that checks
//! tokens, owners, types and ages as the real one does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::access::{Grant, Role, Scope};
use vestibule::clock::SystemClock;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{Bucket, ContactId, ConversationId, EventId, NumberId, RawId, TenantId};
use vestibule::simulator::{
    CustomerFile, SimNumber, Simulator, SimulatorConfig, SimulatorHandle, WebhookPolicy,
};
use vestibule::storage::events::{self, EventKind, NewEvent};
use vestibule_tests::{TestDatabase, for_each_database, settle};

use super::Ground;
use super::ground::{Answer, answer};

const PICTURE: &[u8] = b"\xff\xd8 a plan of the house";
/// Meta's ids and tokens, as the matrix's tenant has them, and another tenant's.
const NUMBERS: [(&str, &str, &str); 2] = [("2", "1", "EAAG"), ("3", "4", "EAAH")];

fn config() -> SimulatorConfig {
    let mut config = SimulatorConfig::new(Arc::new(SystemClock), "secret");
    let number = |(id, waba, token): (&str, &str, &str)| SimNumber {
        phone_number_id: id.to_owned(),
        waba_id: waba.to_owned(),
        display_number: format!("4915112345{id}"),
        throughput: 80,
        access_token: token.to_owned(),
    };
    config.numbers = NUMBERS.map(number).to_vec();
    config.webhooks = WebhookPolicy::quick();
    config
}

pub(crate) async fn meta() -> SimulatorHandle {
    Simulator::start(config()).await.expect("a simulator")
}

const CUSTOMER: &str = "4915155500001";

/// A form with one file.
fn form(mime: &str, name: &str, file: &[u8]) -> (String, Vec<u8>) {
    let head = format!(
        "--frame\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--frame\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {mime}\r\n\r\n"
    );
    let body = [head.as_bytes(), file, b"\r\n--frame--\r\n"].concat();
    ("multipart/form-data; boundary=frame".to_owned(), body)
}

async fn upload(ground: &Ground, key: &str, number: &str, mime: &str, file: &[u8]) -> Answer {
    let (kind, body) = form(mime, "plan.jpg", file);
    let path = format!("/api/v1/media?number={number}");
    let request = ground.request("POST", &path, key);
    answer(request.header("content-type", kind).body(body)).await
}

/// A message with a picture, as ingest would have written it; the picture is the tenant's own upload.
pub(super) async fn picture(
    ground: &Ground,
    tenant: TenantId,
    key: &str,
    number: &str,
    conversation: &str,
    contact: &str,
) -> String {
    let uploaded = upload(ground, key, number, "image/jpeg", PICTURE).await;
    assert_eq!(uploaded.status, 201, "{uploaded:?}");
    let content = json!({"type": "media", "kind": "image", "media_id": uploaded.id()});
    let number: NumberId = number.parse().expect("a number");
    let conversation: ConversationId = conversation.parse().expect("a conversation");
    let contact: ContactId = contact.parse().expect("a contact");
    let setup = ground.setup();
    let now = setup.clock.now();
    let event = NewEvent {
        id: EventId::from_raw(setup.ids.next(now)),
        tenant: Some(tenant),
        number: Some(number),
        bucket: Bucket::of(number),
        conversation: Some(conversation),
        contact: Some(contact),
        seq: 0,
        raw: RawId::from_raw(1),
        ordinal: 0,
        kind: EventKind::Notice,
        at: now,
        wamid: "wamid.PICTURE".to_owned(),
        content: content.to_string(),
        word: 0,
        prev: 0,
        told: None,
    };
    let id = event.id.to_string();
    let mut tx = setup.db.begin().await.expect("a transaction");
    events::append_all_tenants(&mut tx, &[event])
        .await
        .expect("an event");
    tx.commit().await.expect("a commit");
    id
}

/// A node before a Meta, with a tenant for each of its numbers.
struct Town {
    ground: Ground,
    meta: SimulatorHandle,
    clock: Arc<ManualClock>,
    tenants: Vec<Tenant>,
}

struct Tenant {
    id: TenantId,
    key: String,
    number: String,
}

impl Town {
    async fn open(database: &TestDatabase) -> Self {
        let mut config = config();
        let clock = Arc::new(ManualClock::at(vestibule_tests::db::now()));
        config.clock = clock.clone();
        let meta = Simulator::start(config).await.expect("a simulator");
        let url = meta.base_url();
        let ground = Ground::with(database, |deployment| {
            deployment.with("graph.base_url", &url)
        })
        .await;
        let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
        let app = ground.post(&ground.operator, "/apps", &app).await;
        assert_eq!(app.status, 201, "{app:?}");
        let mut tenants = Vec::new();
        for (id, waba, token) in NUMBERS {
            let tenant = ground.tenant(&format!("tenant {id}")).await;
            let key = ground.key(tenant, Role::TenantAdmin).await;
            let credential = json!({"name": "main", "token": token});
            let credential = ground.post(&key, "/credentials", &credential).await.id();
            let number = json!({"credential": credential, "waba_id": waba, "phone_number_id": id,
                "display_number": format!("+4915112345{id}")});
            let number = ground.post(&key, "/numbers", &number).await.id();
            tenants.push(Tenant {
                id: tenant,
                key,
                number,
            });
        }
        ground.node.directory.refresh().await.expect("setup reads");
        let hook = format!("{}/1001", ground.node.webhook_url());
        meta.set_webhook(&hook, None).expect("a URL");
        Self {
            ground,
            meta,
            clock,
            tenants,
        }
    }

    async fn fetch(&self, key: &str, event: &str) -> reqwest::Response {
        let path = format!("/api/v1/media/{event}");
        let request = self.ground.request("GET", &path, key);
        request.send().await.expect("an answer")
    }

    async fn settled(&self, database: &TestDatabase) {
        self.meta.webhooks_idle().await;
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
    }

    async fn history(&self, tenant: &Tenant) -> Vec<Value> {
        let talks = self.ground.get(&tenant.key, "/conversations").await;
        let talk = talks.body["items"][0]["id"]
            .as_str()
            .expect("one")
            .to_owned();
        let path = format!("/conversations/{talk}/history");
        let history = self.ground.get(&tenant.key, &path).await;
        history.body["items"].as_array().expect("items").clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_up_and_out_in_a_message_and_a_customers_comes_back() {
    for_each_database(async |database| {
        let town = Town::open(&database).await;
        let (ground, tenant) = (&town.ground, &town.tenants[0]);
        town.meta.customer("2", CUSTOMER).expect("a customer");
        let photo = CustomerFile {
            kind: "image".to_owned(),
            mime_type: "image/jpeg".to_owned(),
            filename: None,
            caption: Some("the leak".to_owned()),
            bytes: PICTURE.into(),
        };
        let sent = town.meta.customer_sends_file("2", CUSTOMER, photo);
        sent.expect("sent");
        town.settled(&database).await;
        let received = town.history(tenant).await[0]["in"].clone();
        let event = received["id"].as_str().expect("an event").to_owned();
        let fetched = town.fetch(&tenant.key, &event).await;
        assert_eq!(fetched.status(), 200);
        let header = |name: &str| fetched.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("content-type"), "image/jpeg");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-disposition").starts_with("attachment; filename=\"image\""));
        assert_eq!(fetched.bytes().await.expect("the file"), PICTURE);

        let uploaded = upload(ground, &tenant.key, &tenant.number, "image/jpeg", PICTURE).await;
        assert_eq!(uploaded.status, 201, "{uploaded:?}");
        assert_eq!(uploaded.body["bytes"], PICTURE.len());
        let talks = ground.get(&tenant.key, "/conversations").await;
        let path = format!(
            "/conversations/{}/messages",
            talks.body["items"][0]["id"].as_str().expect("one")
        );
        let content = json!({"type": "image", "id": uploaded.id(), "caption": "like this?"});
        let said = ground
            .post(&tenant.key, &path, &json!({"content": content}))
            .await;
        assert_eq!(said.status, 201, "{said:?}");
        town.settled(&database).await;
        let sent = town.history(tenant).await[0]["out"].clone();
        assert_eq!(sent["state"], "accepted", "{sent}");
        let log = ground.get(&tenant.key, "/audit").await;
        let logged = log.body["items"].as_array().expect("items").iter();
        assert_eq!(
            logged
                .filter(|entry| entry["action"] == "media.upload")
                .count(),
            1
        );

        // Meta keeps it for seven days.
        town.clock.advance(Duration::from_secs(8 * 86_400));
        let gone = town.fetch(&tenant.key, &event).await;
        assert_eq!(gone.status(), 410);
        town.ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_whatsapp_does_not_take_is_refused_before_meta_is_asked() {
    for_each_database(async |database| {
        let town = Town::open(&database).await;
        let (ground, tenant) = (&town.ground, &town.tenants[0]);
        let cases: [(&str, &[u8], u16, &str); 4] = [
            ("image/gif", PICTURE, 422, "invalid"),
            ("image/jpeg", b"", 422, "invalid"),
            ("image/png", &vec![7; (5 << 20) + 1], 413, "too_large"),
            ("image/webp", &vec![7; 600 << 10], 413, "too_large"),
        ];
        for (mime, file, status, problem) in cases {
            let refused = upload(ground, &tenant.key, &tenant.number, mime, file).await;
            assert_eq!(
                (refused.status, refused.problem()),
                (status, problem),
                "{mime}"
            );
        }
        let path = format!("/api/v1/media?number={}", tenant.number);
        let json = ground.request("POST", &path, &tenant.key).json(&json!({}));
        assert_eq!(answer(json).await.problem(), "not_multipart");
        let no_file = ground
            .request("POST", &path, &tenant.key)
            .header("content-type", "multipart/form-data; boundary=frame")
            .body("--frame--\r\n");
        assert_eq!(answer(no_file).await.wrong(), ["/file: is missing"]);
        let first = upload(ground, &tenant.key, &tenant.number, "image/png", PICTURE).await;
        assert_eq!(first.id(), "1180000000000001", "Meta was not asked before");
        town.ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_sent_again_with_its_key_is_uploaded_once() {
    for_each_database(async |database| {
        let town = Town::open(&database).await;
        let (ground, tenant) = (&town.ground, &town.tenants[0]);
        let path = format!("/api/v1/media?number={}", tenant.number);
        // Longer than what arrives at once, and with something behind the file.
        let upload = async |byte: u8| {
            let (kind, mut body) = form("image/png", "plan.png", &vec![byte; 4 << 20]);
            body.extend_from_slice(&vec![b' '; 1 << 20]);
            let request = ground.request("POST", &path, &tenant.key);
            let request = request.header("idempotency-key", "one");
            answer(request.header("content-type", kind).body(body)).await
        };
        let first = upload(7).await;
        assert_eq!(first.status, 201, "{first:?}");
        let again = upload(7).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((again.status, &again.body), (201, &first.body));
        let other = upload(8).await;
        assert_eq!(
            (other.status, other.problem()),
            (422, "idempotency_key_reused")
        );
        let audited = "SELECT COUNT(*) FROM audit_entry WHERE action = 'media.upload'";
        assert_eq!(database.count(audited).await, 1);
        town.ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_their_tenants_alone() {
    for_each_database(async |database| {
        let town = Town::open(&database).await;
        let (ground, [first, second]) = (&town.ground, &town.tenants[..]) else {
            panic!("two tenants");
        };
        let theirs = upload(ground, &second.key, &first.number, "image/jpeg", PICTURE).await;
        assert_eq!((theirs.status, theirs.problem()), (404, "not_found"));
        // A narrow token for another number of its tenant may not, one for this number may.
        for (scope, status) in [
            (Scope::Send(Some(NumberId::from_raw(7))), 404),
            (
                Scope::Send(Some(first.number.parse().expect("a number"))),
                201,
            ),
        ] {
            let key = ground
                .grant(first.id, Grant::Scopes(vec![scope]), None)
                .await;
            let uploaded = upload(ground, &key, &first.number, "image/jpeg", PICTURE).await;
            assert_eq!(uploaded.status, status, "{uploaded:?}");
        }
        let customer = town.meta.customer("2", CUSTOMER).expect("a customer");
        customer.text("no file").expect("sent");
        town.settled(&database).await;
        let received = town.history(first).await[0]["in"].clone();
        let event = received["id"].as_str().expect("an event");
        assert_eq!(town.fetch(&first.key, event).await.status(), 404);
        assert_eq!(town.fetch(&second.key, event).await.status(), 404);
        town.ground.end().await;
    })
    .await;
}
