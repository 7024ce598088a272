//! Rule 5: the 24-hour customer service window, in its three states (§6.1).
//!
//! Meta's clock decides, not ours: when in doubt we send and let 131047 close the window.

use std::time::Duration;

use crate::domain::{Draft, DraftClass, OutboundContent, Timestamp};

use super::decide::Refusal;
use super::facts::Facts;
use super::reason::Reason;

const WINDOW: Duration = Duration::from_secs(24 * 3600);
/// How long after its end a window still counts as open: clocks differ, and Meta's verdict costs nothing (§6.1).
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// What is known of the window of one person on one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowFacts {
    /// Meta's timestamp of the last message that opened or refreshed it, in whole seconds.
    pub last_inbound_at: Option<Timestamp>,
    /// Messages from before this never came to us.
    pub number_connected_at: Timestamp,
    /// End of the last time in which webhooks may have been missed.
    pub ingest_gap_until: Option<Timestamp>,
    /// When Meta last answered 131047 to this person.
    pub closed_by_meta_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowState {
    /// Free-form messages go out; `until` includes the margin.
    Open { until: Timestamp },
    /// Templates only, until the person writes again.
    Closed,
    /// A message that opened it may have come where we could not see it: sent, and Meta judges.
    Unknown,
}

/// What decides the price of a message that is sent now (§6.2, §6.3). How much that is, Meta's rate card says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowPrice {
    /// Nothing is charged until then, whatever it is. A window of price, not of permission.
    FreeEntryPoint { until: Timestamp },
    /// What is no template is a service message, a template is charged by its category.
    Service,
    /// Only templates go, each charged by its category.
    ByCategory,
    /// One of the two before: nobody knows whether the window is open.
    Unknown,
}

impl WindowFacts {
    /// `free_until`: the end of the free entry point, by the last receipt that told of one.
    pub fn price(&self, free_until: Option<Timestamp>, now: Timestamp) -> WindowPrice {
        match (free_until, self.state(now)) {
            (Some(until), _) if now < until => WindowPrice::FreeEntryPoint { until },
            (_, WindowState::Open { .. }) => WindowPrice::Service,
            (_, WindowState::Closed) => WindowPrice::ByCategory,
            (_, WindowState::Unknown) => WindowPrice::Unknown,
        }
    }

    pub fn state(&self, now: Timestamp) -> WindowState {
        if self.is_closed_by_meta() {
            return WindowState::Closed;
        }
        let until = self.last_inbound_at.map(|at| at.plus(WINDOW).plus(MARGIN));
        match until {
            Some(until) if now < until => WindowState::Open { until },
            _ if self.may_have_missed_one(now) => WindowState::Unknown,
            _ => WindowState::Closed,
        }
    }

    /// 131047 closes until the next inbound message. Meta's times are whole seconds: a message of the same second
    /// counts as later, because a reply that is refused once more harms less than one that is never tried.
    fn is_closed_by_meta(&self) -> bool {
        let Some(closed) = self.closed_by_meta_at else {
            return false;
        };
        let second = Timestamp::from_secs(closed.millis().div_euclid(1000));
        self.last_inbound_at.is_none_or(|inbound| inbound < second)
    }

    /// Could a message that we never saw still hold the window open?
    fn may_have_missed_one(&self, now: Timestamp) -> bool {
        let blind_until = self
            .ingest_gap_until
            .map_or(self.number_connected_at, |gap| {
                gap.max(self.number_connected_at)
            });
        now < blind_until.plus(WINDOW)
    }
}

/// Refuses what needs an open window while it is surely closed.
pub(super) fn lets_through(facts: &Facts, draft: &Draft, now: Timestamp) -> Result<(), Refusal> {
    if needs_window(draft) && facts.window.state(now) == WindowState::Closed {
        return Err(Refusal::new(Reason::WindowClosed)
            .allowing("an approved template, or any message once the person writes again"));
    }
    Ok(())
}

/// Free-form content needs the window, and so does whatever calls itself an answer, except mark-as-read, which shows
/// the person no message.
fn needs_window(draft: &Draft) -> bool {
    match draft.content {
        OutboundContent::Template { .. } => {
            matches!(
                draft.class,
                DraftClass::Reply | DraftClass::OptOutConfirmation
            )
        }
        _ => draft.content.needs_open_window(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::decide;
    use crate::policy::fixture::{code_of, facts, now, plugin_reply, template};

    const DAY: Duration = WINDOW;

    fn long_connected() -> WindowFacts {
        WindowFacts {
            last_inbound_at: None,
            number_connected_at: now().minus(DAY * 30),
            ingest_gap_until: None,
            closed_by_meta_at: None,
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn verdict(window: WindowFacts, draft: &Draft) -> String {
        let mut facts = facts();
        facts.window = window;
        code_of(&decide(&facts, draft, now())).to_owned()
    }

    #[test]
    fn reply_after_24_hours_is_refused_without_a_template() {
        let edge = DAY + seconds(300);
        let mut window = long_connected();
        window.last_inbound_at = Some(now().minus(edge - Duration::from_millis(1)));
        assert_eq!(verdict(window, &plugin_reply("hi")), "cleared");
        window.last_inbound_at = Some(now().minus(edge));
        assert_eq!(verdict(window, &plugin_reply("hi")), "window_closed");
        assert_eq!(verdict(window, &template("order_update", "en")), "cleared");
    }

    #[test]
    fn a_template_that_calls_itself_a_reply_needs_the_window() {
        let mut draft = template("order_update", "en");
        draft.class = DraftClass::Reply;
        assert_eq!(verdict(long_connected(), &draft), "window_closed");
    }

    #[test]
    fn a_number_connected_today_and_the_day_after_a_gap_are_unknown_and_sent() {
        let mut window = long_connected();
        assert_eq!(window.state(now()), WindowState::Closed);
        window.number_connected_at = now().minus(DAY - seconds(1));
        assert_eq!(window.state(now()), WindowState::Unknown);
        assert_eq!(verdict(window, &plugin_reply("hi")), "cleared");
        let mut window = long_connected();
        window.ingest_gap_until = Some(now().minus(DAY - seconds(1)));
        assert_eq!(window.state(now()), WindowState::Unknown);
        window.ingest_gap_until = Some(now().minus(DAY));
        assert_eq!(window.state(now()), WindowState::Closed);
    }

    #[test]
    fn meta_closes_an_open_and_an_unknown_window_until_the_next_message() {
        let mut window = long_connected();
        window.number_connected_at = now();
        window.closed_by_meta_at = Some(now().minus(seconds(10)));
        assert_eq!(window.state(now()), WindowState::Closed);
        window.last_inbound_at = Some(now().minus(seconds(20)));
        assert_eq!(window.state(now()), WindowState::Closed);
        window.last_inbound_at = Some(now().minus(seconds(5)));
        assert!(matches!(window.state(now()), WindowState::Open { .. }));
    }

    #[test]
    fn a_free_entry_point_sets_the_price_until_it_ends_and_the_window_after_it() {
        let mut window = long_connected();
        let until = now().plus(seconds(1));
        let free = WindowPrice::FreeEntryPoint { until };
        assert_eq!(window.price(Some(until), now()), free);
        assert_eq!(verdict(window, &plugin_reply("hi")), "window_closed");
        let price = |window: WindowFacts| window.price(Some(now()), now());
        assert_eq!(price(window), WindowPrice::ByCategory);
        window.last_inbound_at = Some(now());
        assert_eq!(price(window), WindowPrice::Service);
        window.last_inbound_at = None;
        window.number_connected_at = now();
        assert_eq!(price(window), WindowPrice::Unknown);
        assert_eq!(window.price(None, now()), WindowPrice::Unknown);
    }

    #[test]
    fn a_message_in_the_second_of_the_refusal_opens_the_window() {
        let mut window = long_connected();
        window.last_inbound_at = Some(Timestamp::from_secs(now().millis() / 1000));
        window.closed_by_meta_at = Some(now());
        assert!(matches!(window.state(now()), WindowState::Open { .. }));
    }

    #[test]
    fn ticks_need_no_window() {
        let mut draft = plugin_reply("");
        draft.content = OutboundContent::MarkRead {
            message_id: "wamid.A".into(),
            typing: false,
        };
        assert_eq!(verdict(long_connected(), &draft), "cleared");
    }
}
