//! Topics: the parts of marketing that a tenant has names for. One is never taken away: records name it for ever.

use serde_json::json;

use crate::domain::{ConsentScope, TenantId};
use crate::policy::TOPICS_MOST;
use crate::storage::changes;
use crate::storage::consents::{self, Topic};
use crate::tenants::{SetupContext, SetupError, check_text};

pub async fn list(setup: &SetupContext, tenant: TenantId) -> Result<Vec<Topic>, SetupError> {
    let mut tx = setup.db.read().await?;
    Ok(consents::topics(&mut tx, tenant).await?)
}

/// Adds a topic.
pub async fn add(
    setup: &SetupContext,
    tenant: TenantId,
    name: &str,
    title: &str,
) -> Result<Topic, SetupError> {
    if !ConsentScope::is_topic_name(name) {
        let what = "must be 1 to 40 of a-z, 0-9, _ and -".to_owned();
        return Err(SetupError::invalid("the topic's name", what));
    }
    check_text("the topic's title", title, 100)?;
    let mut tx = setup.db.begin().await?;
    // Whoever adds another at the same time waits for the row that counts changes of setup.
    changes::bump_setup_all_tenants(&mut tx).await?;
    let known = consents::topics(&mut tx, tenant).await?;
    if known.len() >= usize::from(TOPICS_MOST) {
        let what = format!("a tenant has at most {TOPICS_MOST}, and they are never taken away");
        return Err(SetupError::invalid("the topic", what));
    }
    let topic = Topic {
        tenant: tenant.raw(),
        bit: known.last().map_or(0, |last| last.bit + 1),
        name: name.to_owned(),
        title: title.to_owned(),
        created_at: setup.clock.now().millis(),
    };
    if !consents::add_topic(&mut tx, tenant, &topic).await? {
        return Err(SetupError::taken("topic", name));
    }
    let became = Some(json!({"title": title}));
    setup
        .record(&mut tx, tenant, "consent_topic.add", name, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(topic)
}
