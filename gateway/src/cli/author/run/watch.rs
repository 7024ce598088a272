//! Sees that somebody has saved: looks at the times of the files, because a look costs next to nothing and works on every
//! file system, while notices of the kernel do not come from shared folders and containers.
//!
//! Watched is everything in the folder but hidden files, back-ups of editors and what cargo makes, and what the last build
//! read elsewhere: other packages of the workspace, files that are included. Of a build that failed, what it may have read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vestibule_guest_build::plain_path;

use crate::domain::Timestamp;
use crate::sync::blocking;

/// Between two looks: a save is seen before a hand has left the keyboard.
const LOOK: Duration = Duration::from_millis(200);
/// When nothing has changed for so long, the save is over: an editor may write several files, or one in pieces. A guess.
const QUIET: Duration = Duration::from_millis(100);

/// In every folder that holds nothing but what can be made again, cargo's among them (<https://bford.info/cachedir/>).
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// How every file stood at a look.
type Seen = BTreeMap<PathBuf, Stamp>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

#[derive(Debug)]
pub(super) struct Watch {
    folder: PathBuf,
    target_dir: PathBuf,
    /// Watched wherever it is, from the beginning on.
    always: BTreeSet<PathBuf>,
    /// What the last build read elsewhere: files, and folders with all that is in them.
    elsewhere: BTreeSet<PathBuf>,
    /// Before the last build.
    seen: Seen,
    /// When it began.
    begun: SystemTime,
}

impl Watch {
    pub(super) fn new(
        folder: PathBuf,
        target_dir: PathBuf,
        always: impl IntoIterator<Item = PathBuf>,
    ) -> Self {
        Self {
            folder,
            target_dir,
            always: always.into_iter().collect(),
            elsewhere: BTreeSet::new(),
            seen: Seen::new(),
            begun: UNIX_EPOCH,
        }
    }

    /// A build begins: what is saved from now on it may not have read.
    pub(super) async fn build_begins(&mut self, now: Timestamp) {
        self.begun = UNIX_EPOCH + Duration::from_millis(now.millis().unsigned_abs());
        self.seen = self.look().await;
    }

    /// A build is over. Cargo may have written its lock file; what else has changed was saved meanwhile.
    pub(super) async fn build_ended(&mut self) {
        let now = self.look().await;
        let is_lock = |path: &Path| path.file_name().is_some_and(|name| name == "Cargo.lock");
        let locks = now.into_iter().filter(|(path, _)| is_lock(path));
        self.seen.extend(locks);
    }

    /// A build has read these files.
    pub(super) async fn has_read(&mut self, sources: Vec<PathBuf>) {
        let made = |path: &PathBuf| path.starts_with(&self.target_dir);
        let sources: Vec<PathBuf> = sources.into_iter().filter(|path| !made(path)).collect();
        let folders: BTreeSet<_> = sources.iter().filter_map(|path| path.parent()).collect();
        let manifests: BTreeSet<_> = folders.into_iter().filter_map(manifest_above).collect();
        let all = sources.into_iter().chain(manifests);
        self.elsewhere = self.outside(all).collect();
        self.take_in().await;
    }

    /// A build has failed. What the last one read it may have read too, and of these files and folders anything.
    pub(super) async fn has_failed(&mut self, needed: Vec<PathBuf>) {
        let needed: Vec<PathBuf> = self.outside(needed).collect();
        self.elsewhere.extend(needed);
        self.take_in().await;
    }

    /// By their plain paths: what is included by `../` begins with the folder's path as well.
    fn outside(&self, paths: impl IntoIterator<Item = PathBuf>) -> impl Iterator<Item = PathBuf> {
        let plain = paths.into_iter().map(|path| plain_path(&path));
        plain.filter(|path| !path.starts_with(&self.folder))
    }

    /// What is watched from now on has not changed by that, unless somebody saved it after the build had begun.
    async fn take_in(&mut self) {
        let now = self.look().await;
        let mut seen = std::mem::take(&mut self.seen);
        seen.retain(|path, _| path.starts_with(&self.folder) || self.is_named(path));
        let is_old = |stamp: &Stamp| stamp.modified.is_none_or(|at| at < self.begun);
        for (path, stamp) in now {
            if self.is_elsewhere(&path) && is_old(&stamp) {
                seen.entry(path).or_insert(stamp);
            }
        }
        self.seen = seen;
    }

    fn is_named(&self, path: &Path) -> bool {
        self.is_elsewhere(path) || self.always.contains(path)
    }

    fn is_elsewhere(&self, path: &Path) -> bool {
        let mut around = path.ancestors();
        !path.starts_with(&self.folder) && around.any(|path| self.elsewhere.contains(path))
    }

    /// Waits until something is other than before the last build, and nobody writes any more.
    pub(super) async fn saved(&self) {
        let mut last = loop {
            let now = self.look().await;
            if now != self.seen {
                break now;
            }
            tokio::time::sleep(LOOK).await;
        };
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.look().await;
            if now == last {
                return;
            }
            last = now;
        }
    }

    async fn look(&self) -> Seen {
        let (folder, target_dir) = (self.folder.clone(), self.target_dir.clone());
        let named = self.always.iter().chain(&self.elsewhere);
        let named: Vec<PathBuf> = named.cloned().collect();
        blocking(move || {
            let mut seen = Seen::new();
            walk(folder, &target_dir, &mut seen);
            for path in named {
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => walk(path, &target_dir, &mut seen),
                    Ok(metadata) => {
                        seen.insert(path, Stamp::of(&metadata));
                    }
                    Err(_) => {}
                }
            }
            seen
        })
        .await
    }
}

/// What cannot be read is as if it were not there: the build says so.
fn walk(folder: PathBuf, target_dir: &Path, seen: &mut Seen) {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        if folder == target_dir || folder.join(CACHE_TAG).exists() {
            continue;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.as_encoded_bytes();
            if name.starts_with(b".") || name.starts_with(b"#") || name.ends_with(b"~") {
                continue;
            }
            // A link to a folder may lead round in a circle.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() && !is_link => folders.push(path),
                Ok(metadata) if metadata.is_file() => {
                    seen.insert(path, Stamp::of(&metadata));
                }
                _ => {}
            }
        }
    }
}

/// The manifest of the package that a folder belongs to.
fn manifest_above(folder: &Path) -> Option<PathBuf> {
    let mut manifests = folder.ancestors().map(|folder| folder.join("Cargo.toml"));
    manifests.find(|manifest| manifest.is_file())
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    struct Desk {
        folder: TempDir,
        elsewhere: TempDir,
    }

    impl Desk {
        fn new() -> Self {
            let desk = Self {
                folder: TempDir::new().expect("a folder"),
                elsewhere: TempDir::new().expect("a folder"),
            };
            for file in [
                "Cargo.toml",
                "src/lib.rs",
                ".git/index",
                "out/x",
                "target/x",
            ] {
                desk.write(file, "old");
            }
            desk.write("out/CACHEDIR.TAG", "");
            desk
        }

        fn write(&self, file: &str, text: &str) {
            write(&self.folder.path().join(file), text);
        }

        async fn built(&self) -> Watch {
            let folder = self.folder.path().to_owned();
            let always = [self.elsewhere.path().join("settings.json")];
            let mut watch = Watch::new(folder.clone(), folder.join("target"), always);
            watch.build_begins(LATER).await;
            watch
        }
    }

    /// After everything that a test has written.
    const LATER: Timestamp = Timestamp::from_secs(1 << 33);
    /// Before that.
    const EARLIER: Timestamp = Timestamp::from_secs(1);

    fn write(path: &Path, text: &str) {
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(path, text).expect("written");
    }

    async fn is_saved(watch: &Watch) -> bool {
        watch.look().await != watch.seen
    }

    #[tokio::test]
    async fn what_is_saved_new_or_gone_is_seen() {
        let desk = Desk::new();
        let watch = desk.built().await;
        assert!(!is_saved(&watch).await);
        desk.write("src/lib.rs", "longer");
        assert!(is_saved(&watch).await);
        watch.saved().await;
        let watch = desk.built().await;
        desk.write("data/new.txt", "");
        assert!(is_saved(&watch).await);
        let watch = desk.built().await;
        fs::remove_file(desk.folder.path().join("data/new.txt")).expect("removed");
        assert!(is_saved(&watch).await);
        let watch = desk.built().await;
        write(&desk.elsewhere.path().join("settings.json"), "{}");
        assert!(is_saved(&watch).await);
    }

    #[tokio::test]
    async fn what_nobody_wrote_by_hand_is_no_save() {
        let desk = Desk::new();
        let mut watch = desk.built().await;
        for file in [
            ".git/index",
            "out/x",
            "target/x",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "#lib.rs#",
        ] {
            desk.write(file, "longer");
        }
        desk.write("Cargo.lock", "cargo's");
        watch.build_ended().await;
        assert!(!is_saved(&watch).await);
        desk.write("Cargo.lock", "somebody's");
        assert!(is_saved(&watch).await);
    }

    #[tokio::test]
    async fn what_a_build_read_elsewhere_is_watched_with_its_manifest() {
        let (desk, other) = (Desk::new(), TempDir::new().expect("a folder"));
        let (manifest, source) = (
            other.path().join("Cargo.toml"),
            other.path().join("src/lib.rs"),
        );
        write(&manifest, "old");
        write(&source, "old");
        let mut watch = desk.built().await;
        let generated = desk.folder.path().join("target/generated.rs");
        watch
            .has_read(vec![source.clone(), generated.clone()])
            .await;
        write(&generated, "longer");
        assert!(!is_saved(&watch).await);
        write(&manifest, "longer");
        assert!(is_saved(&watch).await);
        watch.build_begins(LATER).await;
        write(&source, "longer");
        assert!(is_saved(&watch).await);
        // The next build needs it no more.
        watch.has_read(Vec::new()).await;
        assert!(!is_saved(&watch).await);
    }

    #[tokio::test]
    async fn what_was_saved_elsewhere_during_the_build_that_first_read_it_is_a_save() {
        let (desk, other) = (Desk::new(), TempDir::new().expect("a folder"));
        let source = other.path().join("words.txt");
        write(&source, "old");
        let mut watch = desk.built().await;
        watch.build_begins(EARLIER).await;
        watch.has_read(vec![source.clone()]).await;
        assert!(is_saved(&watch).await);
        // The build that this brings about has it.
        watch.build_begins(EARLIER).await;
        watch.has_read(vec![source]).await;
        assert!(!is_saved(&watch).await);
    }

    #[tokio::test]
    async fn what_a_build_that_failed_may_have_read_is_watched_until_one_succeeds() {
        let (desk, other) = (Desk::new(), TempDir::new().expect("a folder"));
        let other = fs::canonicalize(other.path()).expect("a path");
        let (helper, schema) = (other.join("helper"), other.join("schema.json"));
        write(&helper.join("src/lib.rs"), "old");
        write(&helper.join("target/CACHEDIR.TAG"), "");
        let mut watch = desk.built().await;
        watch.has_failed(vec![helper.clone(), schema.clone()]).await;
        write(&helper.join("target/x"), "longer");
        assert!(!is_saved(&watch).await);
        write(&helper.join("src/new.rs"), "");
        assert!(is_saved(&watch).await);
        watch.build_begins(LATER).await;
        assert!(!is_saved(&watch).await);
        write(&schema, "{}");
        assert!(is_saved(&watch).await);
        watch.build_begins(LATER).await;
        watch.has_read(vec![helper.join("src/lib.rs")]).await;
        write(&helper.join("src/new.rs"), "longer");
        assert!(!is_saved(&watch).await);
        write(&helper.join("src/lib.rs"), "longer");
        assert!(is_saved(&watch).await);
    }
}
