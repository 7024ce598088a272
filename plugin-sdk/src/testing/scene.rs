//! The state behind a running turn: what the plugin sees, and what it has asked for so far. One per thread.

use std::cell::RefCell;
use std::rc::Rc;

use super::memory::TurnMemory;
use super::reads::Reads;
use crate::Effect;
use crate::http::{HttpError, Request, Response};
use crate::kv::KvError;
use crate::log::Level;

/// Which hook is running: not every one may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Enrichment,
    Routing,
    AutoReply,
    OnEvent,
    OnTimer,
    OnReceipt,
}

/// What a test says in other servers' place.
pub(crate) type HttpScript = Rc<dyn Fn(&Request) -> Result<Response, HttpError>>;

/// A turn that is running.
pub(crate) struct Scene {
    pub(crate) hook: Hook,
    pub(crate) now: u64,
    /// The words of the message.
    pub(crate) heard: String,
    /// State of the seeded generator.
    pub(crate) random: u64,
    pub(crate) config: serde_json::Value,
    pub(crate) memory: TurnMemory,
    /// What every `kv` call answers instead, when the test wants that.
    pub(crate) kv_error: Option<KvError>,
    /// Who answers requests; `None`: the grant is missing.
    pub(crate) http: Option<HttpScript>,
    pub(crate) asked: Vec<Request>,
    pub(crate) reads: Reads,
    /// Of hooks that returned `Ok`.
    pub(crate) kept: Vec<Effect>,
    /// The running hook's.
    pub(crate) effects: Vec<Effect>,
    pub(crate) log: Vec<(Level, String)>,
}

impl Scene {
    /// The running hook returned `Ok`: answers what it asked for, which counts from now on.
    pub(crate) fn keep(&mut self) -> Vec<Effect> {
        self.memory.keep();
        let effects = std::mem::take(&mut self.effects);
        self.kept.extend_from_slice(&effects);
        effects
    }

    /// The running hook failed: as if it had asked for nothing.
    pub(crate) fn undo(&mut self) {
        self.memory.undo();
        self.effects.clear();
    }
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
