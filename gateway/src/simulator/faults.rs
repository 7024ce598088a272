//! Scripted faults: what goes wrong, with whom, how often. Each is used up by what it matches, oldest first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::error::GraphError;
use crate::sync::lock;

/// One line of the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// How many requests or statuses it still meets.
    #[serde(default = "once")]
    pub count: u32,
    /// Only this phone number id; a WABA's id: only that account's lists of templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Only this customer: phone digits, or a BSUID without a phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Meta refuses with this code; HTTP status, title and details as Meta's table has them unless given.
    Error {
        code: i64,
        #[serde(default)]
        status: Option<u16>,
        #[serde(default)]
        details: Option<String>,
    },
    /// The account's next change of a template (creation, edit, deletion) is refused: with this code, and with a subcode
    /// where Meta says by that what is wrong.
    RefuseTemplate {
        code: i64,
        #[serde(default)]
        subcode: Option<i64>,
        #[serde(default)]
        details: Option<String>,
    },
    /// A bare HTTP status with a body that is not Graph's JSON, as a proxy in front of it gives.
    Http { status: u16 },
    /// The connection is cut before the send was accepted: nothing happens.
    CutBefore,
    /// The send is accepted and delivered; the connection is cut instead of an answer.
    CutAfter,
    /// The send is accepted and delivered; the answer is this late.
    SlowMs(u64),
    /// The request waits this long before it is looked at.
    StallMs(u64),
    /// The send is accepted and delivered; the answer is a 200 with broken JSON.
    Malformed,
    /// The send is accepted; then it fails with this code, as when Meta cannot fetch a linked medium (131053) or does not
    /// deliver marketing (131049).
    FailLater { code: i64 },
    /// A status is never sent.
    DropStatus,
    /// A status is sent this late.
    LateStatusMs(u64),
    /// A status is sent this many times.
    RepeatStatus(u32),
    /// The statuses of one send come in the opposite order.
    ReorderStatuses,
}

/// A fault that one send met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SendFault(pub FaultKind);

/// A fault that one status met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WebhookFault {
    Drop,
    LateMs(u64),
    Times(u32),
}

impl FaultKind {
    /// Constructor of the plain case.
    pub fn error(code: i64) -> Self {
        Self::Error {
            code,
            status: None,
            details: None,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::RefuseTemplate { .. } => "refuse_template",
            Self::Http { .. } => "http",
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::SlowMs(_) => "slow_ms",
            Self::StallMs(_) => "stall_ms",
            Self::Malformed => "malformed",
            Self::FailLater { .. } => "fail_later",
            Self::DropStatus => "drop_status",
            Self::LateStatusMs(_) => "late_status_ms",
            Self::RepeatStatus(_) => "repeat_status",
            Self::ReorderStatuses => "reorder_statuses",
        }
    }

    fn meets_sends(&self) -> bool {
        !matches!(
            self,
            Self::RefuseTemplate { .. }
                | Self::FailLater { .. }
                | Self::DropStatus
                | Self::LateStatusMs(_)
                | Self::RepeatStatus(_)
                | Self::ReorderStatuses
        )
    }

    fn webhook(&self) -> Option<WebhookFault> {
        match self {
            Self::DropStatus => Some(WebhookFault::Drop),
            Self::LateStatusMs(ms) => Some(WebhookFault::LateMs(*ms)),
            Self::RepeatStatus(times) => Some(WebhookFault::Times(*times)),
            _ => None,
        }
    }
}

impl Fault {
    /// The next request or status of anybody.
    pub fn next(kind: FaultKind) -> Self {
        Self::times(1, kind)
    }

    pub fn times(count: u32, kind: FaultKind) -> Self {
        Self {
            count,
            number: None,
            recipient: None,
            kind,
        }
    }

    #[must_use]
    pub fn of_number(self, phone_number_id: impl Into<String>) -> Self {
        Self {
            number: Some(phone_number_id.into()),
            ..self
        }
    }

    #[must_use]
    pub fn to_recipient(self, customer: impl Into<String>) -> Self {
        Self {
            recipient: Some(customer.into()),
            ..self
        }
    }

    fn meets(&self, number: &str, recipient: Option<&str>) -> bool {
        self.number.as_deref().is_none_or(|wanted| wanted == number)
            && (self.recipient.is_none() || self.recipient.as_deref() == recipient)
    }
}

/// The script as it stands.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// So that a send without any script takes no lock.
    waiting: AtomicUsize,
    script: Mutex<Vec<Fault>>,
}

impl Faults {
    fn script(&self) -> MutexGuard<'_, Vec<Fault>> {
        lock(&self.script)
    }

    pub fn add(&self, fault: Fault) {
        let mut script = self.script();
        if fault.count > 0 {
            script.push(fault);
        }
        self.waiting.store(script.len(), Ordering::Release);
    }

    pub fn clear(&self) {
        let mut script = self.script();
        script.clear();
        self.waiting.store(0, Ordering::Release);
    }

    pub fn all(&self) -> Vec<Fault> {
        self.script().clone()
    }

    fn take<T>(
        &self,
        number: &str,
        recipient: Option<&str>,
        pick: impl Fn(&FaultKind) -> Option<T>,
    ) -> Option<T> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut script = self.script();
        let (place, taken) = script.iter().enumerate().find_map(|(place, fault)| {
            let taken = fault
                .meets(number, recipient)
                .then(|| pick(&fault.kind))??;
            Some((place, taken))
        })?;
        script[place].count -= 1;
        if script[place].count == 0 {
            script.remove(place);
        }
        self.waiting.store(script.len(), Ordering::Release);
        Some(taken)
    }

    pub fn take_send(&self, number: &str, recipient: Option<&str>) -> Option<SendFault> {
        self.take(number, recipient, |kind| {
            kind.meets_sends().then(|| SendFault(kind.clone()))
        })
    }

    /// A fault of one WABA's management calls: only what names it meets them.
    pub fn take_call(&self, waba_id: &str) -> Option<SendFault> {
        let names = |fault: &Fault| fault.number.as_deref() == Some(waba_id);
        // Faults of anybody are for sends.
        let named = self.script().iter().any(names);
        named.then(|| self.take_send(waba_id, None)).flatten()
    }

    /// What a change of one of the WABA's templates is refused with.
    pub fn take_change(&self, waba_id: &str) -> Option<GraphError> {
        self.take(waba_id, None, |kind| match kind {
            FaultKind::RefuseTemplate {
                code,
                subcode,
                details,
            } => Some(GraphError {
                subcode: *subcode,
                ..GraphError::new(*code, details.clone().unwrap_or_default())
            }),
            _ => None,
        })
    }

    pub fn take_status(&self, number: &str, recipient: &str) -> Option<WebhookFault> {
        self.take(number, Some(recipient), FaultKind::webhook)
    }

    /// With which code an accepted send fails after all.
    pub fn take_failure(&self, number: &str, recipient: &str) -> Option<i64> {
        self.take(number, Some(recipient), |kind| match kind {
            FaultKind::FailLater { code } => Some(*code),
            _ => None,
        })
    }

    pub fn reorders(&self, number: &str, recipient: &str) -> bool {
        let pick = |kind: &FaultKind| (*kind == FaultKind::ReorderStatuses).then_some(());
        self.take(number, Some(recipient), pick).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_what_it_names_and_is_used_up() {
        let faults = Faults::default();
        faults.add(
            Fault::times(2, FaultKind::error(131056))
                .of_number("77")
                .to_recipient("44770"),
        );
        assert_eq!(faults.take_send("78", Some("44770")), None);
        assert_eq!(faults.take_send("77", Some("44771")), None);
        assert_eq!(faults.take_status("77", "44770"), None);
        assert!(faults.take_send("77", Some("44770")).is_some());
        assert!(faults.take_send("77", Some("44770")).is_some());
        assert_eq!(faults.take_send("77", Some("44770")), None);
        assert!(faults.all().is_empty());
    }

    #[test]
    fn a_script_line_is_short_json() {
        let fault: Fault = serde_json::from_str(r#"{"kind":{"error":{"code":130429}},"count":3}"#)
            .expect("a fault");
        assert_eq!(fault, Fault::times(3, FaultKind::error(130429)));
        let fault: Fault = serde_json::from_str(r#"{"kind":"cut_after"}"#).expect("a fault");
        assert_eq!(fault, Fault::next(FaultKind::CutAfter));
    }
}
