//! Envelopes under every kind of tampering, and keys through their life.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::keyring::KeyringError;
use super::*;

const PLACE: Place = Place {
    table: "credential",
    column: "token",
    tenant: 7,
    row: 42,
};

fn in_file(dir: &tempfile::TempDir) -> Source {
    Source::File {
        path: dir.path().join("keys.toml"),
        if_missing: Missing::Create,
    }
}

fn load(source: Source) -> Result<Keyring, KeyringError> {
    Keyring::load(source, Arc::new(SystemEntropy))
}

fn ring() -> (tempfile::TempDir, Keyring) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ring = load(in_file(&dir)).expect("keys are made");
    (dir, ring)
}

fn sealed(ring: &Keyring, text: &str) -> Vec<u8> {
    ring.seal(PLACE, &SecretString::from(text))
        .expect("it is sealed")
}

fn opens_to(ring: &Keyring, place: Place, bytes: &[u8]) -> Option<String> {
    let secret = ring.open(place, bytes).ok()?;
    Some(secret.expose_secret().to_owned())
}

proptest! {
    #[test]
    fn a_secret_opens_in_its_place_and_with_any_byte_changed_nowhere(
        text in ".{0,64}", at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let (_dir, ring) = ring();
        let mut bytes = sealed(&ring, &text);
        prop_assert_eq!(opens_to(&ring, PLACE, &bytes), Some(text));
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_eq!(opens_to(&ring, PLACE, &bytes), None);
    }

    #[test]
    fn a_cut_or_lengthened_envelope_is_refused(keep in any::<prop::sample::Index>(), tail in 1_usize..9) {
        let (_dir, ring) = ring();
        let bytes = sealed(&ring, "EAAG-token");
        prop_assert_eq!(opens_to(&ring, PLACE, &bytes[..keep.index(bytes.len())]), None);
        let longer = [bytes, vec![0; tail]].concat();
        prop_assert_eq!(opens_to(&ring, PLACE, &longer), None);
    }

    #[test]
    fn another_tenant_or_row_does_not_open_it(tenant in any::<i64>(), row in any::<i64>()) {
        prop_assume!((tenant, row) != (PLACE.tenant, PLACE.row));
        let (_dir, ring) = ring();
        let bytes = sealed(&ring, "EAAG-token");
        prop_assert_eq!(opens_to(&ring, Place { tenant, row, ..PLACE }, &bytes), None);
    }
}

#[test]
fn another_table_or_column_does_not_open_it() {
    let (_dir, ring) = ring();
    let bytes = sealed(&ring, "EAAG-token");
    assert_eq!(
        opens_to(
            &ring,
            Place {
                table: "app_secret",
                ..PLACE
            },
            &bytes
        ),
        None
    );
    assert_eq!(
        opens_to(
            &ring,
            Place {
                column: "tokens",
                ..PLACE
            },
            &bytes
        ),
        None
    );
    let shifted = Place {
        table: "credentialt",
        column: "oken",
        ..PLACE
    };
    assert_eq!(opens_to(&ring, shifted, &bytes), None);
}

#[test]
fn after_a_rotation_old_envelopes_open_and_ask_to_be_wrapped_again() {
    let (dir, ring) = ring();
    let old = sealed(&ring, "old");
    assert!(!ring.needs_rewrap(&old));
    assert_eq!(ring.rotate().expect("a key is added"), KeyId(2));
    assert!(ring.needs_rewrap(&old));
    assert_eq!(opens_to(&ring, PLACE, &old).as_deref(), Some("old"));
    let new = sealed(&ring, "new");
    assert!(!ring.needs_rewrap(&new));

    let restarted = load(in_file(&dir)).expect("the file is read");
    assert_eq!(restarted.key_ids(), [KeyId(1), KeyId(2)]);
    assert_eq!(opens_to(&restarted, PLACE, &old).as_deref(), Some("old"));
    assert_eq!(opens_to(&restarted, PLACE, &new).as_deref(), Some("new"));
}

#[test]
fn a_key_that_another_node_added_to_the_file_is_found() {
    let (dir, ring) = ring();
    let other = load(in_file(&dir)).expect("the file is read");
    ring.rotate().expect("a key is added");
    let bytes = sealed(&ring, "new");
    assert_eq!(opens_to(&other, PLACE, &bytes).as_deref(), Some("new"));
}

#[test]
fn derived_keys_survive_rotation_and_restart_and_differ_from_each_other() {
    let (dir, ring) = ring();
    let before = (
        ring.artifact_mac_key(),
        ring.dedupe_key(),
        ring.pseudonym_key(),
    );
    assert_ne!(*before.0, *before.2);
    assert_ne!(before.0[..16], before.1[..]);
    ring.rotate().expect("a key is added");
    let after = load(in_file(&dir)).expect("the file is read");
    assert_eq!(
        before,
        (
            after.artifact_mac_key(),
            after.dedupe_key(),
            after.pseudonym_key()
        )
    );
}

#[test]
fn the_key_file_is_the_owners_alone_or_refused() {
    let (dir, _ring) = ring();
    let path = dir.path().join("keys.toml");
    let mode =
        |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("chmod");
    let metadata = std::fs::metadata(&path).expect("the file is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    for open in [0o640, 0o604, 0o620] {
        mode(open);
        let error = load(in_file(&dir)).expect_err("others may read it");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    mode(0o400);
    load(in_file(&dir)).expect("its owner's alone");
}

#[test]
fn without_a_key_file_a_node_on_postgresql_does_not_start() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("keys.toml");
    let error = load(Source::File {
        path: path.clone(),
        if_missing: Missing::Refuse,
    });
    assert!(matches!(error, Err(KeyringError::Missing(_))));
    assert!(!path.exists());
}

#[test]
fn given_keys_open_what_a_file_with_the_same_keys_sealed() {
    let (dir, ring) = ring();
    let text = std::fs::read_to_string(dir.path().join("keys.toml")).expect("the file is read");
    let pairs = text.lines().filter_map(|line| line.split_once(" = "));
    let given = pairs
        .map(|(id, key)| format!("{id}:{}", key.trim_matches('"')).into())
        .collect();
    let other = load(Source::Given(given)).expect("the same keys");
    assert_eq!(
        opens_to(&other, PLACE, &sealed(&ring, "x")).as_deref(),
        Some("x")
    );
    assert!(matches!(other.rotate(), Err(KeyringError::NotAFile)));
}

#[test]
fn keys_that_cannot_be_used_are_refused_without_repeating_them() {
    let good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let given = |keys: &[String]| {
        let keys = keys
            .iter()
            .map(|key| SecretString::from(key.clone()))
            .collect();
        let Err(KeyringError::Given(error)) = load(Source::Given(keys)) else {
            panic!("they are refused")
        };
        error
    };
    let root = format!("root:{good}");
    assert_eq!(given(std::slice::from_ref(&root)), KeysError::NoSealingKey);
    assert_eq!(given(&[format!("1:{good}")]), KeysError::NoRoot);
    assert_eq!(given(&[good.to_owned()]), KeysError::NotAPair);
    assert_eq!(given(&[format!("{good}:1")]), KeysError::NotAPair);
    assert_eq!(
        given(&[root.clone(), "1:AAAA".to_owned()]),
        KeysError::NotAKey("1".to_owned())
    );
    assert_eq!(
        given(&[root.clone(), root]),
        KeysError::Twice("root".to_owned())
    );
}

#[test]
fn nothing_of_a_keyring_is_printed() {
    let (dir, ring) = ring();
    let text = std::fs::read_to_string(dir.path().join("keys.toml")).expect("the file is read");
    let printed = format!("{ring:?}");
    let keys = text.lines().filter_map(|line| line.split('"').nth(1));
    assert!(keys.clone().count() == 2);
    for key in keys {
        assert!(!printed.contains(key));
    }
    assert!(printed.contains("[redacted]"));
}
