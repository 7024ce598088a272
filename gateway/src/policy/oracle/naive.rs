//! The oracle: design.md §5 read word by word over the whole history, for every draft anew.
//!
//! Slow and plain on purpose. It must not call the rules, and it keeps nothing between two questions.

use super::history::{
    About, Agreed, By, Event, Held, History, Limits, Listed, Step, What, Who, Wish,
};
use super::limited::counts_as;
use crate::domain::DraftClass::{
    self, Authentication, Marketing, OptOutConfirmation, Reply, Utility,
};
use crate::domain::template::{TemplateCategory, TemplateStatus};
use crate::policy::Decision;

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
        by_ledger: history.by_ledger,
        connected: history.connected_at.millis(),
        steps: &history.steps[..index],
        now: history.steps[index].at.millis(),
    };
    past.held(wish)
        .or_else(|| past.not_its_turn(wish, made))
        .or_else(|| past.on_the_block_list())
        .or_else(|| past.not_consented(wish.class, wish))
        .or_else(|| malformed(wish))
        .or_else(|| past.out_of_window(wish))
        .or_else(|| past.not_consented_as_meta_calls_it(wish))
        .or_else(|| past.beyond_a_limit(&history.limits, wish, history.steps[made].at.millis()))
        .or_else(|| braked(wish, claims))
        .or_else(|| past.waits(&history.limits, wish))
        .unwrap_or(Opinion::Sent)
}

/// The one language that the hold of the sale is put on.
fn is_in_english(what: What) -> bool {
    what.is_template() && what != What::SaleTemplateInAnyLanguage
}

fn malformed(wish: Wish) -> Option<Opinion> {
    match (wish.what, wish.template) {
        (What::LongText, _) => return refused("content_too_long"),
        (What::BlankText, _) => return refused("content_empty"),
        (What::Text | What::Ticks, _) => return None,
        (What::SaleTemplateInAnyLanguage, _) => return refused("template_language"),
        (_, Listed::Absent) => return refused("template_not_approved"),
        (_, Listed::There { status, .. }) if status != TemplateStatus::Approved => {
            return refused(not_sendable(status));
        }
        // Every send of it gives one value.
        (_, Listed::There { variables, .. }) if variables != 1 => {
            return refused("template_parameter_count");
        }
        _ => {}
    }
    (wish.what == What::SaleTemplateOfTwoLines)
        .then(|| Opinion::Refused(vec!["template_parameter_text"]))
}

/// docs/policy.md, rule 4: each state of Meta's has its reason.
fn not_sendable(status: TemplateStatus) -> &'static str {
    match status.word() {
        "PENDING" | "IN_APPEAL" => "template_in_review",
        "REJECTED" => "template_rejected",
        "PAUSED" => "template_paused",
        "DISABLED" => "template_disabled",
        "LOCKED" | "LIMIT_EXCEEDED" | "ARCHIVED" => "template_locked",
        "PENDING_DELETION" | "DELETED" => "template_deleted",
        _ => "template_not_approved",
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
    /// No message, but a statement with evidence. Withdrawing everything is STOP's like, ads END's.
    Gave {
        what: Agreed,
        own_act: bool,
    },
    Withdrew(Agreed),
    Moved,
}

/// What the person said: when they wrote it, and what it means.
struct Said {
    wrote: i64,
    word: Word,
}

/// Is it an opt-out, by word or withdrawal?
fn stops(word: Word) -> bool {
    let withdrawn = matches!(word, Word::Withdrew(Agreed::Everything | Agreed::Ads));
    withdrawn || matches!(word, Word::Stop | Word::End | Word::StopAll)
}

fn stops_ads_only(word: Word) -> bool {
    matches!(word, Word::End | Word::Withdrew(Agreed::Ads))
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
        Event::Gave { what, own_act, .. } => Word::Gave { what, own_act },
        Event::Withdrew { what, .. } => Word::Withdrew(what),
        Event::Moved => Word::Moved,
        _ => return None,
    })
}

impl Said {
    fn is_message(&self) -> bool {
        !matches!(
            self.word,
            Word::Gave { .. } | Word::Withdrew(_) | Word::Moved
        )
    }
}

/// All that happened before the question.
pub struct Past<'a> {
    by_ledger: bool,
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
                    Event::Typed { late, .. }
                    | Event::Gave { late, .. }
                    | Event::Withdrew { late, .. } => late * SECOND,
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
                Held::SaleTemplate if is_in_english(wish.what) => "hold_template",
                Held::EveryTemplate if wish.what.is_template() => "hold_templates",
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

    /// Does this lift what is in force? It must be later than every word of consent that came before it, and START, or
    /// an own act that covers what was stopped.
    fn lifts(&self, said: &[Said], index: usize) -> bool {
        let ads_only = match said[index].word {
            Word::Start => false,
            Word::Gave {
                what: what @ (Agreed::Everything | Agreed::Ads),
                own_act: true,
            } => what == Agreed::Ads,
            _ => return false,
        };
        let stops = self.in_force(&said[..index]);
        let covers = !ads_only || stops.iter().all(|&i| stops_ads_only(said[i].word));
        covers && !stops.is_empty() && self.is_news(said, index)
    }

    /// Is it later than every word that stopped or lifted anything before it came?
    fn is_news(&self, said: &[Said], index: usize) -> bool {
        self.last_word_wrote(&said[..index])
            .is_none_or(|wrote| wrote < said[index].wrote)
    }

    /// When the latest word was written that stopped or lifted anything.
    fn last_word_wrote(&self, said: &[Said]) -> Option<i64> {
        (0..said.len())
            .filter(|&i| stops(said[i].word) || self.lifts(said, i))
            .map(|i| said[i].wrote)
            .max()
    }

    /// The opt-out words since the last that lifted them, by their place.
    fn in_force(&self, said: &[Said]) -> Vec<usize> {
        let from = (0..said.len())
            .rev()
            .find(|&i| self.lifts(said, i))
            .map_or(0, |i| i + 1);
        (from..said.len())
            .filter(|&i| stops(said[i].word))
            .collect()
    }

    /// Has the person written anything after this STOP, in time as well as in order, and from where they are now?
    fn wrote_after(&self, said: &[Said], stop: usize) -> bool {
        let moved = (0..said.len()).rev().find(|&i| said[i].word == Word::Moved);
        let from = moved.map_or(stop, |moved| moved.max(stop)) + 1;
        (from..said.len()).any(|i| {
            let answers = matches!(said[i].word, Word::Nothing | Word::Start);
            answers && self.is_news(said, i)
        })
    }

    /// Is this an opt-in that counts: to one of these, and later than the opt-outs that were in force?
    fn agreed(&self, said: &[Said], index: usize, to: &[Agreed]) -> bool {
        let Word::Gave { what, .. } = said[index].word else {
            return false;
        };
        let stops = self.in_force(&said[..index]);
        // Utility messages go on beside END.
        let concerned = match to.contains(&Agreed::Service) {
            true => stops.iter().any(|&i| !stops_ads_only(said[i].word)),
            false => !stops.is_empty(),
        };
        to.contains(&what) && (!concerned || self.is_news(said, index))
    }

    /// Is the last statement about one of these an opt-in? One moves with nobody.
    fn on_record(&self, said: &[Said], to: &[Agreed], ended_by: &[Agreed]) -> bool {
        let last = (0..said.len()).rev().find(|&i| match said[i].word {
            Word::Moved => true,
            Word::Withdrew(what) => ended_by.contains(&what),
            _ => self.agreed(said, i, to),
        });
        last.is_some_and(|i| matches!(said[i].word, Word::Gave { .. }))
    }

    fn ads_agreed(&self, said: &[Said]) -> bool {
        let all = [Agreed::Everything, Agreed::Ads];
        self.on_record(said, &all, &all)
    }

    fn news_agreed(&self, said: &[Said]) -> bool {
        let ended_by = [Agreed::Everything, Agreed::Ads, Agreed::News];
        self.on_record(said, &[Agreed::News], &ended_by)
    }

    fn news_stopped(&self, said: &[Said]) -> bool {
        let last = (0..said.len()).rev().find(|&i| match said[i].word {
            Word::Withdrew(Agreed::News) => true,
            Word::Gave { own_act: true, .. } => self.agreed(said, i, &[Agreed::News]),
            _ => false,
        });
        last.is_some_and(|i| said[i].word == Word::Withdrew(Agreed::News))
    }

    /// When utility messages were last withdrawn, if no own act gave them back since.
    fn service_stopped(&self, said: &[Said]) -> Option<i64> {
        let mut stopped: Option<i64> = None;
        for i in 0..said.len() {
            match said[i].word {
                Word::Withdrew(Agreed::Service) => stopped = stopped.max(Some(said[i].wrote)),
                Word::Gave { own_act: true, .. } if self.service_given(said, i, stopped) => {
                    stopped = None;
                }
                _ => {}
            }
        }
        stopped
    }

    fn service_given(&self, said: &[Said], index: usize, stopped: Option<i64>) -> bool {
        // An own act that covers everything lifts the stop first, and is on record then.
        let lifts = self.lifts(said, index);
        let to = [Agreed::Everything, Agreed::Service];
        let counts = match said[index].word {
            Word::Gave { what, .. } if lifts => to.contains(&what),
            _ => self.agreed(said, index, &to),
        };
        counts && stopped.is_none_or(|stopped| stopped < said[index].wrote)
    }

    fn service_agreed(&self, said: &[Said]) -> bool {
        let mut agreed = false;
        for i in 0..said.len() {
            match said[i].word {
                Word::Moved | Word::Withdrew(Agreed::Everything | Agreed::Service) => {
                    agreed = false;
                }
                _ => agreed |= self.service_given(said, i, self.service_stopped(&said[..i])),
            }
        }
        agreed
    }

    fn not_consented(&self, class: DraftClass, wish: Wish) -> Option<Opinion> {
        let said = self.said();
        let stops = self.in_force(&said);
        let last = |words: [Word; 2]| {
            let mut places = stops.iter().rev().copied();
            places.find(|&i| words.contains(&said[i].word))
        };
        let stop = last([Word::Stop, Word::Withdrew(Agreed::Everything)]);
        let stop_all = last([Word::StopAll, Word::StopAll]);
        let only_ads = stop.is_none() && stop_all.is_none();
        match class {
            Reply => {
                let closed =
                    stop_all.is_some() || stop.is_some_and(|i| !self.wrote_after(&said, i));
                closed.then(|| Opinion::Refused(vec!["replies_stopped"]))
            }
            OptOutConfirmation => {
                let by = wish.by;
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
            Marketing => self.not_agreed_to_ads(&said, wish.about),
            Utility if !only_ads => refused("opted_out"),
            Utility if self.service_stopped(&said).is_some() => refused("opted_out_utility"),
            Utility if self.by_ledger && !self.service_agreed(&said) => refused("no_opt_in"),
            Authentication if stop.is_some() => refused("opted_out"),
            Utility | Authentication => None,
        }
    }

    fn not_agreed_to_ads(&self, said: &[Said], about: About) -> Option<Opinion> {
        let agreed = self.ads_agreed(said);
        match about {
            About::NoTopicOfOurs => refused("topic_unknown"),
            About::News if self.news_stopped(said) => refused("opted_out_topic"),
            About::News if !self.by_ledger || agreed || self.news_agreed(said) => None,
            About::Nothing if !self.by_ledger || agreed => None,
            About::News | About::Nothing => refused("no_opt_in"),
        }
    }

    fn on_the_block_list(&self) -> Option<Opinion> {
        let mut changes = self.steps.iter().rev().map(|step| step.event);
        let last = changes.find(|event| matches!(event, Event::Blocked | Event::Unblocked));
        (last == Some(Event::Blocked)).then(|| Opinion::Refused(vec!["blocked"]))
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
            what if what.is_template() => matches!(wish.class, Reply | OptOutConfirmation),
            _ => true,
        };
        (needs && self.window_is_closed()).then(|| Opinion::Refused(vec!["window_closed"]))
    }

    fn window_is_closed(&self) -> bool {
        let said = self.said();
        let refused_in = self.steps.iter().rev().find_map(|step| {
            (step.event == Event::WindowRefused).then(|| step.at.millis() / SECOND * SECOND)
        });
        let wrote_since = |second| said.iter().any(|m| m.is_message() && m.wrote >= second);
        if refused_in.is_some_and(|second| !wrote_since(second)) {
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
        let mut wrote = said.iter().filter(|m| m.is_message()).map(|m| m.wrote);
        let refused = refused_in.is_some_and(|second| !wrote.clone().any(|at| at >= second));
        !refused && wrote.any(|at| self.now < at + DAY + 300 * SECOND)
    }

    /// Consent for the class that Meta's category gives; what is an answer stays one unless it is marketing.
    fn not_consented_as_meta_calls_it(&self, wish: Wish) -> Option<Opinion> {
        let Listed::There { category, .. } = wish.template else {
            return None;
        };
        let answer = matches!(wish.class, Reply | OptOutConfirmation);
        match category {
            TemplateCategory::Marketing => self.not_consented(Marketing, wish),
            TemplateCategory::Utility if !answer => self.not_consented(Utility, wish),
            TemplateCategory::Authentication if !answer => self.not_consented(Authentication, wish),
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
