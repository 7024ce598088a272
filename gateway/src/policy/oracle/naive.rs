//! The oracle: design.md §5 read word by word over the whole history, for every draft anew.
//!
//! Slow and plain on purpose. It must not call the rules, and it keeps nothing between two questions.

use super::history::{By, Event, Held, History, Limits, Step, What, Who, Wish};
use super::limited::counts_as;
use crate::domain::DraftClass::{
    self, Authentication, Marketing, OptOutConfirmation, Reply, Utility,
};
use crate::policy::{Decision, TemplateCategory, TemplateFact};

pub const SECOND: i64 = 1000;
pub const DAY: i64 = 86_400 * SECOND;

#[derive(Debug, PartialEq)]
pub enum Opinion {
    Sent,
    /// Any of these reasons is right.
    Refused(Vec<&'static str>),
    /// For any of these.
    Waits(Vec<&'static str>),
}

impl Opinion {
    pub fn agrees_with(&self, decision: &Decision) -> bool {
        match (self, decision) {
            (Self::Sent, Decision::Cleared(_)) => true,
            (Self::Waits(codes), Decision::Deferred { reason, .. }) => {
                codes.contains(&reason.code())
            }
            (Self::Refused(codes), Decision::Refused(refusal)) => {
                codes.contains(&refusal.reason.code())
            }
            _ => false,
        }
    }
}

pub fn refused(code: &'static str) -> Option<Opinion> {
    Some(Opinion::Refused(vec![code]))
}

/// What should become of the draft made, or claimed, at this step.
pub fn judge(history: &History, index: usize) -> Opinion {
    let claims = history.steps[index].event == Event::Claim;
    let (made, wish) = history.steps[..=index]
        .iter()
        .enumerate()
        .rev()
        .find_map(|(made, step)| match step.event {
            Event::Draft(wish) => Some((made, wish)),
            _ => None,
        })
        .expect("only drafts and claims of drafts are judged");
    let past = Past {
        connected: history.connected_at.millis(),
        steps: &history.steps[..index],
        now: history.steps[index].at.millis(),
    };
    past.held(wish)
        .or_else(|| past.not_its_turn(wish, made))
        .or_else(|| past.not_consented(wish.class, wish.by))
        .or_else(|| malformed(wish))
        .or_else(|| past.out_of_window(wish))
        .or_else(|| past.not_consented_as_meta_calls_it(wish))
        .or_else(|| past.beyond_a_limit(&history.limits, wish, history.steps[made].at.millis()))
        .or_else(|| braked(wish, claims))
        .or_else(|| past.waits(&history.limits, wish))
        .unwrap_or(Opinion::Sent)
}

fn is_template(what: What) -> bool {
    matches!(what, What::SaleTemplate | What::SaleTemplateOfTwoLines)
}

fn malformed(wish: Wish) -> Option<Opinion> {
    match (wish.what, wish.template) {
        (What::LongText, _) => refused("content_too_long"),
        (What::BlankText, _) => refused("content_empty"),
        (What::Text | What::Ticks, _) => None,
        (
            _,
            TemplateFact::Known {
                approved: false, ..
            },
        ) => refused("template_not_approved"),
        (What::SaleTemplateOfTwoLines, _) => refused("template_parameter_text"),
        (What::SaleTemplate, _) => None,
    }
}

fn braked(wish: Wish, claims: bool) -> Option<Opinion> {
    let automatic = match wish.by {
        By::MenuPlugin | By::MenuPluginsFarewell => true,
        By::FallbackRule | By::HumanRule => wish.class == Reply,
        By::ConfirmationRule | By::Client | By::Agent => false,
    };
    let counts = automatic && wish.what != What::Ticks;
    (wish.braked && counts && !claims).then(|| Opinion::Refused(vec!["loop_brake"]))
}

/// What a message means, by a list of its own.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Stop,
    End,
    StopAll,
    Start,
    Nothing,
}

/// One message of the person: when they wrote it, and what it means.
struct Said {
    wrote: i64,
    word: Word,
}

fn meaning(event: Event) -> Option<Word> {
    Some(match event {
        Event::Typed { text, .. } => match text {
            "stop" | " STOP! " | "Unsubscribe" | "СТОП" => Word::Stop,
            "cancel" | "END" | "Quit." => Word::End,
            "StopAll" | "stop all" => Word::StopAll,
            "START" | "unstop" => Word::Start,
            _ => Word::Nothing,
        },
        Event::Tapped("Stop") => Word::Stop,
        Event::Tapped(_) => Word::Nothing,
        _ => return None,
    })
}

/// All that happened before the question.
pub struct Past<'a> {
    connected: i64,
    pub steps: &'a [Step],
    pub now: i64,
}

impl Past<'_> {
    fn said(&self) -> Vec<Said> {
        let mut said = Vec::new();
        for step in self.steps {
            if let Some(word) = meaning(step.event) {
                let late = match step.event {
                    Event::Typed { late, .. } => late * SECOND,
                    _ => 0,
                };
                said.push(Said {
                    wrote: step.at.millis() / SECOND * SECOND - late,
                    word,
                });
            }
        }
        said
    }

    /// Holds put and not lifted since, that last and concern this draft; the ones that last longest are named.
    fn held(&self, wish: Wish) -> Option<Opinion> {
        let mut found: Vec<(i64, &'static str)> = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let Event::PutHold { on, seconds } = step.event else {
                continue;
            };
            let lifted = self.steps[index..]
                .iter()
                .any(|later| later.event == Event::LiftHolds(on));
            let until = seconds.map_or(i64::MAX, |s| step.at.millis() + s * SECOND);
            let code = match on {
                Held::All => "hold_all",
                Held::Tenant => "hold_tenant",
                Held::Number => "hold_number",
                Held::Credential => "hold_credential",
                Held::MenuPlugin if matches!(wish.by, By::MenuPlugin | By::MenuPluginsFarewell) => {
                    "hold_plugin"
                }
                Held::SaleTemplate if is_template(wish.what) => "hold_template",
                Held::EveryTemplate if is_template(wish.what) => "hold_templates",
                Held::Adverts if counts_as(wish) == Some(Marketing) => "hold_marketing",
                Held::EveryAnswer if matches!(wish.class, Reply | OptOutConfirmation) => {
                    "hold_replies"
                }
                _ => continue,
            };
            if !lifted && self.now < until {
                found.push((until, code));
            }
        }
        let longest = found.iter().map(|(until, _)| *until).max()?;
        let codes = found
            .iter()
            .filter(|(until, _)| *until == longest)
            .map(|(_, code)| *code);
        Some(Opinion::Refused(codes.collect()))
    }

    fn owner(&self) -> Who {
        let last = self.steps.iter().rev().find_map(|step| match step.event {
            Event::Owner(who) => Some(who),
            _ => None,
        });
        last.unwrap_or(Who::Bot)
    }

    fn not_its_turn(&self, wish: Wish, made: usize) -> Option<Opinion> {
        let changed_since = self.steps[made.min(self.steps.len())..]
            .iter()
            .any(|step| matches!(step.event, Event::Owner(_)));
        match (wish.by, self.owner()) {
            (By::MenuPlugin, Who::Queue | Who::Agent | Who::Client) => refused("owner_not_bot"),
            (By::MenuPlugin, Who::Bot) if changed_since => refused("owner_changed"),
            (By::MenuPluginsFarewell, Who::Agent | Who::Client) => refused("owner_not_bot"),
            (By::FallbackRule, Who::Agent | Who::Client) if wish.class == Reply => {
                refused("owner_not_bot")
            }
            _ => None,
        }
    }

    /// Is this START later than every word of consent that came before it, and is there anything to lift?
    fn lifts(&self, said: &[Said], index: usize) -> bool {
        said[index].word == Word::Start
            && !self.in_force(&said[..index]).is_empty()
            && self
                .last_word_wrote(&said[..index])
                .is_none_or(|wrote| wrote < said[index].wrote)
    }

    /// When the latest word was written that stopped or lifted anything.
    fn last_word_wrote(&self, said: &[Said]) -> Option<i64> {
        (0..said.len())
            .filter(|&i| match said[i].word {
                Word::Nothing => false,
                Word::Start => self.lifts(said, i),
                _ => true,
            })
            .map(|i| said[i].wrote)
            .max()
    }

    /// The opt-out words since the last START that lifted them, by their place.
    fn in_force(&self, said: &[Said]) -> Vec<usize> {
        let from = (0..said.len())
            .rev()
            .find(|&i| self.lifts(said, i))
            .map_or(0, |i| i + 1);
        let stops = |i: &usize| matches!(said[*i].word, Word::Stop | Word::End | Word::StopAll);
        (from..said.len()).filter(stops).collect()
    }

    /// Has the person written anything after this STOP, in time as well as in order?
    fn wrote_after(&self, said: &[Said], stop: usize) -> bool {
        (stop + 1..said.len()).any(|i| {
            let answers = matches!(said[i].word, Word::Nothing | Word::Start);
            answers
                && self
                    .last_word_wrote(&said[..i])
                    .is_none_or(|wrote| wrote < said[i].wrote)
        })
    }

    fn not_consented(&self, class: DraftClass, by: By) -> Option<Opinion> {
        let said = self.said();
        let stops = self.in_force(&said);
        let last = |word| stops.iter().rev().copied().find(|&i| said[i].word == word);
        let (stop, stop_all) = (last(Word::Stop), last(Word::StopAll));
        let only_ads = stop.is_none() && stop_all.is_none();
        match class {
            Reply => {
                let closed =
                    stop_all.is_some() || stop.is_some_and(|i| !self.wrote_after(&said, i));
                closed.then(|| Opinion::Refused(vec!["replies_stopped"]))
            }
            OptOutConfirmation => {
                let ours = matches!(by, By::ConfirmationRule | By::HumanRule | By::FallbackRule);
                if stops.is_empty() || !ours {
                    return refused("confirmation_not_due");
                }
                let wrote = self.last_word_wrote(&said).expect("a stop is in force");
                (self.now - wrote > 300 * SECOND)
                    .then(|| Opinion::Refused(vec!["confirmation_late"]))
            }
            Marketing if !stops.is_empty() && only_ads => refused("opted_out_marketing"),
            Marketing if !stops.is_empty() => refused("opted_out"),
            Marketing if self.stopped_in_whatsapp() => refused("meta_marketing_stopped"),
            Utility if !only_ads => refused("opted_out"),
            Authentication if stop.is_some() => refused("opted_out"),
            Marketing | Utility | Authentication => None,
        }
    }

    fn stopped_in_whatsapp(&self) -> bool {
        let last = self
            .steps
            .iter()
            .rev()
            .find(|step| matches!(step.event, Event::MetaStop | Event::MetaResume));
        last.is_some_and(|step| step.event == Event::MetaStop)
    }

    fn out_of_window(&self, wish: Wish) -> Option<Opinion> {
        let needs = match wish.what {
            What::Ticks => false,
            What::SaleTemplate | What::SaleTemplateOfTwoLines => {
                matches!(wish.class, Reply | OptOutConfirmation)
            }
            _ => true,
        };
        (needs && self.window_is_closed()).then(|| Opinion::Refused(vec!["window_closed"]))
    }

    fn window_is_closed(&self) -> bool {
        let said = self.said();
        let refused_in = self.steps.iter().rev().find_map(|step| {
            (step.event == Event::WindowRefused).then(|| step.at.millis() / SECOND * SECOND)
        });
        if refused_in.is_some_and(|second| !said.iter().any(|m| m.wrote >= second)) {
            return true;
        }
        let open = self.window_is_open();
        let connected_today = self.now - self.connected < DAY;
        let gap_today = self
            .steps
            .iter()
            .any(|step| step.event == Event::GapEnds && self.now - step.at.millis() < DAY);
        !open && !connected_today && !gap_today
    }

    /// Surely so: they have written, and Meta has not said otherwise since.
    pub fn window_is_open(&self) -> bool {
        let said = self.said();
        let refused_in = self.steps.iter().rev().find_map(|step| {
            (step.event == Event::WindowRefused).then(|| step.at.millis() / SECOND * SECOND)
        });
        let refused = refused_in.is_some_and(|second| !said.iter().any(|m| m.wrote >= second));
        !refused && said.iter().any(|m| self.now < m.wrote + DAY + 300 * SECOND)
    }

    /// Consent for the class that Meta's category gives; what is an answer stays one unless it is marketing.
    fn not_consented_as_meta_calls_it(&self, wish: Wish) -> Option<Opinion> {
        let TemplateFact::Known { category, .. } = wish.template else {
            return None;
        };
        let answer = matches!(wish.class, Reply | OptOutConfirmation);
        match category {
            TemplateCategory::Marketing => self.not_consented(Marketing, wish.by),
            TemplateCategory::Utility if !answer => self.not_consented(Utility, wish.by),
            TemplateCategory::Authentication if !answer => {
                self.not_consented(Authentication, wish.by)
            }
            _ => None,
        }
    }

    fn waits(&self, limits: &Limits, wish: Wish) -> Option<Opinion> {
        let read = self
            .steps
            .iter()
            .rposition(|step| step.event == Event::BodiesRead);
        let unread = &self.steps[read.map_or(0, |i| i + 1)..];
        let old = unread.iter().any(|step| {
            step.event == Event::BodyStored && self.now - step.at.millis() > 5 * SECOND
        });
        let begins = matches!(wish.class, Utility | Marketing | Authentication);
        let mut reasons = Vec::new();
        reasons.extend((old && begins).then_some("ingest_backlog"));
        reasons.extend(self.is_quiet(limits, wish).then_some("quiet_hours"));
        reasons.extend(
            self.is_beyond_metas_limit(wish)
                .then_some("messaging_limit"),
        );
        (!reasons.is_empty()).then_some(Opinion::Waits(reasons))
    }
}
