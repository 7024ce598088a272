//! One turn on a guest thread: the stages over real instances, and the report of it all.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::effect::{check_agent, check_queue};
use super::fault::{Fault, FaultKind, shortened};
use super::guest_state::GuestState;
use super::guest_thread::slept;
use super::hook::{Destination, Failure, Hook, HookSet, Returned};
use super::instance::{LiveInstance, panicked};
use super::kv::{HostAnswers, KvEffects};
use super::limits::MAX_RETRY;
use super::reads::TurnReads;
use super::report::{AttributedEffect, CallOutcome, CallTrace, Ending, LogLine, Route, TurnReport};
use super::request::{About, ConversationView, PluginBinding, TurnRequest};
use super::stages::{self, Answer, HookRunner, Outcome, Subject};
use crate::domain::{InstallationId, Occasion, OpenWord};

/// Runs a turn to its end. Dropping the future drops every instance of it.
/// `asked`: when the host was.
pub(super) async fn run(
    request: Arc<TurnRequest>,
    asked: Instant,
    io: Arc<tokio::runtime::Handle>,
) -> TurnReport {
    let hooks: Vec<HookSet> = request
        .plugins
        .iter()
        .map(|p| hooks(p, &request.about))
        .collect();
    let mut turn = Turn {
        live: request.plugins.iter().map(|_| None).collect(),
        reads: Arc::new(TurnReads::new(request.reads.clone(), io.clone())),
        io,
        calls: Vec::new(),
        logs: Vec::new(),
        kv: Vec::new(),
        host_answers: HostAnswers::default(),
        requests: Vec::new(),
        asked,
        request,
    };
    let conversation = turn.request.conversation.clone();
    let (subject, bot_owns) = (subject(&turn.request), turn.request.bot_owns);
    let outcome = stages::run(&mut turn, &hooks, conversation, subject, bot_owns).await;
    turn.report(outcome)
}

/// Hooks of a plugin that can be told of this.
fn hooks(binding: &PluginBinding, about: &About) -> HookSet {
    let hooks = binding.plugin.hooks();
    let known = binding.plugin.abi().has_other() || !is_other_receipt(about);
    hooks
        .iter()
        .filter(|hook| known || *hook != Hook::OnReceipt)
        .collect()
}

fn is_other_receipt(about: &About) -> bool {
    let occasion = about.occasion().map(|view| &view.occasion);
    matches!(
        occasion,
        Some(Occasion::Receipt {
            status: OpenWord::Other(_),
            ..
        })
    )
}

fn subject(request: &TurnRequest) -> Subject {
    match &*request.about {
        About::Message(_) => Subject::Message,
        About::Occasion(view) => match &view.occasion {
            Occasion::Event { .. } => Subject::Event,
            Occasion::Receipt { .. } => Subject::Receipt,
            Occasion::Timer { plugin, .. } => {
                let names = |binding: &PluginBinding| binding.plugin.name() == plugin;
                Subject::Timer(request.plugins.iter().position(names))
            }
        },
    }
}

struct Turn {
    request: Arc<TurnRequest>,
    io: Arc<tokio::runtime::Handle>,
    reads: Arc<TurnReads>,
    /// By the plugin's index, made at its first hook.
    live: Vec<Option<LiveInstance>>,
    calls: Vec<CallTrace>,
    logs: Vec<LogLine>,
    kv: Vec<KvEffects>,
    host_answers: HostAnswers,
    requests: Vec<(InstallationId, String)>,
    asked: Instant,
}

impl HookRunner for Turn {
    async fn call(
        &mut self,
        index: usize,
        hook: Hook,
        conversation: &Arc<ConversationView>,
    ) -> Answer {
        let mut live = self.instance(index, hook, conversation);
        let before = Meter::read(&live);
        let plugin = &self.request.plugins[index].plugin;
        let returned = {
            // Pinned where it is made, as the turn is (`guest_thread`).
            let mut call = pin!(live.call(plugin, hook));
            AssertUnwindSafe(call.as_mut()).catch_unwind().await
        };
        let returned = match returned {
            Ok(returned) => {
                let handed = live.state().hands_over();
                returned.and_then(|returned| checked(returned, hook, handed))
            }
            Err(_) => Err(panicked(hook)),
        };
        let (outcome, answer) = settle(returned, hook, &mut live);
        self.calls
            .push(before.trace(&live, hook, outcome, self.asked));
        match answer {
            // What trapped is never entered again.
            Answer::Fault | Answer::NoRoom => self.finish(live),
            _ => self.live[index] = Some(live),
        }
        answer
    }
}

impl Turn {
    fn instance(
        &mut self,
        index: usize,
        hook: Hook,
        conversation: &Arc<ConversationView>,
    ) -> LiveInstance {
        if let Some(mut live) = self.live[index].take() {
            live.state_mut().begin(hook, conversation);
            return live;
        }
        let state = GuestState::new(
            self.request.clone(),
            index,
            hook,
            conversation.clone(),
            self.reads.clone(),
            self.io.clone(),
        );
        LiveInstance::new(&self.request.plugins[index].plugin, state)
    }

    fn finish(&mut self, live: LiveInstance) {
        let mut state = live.into_state();
        self.logs.append(&mut state.log);
        let (kv, answers) = state.finish();
        self.kv.extend(kv);
        let marks = answers.http.iter();
        let marks = marks.map(|record| (record.installation, record.mark.clone()));
        self.requests.extend(marks);
        self.host_answers.extend(answers);
    }

    fn report(mut self, outcome: Outcome) -> TurnReport {
        for live in std::mem::take(&mut self.live).into_iter().flatten() {
            self.finish(live);
        }
        if outcome.ending == Ending::Retry {
            self.kv.iter_mut().for_each(|kv| kv.writes.clear());
        }
        self.host_answers.read(self.reads.answers());
        let plugins = &self.request.plugins;
        let attributed = outcome.effects.into_iter().map(|(index, effect)| {
            let binding = &plugins[index];
            AttributedEffect {
                installation: binding.installation,
                plugin: binding.plugin.name().to_owned(),
                version: binding.plugin.version().to_owned(),
                effect,
            }
        });
        TurnReport {
            turn: self.request.turn,
            ending: outcome.ending,
            effects: attributed.collect(),
            route: outcome.route,
            kv: self.kv,
            calls: self.calls,
            logs: self.logs,
            retry_after: outcome.retry_after,
            host_answers: self.host_answers,
            requests: self.requests,
            asked: Some(self.asked),
        }
    }
}

/// A route that could not be acted on is the plugin's fault, not a decision. So is one beside a hand-over that routing asked
/// for, as is the promise of one that it did not ask for.
fn checked(
    returned: Returned,
    hook: Hook,
    handed: bool,
) -> Result<Result<Option<Route>, Failure>, Fault> {
    let as_asked = matches!(returned, Ok(Some(Destination::AsAsked)));
    if hook == Hook::Routing && returned.is_ok() && as_asked != handed {
        let what = match handed {
            true => "it asked for a hand-over, and did not answer `as-asked`",
            false => "it answered `as-asked`, and asked for nothing",
        };
        return Err(Fault::new(FaultKind::Malformed, hook, what));
    }
    let route = match returned {
        Err(failure) => return Ok(Err(failure)),
        Ok(None | Some(Destination::Pass | Destination::AsAsked)) => None,
        Ok(Some(Destination::Bot)) => Some(Route::Bot),
        Ok(Some(Destination::Silence)) => Some(Route::Silence),
        Ok(Some(Destination::Queue(queue))) => {
            check_queue(&queue).map_err(|what| Fault::new(FaultKind::Malformed, hook, what))?;
            Some(Route::Queue(queue))
        }
        Ok(Some(Destination::Agent(agent))) => {
            check_agent(&agent).map_err(|what| Fault::new(FaultKind::Malformed, hook, what))?;
            Some(Route::Agent(agent))
        }
    };
    Ok(Ok(route))
}

/// Keeps or undoes what the hook asked for, and says how the call ended: for the trace and for the stages.
fn settle(
    returned: Result<Result<Option<Route>, Failure>, Fault>,
    hook: Hook,
    live: &mut LiveInstance,
) -> (CallOutcome, Answer) {
    let state = live.state_mut();
    if let Ok(Ok(route)) = returned {
        let effects = state.keep();
        return (CallOutcome::Ok, Answer::Done { effects, route });
    }
    state.undo();
    match returned {
        Ok(Err(Failure::Reject(reason))) => {
            (CallOutcome::Rejected(shortened(&reason)), Answer::Reject)
        }
        Ok(Err(Failure::Retry(after_ms))) => {
            let after = Duration::from_millis(u64::from(after_ms)).min(MAX_RETRY);
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            (CallOutcome::Retry { after_ms }, Answer::Retry(after))
        }
        Ok(Err(Failure::Fault(reason))) => {
            let fault = Fault::new(FaultKind::Declared, hook, reason);
            (CallOutcome::Fault(fault), Answer::Fault)
        }
        Err(fault) if fault.kind == FaultKind::Overload => {
            (CallOutcome::Fault(fault), Answer::NoRoom)
        }
        Err(fault) => (CallOutcome::Fault(fault), Answer::Fault),
        Ok(Ok(_)) => unreachable!("returned above"),
    }
}

/// What a call's cost is counted from.
struct Meter {
    at: Instant,
    fuel: u64,
    waited: Duration,
    host_calls: u32,
    log_lines: usize,
    log_dropped: u32,
}

impl Meter {
    #[allow(
        clippy::disallowed_methods,
        reason = "wall time of a call is telemetry, no decision depends on it"
    )]
    fn read(live: &LiveInstance) -> Self {
        let state = live.state();
        Self {
            at: Instant::now(),
            fuel: live.fuel_left(),
            waited: waited(state),
            host_calls: state.host_calls(),
            log_lines: state.log.len(),
            log_dropped: state.log_dropped,
        }
    }

    fn trace(
        self,
        live: &LiveInstance,
        hook: Hook,
        outcome: CallOutcome,
        asked: Instant,
    ) -> CallTrace {
        let state = live.state();
        CallTrace {
            installation: state.binding().installation,
            hook,
            outcome,
            fuel: self.fuel - live.fuel_left(),
            fuel_limit: state.limits().fuel,
            start_us: micros(self.at.duration_since(asked)),
            wall_us: micros(self.at.elapsed()),
            waited_us: micros(waited(state) - self.waited),
            memory_peak: state.memory.peak(),
            host_calls: state.host_calls() - self.host_calls,
            log_lines: u32::try_from(state.log.len() - self.log_lines).unwrap_or(u32::MAX),
            log_dropped: state.log_dropped - self.log_dropped,
        }
    }
}

/// For other servers, and while the thread slept.
fn waited(state: &GuestState) -> Duration {
    state.http.waited() + slept()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
