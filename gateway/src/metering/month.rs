//! Sums of months, written every few seconds, and the warnings as an allowance is used up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::{Clock, ConversationId, NumberId, StreamEvent, StreamKind, Timestamp};
use crate::policy::limits::{month_of, zone};
use crate::storage::limits::{MonthKey, count_all_tenants};
use crate::storage::{Db, Result};

use super::Meter;

/// How much a node that is killed may forget. A guess: one small transaction in so many seconds is nothing.
const EVERY: Duration = Duration::from_secs(5);

/// Shares of the allowance at which tenants are warned, in percent.
const WARNINGS: [i64; 2] = [80, 100];

/// How many service messages a number has free in a month; `None`: it is not known here.
pub type Allowance = dyn Fn(NumberId) -> Option<i64> + Send + Sync;

/// Writes sums until stopped, and once more then.
pub async fn keep(
    db: Db,
    allowance: Arc<Allowance>,
    clock: Arc<dyn Clock>,
    meter: Arc<Meter>,
    stop: CancellationToken,
) {
    loop {
        let stopped = stop.is_cancelled();
        let months = meter.take_months();
        if let Err(error) = write(&db, allowance.as_ref(), clock.now(), &months).await {
            tracing::warn!(error = ?error, "service messages could not be counted; they are counted later");
            meter.put_back(months);
        }
        if stopped {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn write(
    db: &Db,
    allowance: &Allowance,
    now: Timestamp,
    months: &BTreeMap<MonthKey, i64>,
) -> Result<()> {
    if months.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for (key, total) in count_all_tenants(&mut tx, months).await? {
        let Some(allowance) = allowance(key.number) else {
            continue;
        };
        let before = total - months[&key];
        for percent in crossed(allowance, before, total) {
            let event = StreamEvent::new(
                key.tenant,
                ConversationId::from_raw(0),
                StreamKind::UsageWarned,
                now,
            );
            let note = format!("service_messages {percent}% of {allowance}");
            tx.tell(
                event
                    .about(key.number.raw())
                    .with_detail(percent)
                    .noting(note),
            );
        }
    }
    tx.commit().await
}

/// The warnings between two sums.
fn crossed(allowance: i64, before: i64, total: i64) -> impl Iterator<Item = i64> {
    let reaches = move |sum: i64, percent: i64| sum * 100 >= allowance * percent;
    let new = move |percent: &i64| reaches(total, *percent) && !reaches(before, *percent);
    WARNINGS
        .into_iter()
        .filter(move |percent| allowance > 0 && new(percent))
}

/// The calendar month of a moment in a zone, as `202611`; in UTC where the zone is not known.
pub fn month_in(name: &str, at: Timestamp) -> i64 {
    let moment = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    let Some(zone) = zone(name) else {
        return month_of(at);
    };
    let date = moment.to_zoned(zone).date();
    i64::from(date.year()) * 100 + i64::from(date.month())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_comes_once() {
        let crossed = |before, total| crossed(1000, before, total).collect::<Vec<_>>();
        assert!(crossed(0, 799).is_empty());
        assert_eq!(crossed(799, 800), [80]);
        assert!(crossed(800, 999).is_empty());
        assert_eq!(crossed(999, 1005), [100]);
        assert_eq!(crossed(0, 5000), [80, 100]);
        assert_eq!(super::crossed(0, 0, 10).count(), 0);
    }

    #[test]
    fn a_month_begins_where_the_account_is() {
        let new_year: jiff::Timestamp = "2026-12-31T20:00:00Z".parse().expect("a time");
        let at = Timestamp::from_millis(new_year.as_millisecond());
        assert_eq!(month_in("Asia/Tokyo", at), 202_701);
        assert_eq!(month_in("America/New_York", at), 202_612);
        assert_eq!(month_in("Mars/Olympus", at), 202_612);
    }
}
