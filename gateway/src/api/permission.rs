//! What may be sent to a person now, as clients see it: `GET …/permission`, and beside every refusal.

use serde::Serialize;
use utoipa::ToSchema;

use super::moment::Moment;
use crate::policy::{FormPermission, Permission, Verdict, WindowState};

/// What may be sent now by one number to one person. A picture of the moment: every send is decided anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Permission)]
pub struct PermissionView {
    /// The customer service window: `open`, `closed`, or `unknown` (messages are sent, and Meta judges).
    window: String,
    /// Until when it is open, by what is known.
    window_until: Option<Moment>,
    /// Meta charges nothing until then (a free entry point). It permits nothing.
    free_until: Option<Moment>,
    forms: Vec<FormView>,
}

/// Whether messages of one form may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FormPermission)]
struct FormView {
    /// `free_form`, `utility_template`, `marketing_template`, `authentication_template`.
    form: String,
    /// `allowed`, `later` (it may be queued, and waits until `from`), `refused`.
    verdict: String,
    /// Until when it is allowed, by what is known.
    until: Option<Moment>,
    /// From when it is allowed, when that is known.
    from: Option<Moment>,
    /// Why not, or not yet: `docs/policy.md` lists the words.
    reason: Option<String>,
    /// What would be needed, or would do instead, in words.
    needed: Option<String>,
    /// As what Meta would charge it: `free_entry_point`, `service`, `utility`, `marketing`, `authentication`.
    price: String,
}

pub(super) fn view(permission: &Permission) -> PermissionView {
    let (window, until) = match permission.window {
        WindowState::Open { until } => ("open", Some(until)),
        WindowState::Closed => ("closed", None),
        WindowState::Unknown => ("unknown", None),
    };
    PermissionView {
        window: window.to_owned(),
        window_until: until.map(Moment),
        free_until: permission.free_until.map(Moment),
        forms: permission.forms.iter().map(form).collect(),
    }
}

fn form(one: &FormPermission) -> FormView {
    let (verdict, until, from, reason, needed) = match &one.verdict {
        Verdict::Allowed { until } => ("allowed", *until, None, None, None),
        Verdict::Later { from, reason } => ("later", None, Some(*from), Some(*reason), None),
        Verdict::Refused {
            reason,
            needed,
            from,
        } => ("refused", None, *from, Some(*reason), needed.clone()),
    };
    FormView {
        form: one.form.word().to_owned(),
        verdict: verdict.to_owned(),
        until: until.map(Moment),
        from: from.map(Moment),
        reason: reason.map(|reason| reason.code().to_owned()),
        needed,
        price: one.price.word().to_owned(),
    }
}
