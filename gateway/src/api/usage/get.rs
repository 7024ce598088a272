//! `GET /usage`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::moment::Moment;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use crate::directory::NumberEntry;
use crate::domain::{DraftClass, NumberId, TenantId, Timestamp};
use crate::metering::month_in;
use crate::policy::limits::{LimitRules, month_of};
use crate::storage::{Tx, limits};

const DAY: Duration = Duration::from_secs(86_400);

/// What of this month's, and of Meta's limits, is used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageView {
    /// Of the monthly caps: `2026-11`, UTC.
    month: String,
    /// What the tenant began, by category.
    categories: Vec<CategoryView>,
    /// Service messages against Meta's allowance, by number.
    numbers: Vec<NumberView>,
    /// People messaged outside a window in the last 24 hours, against Meta's limit.
    portfolios: Vec<PortfolioView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CategoryUsage)]
struct CategoryView {
    /// `utility`, `marketing`, `authentication`.
    category: String,
    begun: i64,
    /// The tenant's own cap. `null`: none.
    most: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NumberUsage)]
struct NumberView {
    number: NumberId,
    /// Of the account's own time zone.
    month: String,
    /// Messages without a template that Meta took. Some seconds old.
    service_messages: i64,
    /// What Meta lets go free, as the tenant's settings say.
    free: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PortfolioUsage)]
struct PortfolioView {
    portfolio: String,
    people: i64,
    /// `null`: unlimited, or not known.
    limit: Option<i64>,
    /// When the first of them leaves the count.
    frees_at: Option<Moment>,
}

/// How much is used
///
/// Counted as messages are claimed: what Meta charges in the end its own reports say.
#[utoipa::path(
    get, path = "/usage", operation_id = "usage.get", tag = "usage",
    params(TenantParam),
    responses((status = 200, description = "The counts", body = UsageView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
) -> Answer<Json<UsageView>> {
    let now = api.setup.clock.now();
    let snapshot = api.desk.directory.snapshot();
    let own = snapshot
        .numbers()
        .filter(|entry| entry.number.tenant == tenant);
    let mut numbers: Vec<&NumberEntry> = own.map(AsRef::as_ref).collect();
    numbers.sort_unstable_by_key(|entry| entry.number.id);
    let rules = numbers
        .first()
        .map(|entry| entry.tenant.limits.clone())
        .unwrap_or_default();
    let mut tx = api.setup.db.read().await?;
    Ok(Json(UsageView {
        month: word(month_of(now)),
        categories: categories(&mut tx, tenant, &rules, now).await?,
        numbers: of_numbers(&mut tx, tenant, &numbers, now).await?,
        portfolios: portfolios(&mut tx, &numbers, now).await?,
    }))
}

async fn categories(
    tx: &mut Tx,
    tenant: TenantId,
    rules: &LimitRules,
    now: Timestamp,
) -> Answer<Vec<CategoryView>> {
    let mut begun: BTreeMap<i64, i64> = BTreeMap::new();
    for (key, messages) in limits::months_of(tx, tenant, month_of(now)).await? {
        *begun.entry(key.class).or_default() += messages;
    }
    let view = |category: &str, class: DraftClass, most| CategoryView {
        category: category.to_owned(),
        begun: begun.get(&class.code()).copied().unwrap_or_default(),
        most,
    };
    Ok(vec![
        view("utility", DraftClass::Utility, rules.utility.per_month),
        view(
            "marketing",
            DraftClass::Marketing,
            rules.marketing.per_month,
        ),
        view(
            "authentication",
            DraftClass::Authentication,
            rules.codes_per_month,
        ),
    ])
}

async fn of_numbers(
    tx: &mut Tx,
    tenant: TenantId,
    numbers: &[&NumberEntry],
    now: Timestamp,
) -> Answer<Vec<NumberView>> {
    let month = |entry: &NumberEntry| month_in(&entry.number.time_zone, now);
    let months: BTreeSet<i64> = numbers.iter().map(|entry| month(entry)).collect();
    let mut counted: BTreeMap<(i64, NumberId), i64> = BTreeMap::new();
    for month in months {
        for (key, messages) in limits::months_of(tx, tenant, month).await? {
            if key.class == DraftClass::Reply.code() {
                counted.insert((month, key.number), messages);
            }
        }
    }
    let view = |entry: &&NumberEntry| {
        let (month, number) = (month(entry), entry.number.id);
        NumberView {
            number,
            month: word(month),
            service_messages: counted.get(&(month, number)).copied().unwrap_or_default(),
            free: entry.tenant.limits.free_service_messages,
        }
    };
    Ok(numbers.iter().map(view).collect())
}

async fn portfolios(
    tx: &mut Tx,
    numbers: &[&NumberEntry],
    now: Timestamp,
) -> Answer<Vec<PortfolioView>> {
    let names: BTreeSet<&str> = numbers
        .iter()
        .map(|entry| entry.number.portfolio.as_str())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let known = limits::portfolio_limits_all_tenants(tx, &names).await?;
    let mut views = Vec::with_capacity(names.len());
    for name in names {
        let (people, first) = limits::people_all_tenants(tx, name, now.minus(DAY)).await?;
        views.push(PortfolioView {
            portfolio: name.to_owned(),
            people,
            limit: known.get(name).copied().filter(|limit| *limit >= 0),
            frees_at: first.map(|at| Moment(at.plus(DAY))),
        });
    }
    Ok(views)
}

/// `202611` as people write it.
fn word(month: i64) -> String {
    format!("{:04}-{:02}", month / 100, month % 100)
}
