//! Double opt-in: something asked for elsewhere waits for the person's own message.
//!
//! A known contact answers with a digit ("reply 1 to confirm"); whoever came from an opt-in page sends the code that the
//! page has put into their chat, so that nobody can agree for somebody else's number.

use super::record::{Evidence, Statement};
use crate::domain::{ConsentChannel, ConsentScope, ConsentStatus, ContactId, TenantId, Timestamp};
use crate::policy::words::normalise;
use crate::storage::consents::{self, Pending};
use crate::storage::{Result, StorageError, Tx};

/// What a code of a page begins with, as it is sent and as it is compared.
pub const CODE_PREFIX: &str = "JOIN ";
/// Characters of a page's code: 50 bits, so that codes cannot be guessed in their day.
pub const CODE_CHARS: usize = 10;

/// What a message may confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A digit, if something waits for this contact.
    Digit(String),
    /// A page's code, normalised.
    Code(String),
}

/// The answer that a text is, if any. Cheap: asked for every message.
pub fn answer_in(text: &str) -> Option<Answer> {
    if text.is_empty() || text.len() > 40 {
        return None;
    }
    let core = text.trim();
    let mut chars = core.chars();
    if let (Some('1'..='9'), None) = (chars.next(), chars.next()) {
        return Some(Answer::Digit(core.to_owned()));
    }
    if !core
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("join"))
    {
        return None;
    }
    let normal = normalise(core);
    let code = normal.strip_prefix("join ")?;
    let fits = code.len() == CODE_CHARS && code.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| Answer::Code(code.to_owned()))
}

/// Takes what waits for this answer, if something does and it is not over.
pub async fn take(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    answer: &Answer,
    now: Timestamp,
) -> Result<Option<Pending>> {
    let (whose, code) = match answer {
        Answer::Digit(digit) => (contact.raw(), digit),
        Answer::Code(code) => (0, code),
    };
    let taken = consents::take_pending(tx, tenant, whose, code).await?;
    Ok(taken.filter(|pending| now.millis() < pending.expires_at))
}

/// The record that a confirmed request becomes: with what it was asked with, and the message that confirmed it.
pub fn confirmed(
    pending: &Pending,
    (tenant, contact): (TenantId, ContactId),
    scope: ConsentScope,
    at: Timestamp,
    (subject, wamid, text): (&str, &str, &str),
) -> Result<Statement> {
    let mut evidence: Evidence = serde_json::from_str(&pending.value)
        .map_err(|_| StorageError::Corrupt(format!("what waits as {}", pending.id)))?;
    evidence.subject = subject.to_owned();
    evidence.proof = serde_json::json!({
        "asked": evidence.proof,
        "confirmed_by": {"wamid": wamid, "text": text},
    });
    Ok(Statement {
        tenant,
        contact,
        scope,
        status: ConsentStatus::Given,
        channel: ConsentChannel::DoubleOptIn,
        at,
        wording: pending.wording.clone(),
        evidence,
        by: "gateway".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digit_or_a_code_answers() {
        let digit = |text: &str| answer_in(text) == Some(Answer::Digit(text.trim().to_owned()));
        assert!(digit("1") && digit(" 9 "));
        for other in [
            "0",
            "12",
            "1!",
            "one",
            "",
            "join us",
            "JOIN 123",
            "joint 7kq2mx9p1a",
        ] {
            assert_eq!(answer_in(other), None, "{other}");
        }
        let code = Some(Answer::Code("7kq2mx9p1a".to_owned()));
        assert_eq!(answer_in("JOIN 7KQ2MX9P1A"), code);
        assert_eq!(answer_in(" join  7kq2mx9p1a. "), code);
    }
}
