//! What a store holds for one installation in one turn: what the guest may see, and what it asked for so far.
//!
//! Host functions (`abi`) work on this alone; each call and what it carries is counted here before it counts.

use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::effect::{Asker, Effect, EffectRefused};
use super::fault::FaultKind;
use super::hook::Hook;
use super::http::HttpSession;
use super::kv::{Asked, KvEffects, KvSession};
use super::limits::{FUEL_SLICE, HOST_CALL_BYTES, LOG_LINE_BYTES, Limits, TIMERS_PER_TURN};
use super::memory_limiter::MemoryLimiter;
use super::polite::{Polite, Stream};
use super::reads::{ReadRefused, TemplatesSession, TurnReads};
use super::report::{LogLevel, LogLine};
use super::request::{
    ConversationView, Grants, MessageView, OccasionView, PluginBinding, TurnRequest,
};
use super::words;
use crate::domain::{DraftClass, Timestamp};

/// The host has stopped the guest, and why.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) kind: FaultKind,
    pub(super) message: String,
}

/// What is special about the next message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Next {
    pub(super) quote: bool,
    pub(super) purpose: Option<DraftClass>,
}

pub(super) struct GuestState {
    pub(super) request: Arc<TurnRequest>,
    /// Of its plugin among those of the turn.
    index: usize,
    pub(super) conversation: Arc<ConversationView>,
    /// The same with the facts that the running hook has set: it does not see them, its limits are judged by them.
    becoming: Arc<ConversationView>,
    pub(super) hook: Hook,
    /// Made when it is first drawn from: few plugins do.
    random: Option<Box<ChaCha12Rng>>,
    pub(super) kv: KvSession,
    pub(super) http: HttpSession,
    reads: Arc<TurnReads>,
    pub(super) templates: TemplatesSession,
    pub(super) memory: MemoryLimiter,
    pub(super) log: Vec<LogLine>,
    pub(super) log_dropped: u32,
    pub(super) polite: Polite,
    effects: Vec<Effect>,
    effects_kept: usize,
    timer_calls: usize,
    /// What the running hook said of its next message.
    pub(super) next: Next,
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
        reads: Arc<TurnReads>,
        io: Arc<tokio::runtime::Handle>,
    ) -> Self {
        let binding = &request.plugins[index];
        let kv = KvSession::new(
            request.kv.clone(),
            io.clone(),
            request.tenant,
            binding.installation,
            binding.grants.kv,
            &binding.limits,
        );
        let http = HttpSession::new(
            (request.http.clone(), io),
            (request.tenant, binding.installation),
            binding.grants.clone(),
            request.shadow,
            binding.limits.http_requests,
        );
        Self {
            becoming: conversation.clone(),
            conversation,
            hook,
            random: None,
            kv,
            http,
            reads,
            templates: TemplatesSession::default(),
            memory: MemoryLimiter::new(binding.limits.memory),
            log: Vec::new(),
            log_dropped: 0,
            polite: Polite::new(request.now.millis()),
            effects: Vec::new(),
            effects_kept: 0,
            timer_calls: 0,
            next: Next::default(),
            host_calls: 0,
            host_bytes: 0,
            fuel_at_pause: binding.limits.fuel,
            stop: None,
            index,
            request,
        }
    }

    /// The plugin as it is installed. Read where it is: its parts are shared with other threads, and to count another owner
    /// of each would be dearer than to look at it.
    pub(super) fn binding(&self) -> &PluginBinding {
        &self.request.plugins[self.index]
    }

    /// Another hook of this turn begins, and sees what those before it have set.
    pub(super) fn begin(&mut self, hook: Hook, conversation: &Arc<ConversationView>) {
        self.hook = hook;
        self.conversation = conversation.clone();
        self.becoming = conversation.clone();
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.binding().limits
    }

    /// The moment so many milliseconds from now; the end of time, if it is that far.
    pub(super) fn in_millis(&self, ahead: u64) -> Timestamp {
        // A century is beyond everything that is kept, and far from where milliseconds do not fit any more.
        const CENTURY: u64 = 100 * 366 * 86_400_000;
        let ahead = Duration::from_millis(ahead.min(CENTURY));
        self.request.now.plus(ahead)
    }

    /// Has the running hook asked to hand the conversation over?
    pub(super) fn hands_over(&self) -> bool {
        let mut asked = self.effects.iter();
        asked.any(|effect| matches!(effect, Effect::HandOver { .. }))
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

    /// Keeps a line for the plugin's author, or counts it as lost.
    pub(super) fn note(&mut self, level: LogLevel, message: String) {
        let most = self.limits().log_lines as usize;
        if self.log.len() >= most {
            self.log_dropped = self.log_dropped.saturating_add(1);
            return;
        }
        self.log.push(LogLine {
            installation: self.binding().installation,
            hook: self.hook,
            level,
            message: one_line(message),
        });
    }

    /// What a guest writes to stdout or stderr is lines of its log.
    pub(super) fn write_line(&mut self, stream: Stream, bytes: &[u8]) {
        self.printing(|polite, note| polite.write(stream, bytes, |line| note(stream, line)));
    }

    /// A hook has ended, however it did: a line that it began is one too.
    pub(super) fn end_lines(&mut self) {
        for stream in Stream::ALL {
            self.printing(|polite, note| polite.end_line(stream, |line| note(stream, line)));
        }
    }

    /// A flood of lines costs no more than to look at its bytes: one that is dropped is never made a text.
    fn printing(&mut self, print: impl FnOnce(&mut Polite, &mut dyn FnMut(Stream, &[u8]))) {
        let room = (self.limits().log_lines as usize).saturating_sub(self.log.len());
        let (mut lines, mut lost) = (Vec::new(), 0_u32);
        print(&mut self.polite, &mut |stream, line| {
            if lines.len() < room {
                let text = String::from_utf8_lossy(line).into_owned();
                lines.push((stream.level(), text));
            } else {
                lost = lost.saturating_add(1);
            }
        });
        for (level, line) in lines {
            self.note(level, line);
        }
        self.log_dropped = self.log_dropped.saturating_add(lost);
    }

    pub(super) fn random(&mut self) -> &mut ChaCha12Rng {
        let (request, index) = (&self.request, self.index);
        let draw = || Box::new(random_of(request, &request.plugins[index]));
        self.random.get_or_insert_with(draw)
    }

    pub(super) fn random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > HOST_CALL_BYTES {
            let message = format!("asked for {len} random bytes in one call");
            return Err(self.stop(FaultKind::OutputBytes, message));
        }
        let mut bytes = vec![0; len];
        self.random().fill_bytes(&mut bytes);
        Ok(bytes)
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
        let about_timers = matches!(effect, Effect::SetTimer { .. } | Effect::CancelTimer { .. });
        if about_timers && self.timer_calls >= TIMERS_PER_TURN {
            let most = TIMERS_PER_TURN;
            return Err(EffectRefused::Quota(format!("at most {most} timers")));
        }
        effect.check(&self.asker())?;
        self.timer_calls += usize::from(about_timers);
        if effect.is_fact() {
            effect.apply_to(Arc::make_mut(&mut self.becoming));
        }
        self.effects.push(effect);
        Ok(())
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            hook: self.hook,
            routes: self.binding().plugin.abi().routes_as_asked(),
            bot_owns: self.request.bot_owns,
            becoming: &self.becoming,
            contact_kinds: &self.request.contact_kinds,
            heard: self.request.about.message().map_or("", MessageView::text),
            now: self.request.now,
        }
    }

    /// The message, in a hook that has one. No other hook holds a handle of one, so an error is a bug of ours.
    pub(super) fn message(&self) -> wasmtime::Result<&MessageView> {
        let message = self.request.about.message();
        message.ok_or_else(|| wasmtime::Error::msg("this turn has no message"))
    }

    /// The occasion, in a hook that has one.
    pub(super) fn occasion(&self) -> wasmtime::Result<&OccasionView> {
        let occasion = self.request.about.occasion();
        occasion.ok_or_else(|| wasmtime::Error::msg("this turn has no occasion"))
    }

    /// What the turn's plugins read, for one that may.
    pub(super) fn reads(
        &self,
        granted: impl FnOnce(&Grants) -> bool,
    ) -> Result<Arc<TurnReads>, ReadRefused> {
        match granted(&self.binding().grants) {
            true => Ok(self.reads.clone()),
            false => Err(ReadRefused::Denied),
        }
    }

    /// The hook returned ok: its effects, and its writes to `kv` count.
    pub(super) fn keep(&mut self) -> Vec<Effect> {
        self.kv.keep();
        self.memory.forgive();
        self.effects_kept += self.effects.len();
        self.next = Next::default();
        std::mem::take(&mut self.effects)
    }

    /// The hook did not return ok: as if it had asked for nothing.
    pub(super) fn undo(&mut self) {
        self.kv.undo();
        self.next = Next::default();
        self.effects.clear();
    }

    pub(super) fn finish(self) -> (Option<KvEffects>, Asked) {
        let (effects, mut asked) = self.kv.finish();
        asked.http = self.http.finish();
        (effects, asked)
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

/// Cuts at a character, and keeps a guest from forging lines or terminal escapes in somebody's log.
fn one_line(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(LOG_LINE_BYTES));
    words::harmless(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_a_character_and_stays_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m".to_owned()), "a b [31m");
        let cut = one_line("é".repeat(LOG_LINE_BYTES));
        assert_eq!(cut.len(), LOG_LINE_BYTES);
    }
}
