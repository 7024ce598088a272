//! Rule 6: the effective category. What Meta calls a template today must be consented to, whatever the sender claims.
//!
//! Meta turns utility templates into marketing without asking (§6.4), and a person who stopped marketing must not
//! get one because the tenant still calls it an order update.

use crate::domain::template::TemplateCategory;
use crate::domain::{Draft, DraftClass, Timestamp};

use super::decide::Refusal;
use super::facts::{Facts, TemplateFact};
use super::suppression;

/// Asks for consent once more, for the class that the template has at Meta.
pub(super) fn is_consented(facts: &Facts, draft: &Draft, _now: Timestamp) -> Result<(), Refusal> {
    match effective_class(facts, draft) {
        Some(class) if class != draft.class => suppression::of_class(facts, class),
        _ => Ok(()),
    }
}

/// The class that Meta's category gives a template; `None` when it is no template or not synchronised.
///
/// A reply by a utility or authentication template within the conversation stays a reply.
pub(super) fn effective_class(facts: &Facts, draft: &Draft) -> Option<DraftClass> {
    let TemplateFact::Known(known) = &facts.template else {
        return None;
    };
    match known.category {
        TemplateCategory::Marketing => Some(DraftClass::Marketing),
        _ if !draft.class.is_business_initiated() => None,
        TemplateCategory::Utility => Some(DraftClass::Utility),
        TemplateCategory::Authentication => Some(DraftClass::Authentication),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::template::TemplateStatus;
    use crate::policy::fixture::{code_of, facts, known, now, template};
    use crate::policy::{ConsentWord, decide};

    fn verdict(word: ConsentWord, claimed: DraftClass, category: TemplateCategory) -> String {
        let mut facts = facts();
        facts.consent = facts.consent.after_inbound(Some(word), now()).0;
        facts.template = known(TemplateStatus::Approved, category, 0);
        let mut draft = template("order_update", "en");
        draft.class = claimed;
        code_of(&decide(&facts, &draft, now())).to_owned()
    }

    #[test]
    fn a_template_that_meta_made_marketing_does_not_reach_who_stopped_marketing() {
        use DraftClass::{Authentication, Reply, Utility};
        for claimed in [Utility, Reply, Authentication] {
            let got = verdict(
                ConsentWord::OptOutMarketing,
                claimed,
                TemplateCategory::Marketing,
            );
            assert_eq!(got, "opted_out_marketing", "{claimed:?}");
        }
        let got = verdict(
            ConsentWord::OptOutMarketing,
            Utility,
            TemplateCategory::Utility,
        );
        assert_eq!(got, "cleared");
    }

    #[test]
    fn a_utility_template_is_no_security_code_by_calling_itself_one() {
        let got = verdict(
            ConsentWord::OptOutEverything,
            DraftClass::Authentication,
            TemplateCategory::Utility,
        );
        assert_eq!(got, "opted_out");
    }
}
