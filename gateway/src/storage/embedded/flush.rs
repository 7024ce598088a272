//! The database's file goes to the disk.

use std::ptr;

use rusqlite::{Connection, ffi};

/// By SQLite's own descriptor: a process that closes another one of that file gives up all its locks on it (SQLite, "How To
/// Corrupt An SQLite Database File", 2.2).
pub(super) fn flush(db: &Connection) -> Result<(), rusqlite::Error> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is open while `db` is borrowed, the name ends with a zero, and this request writes one pointer.
    let found = unsafe {
        ffi::sqlite3_file_control(
            db.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        )
    };
    check(found)?;
    // SAFETY: SQLite keeps the file, and what it can do, as long as the connection is open; nobody else uses the connection now.
    let flushed = unsafe {
        let methods = file.as_ref().and_then(|file| file.pMethods.as_ref());
        let sync = methods.and_then(|methods| methods.xSync);
        sync.map(|sync| sync(file, ffi::SQLITE_SYNC_NORMAL))
    };
    // One in memory, or not yet opened, cannot.
    check(flushed.unwrap_or(ffi::SQLITE_OK))
}

fn check(code: i32) -> Result<(), rusqlite::Error> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_flushed_and_a_database_without_one_has_nothing_to_flush() {
        let folder = tempfile::tempdir().expect("a folder");
        for database in [folder.path().join("v.db"), ":memory:".into()] {
            let db = Connection::open(&database).expect("open");
            flush(&db).expect("before it is used");
            db.execute_batch("CREATE TABLE t (a INTEGER)")
                .expect("a table");
            flush(&db).expect("flushed");
        }
    }

    #[test]
    fn what_sqlite_answers_is_the_error() {
        let refused = check(ffi::SQLITE_IOERR_FSYNC).expect_err("refused");
        assert_eq!(refused.sqlite_error().map(|e| e.extended_code), Some(1_034));
    }
}
