//! Plays a history to the rules, keeping the facts as storage would.

use std::sync::LazyLock;

use super::counts::Counts;
use super::history::{About, Agreed, By, Event, Held, History, Listed, Step, What, Who, Wish};
use crate::domain::outbound::{TemplateContent, TemplateParameter};
use crate::domain::{Draft, HoldId, InboundContent, OutboundContent, Owner, Sender, Timestamp};
use crate::policy::{
    ActiveHold, ConsentBasis, Decision, Facts, HoldScope, LoopBrake, Purpose, TemplateFact,
    TopicFact, WindowFacts, WordBook, decide, fixture, recheck,
};

static BOOK: LazyLock<WordBook> = LazyLock::new(WordBook::default);

/// The facts of one conversation, and the last draft made in it.
pub struct World {
    facts: Facts,
    counts: Counts,
    latest: Option<(Draft, Wish)>,
}

impl World {
    pub fn new(history: &History) -> Self {
        let mut facts = fixture::facts();
        facts.owner_version = 0;
        if history.by_ledger {
            facts.basis = ConsentBasis::Ledger;
        }
        facts.window = WindowFacts {
            last_inbound_at: None,
            number_connected_at: history.connected_at,
            ingest_gap_until: None,
            closed_by_meta_at: None,
        };
        Self {
            facts,
            counts: Counts::new(history.limits),
            latest: None,
        }
    }

    /// The decision, where the step asks for one.
    pub fn apply(&mut self, step: &Step) -> Option<Decision> {
        let at = step.at;
        match step.event {
            Event::Typed { text, late } => {
                let content = InboundContent::Text { body: text.into() };
                self.hear(&content, written(at, late));
            }
            Event::Tapped(title) => {
                let content = InboundContent::ButtonReply {
                    id: "b1".into(),
                    title: title.into(),
                };
                self.hear(&content, written(at, 0));
            }
            Event::MetaStop => self.facts.consent = self.facts.consent.after_meta_stop(at),
            Event::MetaResume => self.facts.consent = self.facts.consent.after_meta_resume(at),
            Event::Blocked => self.facts.blocked_at = Some(at),
            Event::Unblocked => self.facts.blocked_at = None,
            Event::Gave {
                what,
                own_act,
                late,
            } => {
                let (purpose, at) = (purpose(what), written(at, late));
                self.facts.consent = self.facts.consent.after_given(purpose, at, own_act);
            }
            Event::Withdrew { what, late } => {
                let (purpose, at) = (purpose(what), written(at, late));
                self.facts.consent = self.facts.consent.after_withdrawn(purpose, at);
            }
            Event::Moved => self.facts.consent = self.facts.consent.moved(),
            Event::Owner(who) => {
                self.facts.owner = owner(who);
                self.facts.owner_version += 1;
            }
            Event::PutHold { on, seconds } => self.facts.holds.push(ActiveHold {
                id: HoldId::from_raw(1),
                scope: scope(on),
                reason: String::new(),
                until: seconds.map(|s| Timestamp::from_millis(at.millis() + s * 1000)),
            }),
            Event::LiftHolds(on) => self.facts.holds.retain(|hold| hold.scope != scope(on)),
            Event::WindowRefused => self.facts.window.closed_by_meta_at = Some(at),
            Event::GapEnds => self.facts.window.ingest_gap_until = Some(at),
            Event::BodyStored => {
                self.facts.backlog.oldest_unsplit_raw_at.get_or_insert(at);
            }
            Event::Begun(class) => self.counts.begun.push((class, at)),
            Event::HadEnough => self.counts.held_off_at = Some(at),
            Event::OthersReached(people) => self.counts.others.push((people, at)),
            Event::TierTold(people) => self.counts.tier = Some(people).filter(|n| *n >= 0),
            Event::BodiesRead => self.facts.backlog.oldest_unsplit_raw_at = None,
            Event::Draft(wish) => return Some(self.first_gate(wish, at)),
            Event::Claim => return self.second_gate(at),
        }
        None
    }

    fn hear(&mut self, content: &InboundContent, written: Timestamp) {
        let word = BOOK.find(content).and_then(|found| found.consent());
        self.facts.consent = self.facts.consent.after_inbound(word, written).0;
        let window = &mut self.facts.window;
        window.last_inbound_at = window.last_inbound_at.max(Some(written));
    }

    fn first_gate(&mut self, wish: Wish, now: Timestamp) -> Decision {
        let draft = draft(wish, self.facts.owner_version, now);
        self.know(wish, now);
        let decision = decide(&self.facts, &draft, now);
        self.latest = Some((draft, wish));
        decision
    }

    fn second_gate(&mut self, now: Timestamp) -> Option<Decision> {
        let (draft, wish) = self.latest.take()?;
        self.know(wish, now);
        let decision = recheck(&self.facts, &draft, now);
        self.latest = Some((draft, wish));
        Some(decision)
    }

    fn know(&mut self, wish: Wish, now: Timestamp) {
        self.facts.limits = self.counts.facts(now);
        self.facts.template = listed(wish.template);
        self.facts.topic = match wish.about {
            About::Nothing => TopicFact::None,
            About::News => TopicFact::Known(NEWS),
            About::NoTopicOfOurs => TopicFact::Unknown,
        };
        self.facts.brake.bot_replies_last_hour = if wish.braked {
            LoopBrake::DEFAULT_LIMIT
        } else {
            0
        };
    }
}

/// `cleared`, or the code of the reason.
pub fn code(decision: &Decision) -> &'static str {
    fixture::code_of(decision)
}

const NEWS: u8 = 5;

fn purpose(what: Agreed) -> Purpose {
    match what {
        Agreed::Everything => Purpose::All,
        Agreed::Ads => Purpose::Marketing,
        Agreed::Service => Purpose::Utility,
        Agreed::News => Purpose::Topic(NEWS),
    }
}

fn listed(template: Listed) -> TemplateFact {
    match template {
        Listed::NoTemplate => TemplateFact::NotATemplate,
        Listed::Unread => TemplateFact::Unknown,
        Listed::Absent => TemplateFact::NoSuch,
        Listed::There {
            status,
            category,
            variables,
        } => fixture::known(status, category, variables),
    }
}

/// Meta's timestamp: whole seconds.
fn written(at: Timestamp, late: i64) -> Timestamp {
    Timestamp::from_secs(at.millis() / 1000 - late)
}

fn owner(who: Who) -> Owner {
    match who {
        Who::Bot => Owner::Bot,
        Who::Queue => Owner::Queue("sales".into()),
        Who::Agent => Owner::Agent("ana".into()),
        Who::Client => Owner::External("crm".into()),
    }
}

fn scope(on: Held) -> HoldScope {
    let template = |language: &str| HoldScope::Template {
        name: "sale".into(),
        language: language.into(),
    };
    match on {
        Held::All => HoldScope::All,
        Held::Tenant => HoldScope::Tenant,
        Held::Number => HoldScope::Number,
        Held::Credential => HoldScope::Credential,
        Held::MenuPlugin => HoldScope::Plugin {
            name: "menu".into(),
        },
        Held::OtherPlugin => HoldScope::Plugin {
            name: "other".into(),
        },
        Held::SaleTemplate => template("en"),
        Held::SaleTemplateElsewhere => template("de"),
        Held::EveryTemplate => HoldScope::Templates,
        Held::EveryAnswer => HoldScope::Replies,
        Held::Adverts => HoldScope::Marketing,
    }
}

fn draft(wish: Wish, owner_version: i64, created_at: Timestamp) -> Draft {
    let mut draft = fixture::plugin_reply("");
    draft.class = wish.class;
    draft.owner_version = owner_version;
    draft.created_at = created_at;
    draft.content = content(wish.what);
    let rule = |name: &str| Sender::Rule { name: name.into() };
    match wish.by {
        By::MenuPlugin => {}
        By::MenuPluginsFarewell => {
            if let Sender::Plugin { farewell, .. } = &mut draft.sender {
                *farewell = true;
            }
        }
        By::Client => {
            draft.sender = Sender::ApiKey {
                name: "shop".into(),
            }
        }
        By::Agent => draft.sender = Sender::Agent { name: "ana".into() },
        By::ConfirmationRule => draft.sender = rule("opt_out_confirmation"),
        By::HumanRule => draft.sender = rule("human_requested"),
        By::FallbackRule => draft.sender = rule("fallback"),
    }
    draft
}

fn content(what: What) -> OutboundContent {
    let text = |body: String| OutboundContent::Text {
        body,
        preview_url: false,
    };
    let sale = |value: &str, language: &str| {
        let filled = vec![TemplateParameter::positional(value)];
        let template = TemplateContent::new("sale", language).with_parameters(filled);
        OutboundContent::Template(Box::new(template))
    };
    match what {
        What::Text => text("hi".into()),
        What::LongText => text("a".repeat(4097)),
        What::BlankText => text(" ".into()),
        What::Ticks => OutboundContent::MarkRead {
            message_id: "wamid.A".into(),
            typing: true,
        },
        What::SaleTemplate => sale("Ines", "en"),
        What::SaleTemplateOfTwoLines => sale("Ines\nLima", "en"),
        What::SaleTemplateInAnyLanguage => sale("Ines", "auto"),
    }
}
