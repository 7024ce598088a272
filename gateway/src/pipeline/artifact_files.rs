//! Sealed artifacts on this node's disk: a cold plugin is read from here, not from the database.
//!
//! The files are hints: whoever reads one authenticates it before it is loaded, and one that is missing, cut short or
//! altered is read from the database again. One folder for each engine; those of other engines are removed at start.
//! All of it blocks: never called on a thread that serves webhooks.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::domain::Timestamp;
use crate::sync::lock;

/// The files of one engine, within a budget.
#[derive(Debug)]
pub(super) struct ArtifactFiles {
    folder: PathBuf,
    most_bytes: u64,
    index: Mutex<Index>,
    buffers: Arc<Buffers>,
}

/// Memory that files are read into: fresh pages for a megabyte are a tenth of a plugin's first call.
#[derive(Debug, Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

/// Buffers that are kept, as many as files are read at once; and the largest that is.
const BUFFERS: usize = 2;
const BUFFER_BYTES: usize = 4 << 20;

/// A file's bytes in a buffer that goes back when nobody needs them.
struct Lent {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    fn read(self: &Arc<Self>, mut file: &File) -> io::Result<Bytes> {
        let mut bytes = lock(&self.0).pop().unwrap_or_default();
        bytes.clear();
        let mut lent = Lent {
            bytes,
            home: self.clone(),
        };
        file.read_to_end(&mut lent.bytes)?;
        Ok(Bytes::from_owner(lent))
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut kept = lock(&self.home.0);
        if kept.len() < BUFFERS && self.bytes.capacity() <= BUFFER_BYTES {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[derive(Debug, Default)]
struct Index {
    files: HashMap<String, Known>,
    bytes: u64,
    /// Of files that are being written.
    writes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    bytes: u64,
    used: Timestamp,
    /// What the file says of it.
    marked: Timestamp,
}

/// How old a file's mark may be. The next life needs the order of days, and each mark is a change of the file system's that
/// a first call would wait for. A guess.
const MARKS: Duration = Duration::from_secs(60);

/// What is being written and has no name yet.
const UNFINISHED: &str = "new-";

impl ArtifactFiles {
    /// Takes over what lies in `folder` for the engine, and removes everything else in it.
    pub(super) fn open(folder: &Path, engine: &str, most_bytes: u64) -> io::Result<Self> {
        let own = folder.join(engine.replace(' ', "-"));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&own)?;
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.path() != own && entry.file_type()?.is_dir() {
                // Another process of another version may still use it: then it reads from the database.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let mut index = Index::default();
        for entry in fs::read_dir(&own)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(meta) = entry.metadata() else { continue };
            if name.starts_with(UNFINISHED) {
                let _ = fs::remove_file(entry.path());
                continue;
            }
            let used = meta.modified().map_or(Timestamp::from_millis(0), moment);
            index.add(name, meta.len(), used);
        }
        let files = Self {
            folder: own,
            most_bytes,
            index: Mutex::new(index),
            buffers: Arc::default(),
        };
        files.shrink(None);
        Ok(files)
    }

    /// Does the component lie here? Looking does not count as a use.
    pub(super) fn has(&self, digest: &str) -> bool {
        lock(&self.index).files.contains_key(digest)
    }

    /// Is there room that nobody needs yet? The rest is for what is read from the database when it is called.
    pub(super) fn has_spare_room(&self) -> bool {
        self.bytes() < self.most_bytes / 10 * 8
    }

    /// The sealed bytes of a component, if they lie here.
    pub(super) fn read(&self, digest: &str, now: Timestamp) -> Option<Bytes> {
        let is_marked = lock(&self.index).touch(digest, now)?;
        let read = File::open(self.folder.join(digest)).and_then(|file| {
            let bytes = self.buffers.read(&file)?;
            Ok((file, bytes))
        });
        let Ok((file, bytes)) = read else {
            lock(&self.index).remove(digest);
            return None;
        };
        if !is_marked {
            // For the order of the next life; without it an old file goes too early.
            let _ = file.set_modified(system_time(now));
        }
        Some(bytes)
    }

    /// Keeps sealed bytes; others go for them. Whoever reads meanwhile sees all of them or none.
    pub(super) fn write(&self, digest: &str, sealed: &[u8], now: Timestamp) -> io::Result<()> {
        let bytes = sealed.len() as u64;
        if bytes > self.most_bytes {
            return Ok(());
        }
        let temporary = {
            let mut index = lock(&self.index);
            index.writes += 1;
            let name = format!("{UNFINISHED}{}-{}", std::process::id(), index.writes);
            self.folder.join(name)
        };
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(sealed))
            .and_then(|()| fs::rename(&temporary, self.folder.join(digest)));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        lock(&self.index).add(digest.to_owned(), bytes, now);
        self.shrink(Some(digest));
        Ok(())
    }

    /// Forgets one that is not what it should be.
    pub(super) fn remove(&self, digest: &str) {
        lock(&self.index).remove(digest);
        let _ = fs::remove_file(self.folder.join(digest));
    }

    /// Those that nobody wants.
    pub(super) fn others(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let index = lock(&self.index);
        let names = index.files.keys().filter(|name| !wanted(name));
        names.cloned().collect()
    }

    pub(super) fn bytes(&self) -> u64 {
        lock(&self.index).bytes
    }

    /// Removes what was used longest ago until the rest fits; not the one that just came.
    fn shrink(&self, newest: Option<&str>) {
        let mut index = lock(&self.index);
        if index.bytes <= self.most_bytes {
            return;
        }
        let mut oldest: Vec<(Timestamp, String)> = index
            .files
            .iter()
            .filter(|(name, _)| Some(name.as_str()) != newest)
            .map(|(name, known)| (known.used, name.clone()))
            .collect();
        oldest.sort();
        // A tenth more than needed, so that a full folder is not sorted for every file that comes.
        let enough = self.most_bytes / 10 * 9;
        for (_, name) in oldest {
            if index.bytes <= enough {
                break;
            }
            index.remove(&name);
            let _ = fs::remove_file(self.folder.join(&name));
        }
    }
}

impl Index {
    fn add(&mut self, name: String, bytes: u64, used: Timestamp) {
        self.remove(&name);
        self.bytes += bytes;
        let known = Known {
            bytes,
            used,
            marked: used,
        };
        self.files.insert(name, known);
    }

    fn remove(&mut self, name: &str) {
        if let Some(known) = self.files.remove(name) {
            self.bytes -= known.bytes;
        }
    }

    /// Notes a use, and answers whether the file says so as well; from now on it does. None: there is no such file.
    fn touch(&mut self, name: &str, now: Timestamp) -> Option<bool> {
        let known = self.files.get_mut(name)?;
        known.used = now;
        let is_marked = now < known.marked.plus(MARKS);
        if !is_marked {
            known.marked = now;
        }
        Some(is_marked)
    }
}

fn moment(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.millis().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    fn names(folder: &Path) -> Vec<String> {
        let files = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> = files
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_folder_stays_within_its_budget_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ArtifactFiles::open(folder.path(), "48 1", 100).expect("a cache");
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            files.write(name, &[7; 30], at(n as i64)).expect("written");
        }
        assert_eq!(files.read("a", at(10)), Some(vec![7; 30].into()));
        files.write("d", &[8; 30], at(11)).expect("written");
        assert_eq!(files.bytes(), 90);
        assert_eq!(names(&folder.path().join("48-1")), ["a", "c", "d"]);
        assert_eq!(files.read("b", at(12)), None);
        files.write("huge", &[9; 101], at(13)).expect("passed over");
        assert_eq!(files.read("huge", at(13)), None);
    }

    #[test]
    fn another_life_knows_the_order_and_removes_leftovers_and_other_engines() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ArtifactFiles::open(folder.path(), "47 1", 100).expect("a cache");
        files.write("old", &[1; 10], at(0)).expect("written");
        let files = ArtifactFiles::open(folder.path(), "48 1", 100).expect("a cache");
        files.write("a", &[1; 40], at(0)).expect("written");
        files.write("b", &[2; 40], at(1)).expect("written");
        assert!(files.read("a", at(120)).is_some() && files.read("b", at(61)).is_some());
        let own = folder.path().join("48-1");
        assert!(files.read("a", at(179)).is_some());
        let marked = fs::metadata(own.join("a")).and_then(|meta| meta.modified());
        assert_eq!(moment(marked.expect("a file")), at(120), "not a minute ago");
        fs::write(own.join("new-1-1"), "half").expect("written");
        drop(files);
        let files = ArtifactFiles::open(folder.path(), "48 1", 60).expect("a cache");
        assert_eq!(names(folder.path()), ["48-1"]);
        assert_eq!(names(&own), ["a"]);
        assert_eq!(files.bytes(), 40);
    }

    #[test]
    fn a_buffer_is_used_again_and_never_while_somebody_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ArtifactFiles::open(folder.path(), "48 1", 1_000).expect("a cache");
        for (name, byte) in [("a", 1), ("b", 2), ("c", 3)] {
            files.write(name, &[byte; 50], at(0)).expect("written");
        }
        let kept = || lock(&files.buffers.0).len();
        let a = files.read("a", at(1)).expect("a file");
        let b = files.read("b", at(1)).expect("a file");
        assert_eq!((&a[..], &b[..], kept()), (&[1; 50][..], &[2; 50][..], 0));
        drop(a);
        assert_eq!(kept(), 1);
        let c = files.read("c", at(1)).expect("a file");
        assert_eq!((&b[..], &c[..], kept()), (&[2; 50][..], &[3; 50][..], 0));
        let d = files.read("a", at(1)).expect("a file");
        drop((b, c, d));
        assert_eq!(kept(), BUFFERS);
    }

    #[test]
    fn a_file_that_vanished_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ArtifactFiles::open(folder.path(), "48 1", 100).expect("a cache");
        files.write("a", &[1; 40], at(0)).expect("written");
        fs::remove_file(folder.path().join("48-1/a")).expect("removed");
        assert_eq!(files.read("a", at(1)), None);
        assert_eq!(files.bytes(), 0);
        files.write("b", &[1; 40], at(0)).expect("written");
        files.remove("b");
        assert_eq!((files.read("b", at(1)), files.bytes()), (None, 0));
    }
}
