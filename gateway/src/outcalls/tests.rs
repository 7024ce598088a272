//! Requests of several tenants' plugins over one way out.

use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::domain::{InstallationId, Timestamp};
use crate::egress::{EgressConfig, Lookup, LookupLimits};
use crate::plugin_host::Method;
use crate::secrets::Keyring;
use crate::storage::{self, OpenOptions};
use crate::sync::lock;

const CONCURRENCY: usize = 16;
const PER_TENANT: usize = 4;

struct World {
    outcalls: Arc<Outcalls>,
    _dir: tempfile::TempDir,
}

fn egress(allow_private_addresses: bool, lookup: Arc<dyn Lookup>, plain: Option<u16>) -> Egress {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = EgressConfig {
        allow_private_addresses,
        denied_networks: Vec::new(),
        connect_timeout: Duration::from_secs(20),
        timeout: Duration::from_secs(20),
        plain_hosts: plain
            .map(|port| format!("shop.example:{port}"))
            .into_iter()
            .collect(),
        lookups: LookupLimits {
            most: CONCURRENCY,
            most_per_tenant: PER_TENANT,
            wait: false,
        },
    };
    Egress::with_lookup(config, lookup).expect("a client")
}

async fn world(egress: Egress) -> World {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", dir.path().join("v.db").display());
    let db = storage::open(&OpenOptions::new(url)).await;
    let db = db.expect("it opens");
    let migrated = storage::migrate::migrate(&db, Timestamp::ZERO).await;
    migrated.expect("it migrates");
    let keyring = Keyring::of_file(dir.path().join("keys.toml")).expect("keys are made");
    let config = OutcallsConfig {
        timeout: Duration::from_secs(20),
        concurrency: CONCURRENCY,
        concurrency_per_tenant: PER_TENANT,
    };
    World {
        outcalls: Outcalls::new(db, Arc::new(keyring), egress, config),
        _dir: dir,
    }
}

impl World {
    async fn asks(&self, tenant: i64, url: &str, patience: Duration) -> HttpAnswer {
        let tenant = TenantId::from_raw(tenant);
        let sender = self.outcalls.of_turn(TurnPlace {
            tenant,
            contact: ContactId::from_raw(1),
            portfolio: String::new(),
            event: EventId::from_raw(1),
            conversation: ConversationId::from_raw(1),
            seq: 1,
        });
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: Some(patience),
        };
        let asked = HttpAsked {
            tenant,
            installation: InstallationId::from_raw(1),
            ordinal: 0,
            mark: "mark".to_owned(),
            request: Arc::new(request),
        };
        sender.send(&asked).await
    }
}

/// Knows the shop. Nobody answers for any other name while the gate is shut.
struct Stuck(Arc<Mutex<()>>);

impl Lookup for Stuck {
    fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name == "shop.example" {
            return Ok(vec![IpAddr::from([127, 0, 0, 1])]);
        }
        drop(lock(&self.0));
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Says 200 to everybody; answers its port.
async fn shop() -> u16 {
    let server = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let server = server.expect("a port");
    let port = server.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = server.accept().await {
            let _ = connection.read(&mut [0; 4_096]).await;
            let says = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let _ = connection.write_all(says).await;
        }
    });
    port
}

/// A plugin of tenant 1 with `*.evil.example`, whose name servers never answer.
async fn asks_for_names_without_end(world: &World) {
    let asks = (0..PER_TENANT).map(async |n| {
        let url = format!("https://{n}.evil.example/");
        world.asks(1, &url, Duration::from_millis(1)).await
    });
    for answer in futures::future::join_all(asks).await {
        assert_eq!(answer, Err(HttpRefused::Timeout));
    }
    for _ in 0..50 {
        let answer = world
            .asks(1, "https://more.evil.example/", Duration::ZERO)
            .await;
        assert!(
            matches!(answer, Err(HttpRefused::Unavailable(_))),
            "{answer:?}"
        );
    }
}

async fn others_go_on(world: &World, port: u16) {
    let url = format!("http://shop.example:{port}/");
    for tenant in 2..8 {
        let answer = world.asks(tenant, &url, Duration::from_secs(20)).await;
        assert_eq!(answer.map(|response| response.status), Ok(200));
    }
    let Outcalls { db, keyring, .. } = &*world.outcalls;
    let read = crate::tenants::secrets::open(db, keyring, TenantId::from_raw(2), "none").await;
    assert!(read.expect("it reads").is_none());
    let work = tokio::task::spawn_blocking(|| ()).await;
    work.expect("there is a thread for what blocks");
}

#[test]
fn names_that_nobody_answers_for_take_nobody_elses_place() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(PER_TENANT)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let gate = Arc::new(Mutex::new(()));
    let shut = lock(&gate);
    let all = runtime.block_on(async {
        let port = shop().await;
        let world = world(egress(true, Arc::new(Stuck(gate.clone())), Some(port))).await;
        let all = async {
            asks_for_names_without_end(&world).await;
            others_go_on(&world, port).await;
        };
        tokio::time::timeout(Duration::from_secs(60), all).await
    });
    drop(shut);
    all.expect("nobody waits for the names");
}

/// A network with one name in it.
struct Inside;

impl Lookup for Inside {
    fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match name {
            "inside.example" => Ok(vec![IpAddr::from([10, 0, 0, 1])]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

#[tokio::test]
async fn what_is_inside_and_what_is_not_there_at_all_are_one_word() {
    let world = world(egress(false, Arc::new(Inside), None)).await;
    let patience = Duration::from_secs(20);
    let told = Err(HttpRefused::Unreachable(
        "no connection to a public address".to_owned(),
    ));
    for host in ["inside.example", "none.example", "10.0.0.1", "[::1]"] {
        let answer = world.asks(1, &format!("https://{host}/"), patience).await;
        assert_eq!(answer, told, "{host}");
    }
    let of = |error| Failure::of(&error);
    let (private, none) = (of(EgressError::NotPublic), of(EgressError::Connect));
    assert_eq!((private.word, none.word), ("not_public", "unreachable"));
    assert_eq!(
        EgressError::NotPublic.to_string(),
        EgressError::Connect.to_string()
    );
}

#[test]
fn a_request_has_its_least_time_and_no_more_than_the_operator_says() {
    let (ms, limit) = (Duration::from_millis, Duration::from_secs(5));
    for (own, becomes) in [
        (None, limit),
        (Some(ms(0)), LEAST_TIMEOUT),
        (Some(ms(99)), LEAST_TIMEOUT),
        (Some(ms(101)), ms(101)),
        (Some(ms(60_000)), limit),
    ] {
        assert_eq!(timeout(own, limit), becomes);
    }
    assert_eq!(timeout(Some(ms(1)), ms(50)), ms(50));
}
