//! Rule 3: does the person's consent cover a draft of this class?

use std::time::Duration;

use crate::domain::{Draft, DraftClass, Sender, Timestamp};

use super::consent::{ConsentState, OptOut};
use super::decide::Refusal;
use super::facts::{ConsentBasis, Facts, TopicFact};
use super::reason::Reason;

/// The confirmation of an opt-out goes out this soon or not at all (§10.2, the US rule).
const CONFIRM_WITHIN: Duration = Duration::from_secs(5 * 60);

/// Consent for the class that the sender claims.
///
/// Nothing at all goes to whom the business has blocked: Meta refuses it with 130403 (facts §6.10).
pub(super) fn consents(facts: &Facts, draft: &Draft, now: Timestamp) -> Result<(), Refusal> {
    if facts.blocked_at.is_some() {
        return Err(Refusal::new(Reason::Blocked).allowing("anything once the person is unblocked"));
    }
    match draft.class {
        DraftClass::OptOutConfirmation => confirms(&facts.consent, &draft.sender, now),
        class => of_class(facts, class),
    }
}

/// Why consent does not cover a class, if it does not: for those who ask before they say anything.
pub fn stopped_by(facts: &Facts, class: DraftClass) -> Option<Reason> {
    if facts.blocked_at.is_some() {
        return Some(Reason::Blocked);
    }
    of_class(facts, class).err().map(|refusal| refusal.reason)
}

/// Consent for any class but the confirmation, which has its own rule.
pub(super) fn of_class(facts: &Facts, class: DraftClass) -> Result<(), Refusal> {
    let consent = &facts.consent;
    if is_stopped(consent, class) {
        return Err(stopped(consent, class));
    }
    match class {
        DraftClass::Marketing => {
            markets(facts)?;
            opted_in(
                facts,
                in_marketing(facts),
                "marketing, or a topic that the send names",
            )
        }
        DraftClass::Utility if consent.utility_stopped_at.is_some() => {
            Err(Refusal::new(Reason::OptedOutUtility).allowing("anything but utility messages"))
        }
        DraftClass::Utility => opted_in(facts, consent.utility_given_at.is_some(), "utility"),
        _ => Ok(()),
    }
}

/// What stops marketing alone.
fn markets(facts: &Facts) -> Result<(), Refusal> {
    if facts.consent.meta_stopped_at.is_some() {
        return Err(Refusal::new(Reason::MetaMarketingStopped)
            .allowing("anything but marketing, until the person resumes it in WhatsApp"));
    }
    match facts.topic {
        TopicFact::Unknown => Err(Refusal::new(Reason::TopicUnknown)),
        TopicFact::Known(bit) if facts.consent.has_stopped_topic(bit) => {
            Err(Refusal::new(Reason::OptedOutTopic).allowing("other topics"))
        }
        TopicFact::Known(_) | TopicFact::None => Ok(()),
    }
}

fn in_marketing(facts: &Facts) -> bool {
    let topic = match facts.topic {
        TopicFact::Known(bit) => facts.consent.has_topic(bit),
        TopicFact::None | TopicFact::Unknown => false,
    };
    topic || facts.consent.marketing_given_at.is_some()
}

/// A code is asked for by the person, so it never comes here; nor does an answer.
fn opted_in(facts: &Facts, on_record: bool, to: &str) -> Result<(), Refusal> {
    match facts.basis {
        ConsentBasis::Ledger if !on_record => Err(Refusal::new(Reason::NoOptIn).allowing(format!(
            "answers and security codes; this once an opt-in to {to} is on record"
        ))),
        _ => Ok(()),
    }
}

fn is_stopped(consent: &ConsentState, class: DraftClass) -> bool {
    use OptOut::{AllButSecurity, BusinessInitiated, Everything, Marketing, None};
    match class {
        DraftClass::Reply => !consent.replies_open(),
        DraftClass::Marketing => consent.opt_out != None,
        DraftClass::Utility => !matches!(consent.opt_out, None | Marketing),
        DraftClass::Authentication => matches!(consent.opt_out, BusinessInitiated | Everything),
        // Judged by `confirms`; a category never makes a draft one.
        DraftClass::OptOutConfirmation => matches!(consent.opt_out, AllButSecurity | Everything),
    }
}

fn stopped(consent: &ConsentState, class: DraftClass) -> Refusal {
    let reason = match (consent.opt_out, class) {
        (_, DraftClass::Reply) => Reason::RepliesStopped,
        (OptOut::Marketing, _) => Reason::OptedOutMarketing,
        _ => Reason::OptedOut,
    };
    Refusal::new(reason).allowing(match consent.opt_out {
        OptOut::None | OptOut::Marketing => "anything but marketing",
        OptOut::BusinessInitiated => "replies once the person writes again",
        OptOut::AllButSecurity => "security codes, and anything once the person opts in again",
        OptOut::Everything => "nothing until the person opts in again",
    })
}

/// Only the gateway's own rule confirms, only while there is an opt-out to confirm, and only at once.
fn confirms(consent: &ConsentState, sender: &Sender, now: Timestamp) -> Result<(), Refusal> {
    let ours = matches!(sender, Sender::Rule { .. });
    match consent.since {
        Some(since) if ours && consent.opt_out != OptOut::None => {
            if now.since(since) > CONFIRM_WITHIN {
                return Err(Refusal::new(Reason::ConfirmationLate));
            }
            Ok(())
        }
        _ => Err(Refusal::new(Reason::ConfirmationNotDue)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ConsentWord::{self, OptOutAll, OptOutEverything, OptOutMarketing};
    use crate::policy::fixture::{code_of, facts, now, plugin_reply, template};
    use crate::policy::{Purpose, decide, recheck};

    fn verdicts(words: &[Option<ConsentWord>]) -> [&'static str; 4] {
        use DraftClass::{Authentication, Marketing, Utility};
        let mut facts = facts();
        for (second, word) in (1..).zip(words) {
            let at = now().plus(Duration::from_secs(second));
            facts.consent = facts.consent.after_inbound(*word, at).0;
        }
        let business = [Utility, Marketing, Authentication].map(|class| {
            let mut draft = template("news", "en");
            draft.class = class;
            code_of(&decide(&facts, &draft, now()))
        });
        let reply = code_of(&decide(&facts, &plugin_reply("hi"), now()));
        [reply, business[0], business[1], business[2]]
    }

    #[test]
    fn each_word_stops_its_classes() {
        let stop = Some(OptOutAll);
        let stop_all = Some(OptOutEverything);
        let end = Some(OptOutMarketing);
        let (yes, out, closed) = ("cleared", "opted_out", "replies_stopped");
        // reply, utility, marketing, authentication
        assert_eq!(verdicts(&[None]), [yes; 4]);
        assert_eq!(verdicts(&[end]), [yes, yes, "opted_out_marketing", yes]);
        assert_eq!(verdicts(&[stop]), [closed, out, out, out]);
        assert_eq!(verdicts(&[stop, None]), [yes, out, out, out]);
        assert_eq!(verdicts(&[stop_all]), [closed, out, out, yes]);
        assert_eq!(verdicts(&[stop_all, None]), [closed, out, out, yes]);
        assert_eq!(verdicts(&[stop, stop_all]), [closed, out, out, out]);
    }

    #[test]
    fn who_stopped_marketing_in_whatsapp_gets_everything_else() {
        let mut facts = facts();
        facts.consent = facts.consent.after_meta_stop(now());
        let mut draft = template("news", "en");
        assert_eq!(code_of(&decide(&facts, &draft, now())), "cleared");
        draft.class = DraftClass::Marketing;
        assert_eq!(
            code_of(&decide(&facts, &draft, now())),
            "meta_marketing_stopped"
        );
    }

    #[test]
    fn by_the_ledger_only_what_was_agreed_to_is_begun() {
        use DraftClass::{Authentication, Marketing, Utility};
        let mut facts = facts();
        facts.basis = ConsentBasis::Ledger;
        let verdicts = |facts: &Facts| {
            [Utility, Marketing, Authentication].map(|class| {
                let mut draft = template("news", "en");
                draft.class = class;
                code_of(&decide(facts, &draft, now()))
            })
        };
        let (yes, no) = ("cleared", "no_opt_in");
        assert_eq!(verdicts(&facts), [no, no, yes]);
        assert_eq!(code_of(&decide(&facts, &plugin_reply("hi"), now())), yes);
        facts.consent = facts.consent.after_given(Purpose::Utility, now(), false);
        assert_eq!(verdicts(&facts), [yes, no, yes]);
        facts.consent = facts.consent.after_given(Purpose::Topic(7), now(), false);
        assert_eq!(verdicts(&facts), [yes, no, yes]);
        facts.topic = TopicFact::Known(8);
        assert_eq!(verdicts(&facts), [yes, no, yes]);
        facts.topic = TopicFact::Known(7);
        assert_eq!(verdicts(&facts), [yes; 3]);
        facts.topic = TopicFact::Unknown;
        assert_eq!(verdicts(&facts), [yes, "topic_unknown", yes]);
        facts.topic = TopicFact::None;
        facts.consent = facts.consent.after_given(Purpose::All, now(), false);
        assert_eq!(verdicts(&facts), [yes; 3]);
        facts.consent = facts.consent.moved();
        assert_eq!(verdicts(&facts), [no, no, yes]);
    }

    #[test]
    fn what_was_withdrawn_by_itself_stops_by_any_basis() {
        for basis in [ConsentBasis::Ledger, ConsentBasis::Attested] {
            let mut facts = facts();
            facts.basis = basis;
            facts.topic = TopicFact::Known(7);
            facts.consent = facts.consent.after_given(Purpose::All, now(), true);
            facts.consent = facts.consent.after_withdrawn(Purpose::Topic(7), now());
            facts.consent = facts.consent.after_withdrawn(Purpose::Utility, now());
            let mut draft = template("news", "en");
            assert_eq!(code_of(&decide(&facts, &draft, now())), "opted_out_utility");
            draft.class = DraftClass::Marketing;
            assert_eq!(code_of(&decide(&facts, &draft, now())), "opted_out_topic");
            facts.topic = TopicFact::None;
            assert_eq!(code_of(&decide(&facts, &draft, now())), "cleared");
        }
    }

    #[test]
    fn nothing_goes_to_whom_the_business_has_blocked() {
        let mut facts = facts();
        facts.blocked_at = Some(now());
        assert_eq!(
            code_of(&decide(&facts, &plugin_reply("hi"), now())),
            "blocked"
        );
        assert_eq!(
            code_of(&recheck(&facts, &template("news", "en"), now())),
            "blocked"
        );
    }

    #[test]
    fn an_opt_out_between_the_gates_stops_a_cleared_draft() {
        let mut facts = facts();
        let draft = template("news", "en");
        assert_eq!(code_of(&decide(&facts, &draft, now())), "cleared");
        facts.consent = facts.consent.after_inbound(Some(OptOutAll), now()).0;
        assert_eq!(code_of(&recheck(&facts, &draft, now())), "opted_out");
    }

    #[test]
    fn only_the_gateway_confirms_and_only_an_opt_out_of_the_last_five_minutes() {
        let mut facts = facts();
        let mut draft = plugin_reply("You are out.");
        draft.class = DraftClass::OptOutConfirmation;
        draft.sender = Sender::Rule {
            name: "opt_out_confirmation".into(),
        };
        assert_eq!(
            code_of(&decide(&facts, &draft, now())),
            "confirmation_not_due"
        );
        facts.consent = facts.consent.after_inbound(Some(OptOutAll), now()).0;
        assert_eq!(code_of(&decide(&facts, &draft, now())), "cleared");
        let edge = now().plus(CONFIRM_WITHIN);
        assert_eq!(code_of(&decide(&facts, &draft, edge)), "cleared");
        let late = edge.plus(Duration::from_millis(1));
        assert_eq!(code_of(&decide(&facts, &draft, late)), "confirmation_late");
        draft.sender = plugin_reply("").sender;
        assert_eq!(
            code_of(&decide(&facts, &draft, now())),
            "confirmation_not_due"
        );
    }
}
