//! What a store holds for one installation in one turn: what the guest may see, and what it asked for so far.
//!
//! Host functions (`capability`) work on this alone; each call and what it carries is counted here before it counts.

use std::sync::Arc;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use super::effect::{Effect, EffectRefused};
use super::fault::FaultKind;
use super::hook::Hook;
use super::kv::{Asked, KvEffects, KvSession};
use super::limits::{FUEL_SLICE, Limits};
use super::memory_limiter::MemoryLimiter;
use super::report::LogLine;
use super::request::{ConversationView, PluginBinding, TurnRequest};

/// The host has stopped the guest, and why.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) kind: FaultKind,
    pub(super) message: String,
}

pub(super) struct GuestState {
    pub(super) request: Arc<TurnRequest>,
    pub(super) binding: PluginBinding,
    pub(super) conversation: Arc<ConversationView>,
    pub(super) hook: Hook,
    pub(super) random: ChaCha12Rng,
    pub(super) kv: KvSession,
    pub(super) memory: MemoryLimiter,
    pub(super) log: Vec<LogLine>,
    pub(super) log_dropped: u32,
    effects: Vec<Effect>,
    effects_kept: usize,
    host_calls: u32,
    host_bytes: usize,
    /// What was left when a host call last paused.
    fuel_at_pause: u64,
    stop: Option<Stop>,
}

impl GuestState {
    pub(super) fn new(
        request: Arc<TurnRequest>,
        index: usize,
        hook: Hook,
        conversation: Arc<ConversationView>,
        io: tokio::runtime::Handle,
    ) -> Self {
        let binding = request.plugins[index].clone();
        let kv = KvSession::new(
            request.kv.clone(),
            io,
            request.tenant,
            binding.installation,
            binding.grants.kv,
            &binding.limits,
        );
        Self {
            conversation,
            hook,
            random: random_of(&request, &binding),
            kv,
            memory: MemoryLimiter::new(binding.limits.memory),
            log: Vec::new(),
            log_dropped: 0,
            effects: Vec::new(),
            effects_kept: 0,
            host_calls: 0,
            host_bytes: 0,
            fuel_at_pause: binding.limits.fuel,
            stop: None,
            request,
            binding,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.binding.limits
    }

    /// Counts a host call, before it does anything. An error ends the guest.
    pub(super) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls = self.host_calls.saturating_add(1);
        let most = self.limits().host_calls;
        if self.host_calls > most {
            let message = format!("called the host more than {most} times");
            return Err(self.stop(FaultKind::HostCalls, message));
        }
        Ok(())
    }

    /// Counts what a host call carries, either way. An error ends the guest.
    pub(super) fn count_bytes(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.host_bytes = self.host_bytes.saturating_add(bytes);
        let most = self.limits().host_bytes;
        if self.host_bytes > most {
            let message = format!("exchanged more than {most} bytes with the host");
            return Err(self.stop(FaultKind::OutputBytes, message));
        }
        Ok(())
    }

    /// Has the guest, with so much fuel `left`, used a slice since it last let its neighbours run in a host call? Then
    /// this is the moment, and the next slice begins.
    pub(super) fn slice_is_over(&mut self, left: u64) -> bool {
        let over = self.fuel_at_pause.saturating_sub(left) >= FUEL_SLICE;
        if over {
            self.fuel_at_pause = left;
        }
        over
    }

    pub(super) fn stop(&mut self, kind: FaultKind, message: String) -> wasmtime::Error {
        let error = wasmtime::Error::msg(message.clone());
        self.stop = Some(Stop { kind, message });
        error
    }

    pub(super) fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    pub(super) fn memory_denied(&self) -> Option<&str> {
        self.memory.denied()
    }

    pub(super) fn host_calls(&self) -> u32 {
        self.host_calls
    }

    /// Checks an effect and keeps it aside until its hook has returned.
    pub(super) fn push(&mut self, effect: Effect) -> Result<(), EffectRefused> {
        let most = self.limits().effects;
        if self.effects_kept + self.effects.len() >= most {
            return Err(EffectRefused::Quota(format!("at most {most} effects")));
        }
        effect.check(self.hook, &self.conversation)?;
        self.effects.push(effect);
        Ok(())
    }

    /// The hook returned ok: its effects, and its writes to `kv` count.
    pub(super) fn keep(&mut self) -> Vec<Effect> {
        self.kv.keep();
        self.memory.forgive();
        self.effects_kept += self.effects.len();
        std::mem::take(&mut self.effects)
    }

    /// The hook did not return ok: as if it had asked for nothing.
    pub(super) fn undo(&mut self) {
        self.kv.undo();
        self.effects.clear();
    }

    pub(super) fn finish(self) -> (Option<KvEffects>, Asked) {
        self.kv.finish()
    }
}

/// Each installation draws its own stream from the turn's seed, whatever the others draw.
fn random_of(request: &TurnRequest, binding: &PluginBinding) -> ChaCha12Rng {
    let mut hash = Sha256::new();
    hash.update(b"vestibule:plugin/random");
    hash.update(request.seed);
    hash.update(binding.installation.raw().to_le_bytes());
    ChaCha12Rng::from_seed(hash.finalize().into())
}
