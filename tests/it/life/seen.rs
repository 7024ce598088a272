//! What an author sees of a plugin: its log, its faults, its health; and an upload that is for every tenant.

use vestibule::audit::OPERATOR;
use vestibule::domain::TurnId;
use vestibule::domain::rollout::Stage;
use vestibule::tenants::installations::{LogCursor, logs};
use vestibule_tests::town::Town;
use vestibule_tests::{for_each_database, guests, until};

use super::{Life, cli, echo, push};

#[tokio::test(flavor = "multi_thread")]
async fn faults_stand_in_the_log_and_in_the_health_without_what_people_said() {
    for_each_database(async |database| {
        let life = Life::begin(&database, &[echo(guests::BRITTLE, "1.0.0")]).await;
        let installation = life.install(0, Stage::Canary, 100, "").await;
        life.say(1, "hello, I am Ines");
        life.all_answered().await;
        life.say(2, "crack, says Ines");
        life.all_answered().await;
        // Nobody stands behind a first version but the tenant's fallback.
        let last = life.said().await.pop().expect("an answer");
        assert!(
            last.1.starts_with("Sorry, something went wrong"),
            "{last:?}"
        );
        let (tenant, id) = (life.tenant, installation.id);
        let first = LogCursor::after(TurnId::from_raw(0));
        let seen = logs(life.setup(), tenant, id, Some(first))
            .await
            .expect("read");
        let lines = seen.lines;
        let faults: Vec<_> = lines.iter().filter(|line| line.level == "fault").collect();
        assert_eq!(faults.len(), 1, "{lines:?}");
        assert!(
            faults[0].trial && faults[0].message.starts_with("trap: "),
            "{lines:?}"
        );
        let last = LogCursor::after(lines.last().expect("a line").turn);
        let rest = logs(life.setup(), tenant, id, Some(last))
            .await
            .expect("read");
        assert_eq!((rest.lines, rest.more), (Vec::new(), false));
        let digest = &life.digests[0];
        let seen = until("the node has added up what it saw", async || {
            let seen = life.health(OPERATOR, digest).await;
            (seen.all.turns == 2).then_some(seen)
        })
        .await;
        assert_eq!(seen.all.faults, [("trap".to_owned(), 1)].into());
        assert_eq!((seen.parts.len(), seen.all.fell_back), (1, 1));
        assert!(!format!("{seen:?}").contains("Ines"));
        let logged = ["plugin", "logs", &id.to_string()];
        let logged = cli(&life.town, &logged).await.to_string();
        assert!(logged.contains(r#""level":"fault""#), "{logged}");
        life.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_upload_of_the_operator_is_for_every_tenant_and_one_of_a_tenant_is_not() {
    for_each_database(async |database| {
        let town = Town::without_plugin(&database).await;
        let (first, second) = (&town.business.tenants[0], &town.business.tenants[1]);
        let own = push(&town, &echo(guests::ECHO, "1.0.0")).await;
        let mut theirs = tokio::process::Command::from(town.deployment.command("node"));
        let theirs = theirs.args(["plugin", "install", &own, "--tenant", second]);
        let refused = theirs.output().await.expect("the program starts");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("there is no digest"), "{said}");

        let file = town.deployment.data_dir("all").with_extension("wasm");
        std::fs::write(&file, echo(guests::ECHO, "2.0.0")).expect("the component is written");
        let pushed = cli(&town, &["plugin", "push", &file.display().to_string()]).await;
        assert_eq!(pushed["for"], "every tenant");
        let digest = pushed["digest"].as_str().expect("a digest");
        for tenant in [first, second] {
            let installed = cli(&town, &["plugin", "install", digest, "--tenant", tenant]).await;
            assert_eq!(installed["active"]["version"], "2.0.0");
        }
        let listed = cli(&town, &["plugin", "list"]).await;
        assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
        let stop = ["plugin", "stop", digest, "--reason", "drill"];
        assert_eq!(cli(&town, &stop).await["installations"], 2);
    })
    .await;
}

#[tokio::test]
async fn who_wrote_an_upload_for_every_tenant_is_said_when_it_is_pushed() {
    for_each_database(async |database| {
        let town = Town::without_plugin(&database).await;
        let tenants = &town.business.tenants;
        let (author, other) = (tenants[0].as_str(), tenants[1].as_str());
        let file = town.deployment.data_dir("all").with_extension("wasm");
        std::fs::write(&file, echo(guests::ECHO, "1.0.0")).expect("the component is written");
        let file = file.display().to_string();
        let push = async |more: &[&str]| {
            let arguments = [["plugin", "push", file.as_str()].as_slice(), more].concat();
            cli(&town, &arguments).await
        };
        let named = push(&["--author", author]).await;
        assert!(named["author"].is_string(), "{named}");
        let uploads = cli(&town, &["plugin", "uploads"]).await;
        assert_eq!(uploads[0]["author"], named["author"]);
        assert_eq!(push(&[]).await["author"], named["author"], "it stays");

        let digest = named["digest"].as_str().expect("a digest");
        for tenant in [author, other] {
            cli(&town, &["plugin", "install", digest, "--tenant", tenant]).await;
        }
        let in_use = async |tenant: &str| {
            let health = ["plugin", "health", digest, "--in-use", "--tenant", tenant];
            cli(&town, &health).await[0]["installations"].clone()
        };
        assert_eq!(
            (in_use(author).await, in_use(other).await),
            (2.into(), 1.into())
        );
        let nobody = push(&["--no-author"]).await;
        assert!(nobody["author"].is_null(), "{nobody}");
        assert_eq!(in_use(author).await, 1);
    })
    .await;
}
