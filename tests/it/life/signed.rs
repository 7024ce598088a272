//! Uploads that say who made them, and a gateway that takes no others.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use vestibule::storage::components;
use vestibule_tests::db::now;
use vestibule_tests::manifest::saying;
use vestibule_tests::process::said;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests};

use super::{cli, echo};

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

/// What a verb that is refused says.
async fn refused(town: &Town, arguments: &[&str]) -> String {
    let mut command = town.deployment.command("node");
    command.args(arguments);
    said(command).await.expect_err("refused")
}

#[tokio::test]
async fn what_nobody_believes_any_more_comes_into_service_nowhere() {
    for_each_database(async |database: TestDatabase| {
        let mut town = Town::without_plugin(&database).await;
        let tenant = town.business.tenants[0].clone();
        let of_tenant = ["--tenant", tenant.as_str()];
        let install = async |town: &Town, digest: &str, stage: &str| {
            let arguments = ["plugin", "install", digest, "--stage", stage];
            cli(town, &[&arguments[..], &of_tenant].concat()).await
        };
        // The first version is signed by nobody, the others by two keys.
        let version = |version| echo(guests::ECHO, version);
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let public = STANDARD.encode(pair.public_key().as_ref());
        let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).expect("a key");
        let other_public = STANDARD.encode(other.public_key().as_ref());
        cli(&town, &["plugin", "key", "add", "acme", &public]).await;
        cli(&town, &["plugin", "key", "add", "other", &other_public]).await;
        let (two, three) = (version("2.0.0"), version("3.0.0"));
        push(&town, &version("1.0.0"), None).await.expect("kept");
        let signature = pair.sign(&two);
        push(&town, &two, Some(("acme", signature.as_ref())))
            .await
            .expect("kept");
        let signature = other.sign(&three);
        push(&town, &three, Some(("other", signature.as_ref())))
            .await
            .expect("kept");
        let uploads = cli(&town, &[&["plugin", "uploads"], &of_tenant[..]].concat()).await;
        let digest = |at: usize| uploads[at]["digest"].as_str().expect("a digest").to_owned();
        install(&town, &digest(0), "active").await;
        let installed = install(&town, &digest(1), "active").await;
        let id = installed["id"].as_str().expect("an id").to_owned();
        install(&town, &digest(2), "shadow").await;
        cli(&town, &["plugin", "key", "revoke", "other"]).await;
        for arguments in [
            &["plugin", "promote", &id][..],
            &["plugin", "install", &digest(2), "--tenant", &tenant],
        ] {
            let said = refused(&town, arguments).await;
            assert!(
                said.contains("the key `other` that signed it was revoked"),
                "{said}"
            );
        }
        // The same bytes with a signature that is believed.
        let signature = pair.sign(&three);
        push(&town, &three, Some(("acme", signature.as_ref())))
            .await
            .expect("kept");
        let active = ["plugin", "promote", &id, "--stage", "active"];
        let promoted = cli(&town, &active).await;
        assert_eq!(promoted["active"]["version"], "3.0.0");
        // From now on signatures are asked for: back to the second version, not to the first.
        town.deployment = town.deployment.with("plugins.require_signature", "true");
        let back = cli(&town, &["plugin", "rollback", &id]).await;
        assert_eq!(back["active"]["version"], "2.0.0");
        let said = refused(&town, &["plugin", "rollback", &id]).await;
        assert!(said.contains("version 1.0.0: it is not signed"), "{said}");
        let said = refused(&town, &["plugin", "rollback", &id, "--to", "1"]).await;
        assert!(said.contains("version 1.0.0: it is not signed"), "{said}");
    })
    .await;
}

/// As `openssl genpkey -algorithm ed25519 -outform DER` writes it, around the seed of the test above.
fn private_key() -> Vec<u8> {
    let head = hex::decode("302e020100300506032b657004220420").expect("hex");
    [head, vec![7; 32]].concat()
}

#[tokio::test]
async fn a_signature_may_travel_in_the_component() {
    for_each_database(async |database: TestDatabase| {
        let mut town = Town::without_plugin(&database).await;
        town.deployment = town.deployment.with("plugins.require_signature", "true");
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let public = STANDARD.encode(pair.public_key().as_ref());
        cli(&town, &["plugin", "key", "add", "acme", &public]).await;
        let folder = town.deployment.data_dir("signing");
        let file = |ending: &str| folder.with_extension(ending);
        std::fs::write(file("wasm"), guests::ECHO).expect("written");
        std::fs::write(file("key"), private_key()).expect("written");
        let mut command = town.deployment.command("node");
        command.args(["plugin", "sign"]).arg(file("wasm"));
        command
            .args(["--key", "acme", "--private-key"])
            .arg(file("key"));
        command.arg("--out").arg(file("signed"));
        said(command).await.expect("signed");
        let signed = std::fs::read(file("signed")).expect("written");
        push(&town, &signed, None).await.expect("believed");
        let tenant = &town.business.tenants[0];
        let uploads = cli(&town, &["plugin", "uploads", "--tenant", tenant]).await;
        assert_eq!(uploads[0]["signed_by"], "acme");
        // The same signature in another component, and in one that was changed.
        let section = &signed[guests::ECHO.len()..];
        for other in [
            guests::COUNTER,
            &saying(guests::ECHO, &json!({"version": "9.9.9"})),
        ] {
            let stolen = [other, section].concat();
            let said = push(&town, &stolen, None)
                .await
                .expect_err("of other bytes");
            assert!(said.contains("not that of the key `acme`"), "{said}");
        }
        let twice = [signed.as_slice(), section].concat();
        let said = push(&town, &twice, None).await.expect_err("two");
        assert!(said.contains("more than one signature"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_nobody_uses_goes_and_one_that_is_installed_stays() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let tenant = &town.business.tenants[0];
        let first = saying(guests::ECHO, &json!({"version": "1.0.0"}));
        let second = saying(guests::ECHO, &json!({"version": "2.0.0"}));
        push(&town, &first, None).await.expect("kept");
        let install = async |component: &[u8]| {
            let file = town.deployment.data_dir("install").with_extension("wasm");
            std::fs::write(&file, component).expect("written");
            let file = file.to_str().expect("a path in UTF-8");
            cli(&town, &["plugin", "install", file, "--tenant", tenant]).await;
        };
        install(&second).await;
        // Nobody uses the first; ECHO itself is what the second can be rolled back to.
        let db = database.open().await;
        let kept = "SELECT COUNT(*) FROM component";
        let before = database.count(kept).await;
        let soon = now();
        let young = components::collect_all_tenants(&db, soon.minus(Duration::from_secs(3_600)));
        assert_eq!(young.await.expect("a round"), 0, "all are young");
        let later = soon.plus(Duration::from_secs(3_600));
        let gone = components::collect_all_tenants(&db, later)
            .await
            .expect("a round");
        assert_eq!((gone, database.count(kept).await), (1, before - 1));
        let orphans = "SELECT COUNT(*) FROM artifact a WHERE NOT EXISTS
            (SELECT 1 FROM component c WHERE c.tenant = a.tenant AND c.digest = a.digest)";
        assert_eq!(database.count(orphans).await, 0);
        db.close().await;
        // It can be uploaded again.
        install(&first).await;
        assert_eq!(database.count(kept).await, before);
    })
    .await;
}
