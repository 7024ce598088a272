//! Addresses that are refused, and requests that are bounded.

use super::*;

fn egress(allow_private_addresses: bool) -> Egress {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Egress::new(EgressConfig {
        allow_private_addresses,
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        plain_hosts: Vec::new(),
    })
    .expect("a client")
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
        .post("https://localhost/hook", &[], "{}".to_owned())
        .await;
    assert!(matches!(answer, Err(EgressError::NotPublic)), "{answer:?}");
}
