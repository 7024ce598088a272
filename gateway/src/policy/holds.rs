//! Rule 1: may tenant, number, plugin and template send at all?
//!
//! A hold is a stop, not a pause: what meets one is refused and visible as refused, so that lifting it releases no
//! flood of stale messages.

use crate::domain::{Draft, DraftClass, Sender, Timestamp};

use super::decide::Refusal;
use super::facts::{ActiveHold, Facts, HoldScope};
use super::limits::concerned;
use super::reason::Reason;

/// Refuses while any hold concerns the draft. Of several, the one that lasts longest is reported.
pub(super) fn may_send(facts: &Facts, draft: &Draft, now: Timestamp) -> Result<(), Refusal> {
    match longest(facts, draft, now) {
        None => Ok(()),
        Some(hold) => Err(Refusal::new(hold.scope.reason())
            .allowing(format!("nothing until hold {} is lifted", hold.id))
            .from(hold.until)),
    }
}

/// The hold that concerns the draft, of several the one that lasts longest.
pub(super) fn longest<'a>(
    facts: &'a Facts,
    draft: &Draft,
    now: Timestamp,
) -> Option<&'a ActiveHold> {
    facts
        .holds
        .iter()
        .filter(|hold| hold.lasts(now) && hold.scope.concerns(facts, draft))
        .max_by_key(|hold| hold.until.unwrap_or(Timestamp::MAX))
}

impl ActiveHold {
    fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl HoldScope {
    fn concerns(&self, facts: &Facts, draft: &Draft) -> bool {
        match self {
            Self::All | Self::Tenant | Self::Number | Self::Credential => true,
            Self::Plugin { name: held } => {
                matches!(&draft.sender, Sender::Plugin { name, .. } if name == held)
            }
            Self::Template {
                name: held,
                language: spoken,
            } => {
                let template = draft.content.template();
                template.is_some_and(|t| t.name == *held && t.language == *spoken)
            }
            Self::Templates => draft.content.template().is_some(),
            Self::Replies => !draft.class.is_business_initiated(),
            Self::Marketing => concerned(facts, draft) == Some(DraftClass::Marketing),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::All => Reason::HoldAll,
            Self::Tenant => Reason::HoldTenant,
            Self::Number => Reason::HoldNumber,
            Self::Plugin { .. } => Reason::HoldPlugin,
            Self::Template { .. } => Reason::HoldTemplate,
            Self::Templates => Reason::HoldTemplates,
            Self::Replies => Reason::HoldReplies,
            Self::Credential => Reason::HoldCredential,
            Self::Marketing => Reason::HoldMarketing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HoldId;
    use crate::policy::fixture::{code_of, facts, now, plugin_reply, template};
    use crate::policy::{Decision, decide};

    fn hold(scope: HoldScope, until: Option<Timestamp>) -> ActiveHold {
        ActiveHold {
            id: HoldId::from_raw(7),
            scope,
            reason: "test".into(),
            until,
        }
    }

    fn plugin(name: &str) -> HoldScope {
        HoldScope::Plugin { name: name.into() }
    }

    #[test]
    fn a_hold_stops_exactly_its_scope() {
        let spring = HoldScope::Template {
            name: "spring_sale".into(),
            language: "en".into(),
        };
        let reply = plugin_reply("hi");
        let sale = template("spring_sale", "en");
        let mut advert = sale.clone();
        advert.class = DraftClass::Marketing;
        let cases = [
            (HoldScope::All, &reply, "hold_all"),
            (HoldScope::Tenant, &reply, "hold_tenant"),
            (HoldScope::Number, &sale, "hold_number"),
            (HoldScope::Credential, &sale, "hold_credential"),
            (plugin("menu"), &reply, "hold_plugin"),
            (plugin("other"), &reply, "cleared"),
            (plugin("menu"), &sale, "cleared"),
            (spring.clone(), &sale, "hold_template"),
            (spring.clone(), &template("spring_sale", "de"), "cleared"),
            (spring, &reply, "cleared"),
            (HoldScope::Templates, &sale, "hold_templates"),
            (HoldScope::Templates, &reply, "cleared"),
            (HoldScope::Replies, &reply, "hold_replies"),
            (HoldScope::Replies, &sale, "cleared"),
            (HoldScope::Marketing, &reply, "cleared"),
            (HoldScope::Marketing, &sale, "cleared"),
            (HoldScope::Marketing, &advert, "hold_marketing"),
        ];
        for (scope, draft, expected) in cases {
            let mut facts = facts();
            facts.holds = vec![hold(scope.clone(), None)];
            assert_eq!(
                code_of(&decide(&facts, draft, now())),
                expected,
                "{scope:?}"
            );
        }
    }

    #[test]
    fn a_hold_of_a_plugin_stops_its_farewell_too() {
        let mut facts = facts();
        facts.holds = vec![hold(plugin("menu"), None)];
        let mut draft = plugin_reply("A colleague will answer.");
        if let Sender::Plugin { farewell, .. } = &mut draft.sender {
            *farewell = true;
        }
        assert_eq!(code_of(&decide(&facts, &draft, now())), "hold_plugin");
    }

    #[test]
    fn a_hold_that_is_over_stops_nothing() {
        let mut facts = facts();
        facts.holds = vec![hold(HoldScope::All, Some(now()))];
        assert_eq!(
            code_of(&decide(&facts, &plugin_reply("hi"), now())),
            "cleared"
        );
    }

    #[test]
    fn of_two_holds_the_longer_one_is_told() {
        let later = now().plus(std::time::Duration::from_secs(60));
        let mut facts = facts();
        facts.holds = vec![
            hold(HoldScope::Number, Some(later)),
            hold(
                HoldScope::Tenant,
                Some(later.plus(std::time::Duration::from_secs(1))),
            ),
        ];
        let Decision::Refused(refusal) = decide(&facts, &plugin_reply("hi"), now()) else {
            panic!("a hold must refuse");
        };
        assert_eq!(refusal.reason, Reason::HoldTenant);
        assert!(refusal.from > Some(later));
    }
}
