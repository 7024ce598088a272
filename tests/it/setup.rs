//! Setup from the first app to the last hold, on both databases.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use vestibule::domain::time::ManualClock;
use vestibule::domain::{IdGenerator, Timestamp};
use vestibule::policy::HoldScope;
use vestibule::storage::{self, OpenOptions};
use vestibule::tenants::holds::Scope;
use vestibule::tenants::numbers::NewNumber;
use vestibule::tenants::{
    Setup, SetupContext, SetupError, add_tenant, apps, credentials, find_tenant, holds, keys,
    numbers, set_tenant,
};
use vestibule_tests::{TestDatabase, for_each_database, keys_in};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

async fn empty(database: &TestDatabase) -> (tempfile::TempDir, SetupContext) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (db, keyring) = (database.open().await, keys_in(dir.path()));
    let clock = Arc::new(ManualClock::at(NOW));
    let ids = IdGenerator::new(1, Timestamp::ZERO);
    let setup = SetupContext::new(db, keyring, clock, ids);
    (dir, setup)
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn app(meta_app_id: &str) -> apps::NewApp {
    apps::NewApp {
        meta_app_id: meta_app_id.to_owned(),
        name: format!("App {meta_app_id}"),
        verify_token: secret("verify-me"),
        secrets: vec![secret("app-secret")],
        is_default: false,
    }
}

fn number(tenant: &str, phone_number_id: &str) -> NewNumber {
    NewNumber {
        tenant: tenant.to_owned(),
        app: None,
        credential: "main".to_owned(),
        portfolio: None,
        waba_id: "2001".to_owned(),
        phone_number_id: phone_number_id.to_owned(),
        display_number: "+49 151 12345678".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        throughput: 80,
    }
}

async fn onboard(setup: &SetupContext, tenant: &str, phone_number_id: &str) {
    add_tenant(setup, tenant, "{}").await.expect("a tenant");
    let token = secret(&format!("EAAG-{tenant}"));
    credentials::add(setup, tenant, "main", &token, false)
        .await
        .expect("a credential");
    numbers::add(setup, &number(tenant, phone_number_id))
        .await
        .expect("a number");
}

async fn load(setup: &SetupContext) -> Setup {
    let mut tx = setup.db.read().await.expect("it reads");
    Setup::load(&mut tx, &setup.keyring)
        .await
        .expect("it loads")
}

#[tokio::test]
async fn what_was_onboarded_is_what_a_node_works_from() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        apps::add(&setup, &app("1002")).await.expect("another");
        onboard(&setup, "acme", "3001").await;
        onboard(&setup, "globex", "3002").await;

        let loaded = load(&setup).await;
        assert_eq!(
            loaded.app(None).map(|app| app.meta_app_id.as_str()),
            Some("1001")
        );
        let other = loaded.app(Some("1002")).expect("it is known");
        assert_eq!(other.verify_token.expose_secret(), "verify-me");
        assert_eq!(other.secrets[0].expose_secret(), "app-secret");
        let number = loaded.number("3002").expect("it is known");
        assert_eq!(
            loaded
                .tenant(number.tenant)
                .map(|tenant| tenant.name.as_str()),
            Some("globex")
        );
        assert_eq!(
            loaded.token(number).map(|token| token.expose_secret()),
            Some("EAAG-globex")
        );
        assert_eq!(number.portfolio, "2001");
        assert!(loaded.number("3003").is_none());
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn every_change_moves_the_counter_that_nodes_watch() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        let before = load(&setup).await.version;
        apps::add(&setup, &app("1001")).await.expect("an app");
        let after_app = load(&setup).await.version;
        onboard(&setup, "acme", "3001").await;
        let after_number = load(&setup).await.version;
        holds::add(&setup, &Scope::All, "fire drill", "ops", None)
            .await
            .expect("a hold");
        let after_hold = load(&setup).await.version;
        assert!(before < after_app && after_app < after_number && after_number < after_hold);
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_change_leaves_nothing_behind() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        onboard(&setup, "acme", "3001").await;
        let before = load(&setup).await.version;
        let taken = apps::add(&setup, &app("1001"))
            .await
            .expect_err("it is taken");
        assert_eq!(taken.to_string(), "app `1001` exists already");
        let refusals = [
            add_tenant(&setup, "acme", "{}").await.err(),
            add_tenant(&setup, "x", "[]").await.err(),
            add_tenant(&setup, "", "{}").await.err(),
            numbers::add(&setup, &number("acme", "3001")).await.err(),
            numbers::add(&setup, &number("nobody", "3009")).await.err(),
            numbers::add(
                &setup,
                &NewNumber {
                    time_zone: "Mars".to_owned(),
                    ..number("acme", "3009")
                },
            )
            .await
            .err(),
            numbers::add(
                &setup,
                &NewNumber {
                    display_number: "0151".to_owned(),
                    ..number("acme", "3009")
                },
            )
            .await
            .err(),
            credentials::add(&setup, "acme", "main", &secret("other"), false)
                .await
                .err(),
            credentials::add(&setup, "acme", "second", &secret("with\nline"), false)
                .await
                .err(),
        ];
        for (index, refusal) in refusals.into_iter().enumerate() {
            assert!(refusal.is_some_and(|error| error.is_refusal()), "{index}");
        }
        assert_eq!(load(&setup).await.version, before);
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn another_tenants_credential_cannot_be_used() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        onboard(&setup, "acme", "3001").await;
        add_tenant(&setup, "globex", "{}").await.expect("a tenant");
        let error = numbers::add(&setup, &number("globex", "3002"))
            .await
            .expect_err("not theirs");
        assert_eq!(error.to_string(), "there is no credential `main`");
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn holds_bear_on_exactly_what_they_name() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        onboard(&setup, "acme", "3001").await;
        onboard(&setup, "globex", "3002").await;
        let of = |tenant: &str| tenant.to_owned();
        let scopes = [
            Scope::Tenant { tenant: of("acme") },
            Scope::Number {
                tenant: of("acme"),
                number: of("3001"),
            },
            Scope::Plugin {
                tenant: of("acme"),
                plugin: of("menu"),
            },
            Scope::Credential {
                tenant: of("globex"),
                credential: of("main"),
            },
            Scope::AllTemplates {
                tenant: of("globex"),
            },
        ];
        for scope in &scopes {
            holds::add(&setup, scope, "test", "ops", None)
                .await
                .expect("a hold");
        }
        let loaded = load(&setup).await;
        let scopes_of = |id: &str| -> Vec<HoldScope> {
            let number = loaded.number(id).expect("it is known");
            loaded
                .holds(number)
                .into_iter()
                .map(|hold| hold.scope)
                .collect()
        };
        let menu = HoldScope::Plugin { name: of("menu") };
        assert_eq!(
            scopes_of("3001"),
            [HoldScope::Tenant, HoldScope::Number, menu]
        );
        assert_eq!(
            scopes_of("3002"),
            [HoldScope::Credential, HoldScope::Templates]
        );
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_ends_by_hand_or_by_its_time() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        let hour = Duration::from_secs(3600);
        let by_hand = holds::add(&setup, &Scope::All, "drill", "ops", None)
            .await
            .expect("a hold");
        holds::add(&setup, &Scope::All, "short", "ops", Some(hour))
            .await
            .expect("a hold");
        assert_eq!(holds::list(&setup).await.expect("a list").len(), 2);
        holds::lift(&setup, by_hand.id).await.expect("it is lifted");
        assert!(holds::lift(&setup, by_hand.id).await.is_err());
        let later = SetupContext {
            clock: Arc::new(ManualClock::at(NOW.plus(hour))),
            ..setup.clone()
        };
        assert_eq!(holds::list(&setup).await.expect("a list").len(), 1);
        assert_eq!(holds::list(&later).await.expect("a list").len(), 0);
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_rotation_wraps_every_secret_again_and_loses_none() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        onboard(&setup, "acme", "3001").await;
        let rotated = keys::rotate(&setup).await.expect("it rotates");
        assert_eq!((rotated.newest.0, rotated.rewrapped), (2, 3));
        assert_eq!(
            keys::rewrap(&setup).await.expect("nothing to do").rewrapped,
            0
        );
        assert_eq!(keys::verify(&setup).await.expect("all open"), 3);
        let loaded = load(&setup).await;
        let number = loaded.number("3001").expect("it is known");
        assert_eq!(
            loaded.token(number).map(|token| token.expose_secret()),
            Some("EAAG-acme")
        );
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn two_app_secrets_count_until_the_older_is_retired() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        apps::add_secret(&setup, "1001", &secret("newer"), false)
            .await
            .expect("a secret");
        assert_eq!(load(&setup).await.apps[0].secrets.len(), 2);
        let retired = apps::add_secret(&setup, "1001", &secret("newest"), true).await;
        assert_eq!(retired.expect("a secret"), 2);
        let loaded = load(&setup).await;
        let secrets: Vec<_> = loaded.apps[0]
            .secrets
            .iter()
            .map(|s| s.expose_secret())
            .collect();
        assert_eq!(secrets, ["newest"]);
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_envelope_copied_to_another_tenant_does_not_open_there() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        onboard(&setup, "acme", "3001").await;
        onboard(&setup, "globex", "3002").await;
        let mut tx = setup.db.begin().await.expect("it writes");
        let all = storage::credentials::credentials_all_tenants(&mut tx)
            .await
            .expect("two");
        let (from, to) = (&all[0], &all[1]);
        storage::credentials::replace_token(&mut tx, to.tenant, to.id, &from.token)
            .await
            .expect("it is copied");
        tx.commit().await.expect("it commits");
        assert!(keys::verify(&setup).await.is_err());
        let mut tx = setup.db.read().await.expect("it reads");
        assert!(Setup::load(&mut tx, &setup.keyring).await.is_err());
        drop(tx);
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_the_database_in_use_is_a_whole_database() {
    for_each_database(async |database| {
        let (dir, setup) = empty(&database).await;
        apps::add(&setup, &app("1001")).await.expect("an app");
        let file = dir.path().join("copy.db");
        let copied = storage::backup::copy_into_all_tenants(&setup.db, &file).await;
        if !setup.db.is_sqlite() {
            return assert_eq!(copied.expect("it is left to its tools"), None);
        }
        assert_eq!(copied.expect("it is copied"), Some(()));
        assert!(
            storage::backup::copy_into_all_tenants(&setup.db, &file)
                .await
                .is_err()
        );
        let url = format!("sqlite:{}", file.display());
        let db = storage::open(&OpenOptions::new(url))
            .await
            .expect("it opens");
        let copy = SetupContext { db, ..setup };
        assert_eq!(load(&copy).await.apps.len(), 1);
        setup.db.close().await;
    })
    .await;
}

#[tokio::test]
async fn wrong_settings_are_refused_with_all_that_is_wrong_and_good_ones_replaced() {
    for_each_database(async |database| {
        let (_dir, setup) = empty(&database).await;
        let wrong = r#"{"replies_per_hour":"x","words":{"stopp":["halt"]}}"#;
        let refused = add_tenant(&setup, "acme", wrong).await.err();
        let Some(SetupError::Invalid { problem, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(
            problem.contains("replies_per_hour") && problem.contains("words.stopp"),
            "{problem}"
        );
        let good = r#"{"words":{"stop":["halt"]}}"#;
        add_tenant(&setup, "acme", good).await.expect("a tenant");
        let before = load(&setup).await.version;
        assert!(set_tenant(&setup, "acme", wrong).await.is_err());
        assert!(set_tenant(&setup, "nobody", "{}").await.is_err());
        let kept = find_tenant(&setup, "acme").await.expect("it is there");
        assert_eq!(
            kept.settings,
            r#"{"consent_basis":"ledger","words":{"stop":["halt"]}}"#
        );
        let set = set_tenant(&setup, &kept.id.to_string(), "{}").await;
        assert_eq!(
            set.expect("it is set").settings,
            r#"{"consent_basis":"ledger"}"#,
            "what it relies on stays until it says otherwise"
        );
        assert!(load(&setup).await.version > before, "nodes notice");
    })
    .await;
}
