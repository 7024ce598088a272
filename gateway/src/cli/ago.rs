//! A moment as an operator types it: how long ago, or a time.

use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::domain::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ago {
    For(SignedDuration),
    At(Timestamp),
}

impl FromStr for Ago {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Timestamp::from_millis(time.as_millisecond())));
        }
        let day = SpanRelativeTo::days_are_24_hours();
        let ago = text.parse::<Span>().and_then(|span| span.to_duration(day));
        match ago {
            Ok(ago) if !ago.is_negative() => Ok(Self::For(ago)),
            _ => Err("neither like \"7d\" or \"12h\" nor like \"2026-11-24T08:00:00Z\"".to_owned()),
        }
    }
}

impl Ago {
    /// The moment, looked at from `now`.
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::For(ago) => now.minus(ago.unsigned_abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_hours_and_times_are_moments() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let at = |text: &str| text.parse::<Ago>().expect("a moment").before(now).millis();
        assert_eq!(at("7d"), now.millis() - 7 * 86_400_000);
        assert_eq!(at("90m"), now.millis() - 90 * 60_000);
        assert_eq!(at("1970-01-01T00:00:01Z"), 1_000);
        for text in ["yesterday", "-1h", "7"] {
            assert!(text.parse::<Ago>().is_err(), "{text}");
        }
    }
}
