//! Holds: stops that an operator puts on sending, and lifts.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::check_text;
use super::{Result, SetupContext, SetupError, find};
use crate::audit::{self, Actor, OPERATOR, Record};
use crate::domain::{
    AuditId, ConversationId, HoldId, NumberId, StreamEvent, StreamKind, TenantId, Timestamp,
};
use crate::storage::holds::{self, Held, Hold};
use crate::storage::{StorageError, Tx};

/// What shall be stopped, in the operator's words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    All,
    Tenant { tenant: String },
    Number { tenant: String, number: String },
    Plugin { tenant: String, plugin: String },
    Credential { tenant: String, credential: String },
    AllTemplates { tenant: String },
}

/// Places a hold. No send that it concerns is cleared, or claimed, once running nodes have noticed.
pub async fn add(
    setup: &SetupContext,
    scope: &Scope,
    reason: &str,
    by: &str,
    lasts: Option<Duration>,
) -> Result<Hold> {
    check_text("the reason", reason, 500)?;
    check_text("the name of who places it", by, 100)?;
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let hold = Hold {
        id: HoldId::from_raw(setup.next_id()),
        held: held(&mut tx, scope).await?,
        reason: reason.to_owned(),
        placed_by: by.to_owned(),
        placed_at: now,
        until: lasts.map(|lasts| now.plus(lasts)),
        lifted_at: None,
    };
    holds::insert_hold_all_tenants(&mut tx, &hold).await?;
    let (realm, became) = (realm(&hold.held), Some(shown(&hold)));
    setup
        .record(&mut tx, realm, "hold.place", hold.id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(hold)
}

/// Lifts a hold. What it refused stays refused: lifting releases no flood.
pub async fn lift(setup: &SetupContext, hold: HoldId) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    if !holds::lift_hold_all_tenants(&mut tx, hold, setup.clock.now()).await? {
        return Err(SetupError::not_found("hold in force", &hold.to_string()));
    }
    if let Some(lifted) = holds::hold_all_tenants(&mut tx, hold).await? {
        let (realm, was) = (realm(&lifted.held), Some(shown(&lifted)));
        setup
            .record(&mut tx, realm, "hold.lift", hold, was, None)
            .await?;
    }
    setup.commit(tx).await?;
    Ok(())
}

/// Places a hold that the gateway itself found necessary, in the transaction of what told it so. `entry`: of the audit
/// log.
pub async fn place_by_gateway(
    tx: &mut Tx,
    hold: &Hold,
    entry: AuditId,
) -> Result<(), StorageError> {
    holds::insert_hold_all_tenants(tx, hold).await?;
    if let Held::NumberMarketing(tenant, number) = &hold.held {
        let nobody = ConversationId::from_raw(0);
        let event = StreamEvent::new(*tenant, nobody, StreamKind::MarketingHeld, hold.placed_at);
        tx.tell(event.about(number.raw()).noting(&hold.reason));
    }
    let by = Actor::gateway();
    let record = Record {
        tenant: realm(&hold.held),
        action: "hold.place",
        object: hold.id.to_string(),
        was: None,
        became: Some(shown(hold)),
        by: &by,
    };
    Ok(audit::append(tx, entry, hold.placed_at, record).await?)
}

/// Lifts what holds of this origin stop, because of something that the gateway was told.
pub async fn lift_by_gateway(
    tx: &mut Tx,
    (held, origin): (&Held, &str),
    why: &str,
    now: Timestamp,
    mut entry: impl FnMut() -> AuditId,
) -> Result<(), StorageError> {
    let by = Actor::gateway();
    for hold in holds::lift_held_by_all_tenants(tx, held, origin, now).await? {
        let record = Record {
            tenant: realm(&hold.held),
            action: "hold.lift",
            object: hold.id.to_string(),
            was: Some(shown(&hold)),
            became: Some(json!({"because": why})),
            by: &by,
        };
        audit::append(tx, entry(), now, record).await?;
    }
    Ok(())
}

/// Holds in force, oldest first.
pub async fn list(setup: &SetupContext) -> Result<Vec<Hold>> {
    let mut tx = setup.db.read().await?;
    let now = setup.clock.now();
    let all = holds::holds_all_tenants(&mut tx).await?;
    let in_force = |hold: &Hold| hold.until.is_none_or(|until| now < until);
    Ok(all.into_iter().filter(in_force).collect())
}

/// Holds in force that bear on a tenant after an id, oldest first: those of its own things and those of everything.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Hold>> {
    let mut tx = setup.db.read().await?;
    let now = setup.clock.now();
    Ok(holds::holds_of(&mut tx, tenant, now, after, most).await?)
}

/// A hold in force that bears on a tenant. [`OPERATOR`] sees every hold.
pub async fn find_one(setup: &SetupContext, tenant: TenantId, id: HoldId) -> Result<Hold> {
    let mut tx = setup.db.read().await?;
    let now = setup.clock.now();
    let concerns = |hold: &Hold| {
        let realm = realm(&hold.held);
        let in_force = hold.until.is_none_or(|until| now < until);
        in_force && (tenant == OPERATOR || realm == OPERATOR || realm == tenant)
    };
    holds::hold_all_tenants(&mut tx, id)
        .await?
        .filter(concerns)
        .filter(|hold| hold.lifted_at.is_none())
        .ok_or_else(|| SetupError::not_found("hold", &id.to_string()))
}

/// Whose hold it is; [`OPERATOR`] for one of everything.
pub fn realm(held: &Held) -> TenantId {
    match held {
        Held::All => OPERATOR,
        Held::Tenant(tenant)
        | Held::Number(tenant, _)
        | Held::Plugin(tenant, _)
        | Held::Template(tenant, ..)
        | Held::Templates(tenant)
        | Held::NumberTemplates(tenant, _)
        | Held::NumberReplies(tenant, _)
        | Held::NumberMarketing(tenant, _)
        | Held::Credential(tenant, _) => *tenant,
    }
}

fn shown(hold: &Hold) -> Value {
    json!({
        "held": format!("{:?}", hold.held),
        "reason": hold.reason,
        "by": hold.placed_by,
        "until": hold.until.map(|until| until.to_string()),
    })
}

async fn held(tx: &mut Tx, scope: &Scope) -> Result<Held> {
    Ok(match scope {
        Scope::All => Held::All,
        Scope::Tenant { tenant } => Held::Tenant(find::tenant(tx, tenant).await?),
        Scope::Number { tenant, number } => {
            let tenant = find::tenant(tx, tenant).await?;
            let number: NumberId = find::number(tx, tenant, number).await?.id;
            Held::Number(tenant, number)
        }
        // By name, installed or not: a hold may come before the plugin does.
        Scope::Plugin { tenant, plugin } => {
            check_text("the plugin's name", plugin, 64)?;
            Held::Plugin(find::tenant(tx, tenant).await?, plugin.clone())
        }
        Scope::Credential { tenant, credential } => {
            let tenant = find::tenant(tx, tenant).await?;
            Held::Credential(tenant, find::credential(tx, tenant, credential).await?)
        }
        Scope::AllTemplates { tenant } => Held::Templates(find::tenant(tx, tenant).await?),
    })
}
