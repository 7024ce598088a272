//! The state behind a running turn: what the plugin sees, and what it has asked for so far. One per thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::answer::Effect;
use crate::kv::KvError;
use crate::log::Level;

pub(crate) type Memory = BTreeMap<String, Vec<u8>>;

/// Which hook is running: replies are for `AutoReply` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Enrichment,
    Routing,
    AutoReply,
}

/// A turn that is running.
pub(crate) struct Scene {
    pub(crate) hook: Hook,
    pub(crate) now: u64,
    /// State of the seeded generator.
    pub(crate) random: u64,
    pub(crate) config: serde_json::Value,
    /// A copy; the customer keeps it when the turn ends well.
    pub(crate) memory: Memory,
    /// What every `kv` call answers instead, when the test wants that.
    pub(crate) kv_error: Option<KvError>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) log: Vec<(Level, String)>,
}

thread_local! {
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

/// Runs `hook` with `scene` as the host behind it, and gives the scene back.
pub(crate) fn play<R>(scene: Scene, hook: impl FnOnce() -> R) -> (R, Scene) {
    SCENE.set(Some(scene));
    let result = hook();
    let scene = SCENE.take().expect("nobody else takes the scene");
    (result, scene)
}

/// Lets a host call at the running turn's state.
///
/// # Panics
/// Outside of a turn: there is no host to ask.
#[track_caller]
pub(crate) fn with<R>(call: impl FnOnce(&mut Scene) -> R) -> R {
    SCENE.with_borrow_mut(|scene| match scene {
        Some(scene) => call(scene),
        None => panic!("host functions work within a turn: use `testing::Customer`"),
    })
}
