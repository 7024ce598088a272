//! How often one key may ask: a bucket for each, in this node's memory (several nodes allow as much each).

use std::collections::HashMap;
use std::sync::Mutex;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::domain::{ApiKeyId, Timestamp};
use crate::sync::lock;

/// Buckets that are full again are dropped when there are more than so many.
const KEPT: usize = 10_000;
const MINUTE_MS: i64 = 60_000;

/// Who has asked how much. A bucket holds a minute's requests and fills evenly (GCRA: one time stamp a key).
#[derive(Debug)]
pub struct Rates {
    per_minute: i64,
    /// When the bucket will be full again.
    full_at: Mutex<HashMap<ApiKeyId, i64>>,
}

/// What is left after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub allowed: bool,
    pub per_minute: i64,
    pub requests: i64,
    /// Until the next one is allowed, or until all are.
    pub seconds: i64,
}

impl Rates {
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: i64::from(per_minute.max(1)),
            full_at: Mutex::default(),
        }
    }

    pub fn take(&self, key: ApiKeyId, now: Timestamp) -> Left {
        let now = now.millis();
        let mut buckets = lock(&self.full_at);
        if buckets.len() > KEPT {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.entry(key).or_insert(now);
        // A clock that went back must lock nobody out for longer than a bucket takes to fill.
        let before = (*full_at).clamp(now, now.saturating_add(MINUTE_MS));
        let each = MINUTE_MS / self.per_minute;
        let after = before + each.max(1);
        let allowed = after - now <= MINUTE_MS;
        *full_at = if allowed { after } else { before };
        let debt = if allowed { after - now } else { before - now };
        let wait_ms = if allowed {
            debt
        } else {
            after - now - MINUTE_MS
        };
        Left {
            allowed,
            per_minute: self.per_minute,
            requests: ((MINUTE_MS - debt) / each.max(1)).max(0),
            seconds: wait_ms.div_euclid(1000) + i64::from(wait_ms.rem_euclid(1000) > 0),
        }
    }
}

impl Left {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), `Retry-After` (RFC 9110 §10.2.3).
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let policy = format!("\"key\";q={};w=60", self.per_minute);
        let left = format!("\"key\";r={};t={}", self.requests, self.seconds);
        let mut write = |name: HeaderName, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        write(HeaderName::from_static("ratelimit-policy"), policy);
        write(HeaderName::from_static("ratelimit"), left);
        if !self.allowed {
            write(RETRY_AFTER, self.seconds.max(1).to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_minutes_requests_may_come_at_once_and_then_evenly() {
        let rates = Rates::new(60);
        let (key, now) = (ApiKeyId::from_raw(1), Timestamp::from_secs(1_790_000_000));
        for left in (0..60).rev() {
            let taken = rates.take(key, now);
            assert!(taken.allowed);
            assert_eq!(taken.requests, left);
        }
        let refused = rates.take(key, now);
        assert!(!refused.allowed);
        assert_eq!(refused.seconds, 1);
        assert!(rates.take(ApiKeyId::from_raw(2), now).allowed);
        let later = now.plus(Duration::from_secs(1));
        assert!(rates.take(key, later).allowed);
        assert!(!rates.take(key, later).allowed);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let rates = Rates::new(60);
        let key = ApiKeyId::from_raw(1);
        assert!(rates.take(key, Timestamp::from_secs(2_000_000)).allowed);
        rates.take(key, Timestamp::from_secs(1_000_000));
        assert!(rates.take(key, Timestamp::from_secs(1_000_001)).allowed);
    }
}
