//! The other end of the admin socket: a command-line verb that finds a server running.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::command::Command;
use super::error::AdminError;
use super::socket::Reply;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens: the caller may open the database itself.
    #[error("no server runs on this data folder")]
    NoServer,
    #[error("the server's admin socket cannot be used")]
    Io(#[from] io::Error),
    #[error("the server answered something else than an answer")]
    Garbled,
}

/// Asks the server that listens at `path`.
pub async fn ask(
    path: &Path,
    command: &Command,
) -> Result<Result<Answer, AdminError>, Unreachable> {
    let mut stream = connect(path).await?;
    let (read, mut write) = stream.split();
    let mut line = Zeroizing::new(serde_json::to_vec(command).map_err(|_| Unreachable::Garbled)?);
    line.push(b'\n');
    write.write_all(&line).await?;
    let mut reply = Vec::new();
    BufReader::new(read).read_until(b'\n', &mut reply).await?;
    match serde_json::from_slice(&reply).map_err(|_| Unreachable::Garbled)? {
        Reply::Answer(answer) => Ok(Ok(answer)),
        Reply::Error(error) => Ok(Err(error)),
    }
}

async fn connect(path: &Path) -> Result<UnixStream, Unreachable> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(stream),
        Err(error) if [NotFound, ConnectionRefused].contains(&error.kind()) => {
            Err(Unreachable::NoServer)
        }
        Err(error) => Err(error.into()),
    }
}
