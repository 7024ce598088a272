//! Locks whose holder panicked: what they guard is taken as it is. And work that blocks, away from the threads that serve.
//!
//! Nothing in this project leaves a guarded value half changed where it may panic, and a node that lost a part of itself
//! ends anyway (`app`): a poisoned lock would only hide the first trouble behind a second.

use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::task::JoinError;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Does on a thread of its own what takes long: hashing megabytes, reading files, loading machine code.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match joined(tokio::task::spawn_blocking(work).await) {
        Some(done) => done,
        // The runtime ends: nobody waits for this any more.
        None => std::future::pending().await,
    }
}

/// What a task has answered, unless it was cancelled. Its panic is taken for one's own, so that whoever watches hears of it.
pub fn joined<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(done) => Some(done),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => None,
    }
}

/// What is inside, when nobody else can have it any more.
pub fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
