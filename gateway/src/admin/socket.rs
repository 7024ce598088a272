//! The admin socket of a running server: a unix socket of mode 0600 in the data folder.
//!
//! One line of JSON asks, one line answers, then the connection closes. Whoever may open the socket is the operator.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Answer;
use super::command::Command;
use super::context::{AdminContext, execute};
use super::error::AdminError;
use super::lock::remove_leftover;
use crate::audit::Actor;

/// The longest command: a component of 16 MiB in base64, and its configuration.
pub(super) const LINE_BYTES: u64 = 32 << 20;

/// What goes back over the socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Answer(Answer),
    Error(AdminError),
}

/// A socket on which commands may arrive; they are answered once it is served.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Bound under another name and renamed once only its owner may connect: there is no moment in which others could.
    /// The caller holds the data folder's lock, so that a socket found there is nobody's.
    pub fn bind(path: PathBuf) -> io::Result<Self> {
        let beside = path.with_extension("new");
        remove_leftover(&beside)?;
        let listener = UnixListener::bind(&beside)?;
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&beside, &path)?;
        Ok(Self { listener, path })
    }

    /// Answers commands until `stop`, then finishes those under way.
    pub async fn serve(self, context: Arc<AdminContext>, stop: CancellationToken) {
        let running = TaskTracker::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, _)) => {
                    let context = Arc::clone(&context);
                    running.spawn(async move {
                        if let Err(error) = converse(stream, &context).await {
                            tracing::warn!(%error, "admin socket: a conversation broke off");
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, "admin socket: a connection was not accepted"),
            }
        }
        running.close();
        running.wait().await;
        if let Err(error) = remove_leftover(&self.path) {
            tracing::warn!(%error, "the admin socket's file could not be removed");
        }
    }
}

async fn converse(mut stream: UnixStream, context: &AdminContext) -> io::Result<()> {
    // Whoever may open the socket is the operator; the audit log names the user of the machine.
    let by = match stream.peer_cred() {
        Ok(peer) => Actor::command_line(peer.uid()),
        Err(_) => Actor::gateway(),
    };
    let context = &AdminContext {
        setup: context.setup.acting(by),
        ..context.clone()
    };
    let (read, mut write) = stream.split();
    let mut line = zeroize::Zeroizing::new(Vec::new());
    let mut read = BufReader::new(read.take(LINE_BYTES));
    read.read_until(b'\n', &mut line).await?;
    let reply = match serde_json::from_slice::<Command>(&line) {
        Ok(command) => answer(context, command).await,
        Err(_) => {
            let problem = "this server does not know the command: is it of the same version?";
            Reply::Error(AdminError::Refused(problem.to_owned()))
        }
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    write.shutdown().await
}

/// The server's log is the record of who changed what; a verb of its own has the operator's eyes instead.
async fn answer(context: &AdminContext, command: Command) -> Reply {
    let verb = command.verb();
    match execute(context, command).await {
        Ok(answer) => {
            tracing::info!(verb, "admin command done");
            Reply::Answer(answer)
        }
        Err(error) => {
            tracing::warn!(verb, %error, "admin command not done");
            Reply::Error(error)
        }
    }
}
