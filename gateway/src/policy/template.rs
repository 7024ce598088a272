//! The part of rule 4 that concerns templates beyond their form: what is known of the template, and of the moment.

use crate::domain::DraftClass;
use crate::domain::Timestamp;
use crate::domain::outbound::TemplateContent;
use crate::domain::template::{TemplateCategory, TemplateStatus};

use super::decide::Refusal;
use super::facts::TemplateFact;
use super::reason::Reason;
use super::template_fit;

/// Its language is settled, it is approved in this very language (there is no fallback, §4.4), and what it takes is given.
pub(super) fn is_the_one(fact: &TemplateFact, template: &TemplateContent) -> Result<(), Refusal> {
    if template.wishes_languages() {
        return Err(Refusal::new(Reason::TemplateLanguage)
            .allowing("`language` of an approved version of the template"));
    }
    match fact {
        TemplateFact::NotATemplate | TemplateFact::Unknown => Ok(()),
        TemplateFact::NoSuch => Err(Refusal::new(Reason::TemplateNotApproved)
            .allowing("a template that is approved in this very language")),
        TemplateFact::Known(known) => {
            is_sendable(known.status)?;
            match &known.shape {
                Some(shape) => template_fit::fits(shape, template),
                None => Ok(()),
            }
        }
    }
}

/// Only what is approved (§6.5).
fn is_sendable(status: TemplateStatus) -> Result<(), Refusal> {
    use TemplateStatus as S;
    let reason = match status {
        S::Approved => return Ok(()),
        S::Pending | S::InAppeal => Reason::TemplateInReview,
        S::Rejected => Reason::TemplateRejected,
        S::Paused => Reason::TemplatePaused,
        S::Disabled => Reason::TemplateDisabled,
        S::Locked | S::LimitExceeded | S::Archived => Reason::TemplateLocked,
        S::PendingDeletion | S::Deleted => Reason::TemplateDeleted,
        S::Other => Reason::TemplateNotApproved,
    };
    Err(Refusal::new(reason).allowing("another template, or this one when Meta has approved it"))
}

/// What the moment, the endpoint and the category ask of it.
pub(super) fn suits(
    fact: &TemplateFact,
    claimed: DraftClass,
    template: &TemplateContent,
    now: Timestamp,
) -> Result<(), Refusal> {
    let over = |expires_at: Timestamp| expires_at <= now;
    if template
        .limited_time_offer
        .is_some_and(|offer| over(offer.expires_at))
    {
        return Err(Refusal::new(Reason::OfferOver)
            .allowing("`limited_time_offer.expires_at` in the future (§4.4)"));
    }
    if template.marketing_messages.is_some() && !is_marketing(fact, claimed) {
        return Err(Refusal::new(Reason::NotMarketing)
            .allowing("the template without `marketing_messages` (§4.6)"));
    }
    Ok(())
}

fn is_marketing(fact: &TemplateFact, claimed: DraftClass) -> bool {
    match fact {
        TemplateFact::Known(known) => known.category == TemplateCategory::Marketing,
        _ => claimed == DraftClass::Marketing,
    }
}

/// Does it carry a one-time code: by its button, by Meta's category where it is known, else by what the sender claims?
pub(super) fn is_code(
    fact: &TemplateFact,
    claimed: DraftClass,
    template: &TemplateContent,
) -> bool {
    let category = match fact {
        TemplateFact::Known(known) => known.category == TemplateCategory::Authentication,
        _ => claimed == DraftClass::Authentication,
    };
    category || template.has_one_time_code()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::outbound::{
        LimitedTimeOffer, MarketingMessages, TemplateButton, TemplateParameter,
    };
    use crate::domain::{Bsuid, Draft, OutboundContent, Recipient};
    use crate::policy::decide;
    use crate::policy::fixture::{code_of, facts, known, now, template};

    fn draft(class: DraftClass, content: TemplateContent) -> Draft {
        let mut draft = template("order_update", "en");
        draft.class = class;
        draft.content = OutboundContent::Template(Box::new(content));
        draft
    }

    fn judged(fact: TemplateFact, draft: &Draft) -> &'static str {
        let mut facts = facts();
        facts.template = fact;
        code_of(&decide(&facts, draft, now()))
    }

    fn with(values: &[&str]) -> TemplateContent {
        let values = values.iter().copied().map(TemplateParameter::positional);
        TemplateContent::new("order_update", "en").with_parameters(values.collect())
    }

    #[test]
    fn a_known_template_must_be_approved_and_get_its_parameters() {
        let draft = draft(DraftClass::Utility, with(&["Ines"]));
        let judged =
            |status, count| judged(known(status, TemplateCategory::Utility, count), &draft);
        assert_eq!(judged(TemplateStatus::Approved, 1), "cleared");
        assert_eq!(
            judged(TemplateStatus::Approved, 2),
            "template_parameter_count"
        );
        let no_such = super::tests::judged(TemplateFact::NoSuch, &draft);
        assert_eq!(no_such, "template_not_approved");
    }

    #[test]
    fn every_state_but_approved_has_its_reason_and_metas_code() {
        let draft = draft(DraftClass::Utility, with(&["Ines"]));
        let expected = [
            (TemplateStatus::Approved, "cleared", 0),
            (TemplateStatus::Pending, "template_in_review", 132_001),
            (TemplateStatus::InAppeal, "template_in_review", 132_001),
            (TemplateStatus::Rejected, "template_rejected", 132_001),
            (TemplateStatus::Paused, "template_paused", 132_015),
            (TemplateStatus::Disabled, "template_disabled", 132_016),
            (TemplateStatus::Locked, "template_locked", 132_001),
            (TemplateStatus::LimitExceeded, "template_locked", 132_001),
            (TemplateStatus::Archived, "template_locked", 132_001),
            (TemplateStatus::PendingDeletion, "template_deleted", 132_001),
            (TemplateStatus::Deleted, "template_deleted", 132_001),
            (TemplateStatus::Other, "template_not_approved", 132_001),
        ];
        assert_eq!(expected.len(), TemplateStatus::ALL.len());
        for (status, code, meta) in expected {
            let got = judged(known(status, TemplateCategory::Utility, 1), &draft);
            assert_eq!(got, code, "{status}");
            let reason = Reason::from_code(code);
            assert_eq!(reason.map_or(0, Reason::meta_code), meta, "{status}");
        }
    }

    #[test]
    fn a_wish_for_languages_that_nothing_met_is_refused_whatever_is_known() {
        for wish in ["auto", "de,en"] {
            let mut content = with(&["Ines"]);
            content.language = wish.to_owned();
            let draft = draft(DraftClass::Utility, content);
            let approved = known(TemplateStatus::Approved, TemplateCategory::Utility, 1);
            for fact in [TemplateFact::Unknown, approved] {
                assert_eq!(judged(fact, &draft), "template_language", "{wish}");
            }
        }
    }

    #[test]
    fn an_unknown_template_passes_and_meta_judges() {
        for values in [&[][..], &["Ines", "10:30"]] {
            let draft = draft(DraftClass::Utility, with(values));
            assert_eq!(judged(TemplateFact::Unknown, &draft), "cleared");
        }
    }

    #[test]
    fn a_one_time_code_is_short_and_plain_by_whatever_says_that_it_is_one() {
        let authentication = known(
            TemplateStatus::Approved,
            TemplateCategory::Authentication,
            1,
        );
        let utility = known(TemplateStatus::Approved, TemplateCategory::Utility, 1);
        for (code, expected) in [
            ("493-118", "cleared"),
            ("1234567890123456", "template_parameter_text"),
            ("http://a.b", "template_parameter_text"),
            ("12🙂34", "template_parameter_text"),
        ] {
            let claimed = draft(DraftClass::Authentication, with(&[code]));
            let called = draft(DraftClass::Utility, with(&[code]));
            let mut button = called.clone();
            if let OutboundContent::Template(template) = &mut button.content {
                template.buttons = vec![TemplateButton::OneTimeCode { index: 0 }];
            }
            assert_eq!(judged(TemplateFact::Unknown, &claimed), expected, "{code}");
            assert_eq!(judged(authentication.clone(), &called), expected, "{code}");
            assert_eq!(judged(TemplateFact::Unknown, &button), expected, "{code}");
            assert_eq!(judged(utility.clone(), &called), "cleared", "{code}");
        }
    }

    #[test]
    fn a_one_time_code_goes_to_a_phone_only() {
        let mut draft = draft(DraftClass::Authentication, with(&["493118"]));
        assert_eq!(judged(TemplateFact::Unknown, &draft), "cleared");
        let bsuid = Bsuid::parse("GB.4410093827716523").expect("a bsuid");
        draft.recipient = Recipient::Bsuid(bsuid);
        assert_eq!(
            judged(TemplateFact::Unknown, &draft),
            "recipient_needs_phone"
        );
        draft.class = DraftClass::Utility;
        assert_eq!(judged(TemplateFact::Unknown, &draft), "cleared");
    }

    #[test]
    fn an_offer_that_is_over_is_not_sent() {
        let offer = |expires_at| {
            let mut content = with(&["20%"]);
            content.limited_time_offer = Some(LimitedTimeOffer { expires_at });
            judged(
                TemplateFact::Unknown,
                &draft(DraftClass::Marketing, content),
            )
        };
        assert_eq!(offer(now()), "offer_over");
        assert_eq!(offer(now().plus(Duration::from_millis(1))), "cleared");
    }

    #[test]
    fn only_marketing_goes_by_the_marketing_endpoint() {
        let mut content = with(&["20%"]);
        content.marketing_messages = Some(MarketingMessages::default());
        let draft = |class| draft(class, content.clone());
        let unknown = TemplateFact::Unknown;
        assert_eq!(
            judged(unknown.clone(), &draft(DraftClass::Marketing)),
            "cleared"
        );
        assert_eq!(
            judged(unknown, &draft(DraftClass::Utility)),
            "not_marketing"
        );
        let utility = known(TemplateStatus::Approved, TemplateCategory::Utility, 1);
        assert_eq!(
            judged(utility, &draft(DraftClass::Marketing)),
            "not_marketing"
        );
        let marketing = known(TemplateStatus::Approved, TemplateCategory::Marketing, 1);
        assert_eq!(judged(marketing, &draft(DraftClass::Utility)), "cleared");
    }
}
