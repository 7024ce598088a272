//! Commands through the socket of a running server, and the lock of the data folder.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::domain::time::ManualClock;
use crate::domain::{IdGenerator, Timestamp};
use crate::jobs::Traffic;
use crate::plugin_host::{CompileLimits, Compiler};
use crate::secrets::Keyring;
use crate::storage::{self, OpenOptions};
use crate::telemetry::Captured;
use crate::tenants::SetupContext;

struct Server {
    dir: tempfile::TempDir,
    socket: PathBuf,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn context(dir: &tempfile::TempDir) -> AdminContext {
    let now = Timestamp::from_secs(1_790_000_000);
    let url = format!("sqlite:{}", dir.path().join("v.db").display());
    let db = storage::open(&OpenOptions::new(url))
        .await
        .expect("it opens");
    storage::migrate::migrate(&db, now)
        .await
        .expect("it migrates");
    let keyring = Keyring::of_file(dir.path().join("keys.toml")).expect("keys are made");
    let clock = Arc::new(ManualClock::at(now));
    let ids = IdGenerator::new(1, Timestamp::ZERO);
    let setup = SetupContext::new(db, Arc::new(keyring), clock, ids);
    let compiler = Compiler::new("/nonexistent".into(), CompileLimits::default());
    AdminContext {
        setup,
        compiler: Arc::new(compiler),
        graph: graph(&Config::load(None).expect("a configuration")).expect("a client"),
        traffic: Traffic::default(),
    }
}

async fn start() -> Server {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let socket = dir.path().join("admin.sock");
    let stop = CancellationToken::new();
    let context = Arc::new(context(&dir).await);
    let bound = AdminSocket::bind(socket.clone()).expect("it is bound");
    let task = tokio::spawn(bound.serve(context, stop.clone()));
    Server {
        dir,
        socket,
        stop,
        task,
    }
}

impl Server {
    async fn ask(&self, command: Command) -> Result<Answer, AdminError> {
        ask(&self.socket, &command)
            .await
            .expect("the server answers")
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it ends");
        assert!(!self.socket.exists());
    }
}

fn tenant(name: &str) -> Command {
    Command::TenantAdd {
        name: name.to_owned(),
        settings: "{}".to_owned(),
    }
}

fn app() -> Command {
    Command::AppAdd {
        meta_app_id: "1001".to_owned(),
        name: "Main".to_owned(),
        verify_token: SecretString::from("hunter2-token"),
        secrets: vec![SecretString::from("hunter2-secret")],
        is_default: true,
    }
}

#[tokio::test]
async fn a_command_through_the_socket_is_carried_out_by_the_server() {
    let server = start().await;
    assert!(server.ask(app()).await.is_ok());
    assert!(server.ask(tenant("acme")).await.is_ok());
    let refused = server.ask(tenant("acme")).await;
    assert_eq!(
        refused,
        Err(AdminError::Refused(
            "tenant `acme` exists already".to_owned()
        ))
    );
    let Ok(Answer::Record(status)) = server.ask(Command::Status).await else {
        panic!("a status is a record")
    };
    assert_eq!(
        (&status["tenants"], &status["apps"]),
        (&1.into(), &1.into())
    );
    server.end().await;
}

#[tokio::test]
async fn only_its_owner_may_connect_to_the_socket() {
    let server = start().await;
    let mode = std::fs::metadata(&server.socket)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    server.end().await;
}

#[tokio::test]
async fn without_a_server_the_caller_is_told_so() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("admin.sock");
    assert!(matches!(
        ask(&path, &Command::Status).await,
        Err(Unreachable::NoServer)
    ));
    // A server that was killed leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("it binds"));
    assert!(matches!(
        ask(&path, &Command::Status).await,
        Err(Unreachable::NoServer)
    ));
}

#[tokio::test]
async fn a_line_that_is_no_command_is_refused_and_not_repeated() {
    let server = start().await;
    let stream = std::os::unix::net::UnixStream::connect(&server.socket).expect("it connects");
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        (&stream)
            .write_all(b"{\"command\":\"hunter2\"}\n")
            .expect("it is sent");
        let mut text = String::new();
        (&stream).read_to_string(&mut text).expect("it is answered");
        text
    });
    let answer = answer.await.expect("an answer");
    assert!(
        answer.contains("refused") && !answer.contains("hunter2"),
        "{answer}"
    );
    server.end().await;
}

#[tokio::test]
async fn no_secret_is_logged_or_printed() {
    let logs = Captured::start(crate::config::LogFormat::Json);
    let server = start().await;
    assert!(!format!("{:?}", app()).contains("hunter2"));
    assert!(server.ask(app()).await.is_ok());
    assert!(server.ask(app()).await.is_err());
    server.end().await;
    assert!(logs.text().contains("app_add"), "{}", logs.text());
    assert_eq!(logs.leaked(&["hunter2"]), None);
}

#[tokio::test]
async fn a_backup_is_its_owners_alone_and_never_overwrites() {
    let server = start().await;
    let to = server.dir.path().join("copy.db");
    assert!(server.ask(Command::Backup { to: to.clone() }).await.is_ok());
    let mode = std::fs::metadata(&to)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = server.ask(Command::Backup { to }).await;
    assert!(matches!(again, Err(AdminError::Refused(_))));
    server.end().await;
}

#[tokio::test]
async fn a_component_that_is_none_is_refused_before_anything_compiles() {
    let server = start().await;
    assert!(server.ask(tenant("acme")).await.is_ok());
    let install = PluginInstall::new("acme", b"\0asm");
    let install = Command::Plugin(PluginCommand::Install(Box::new(install)));
    assert!(matches!(
        server.ask(install).await,
        Err(AdminError::Refused(_))
    ));
    server.end().await;
}

#[test]
fn the_data_folder_has_one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let data = dir.path().join("data");
    prepare_data_dir(&data).expect("it is made");
    let mode = std::fs::metadata(&data)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let lock = data.join("lock");
    let first = DataLock::acquire(&lock).expect("it is free");
    assert!(matches!(DataLock::acquire(&lock), Err(LockError::Taken(_))));
    drop(first);
    DataLock::acquire(&lock).expect("it is free again");
}
