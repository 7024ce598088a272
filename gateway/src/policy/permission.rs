//! What may be sent to a person now: the rules asked with probe drafts, never a second reading of them.
//!
//! One probe for each form that a message can have. The answer is a picture of the moment: every send is decided anew.

use crate::domain::outbound::{TemplateContent, TemplateParameter};
use crate::domain::{Draft, DraftClass, OutboundContent, Timestamp};

use super::decide::{Decision, decide};
use super::facts::{Facts, KnownTemplate, TemplateFact};
use super::reason::Reason;
use super::window::WindowState;
use crate::domain::template::{TemplateCategory, TemplateStatus};

/// What may be sent to one person by one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub window: WindowState,
    /// End of a free entry point: a price, no permission (facts §6.2).
    pub free_until: Option<Timestamp>,
    /// One for each [`Form`].
    pub forms: Vec<FormPermission>,
}

/// The forms that matter to what may be sent and to what Meta charges it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Anything that is no template.
    FreeForm,
    UtilityTemplate,
    MarketingTemplate,
    AuthenticationTemplate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPermission {
    pub form: Form,
    pub verdict: Verdict,
    /// As what Meta would charge it. No amount: those are Meta's and change.
    pub price: PriceClass,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `until`: when that ends by what is known now.
    Allowed { until: Option<Timestamp> },
    /// Nothing against it but the moment.
    Later { from: Timestamp, reason: Reason },
    Refused {
        reason: Reason,
        /// What would be needed, or would do instead.
        needed: Option<String>,
        from: Option<Timestamp>,
    },
}

/// Classes of Meta's prices since October 2026 (facts §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceClass {
    FreeEntryPoint,
    /// A service message: the number's monthly allowance first.
    Service,
    Utility,
    Marketing,
    Authentication,
}

impl Form {
    pub const ALL: [Self; 4] = [
        Self::FreeForm,
        Self::UtilityTemplate,
        Self::MarketingTemplate,
        Self::AuthenticationTemplate,
    ];

    /// Stable word for clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::FreeForm => "free_form",
            Self::UtilityTemplate => "utility_template",
            Self::MarketingTemplate => "marketing_template",
            Self::AuthenticationTemplate => "authentication_template",
        }
    }

    fn price(self) -> PriceClass {
        match self {
            Self::FreeForm => PriceClass::Service,
            Self::UtilityTemplate => PriceClass::Utility,
            Self::MarketingTemplate => PriceClass::Marketing,
            Self::AuthenticationTemplate => PriceClass::Authentication,
        }
    }

    /// A draft of this form with nothing wrong in it, and what would be known of its template.
    fn probe(self, sample: &Draft) -> (Draft, TemplateFact) {
        let template = |class, category| {
            let code = vec![TemplateParameter::positional("123456")];
            let content = TemplateContent::new("any", "en").with_parameters(code);
            let fact = TemplateFact::Known(KnownTemplate {
                status: TemplateStatus::Approved,
                category,
                shape: None,
            });
            (OutboundContent::Template(Box::new(content)), class, fact)
        };
        let (content, class, fact) = match self {
            Self::FreeForm => {
                let text = OutboundContent::Text {
                    body: "…".to_owned(),
                    preview_url: false,
                };
                (text, DraftClass::Reply, TemplateFact::NotATemplate)
            }
            Self::UtilityTemplate => template(DraftClass::Utility, TemplateCategory::Utility),
            Self::MarketingTemplate => template(DraftClass::Marketing, TemplateCategory::Marketing),
            Self::AuthenticationTemplate => {
                template(DraftClass::Authentication, TemplateCategory::Authentication)
            }
        };
        let draft = Draft {
            content,
            class,
            ..sample.clone()
        };
        (draft, fact)
    }
}

impl PriceClass {
    /// Stable word for clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::FreeEntryPoint => "free_entry_point",
            Self::Service => "service",
            Self::Utility => "utility",
            Self::Marketing => "marketing",
            Self::Authentication => "authentication",
        }
    }
}

/// Asks for every form. `sample` says who sends, by which number and to whom; its content and class do not matter.
pub fn permission(
    facts: &Facts,
    sample: &Draft,
    free_until: Option<Timestamp>,
    now: Timestamp,
) -> Permission {
    let window = facts.window.state(now);
    let free_until = free_until.filter(|until| now < *until);
    let ask = |form: Form| {
        let (draft, template) = form.probe(sample);
        let facts = Facts {
            template,
            ..facts.clone()
        };
        let verdict = match decide(&facts, &draft, now) {
            Decision::Cleared(_) => Verdict::Allowed {
                until: match (form, window) {
                    (Form::FreeForm, WindowState::Open { until }) => Some(until),
                    _ => None,
                },
            },
            Decision::Deferred { until, reason } => Verdict::Later {
                from: until,
                reason,
            },
            Decision::Refused(refusal) => Verdict::Refused {
                reason: refusal.reason,
                needed: refusal.allowed,
                from: refusal.from,
            },
        };
        FormPermission {
            form,
            verdict,
            price: match free_until {
                Some(_) => PriceClass::FreeEntryPoint,
                None => form.price(),
            },
        }
    };
    Permission {
        window,
        free_until,
        forms: Form::ALL.into_iter().map(ask).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::fixture::{facts, now, template};
    use crate::policy::{ConsentWord, OptOut};

    fn asked(facts: &Facts, free_until: Option<Timestamp>) -> Vec<(&'static str, String)> {
        let given = permission(facts, &template("any", "en"), free_until, now());
        let said = |one: &FormPermission| {
            let verdict = match &one.verdict {
                Verdict::Allowed { until: None } => "yes".to_owned(),
                Verdict::Allowed { until: Some(_) } => "for a time".to_owned(),
                Verdict::Later { reason, .. } | Verdict::Refused { reason, .. } => {
                    reason.code().to_owned()
                }
            };
            (one.price.word(), verdict)
        };
        given.forms.iter().map(said).collect()
    }

    fn answer(rows: [(&'static str, &str); 4]) -> Vec<(&'static str, String)> {
        rows.map(|(price, verdict)| (price, verdict.to_owned()))
            .to_vec()
    }

    #[test]
    fn everything_goes_in_an_open_window_and_templates_out_of_it() {
        let mut facts = facts();
        let open = [
            ("service", "for a time"),
            ("utility", "yes"),
            ("marketing", "yes"),
            ("authentication", "yes"),
        ];
        assert_eq!(asked(&facts, None), answer(open));
        facts.window.last_inbound_at = None;
        let closed = [
            ("service", "window_closed"),
            ("utility", "yes"),
            ("marketing", "yes"),
            ("authentication", "yes"),
        ];
        assert_eq!(asked(&facts, None), answer(closed));
    }

    #[test]
    fn a_free_entry_point_changes_the_price_and_never_the_permission() {
        let mut facts = facts();
        facts.window.last_inbound_at = None;
        let free = Some(now().plus(Duration::from_secs(3600)));
        let verdicts = asked(&facts, free);
        assert_eq!(
            verdicts[0],
            ("free_entry_point", "window_closed".to_owned())
        );
        assert_eq!(verdicts[2], ("free_entry_point", "yes".to_owned()));
        assert_eq!(asked(&facts, Some(now()))[2].0, "marketing");
    }

    #[test]
    fn consent_is_asked_for_each_form() {
        let mut facts = facts();
        facts.consent = facts
            .consent
            .after_inbound(Some(ConsentWord::OptOutEverything), now())
            .0;
        assert_eq!(facts.consent.opt_out, OptOut::AllButSecurity);
        let rows = [
            ("service", "replies_stopped"),
            ("utility", "opted_out"),
            ("marketing", "opted_out"),
            ("authentication", "yes"),
        ];
        assert_eq!(asked(&facts, None), answer(rows));
    }
}
