//! What becomes of a send whose answer never came and whose grace period is over (promise 5).
//!
//! Graph has no idempotency key, so a second POST may be a second message. This file only says whether that risk is
//! taken; when to ask is delivery's. A receipt settles the row before and after this rule (`storage::receipts`).

use crate::domain::{DraftClass, OutboundContent};

/// The end of a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Never sent again; the row has failed, `in_doubt`, and is listed, unless a late receipt proves that it went out.
    GiveUp,
    /// Sent once more, at the risk of a double, unless a late receipt comes first and proves that it went out.
    SendOnceMore,
}

/// Repeats that change nothing for the person are tried this often. A guess: later than that nobody looks any more.
const HARMLESS_ATTEMPTS: u32 = 3;

/// `attempts_in_doubt`: how many POSTs of this row ended without an answer, at least 1.
///
/// - Mark-as-read and reactions say the same thing twice: repeated.
/// - One-time codes, marketing and the opt-out confirmation: never twice.
/// - Utility: never twice either. It is charged per delivery, a second "payment received" reads like a second payment,
///   and the tenant's system, which is told `unknown`, knows best whether to say it again.
/// - A reply within the session: once more, because a person is waiting for it; but not as a template, which is
///   charged and may be marketing.
pub fn settle_unknown(
    class: DraftClass,
    content: &OutboundContent,
    attempts_in_doubt: u32,
) -> Settlement {
    let again = match (content, class) {
        (OutboundContent::MarkRead { .. } | OutboundContent::Reaction { .. }, _) => {
            attempts_in_doubt < HARMLESS_ATTEMPTS
        }
        (OutboundContent::Template { .. }, _) => false,
        (_, DraftClass::Reply) => attempts_in_doubt < 2,
        (
            _,
            DraftClass::OptOutConfirmation
            | DraftClass::Utility
            | DraftClass::Marketing
            | DraftClass::Authentication,
        ) => false,
    };
    if again {
        Settlement::SendOnceMore
    } else {
        Settlement::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbound::TemplateContent;
    use Settlement::{GiveUp, SendOnceMore};

    fn text() -> OutboundContent {
        OutboundContent::Text {
            body: "hi".into(),
            preview_url: false,
        }
    }

    fn template() -> OutboundContent {
        OutboundContent::Template(Box::new(TemplateContent::new("code", "en")))
    }

    #[test]
    fn a_session_reply_is_sent_once_more_and_never_twice_more() {
        assert_eq!(settle_unknown(DraftClass::Reply, &text(), 1), SendOnceMore);
        assert_eq!(settle_unknown(DraftClass::Reply, &text(), 2), GiveUp);
        assert_eq!(settle_unknown(DraftClass::Reply, &template(), 1), GiveUp);
    }

    #[test]
    fn nothing_but_a_reply_is_sent_twice() {
        for class in [
            DraftClass::OptOutConfirmation,
            DraftClass::Utility,
            DraftClass::Marketing,
            DraftClass::Authentication,
        ] {
            assert_eq!(settle_unknown(class, &text(), 1), GiveUp, "{class:?}");
            assert_eq!(settle_unknown(class, &template(), 1), GiveUp, "{class:?}");
        }
    }

    #[test]
    fn a_tick_or_an_emoji_may_be_repeated_a_few_times() {
        let tick = OutboundContent::MarkRead {
            message_id: "wamid.A".into(),
            typing: true,
        };
        assert_eq!(settle_unknown(DraftClass::Reply, &tick, 2), SendOnceMore);
        assert_eq!(settle_unknown(DraftClass::Reply, &tick, 3), GiveUp);
    }
}
