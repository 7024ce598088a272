//! Addresses that are refused, and requests that are bounded.

use super::*;

fn config(allow_private_addresses: bool) -> EgressConfig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    EgressConfig {
        allow_private_addresses,
        denied_networks: Vec::new(),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(30),
        plain_hosts: Vec::new(),
        lookups: LookupLimits {
            most: 4,
            most_per_tenant: 2,
            wait: false,
        },
    }
}

const TENANT: TenantId = TenantId::from_raw(1);

fn egress(allow_private_addresses: bool) -> Egress {
    Egress::new(config(allow_private_addresses)).expect("a client")
}

#[test]
fn urls_into_our_own_network_are_refused_in_every_spelling() {
    use UrlError as E;
    let cases = [
        ("https://example.com/hook", None),
        ("http://example.com/hook", Some(E::Scheme)),
        ("file:///etc/passwd", Some(E::Scheme)),
        ("https://user@example.com/", Some(E::Credentials)),
        ("https://user:word@example.com/", Some(E::Credentials)),
        ("https://127.0.0.1/", Some(E::Private)),
        ("https://0x7f.1/", Some(E::Private)),
        ("https://2130706433/", Some(E::Private)),
        ("https://169.254.169.254/latest", Some(E::Private)),
        ("https://[::1]/", Some(E::Private)),
        ("https://[::ffff:10.0.0.1]/", Some(E::Private)),
        ("https://[fd00::1]/", Some(E::Private)),
        ("https://8.8.8.8/", None),
        ("hooks", Some(E::Malformed)),
    ];
    let egress = egress(false);
    for (url, expected) in cases {
        assert_eq!(egress.check(url).err(), expected, "{url}");
    }
}

#[test]
fn a_laboratory_may_ask_itself() {
    assert_eq!(egress(true).check("http://127.0.0.1:8080/hook"), Ok(()));
}

#[tokio::test]
async fn a_name_of_this_machine_is_not_connected_to() {
    let answer = egress(false)
        .post(TENANT, "https://localhost/hook", &[], "{}".to_owned())
        .await;
    assert!(matches!(answer, Err(EgressError::NotPublic)), "{answer:?}");
}

/// Asks a server of this machine that says these bytes to every request, and then what `after` does.
async fn answered(says: &'static [u8], after: After) -> Result<Fetched, EgressError> {
    answered_within(Duration::from_secs(30), says, after).await
}

async fn answered_within(
    timeout: Duration,
    says: &'static [u8],
    after: After,
) -> Result<Fetched, EgressError> {
    let server = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let server = server.expect("a port");
    let port = server.local_addr().expect("an address").port();
    let serving = tokio::spawn(serve(server, says, after));
    let config = EgressConfig {
        timeout,
        ..config(true)
    };
    let answer = fetch(&Egress::new(config).expect("a client"), port, timeout).await;
    serving.abort();
    answer
}

async fn fetch(egress: &Egress, port: u16, timeout: Duration) -> Result<Fetched, EgressError> {
    let url = format!("http://127.0.0.1:{port}/");
    egress.fetch(asking(&url, timeout)).await
}

fn asking(url: &str, timeout: Duration) -> Fetch {
    Fetch {
        tenant: TENANT,
        method: "GET",
        url: url.to_owned(),
        headers: vec![("x-test".to_owned(), "yes".to_owned().into())],
        body: None,
        timeout,
        most: 1_000,
    }
}

#[derive(Clone, Copy)]
enum After {
    Close,
    /// Says nothing more.
    Wait,
    /// Says the same again, for ever.
    Flood,
}

async fn serve(server: tokio::net::TcpListener, says: &'static [u8], after: After) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    while let Ok((mut connection, _)) = server.accept().await {
        let mut head = [0; 4_096];
        let _ = connection.read(&mut head).await;
        let _ = connection.write_all(says).await;
        match after {
            After::Close => {}
            After::Wait => std::future::pending().await,
            After::Flood => while connection.write_all(says).await.is_ok() {},
        }
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let says = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
    let answer = answered(says, After::Close).await.expect("an answer");
    assert_eq!(answer.status, 302);
    let location = answer.headers.iter().find(|(name, _)| name == "location");
    assert_eq!(
        location.expect("a header").1,
        b"http://169.254.169.254/latest"
    );
}

#[tokio::test]
async fn what_is_too_long_too_slow_or_encoded_is_no_answer() {
    use EgressError as E;
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
    assert!(matches!(answered(long, After::Wait).await, Err(E::Large)));
    let endless = b"HTTP/1.1 200 OK\r\n\r\nmore and more and more and more and more and more";
    assert!(matches!(
        answered(endless, After::Flood).await,
        Err(E::Large)
    ));
    let head = b"HTTP/1.1 200 OK\r\nx-a: 0123456789012345678901234567890123456789\r\n";
    let answer = answered(head, After::Flood).await;
    assert!(matches!(answer, Err(E::Broken | E::Large)), "{answer:?}");
    let soon = Duration::from_millis(300);
    let slow = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nmore";
    assert!(matches!(
        answered_within(soon, slow, After::Wait).await,
        Err(E::Timeout)
    ));
    assert!(matches!(
        answered_within(soon, b"", After::Wait).await,
        Err(E::Timeout)
    ));
    let bomb =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08";
    assert!(matches!(
        answered(bomb, After::Close).await,
        Err(E::Encoded)
    ));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nmore";
    assert!(matches!(answered(cut, After::Close).await, Err(E::Broken)));
    let none = b"SSH-2.0-OpenSSH_9.6\r\n";
    assert!(matches!(answered(none, After::Close).await, Err(E::Broken)));
}

#[tokio::test]
async fn an_answer_is_taken_to_the_byte() {
    let of = |bytes: usize| -> &'static [u8] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
        (head + &"a".repeat(bytes)).into_bytes().leak()
    };
    let most = asking("", Duration::ZERO).most;
    let taken = answered(of(most), After::Close).await.expect("an answer");
    assert_eq!(taken.body.len(), most);
    let more = answered(of(most + 1), After::Close).await;
    assert!(matches!(more, Err(EgressError::Large)));
}

/// A resolver that says a public address to the first question and this machine to all others, or both at once.
struct Rebinding {
    asked: std::sync::atomic::AtomicUsize,
    at_once: bool,
}

impl Lookup for Rebinding {
    fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let before = self
            .asked
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Nobody answers there.
        let public = IpAddr::from([192, 0, 3, 1]);
        let here = IpAddr::from([127, 0, 0, 1]);
        Ok(match (self.at_once, before) {
            (true, _) => vec![here, public],
            (false, 0) => vec![public],
            (false, _) => vec![here],
        })
    }
}

#[tokio::test]
async fn a_name_that_is_resolved_anew_leads_nowhere_else() {
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    server.set_nonblocking(true).expect("it is told");
    let port = server.local_addr().expect("an address").port();
    let url = format!("http://rebinding.example:{port}/");
    for at_once in [false, true] {
        let lookup = Arc::new(Rebinding {
            asked: Default::default(),
            at_once,
        });
        let config = EgressConfig {
            plain_hosts: vec![format!("rebinding.example:{port}")],
            connect_timeout: Duration::from_millis(200),
            ..config(false)
        };
        let egress = Egress::with_lookup(config, lookup).expect("a client");
        for _ in 0..3 {
            let _ = egress.fetch(asking(&url, Duration::from_secs(30))).await;
        }
    }
    let reached = server.accept().err().map(|error| error.kind());
    let nobody = Some(std::io::ErrorKind::WouldBlock);
    assert_eq!(reached, nobody, "somebody connected to this machine");
}

/// Knows one address for every name.
struct Only(IpAddr);

impl Lookup for Only {
    fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![self.0])
    }
}

#[tokio::test]
async fn what_the_operator_denies_is_reached_by_no_address_and_no_name() {
    let networks = ["8.8.8.0/24", "2600:64::/96", "127.0.0.0/8"];
    let networks = networks.map(|text| crate::config::Network::parse(text).expect("a network"));
    for allow_private in [false, true] {
        let config = || EgressConfig {
            denied_networks: networks.to_vec(),
            ..config(allow_private)
        };
        let egress = Egress::new(config()).expect("a client");
        for denied in ["8.8.8.8", "[::ffff:8.8.8.8]", "[2600:64::a00:1]", "127.1"] {
            let url = format!("https://{denied}/");
            assert_eq!(egress.check(&url), Err(UrlError::Private), "{url}");
        }
        for allowed in ["8.8.9.8", "[2600:64::1:0:0]"] {
            assert_eq!(egress.check(&format!("https://{allowed}/")), Ok(()));
        }
        for denied in ["8.8.8.8", "2600:64::7f00:1", "127.0.0.1"] {
            let lookup = Only(denied.parse().expect("an address"));
            let egress = Egress::with_lookup(config(), Arc::new(lookup)).expect("a client");
            let fetch = asking("https://shop.example/", Duration::from_secs(30));
            let answer = egress.fetch(fetch).await;
            assert!(matches!(answer, Err(EgressError::NotPublic)), "{answer:?}");
        }
    }
}

/// The addresses of a laboratory are private: what is denied there is denied in each of their spellings.
#[tokio::test]
async fn what_the_operator_denies_is_reached_through_no_other_address() {
    let networks = ["10.0.0.0/8", "127.0.0.0/8", "::1"];
    let networks = networks.map(|text| crate::config::Network::parse(text).expect("a network"));
    let config = || EgressConfig {
        denied_networks: networks.to_vec(),
        ..config(true)
    };
    let egress = Egress::new(config()).expect("a client");
    for denied in [
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::0.0.0.0",
        "2002:a00:1::",
        "2001:0:1:2:3:4:f5ff:fffe",
    ] {
        let address: IpAddr = denied.parse().expect("an address");
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let checked = egress.check(&format!("https://{host}/"));
        assert_eq!(checked, Err(UrlError::Private), "{denied}");
        let named = Egress::with_lookup(config(), Arc::new(Only(address))).expect("a client");
        let fetch = asking("https://shop.example/", Duration::from_secs(30));
        let answer = named.fetch(fetch).await;
        assert!(
            matches!(answer, Err(EgressError::NotPublic)),
            "{denied}: {answer:?}"
        );
    }
    for allowed in ["192.168.0.1", "[::ffff:192.168.0.1]", "[64:ff9b::c0a8:1]"] {
        let checked = egress.check(&format!("https://{allowed}/"));
        assert_eq!(checked, Ok(()), "{allowed}");
    }
}

#[tokio::test]
async fn plain_http_is_for_hosts_that_the_operator_names() {
    let config = EgressConfig {
        plain_hosts: vec!["erp.example:8080".to_owned()],
        ..config(false)
    };
    let egress = Egress::new(config).expect("a client");
    assert_eq!(egress.check("http://erp.example:8080/x"), Ok(()));
    for url in ["http://erp.example/", "http://other.example:8080/"] {
        assert_eq!(egress.check(url), Err(UrlError::Scheme), "{url}");
    }
}

#[test]
fn addresses_are_refused_in_every_form_of_a_url() {
    let egress = egress(false);
    for url in [
        "https://127.0.0.1./",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://0/",
        "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "https://127\u{3002}0\u{3002}0\u{3002}1/",
        "https://%31%32%37.0.0.1/",
        "https://[::]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::127.0.0.1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://[100::1]/",
        "https://[5f00::1]/",
        "https://100.64.0.1/",
        "https://192.0.0.170/",
        "https://192.88.99.1/",
        "https://198.18.0.1/",
        "https://203.0.113.1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
    ] {
        assert_eq!(egress.check(url), Err(UrlError::Private), "{url}");
    }
    for url in [
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://127.0.0.1.1/",
        "https://256.0.0.1/",
        "https://[::1/",
        "https://exa mple.com/",
    ] {
        assert_eq!(egress.check(url), Err(UrlError::Malformed), "{url}");
    }
}

#[tokio::test]
async fn a_header_is_never_two() {
    for (name, value) in [
        ("x-a", "one\r\nx-b: two"),
        ("x-a", "one\nx-b: two"),
        ("x-a\r\nx-b", "one"),
        ("x a", "one"),
        ("", "one"),
        ("x-a", "\0"),
    ] {
        let mut fetch = asking("https://shop.example/", Duration::from_secs(5));
        fetch.headers = vec![(name.to_owned(), value.to_owned().into())];
        let answer = egress(true).fetch(fetch).await;
        assert!(
            matches!(answer, Err(EgressError::Header)),
            "{name:?}: {answer:?}"
        );
    }
}
