//! What is said of a whole account: bans, restrictions, partners, reviews, limits, money, flows.

use super::{News, facts_of, json_of};
use crate::domain::account::{Cause, Extent, Fact, Order, Stop, Subject};
use crate::graph::json::Object;

fn of_account(facts: Vec<Fact>) -> Option<News> {
    Some((Subject::Account, facts))
}

/// `account_update`: its `event` selects the object that says more.
pub(super) fn update(value: &Object<'_>) -> Option<News> {
    let event = value.text("event")?;
    of_account(match event.as_ref() {
        "ACCOUNT_VIOLATION" => facts_of(
            &value.object("violation_info")?,
            &[("violation_type", "violation"), ("remediation", "remedy")],
        ),
        "ACCOUNT_RESTRICTION" => value
            .array("restriction_info")
            .iter()
            .filter_map(|raw| restriction(&Object::parse(raw.get())?))
            .collect(),
        "DISABLED_UPDATE" => ban(&value.object("ban_info")?)?,
        "ACCOUNT_DELETED" => vec![Fact::new("existence", "DELETED").then(hold(
            Cause::Deleted,
            "Meta says that the WhatsApp account was deleted. Nothing can be sent from its numbers.",
        ))],
        "ACCOUNT_OFFBOARDED" | "ACCOUNT_RECONNECTED" => connection(value, &event),
        "PARTNER_ADDED" | "PARTNER_APP_INSTALLED" => vec![
            Fact::new("partner", event.as_ref())
                .then(Some(Order::Release(vec![Cause::PartnerRemoved]))),
        ],
        "PARTNER_REMOVED" | "PARTNER_APP_UNINSTALLED" => {
            vec![Fact::new("partner", event.as_ref()).then(hold(
                Cause::PartnerRemoved,
                "The business took away our access to its WhatsApp account. Revoke the access token, or have the business connect again.",
            ))]
        }
        "PARTNER_CLIENT_CERTIFICATION_NEEDED" => vec![Fact::new("certification", "NEEDED")],
        "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE" => facts_of(
            &value.object("partner_client_certification_info")?,
            &[("status", "certification")],
        ),
        "VOLUME_BASED_PRICING_TIER_UPDATE" => vec![tier(&value.object("volume_tier_info")?)?],
        "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE" => vec![Fact::new(
            "auth_international_rate",
            json_of(value, "auth_international_rate_eligibility")?,
        )],
        "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE" => {
            vec![Fact::new("country", value.string("country")?)]
        }
        "MM_LITE_TERMS_SIGNED" => vec![Fact::new("marketing_messages_terms", "SIGNED")],
        "AD_ACCOUNT_LINKED" => vec![Fact::new("ad_account", "LINKED")],
        "VERIFIED_ACCOUNT" => vec![Fact::new("verification", "VERIFIED")],
        _ => return None,
    })
}

fn hold(cause: Cause, reason: &str) -> Option<Order> {
    Some(Order::Hold(Stop {
        cause,
        extent: Extent::Everything,
        until: None,
        reason: reason.to_owned(),
    }))
}

/// Two of the restrictions stop what we send, each its own half of it (§1.5: "matching traffic"): where Meta stops
/// everything (§6.10) it names both. The others are for people to know. Restricted utility templates are
/// refused by Meta one by one (131064), and only it knows which of ours it counts as such.
fn restriction(info: &Object<'_>) -> Option<Fact> {
    let kind = info.string("restriction_type")?;
    let stop = |cause, extent, what: &str| {
        Order::Hold(Stop {
            cause,
            extent,
            until: info.time("expiration"),
            reason: format!(
                "Meta has restricted the WhatsApp account: {what}. See its notice in Business Support."
            ),
        })
    };
    let order = match kind.as_str() {
        "RESTRICTED_BIZ_INITIATED_MESSAGING" => Some(stop(
            Cause::BusinessInitiatedRestricted,
            Extent::Templates,
            "it may begin no conversation",
        )),
        "RESTRICTED_CUSTOMER_INITIATED_MESSAGING" => Some(stop(
            Cause::CustomerInitiatedRestricted,
            Extent::Answers,
            "it may not answer",
        )),
        _ => None,
    };
    let until = info.string("expiration").unwrap_or_default();
    Some(Fact::new(format!("restriction.{kind}"), until).then(order))
}

fn ban(info: &Object<'_>) -> Option<Vec<Fact>> {
    let state = info.string("waba_ban_state")?;
    let order = match state.as_str() {
        "DISABLE" => hold(
            Cause::Disabled,
            "Meta has disabled the WhatsApp account. Appeal in Business Support; sending goes on when Meta reinstates it.",
        ),
        "REINSTATE" => Some(Order::Release(vec![Cause::Disabled])),
        _ => None,
    };
    let mut facts = vec![Fact::new("ban", state).then(order)];
    facts.extend(facts_of(info, &[("waba_ban_date", "ban_date")]));
    Some(facts)
}

/// The WhatsApp Business app and we share a number, or do not any more (coexistence).
fn connection(value: &Object<'_>, event: &str) -> Vec<Fact> {
    let order = if event == "ACCOUNT_RECONNECTED" {
        Some(Order::Release(vec![Cause::Offboarded]))
    } else {
        hold(
            Cause::Offboarded,
            "The number was disconnected in the WhatsApp Business app. Sending goes on when the business connects it again.",
        )
    };
    let mut facts = vec![Fact::new("connection", event).then(order)];
    let info = value.object("disconnection_info").unwrap_or_default();
    facts.extend(facts_of(
        &info,
        &[
            ("reason", "disconnection_reason"),
            ("initiated_by", "disconnected_by"),
        ],
    ));
    facts
}

/// Meta tells a tier more than once; the smallest time of it counts (facts §1.5), which all of its rows still show.
fn tier(info: &Object<'_>) -> Option<Fact> {
    let part = |key| info.string(key).unwrap_or_default();
    let name = format!(
        "volume_tier.{}.{}.{}.{}",
        part("pricing_category"),
        part("region"),
        part("effective_month"),
        info.string("tier")?
    );
    Some(Fact::new(name, info.string("tier_update_time")?))
}

pub(super) fn review(value: &Object<'_>) -> Option<News> {
    let decision = value.string("decision")?;
    let order = match decision.as_str() {
        "REJECTED" => hold(
            Cause::ReviewRejected,
            "Meta's review rejected the WhatsApp account. Appeal in Business Support; sending goes on when Meta approves it.",
        ),
        "APPROVED" => Some(Order::Release(vec![Cause::ReviewRejected])),
        _ => None,
    };
    of_account(vec![Fact::new("review", decision).then(order)])
}

pub(super) fn alert(value: &Object<'_>) -> Option<News> {
    // Some samples have the alert's keys beside the entity's.
    let info = value.object("alert_info");
    let kind = match &info {
        Some(info) => info.string("alert_type"),
        None => value.string("alert_type"),
    }?;
    let said = json_of(value, "alert_info").or_else(|| value.string("alert_status"));
    let fact = Fact::new(format!("alert.{kind}"), said.unwrap_or_default());
    let of_number = value
        .text("entity_type")
        .is_some_and(|kind| kind == "PHONE_NUMBER");
    let subject = match value.string("entity_id").filter(|_| of_number) {
        Some(number) => Subject::NumberId(number),
        None => Subject::Account,
    };
    Some((subject, vec![fact]))
}

pub(super) fn capability(value: &Object<'_>) -> Option<News> {
    of_account(facts_of(
        value,
        &[
            ("max_daily_conversations_per_business", "messaging_limit"),
            (
                "max_daily_conversation_per_phone",
                "messaging_limit_per_number",
            ),
            ("max_phone_numbers_per_business", "numbers_per_business"),
            ("max_phone_numbers_per_waba", "numbers_per_waba"),
        ],
    ))
}

pub(super) fn payment(value: &Object<'_>) -> Option<News> {
    let name = format!("payment.{}", value.string("configuration_name")?);
    of_account(vec![Fact::new(name, value.string("status")?)])
}

pub(super) fn solution(value: &Object<'_>) -> Option<News> {
    let name = format!("solution.{}", value.string("solution_id")?);
    of_account(vec![Fact::new(name, value.string("solution_status")?)])
}

pub(super) fn flow(value: &Object<'_>) -> Option<News> {
    let event = value.text("event")?;
    let fact = match event.as_ref() {
        "FLOW_STATUS_CHANGE" => Fact::new("status", value.string("new_status")?),
        "FLOW_VERSION_EXPIRY_WARNING" => Fact::new("warning", value.string("warning")?),
        "CLIENT_ERROR_RATE"
        | "ENDPOINT_ERROR_RATE"
        | "ENDPOINT_LATENCY"
        | "ENDPOINT_AVAILABILITY" => {
            Fact::new(format!("health.{event}"), value.string("alert_state")?)
        }
        _ => return None,
    };
    Some((Subject::Flow(value.string("flow_id")?), vec![fact]))
}
