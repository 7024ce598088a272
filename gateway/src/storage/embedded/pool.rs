//! The connections that nobody uses at the moment, and those on loan.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx_core::error::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::{Connection, Options};
use crate::sync::lock;

/// Whoever has waited this long for a connection is told that there is none.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Pool {
    options: Options,
    idle: Mutex<Vec<Connection>>,
    /// One for each connection that may be on loan.
    turns: Arc<Semaphore>,
    size: u32,
}

/// A connection until it is dropped; what it was in the middle of is rolled back then.
#[derive(Debug)]
pub struct Loan {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    /// After the connection: who borrows next finds it.
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    /// Opens the first connection, so that whoever cannot open any is told now.
    pub fn open(options: Options, size: u32) -> Result<Arc<Self>, Error> {
        let first = options.open()?;
        Ok(Arc::new(Self {
            options,
            idle: Mutex::new(vec![first]),
            turns: Arc::new(Semaphore::new(size as usize)),
            size,
        }))
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    pub async fn borrow(self: &Arc<Self>) -> Result<Loan, Error> {
        let turn = self.turn().await?;
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.open()?,
        };
        Ok(Loan {
            connection: Some(connection),
            pool: self.clone(),
            _turn: turn,
        })
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        match self.turns.clone().try_acquire_owned() {
            Ok(turn) => return Ok(turn),
            Err(TryAcquireError::Closed) => return Err(Error::PoolClosed),
            Err(TryAcquireError::NoPermits) => {}
        }
        let waiting = self.turns.clone().acquire_owned();
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(turn) => turn.map_err(|_| Error::PoolClosed),
            Err(_) => Err(Error::PoolTimedOut),
        }
    }

    /// Waits until all are back, and closes them.
    pub async fn close(&self) {
        // An error is that somebody closes it already.
        let all = self.turns.acquire_many(self.size).await;
        self.turns.close();
        lock(&self.idle).clear();
        drop(all);
    }
}

impl Deref for Loan {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("there until it is dropped")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let is_clean = !connection.is_in_transaction() || connection.at_once("ROLLBACK").is_ok();
        if is_clean && connection.is_whole() {
            connection.work(self.pool.options.place);
            lock(&self.pool.idle).push(connection);
        }
    }
}
