//! The order of a turn: enrichment, routing, auto-reply; or the one stage of an occasion. Pure logic over a
//! [`HookRunner`]; knows no Wasm. The contract tells authors the rules (`effects`, "How plugins compose").
//!
//! Effects of a hook count only when it returned ok, and later hooks see the facts that earlier ones set. A plugin
//! that faulted is out for the rest of the turn and the next one is asked; `reject` and `retry` end the turn at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::effect::Effect;
use super::hook::{Hook, HookSet};
use super::report::{Ending, Route};
use super::request::ConversationView;

/// How a call ended, as far as the order of the turn depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It returned ok. `route` is set by routing unless it passes.
    Done {
        effects: Vec<Effect>,
        route: Option<Route>,
    },
    Reject,
    Retry(Duration),
    Fault,
    /// The host had no room: nobody's fault, the turn is to be run again.
    NoRoom,
}

pub(super) trait HookRunner {
    /// Calls `hook` of the plugin at `index`, which exports it, with the conversation as it stands by now.
    fn call(
        &mut self,
        index: usize,
        hook: Hook,
        conversation: &Arc<ConversationView>,
    ) -> impl Future<Output = Answer> + Send;
}

/// What the stages came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) ending: Ending,
    pub(super) route: Option<Route>,
    /// With the index of the plugin whose it is.
    pub(super) effects: Vec<(usize, Effect)>,
    pub(super) retry_after: Option<Duration>,
}

/// How long a turn waits that found no room in the pool of instances. A guess: a turn takes well under it.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// What a turn is about, as far as its order depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Message,
    Event,
    Receipt,
    /// With the index of the plugin that set it, if it still runs.
    Timer(Option<usize>),
}

/// Runs the stages of one turn over `plugins`, in their order.
pub(super) async fn run<R: HookRunner>(
    runner: &mut R,
    plugins: &[HookSet],
    conversation: Arc<ConversationView>,
    subject: Subject,
    bot_owns: bool,
) -> Outcome {
    let mut stages = Stages {
        runner,
        plugins,
        out: vec![false; plugins.len()],
        conversation,
        effects: Vec::new(),
        route: None,
    };
    let (ending, retry_after) = match stages.all(subject, bot_owns).await {
        Ok(ending) => (ending, None),
        Err(Cut::Rejected) => (Ending::Rejected, None),
        Err(Cut::Retry(after)) => (Ending::Retry, Some(after)),
    };
    let again = ending == Ending::Retry;
    Outcome {
        ending,
        route: if again { None } else { stages.route },
        effects: if again { Vec::new() } else { stages.effects },
        retry_after,
    }
}

/// The turn ends before its stages are through.
enum Cut {
    Rejected,
    Retry(Duration),
}

struct Stages<'a, R> {
    runner: &'a mut R,
    plugins: &'a [HookSet],
    /// Faulted in this turn.
    out: Vec<bool>,
    conversation: Arc<ConversationView>,
    effects: Vec<(usize, Effect)>,
    route: Option<Route>,
}

impl<R: HookRunner> Stages<'_, R> {
    async fn all(&mut self, subject: Subject, bot_owns: bool) -> Result<Ending, Cut> {
        match subject {
            Subject::Message => self.message(bot_owns).await,
            Subject::Event => self.until_answered(Hook::OnEvent, Ending::Noted).await,
            Subject::Receipt => {
                self.each(Hook::OnReceipt).await?;
                Ok(Ending::Noted)
            }
            Subject::Timer(Some(index)) if bot_owns => {
                let called = self.call(index, Hook::OnTimer).await?;
                let answered = called.is_some_and(|called| called.answered);
                Ok(if answered {
                    Ending::Answered
                } else {
                    Ending::Noted
                })
            }
            Subject::Timer(_) => Ok(Ending::NotAsked),
        }
    }

    async fn message(&mut self, bot_owns: bool) -> Result<Ending, Cut> {
        self.each(Hook::Enrichment).await?;
        if !bot_owns {
            return Ok(Ending::NotAsked);
        }
        if self.choose_route().await? {
            return Ok(Ending::Routed);
        }
        match self.route {
            Some(Route::Queue(_) | Route::Agent(_)) => Ok(Ending::Routed),
            Some(Route::Silence) => Ok(Ending::Silent),
            Some(Route::Bot) | None => {
                self.until_answered(Hook::AutoReply, Ending::Unanswered)
                    .await
            }
        }
    }

    async fn each(&mut self, hook: Hook) -> Result<(), Cut> {
        for index in 0..self.plugins.len() {
            self.call(index, hook).await?;
        }
        Ok(())
    }

    /// Asks for the first opinion: a route, or a hand-over (then it is `true`).
    async fn choose_route(&mut self) -> Result<bool, Cut> {
        for index in 0..self.plugins.len() {
            let called = self.call(index, Hook::Routing).await?;
            match called {
                Some(Called { answered: true, .. }) => return Ok(true),
                Some(Called {
                    route: Some(route), ..
                }) => {
                    self.route = Some(route);
                    return Ok(false);
                }
                _ => {}
            }
        }
        Ok(false)
    }

    async fn until_answered(&mut self, hook: Hook, unanswered: Ending) -> Result<Ending, Cut> {
        for index in 0..self.plugins.len() {
            if let Some(called) = self.call(index, hook).await?
                && called.answered
            {
                return Ok(Ending::Answered);
            }
        }
        Ok(unanswered)
    }

    /// None when the plugin does not have this hook or has no result.
    async fn call(&mut self, index: usize, hook: Hook) -> Result<Option<Called>, Cut> {
        if self.out[index] || !self.plugins[index].contains(hook) {
            return Ok(None);
        }
        match self.runner.call(index, hook, &self.conversation).await {
            Answer::Done { effects, route } => Ok(Some(self.keep(index, effects, route))),
            Answer::Fault => {
                self.out[index] = true;
                Ok(None)
            }
            Answer::Reject => Err(Cut::Rejected),
            Answer::Retry(after) => Err(Cut::Retry(after)),
            Answer::NoRoom => Err(Cut::Retry(NO_ROOM_PAUSE)),
        }
    }

    fn keep(&mut self, index: usize, effects: Vec<Effect>, route: Option<Route>) -> Called {
        for fact in effects.iter().filter(|effect| effect.is_fact()) {
            fact.apply_to(Arc::make_mut(&mut self.conversation));
        }
        let answered = effects.iter().any(Effect::answers);
        self.effects
            .extend(effects.into_iter().map(|effect| (index, effect)));
        Called { answered, route }
    }
}

struct Called {
    answered: bool,
    route: Option<Route>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbound::WellFormed;
    use crate::plugin_host::testing::conversation;
    use futures::FutureExt;

    /// Answers from a script and remembers what was asked, with the language as it stood.
    struct Script {
        answers: Vec<(usize, Hook, Answer)>,
        asked: Vec<(usize, Hook, Option<String>)>,
    }

    impl HookRunner for Script {
        async fn call(
            &mut self,
            index: usize,
            hook: Hook,
            conversation: &Arc<ConversationView>,
        ) -> Answer {
            let language = conversation.language.clone();
            self.asked.push((index, hook, language));
            let scripted = |(i, h, _): &&(usize, Hook, Answer)| *i == index && *h == hook;
            match self.answers.iter().find(scripted) {
                Some((_, _, answer)) => answer.clone(),
                None => done(vec![]),
            }
        }
    }

    /// A script never waits.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("nothing to wait for")
    }

    fn done(effects: Vec<Effect>) -> Answer {
        Answer::Done {
            effects,
            route: None,
        }
    }

    fn routed(route: Route) -> Answer {
        Answer::Done {
            effects: vec![],
            route: Some(route),
        }
    }

    fn reply() -> Effect {
        Effect::reply(WellFormed::text("hi").expect("a text"))
    }

    /// Runs `answers` over two plugins that export every hook.
    fn play(answers: Vec<(usize, Hook, Answer)>, bot_owns: bool) -> (Outcome, Vec<(usize, Hook)>) {
        play_about(Subject::Message, answers, bot_owns)
    }

    fn play_about(
        subject: Subject,
        answers: Vec<(usize, Hook, Answer)>,
        bot_owns: bool,
    ) -> (Outcome, Vec<(usize, Hook)>) {
        let mut script = Script {
            answers,
            asked: vec![],
        };
        let all: HookSet = Hook::ALL.into_iter().collect();
        let outcome = block_on(run(
            &mut script,
            &[all, all],
            conversation().into(),
            subject,
            bot_owns,
        ));
        let asked = script.asked.into_iter().map(|(i, hook, _)| (i, hook));
        (outcome, asked.collect())
    }

    use Hook::{AutoReply, Enrichment, OnEvent, OnReceipt, OnTimer, Routing};

    #[test]
    fn an_event_is_offered_until_a_plugin_answers() {
        let tag = Effect::AddTag {
            tag: "paid".to_owned(),
        };
        let answers = vec![(0, OnEvent, done(vec![tag]))];
        let (outcome, asked) = play_about(Subject::Event, answers, true);
        assert_eq!(asked, [(0, OnEvent), (1, OnEvent)]);
        assert_eq!((outcome.ending, outcome.effects.len()), (Ending::Noted, 1));
        let answers = vec![(0, OnEvent, done(vec![reply()]))];
        let (outcome, asked) = play_about(Subject::Event, answers, true);
        assert_eq!(asked, [(0, OnEvent)]);
        assert_eq!(outcome.ending, Ending::Answered);
    }

    #[test]
    fn a_receipt_is_told_to_all() {
        let (outcome, asked) = play_about(Subject::Receipt, vec![], false);
        assert_eq!(asked, [(0, OnReceipt), (1, OnReceipt)]);
        assert_eq!(outcome.ending, Ending::Noted);
    }

    #[test]
    fn a_timer_goes_to_whose_it_is_while_the_bot_has_the_conversation() {
        let (outcome, asked) = play_about(Subject::Timer(Some(1)), vec![], true);
        assert_eq!(asked, [(1, OnTimer)]);
        assert_eq!(outcome.ending, Ending::Noted);
        for (subject, bot_owns) in [
            (Subject::Timer(Some(1)), false),
            (Subject::Timer(None), true),
        ] {
            let (outcome, asked) = play_about(subject, vec![], bot_owns);
            assert_eq!((outcome.ending, asked), (Ending::NotAsked, vec![]));
        }
    }

    #[test]
    fn every_plugin_enriches_then_routing_then_replies_until_one_answers() {
        let (outcome, asked) = play(vec![(0, AutoReply, done(vec![reply()]))], true);
        assert_eq!(
            asked,
            [
                (0, Enrichment),
                (1, Enrichment),
                (0, Routing),
                (1, Routing),
                (0, AutoReply)
            ]
        );
        assert_eq!(outcome.ending, Ending::Answered);
        assert_eq!(outcome.effects, [(0, reply())]);
    }

    #[test]
    fn a_mark_or_a_reaction_is_no_answer() {
        let read = done(vec![Effect::MarkRead { typing: true }]);
        let (outcome, asked) = play(vec![(0, AutoReply, read)], true);
        assert_eq!(asked.last(), Some(&(1, AutoReply)));
        assert_eq!(outcome.ending, Ending::Unanswered);
        assert_eq!(outcome.effects.len(), 1);
    }

    #[test]
    fn the_first_opinion_routes() {
        let queue = Route::Queue("sales".to_owned());
        let answers = vec![
            (0, Routing, routed(queue.clone())),
            (1, Routing, routed(Route::Bot)),
        ];
        let (outcome, asked) = play(answers, true);
        assert_eq!(asked.last(), Some(&(0, Routing)));
        assert_eq!(
            (outcome.ending, outcome.route),
            (Ending::Routed, Some(queue))
        );
        let (outcome, _) = play(vec![(1, Routing, routed(Route::Silence))], true);
        assert_eq!(outcome.ending, Ending::Silent);
    }

    #[test]
    fn a_hand_over_is_an_opinion_too() {
        let hand_over = Effect::HandOver {
            to: crate::domain::Owner::Queue("sales".to_owned()),
            note: Some("wants a quote".to_owned()),
        };
        let answers = vec![(0, Routing, done(vec![hand_over.clone()]))];
        let (outcome, asked) = play(answers, true);
        assert_eq!(asked.last(), Some(&(0, Routing)));
        assert_eq!((outcome.ending, outcome.route), (Ending::Routed, None));
        assert_eq!(outcome.effects, [(0, hand_over)]);
    }

    #[test]
    fn who_does_not_own_the_conversation_is_only_let_enrich() {
        let (outcome, asked) = play(vec![], false);
        assert_eq!(asked, [(0, Enrichment), (1, Enrichment)]);
        assert_eq!(outcome.ending, Ending::NotAsked);
    }

    #[test]
    fn a_fault_takes_a_plugin_out_for_the_rest_of_the_turn() {
        let answers = vec![
            (0, Enrichment, Answer::Fault),
            (1, AutoReply, done(vec![reply()])),
        ];
        let (outcome, asked) = play(answers, true);
        assert_eq!(
            asked,
            [
                (0, Enrichment),
                (1, Enrichment),
                (1, Routing),
                (1, AutoReply)
            ]
        );
        assert_eq!(outcome.ending, Ending::Answered);
    }

    #[test]
    fn reject_ends_the_turn_and_keeps_what_was_done_before() {
        let tag = Effect::AddTag {
            tag: "vip".to_owned(),
        };
        let answers = vec![
            (0, Enrichment, done(vec![tag.clone()])),
            (0, AutoReply, Answer::Reject),
            (1, AutoReply, done(vec![reply()])),
        ];
        let (outcome, _) = play(answers, true);
        assert_eq!(outcome.ending, Ending::Rejected);
        assert_eq!(outcome.effects, [(0, tag)]);
    }

    #[test]
    fn retry_and_no_room_leave_nothing_behind() {
        for again in [Answer::Retry(Duration::from_secs(3)), Answer::NoRoom] {
            let answers = vec![
                (0, AutoReply, done(vec![Effect::MarkRead { typing: false }])),
                (1, AutoReply, again),
            ];
            let (outcome, _) = play(answers, true);
            assert_eq!(outcome.ending, Ending::Retry);
            assert_eq!(outcome.effects, []);
            assert!(outcome.retry_after.is_some());
        }
    }

    #[test]
    fn later_hooks_see_the_facts_of_earlier_ones() {
        let language = Effect::SetLanguage {
            language: "pt".to_owned(),
        };
        let mut script = Script {
            answers: vec![(0, Enrichment, done(vec![language]))],
            asked: vec![],
        };
        let all: HookSet = Hook::ALL.into_iter().collect();
        block_on(run(
            &mut script,
            &[all],
            conversation().into(),
            Subject::Message,
            true,
        ));
        let seen: Vec<_> = script
            .asked
            .into_iter()
            .map(|(.., language)| language)
            .collect();
        let pt = || Some("pt".to_owned());
        assert_eq!(seen, [None, pt(), pt()]);
    }
}
