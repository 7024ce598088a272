//! Uploads that say who made them, and a gateway that takes no others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use vestibule_tests::process::said;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests};

use super::cli;

/// Runs `plugin push` for the first tenant: what it said.
async fn push(
    town: &Town,
    component: &[u8],
    signed: Option<(&str, &[u8])>,
) -> Result<String, String> {
    let file = town.deployment.data_dir("push").with_extension("wasm");
    std::fs::write(&file, component).expect("the component is written");
    let mut command = town.deployment.command("node");
    command
        .args(["plugin", "push"])
        .arg(&file)
        .args(["--tenant", &town.business.tenants[0]]);
    if let Some((key, signature)) = signed {
        let file = file.with_extension("sig");
        std::fs::write(&file, signature).expect("the signature is written");
        command.args(["--key", key, "--signature"]).arg(&file);
    }
    said(command).await
}

#[tokio::test]
async fn only_what_a_registered_key_signed_is_taken() {
    for_each_database(async |database: TestDatabase| {
        let mut town = Town::without_plugin(&database).await;
        town.deployment = town.deployment.with("plugins.require_signature", "true");
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let public = STANDARD.encode(pair.public_key().as_ref());
        let signature = pair.sign(guests::ECHO);
        let good = Some(("acme", signature.as_ref()));
        for (component, signed, says) in [
            (guests::ECHO, None, "it is not signed"),
            (
                guests::ECHO,
                good,
                "the signing key `acme` is not registered",
            ),
        ] {
            let said = push(&town, component, signed).await.expect_err(says);
            assert!(said.contains(says), "{said}");
        }
        cli(&town, &["plugin", "key", "add", "acme", &public]).await;
        let said = push(&town, guests::COUNTER, good)
            .await
            .expect_err("of other bytes");
        assert!(said.contains("not that of the key `acme`"), "{said}");
        // All that is wrong at once: the signature, and what it is a signature of.
        let said = push(&town, b"no component", good)
            .await
            .expect_err("nothing is right");
        assert!(
            said.contains("not that of the key") && said.contains("not a WebAssembly component"),
            "{said}"
        );
        push(&town, guests::ECHO, good).await.expect("signed");
        let uploads = cli(
            &town,
            &["plugin", "uploads", "--tenant", &town.business.tenants[0]],
        )
        .await;
        assert_eq!(uploads[0]["signed_by"], "acme");
        let digest = uploads[0]["digest"].as_str().expect("a digest");
        let tenant = &town.business.tenants[0];
        cli(&town, &["plugin", "install", digest, "--tenant", tenant]).await;
        cli(&town, &["plugin", "key", "revoke", "acme"]).await;
        let said = push(&town, guests::ECHO, good).await.expect_err("revoked");
        assert!(said.contains("is not registered"), "{said}");
    })
    .await;
}
