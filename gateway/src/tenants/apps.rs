//! Meta apps: each has a callback URL, a verify token and one or more secrets.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::error::{check_meta_id, check_text};
use super::{Result, SetupContext, SetupError, find, places};
use crate::audit::OPERATOR;
use crate::domain::AppId;
use crate::storage::Tx;
use crate::storage::apps::{self, App, AppSecret};

/// A new app as the operator gives it.
#[derive(Debug)]
pub struct NewApp {
    pub meta_app_id: String,
    pub name: String,
    pub verify_token: SecretString,
    /// At least one; a webhook signed with any of them is taken.
    pub secrets: Vec<SecretString>,
    /// Shall it answer at the callback URL without an app id? The first app does in any case.
    pub is_default: bool,
}

/// Adds an app. Answers with it as it is stored.
pub async fn add(setup: &SetupContext, new: &NewApp) -> Result<App> {
    check_meta_id("the Meta app id", &new.meta_app_id)?;
    check_text("the app's name", &new.name, 100)?;
    check_secret("the verify token", &new.verify_token)?;
    if new.secrets.is_empty() {
        return Err(SetupError::invalid("the app", "needs at least one secret"));
    }
    let mut tx = setup.db.begin().await?;
    let first = apps::apps_all_tenants(&mut tx).await?.is_empty();
    let id = AppId::from_raw(setup.next_id());
    let app = App {
        id,
        meta_app_id: new.meta_app_id.clone(),
        name: new.name.clone(),
        verify_token: setup
            .keyring
            .seal(places::verify_token(id), &new.verify_token)?,
        is_default: new.is_default || first,
        created_at: setup.clock.now(),
    };
    if !apps::insert_app_all_tenants(&mut tx, &app).await? {
        return Err(SetupError::taken("app", &new.meta_app_id));
    }
    for secret in &new.secrets {
        insert_secret(setup, &mut tx, id, secret).await?;
    }
    let became = Some(json!({
        "meta_app_id": app.meta_app_id,
        "name": app.name,
        "default": app.is_default,
        "secrets": new.secrets.len(),
    }));
    setup
        .record(&mut tx, OPERATOR, "app.create", id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(app)
}

/// Adds a secret to an app, as when Meta's is being reset. `retire_older`: only the new one counts from now on.
/// Answers how many were retired.
pub async fn add_secret(
    setup: &SetupContext,
    app: &str,
    secret: &SecretString,
    retire_older: bool,
) -> Result<u64> {
    let mut tx = setup.db.begin().await?;
    let app = find::app(&mut tx, Some(app)).await?;
    insert_secret(setup, &mut tx, app.id, secret).await?;
    let retired = match retire_older {
        true => apps::retire_older_secrets_all_tenants(&mut tx, app.id, setup.clock.now()).await?,
        false => 0,
    };
    let became = Some(json!({"secret": "added", "older_retired": retired}));
    setup
        .record(&mut tx, OPERATOR, "app.add_secret", app.id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(retired)
}

/// Every app, oldest first: there are few.
pub async fn list(setup: &SetupContext) -> Result<Vec<App>> {
    let mut tx = setup.db.read().await?;
    Ok(apps::apps_all_tenants(&mut tx).await?)
}

async fn insert_secret(
    setup: &SetupContext,
    tx: &mut Tx,
    app: AppId,
    secret: &SecretString,
) -> Result<()> {
    check_secret("the app secret", secret)?;
    let id = setup.next_id();
    let sealed = AppSecret {
        id,
        app,
        secret: setup.keyring.seal(places::app_secret(id), secret)?,
        created_at: setup.clock.now(),
    };
    Ok(apps::insert_app_secret_all_tenants(tx, &sealed).await?)
}

/// A secret that came from a file or a terminal often has a line's end that nobody meant.
pub(super) fn check_secret(field: &'static str, secret: &SecretString) -> Result<()> {
    let text = secret.expose_secret();
    if text.is_empty() || text.len() > 4_096 || text.chars().any(|c| c.is_control() || c == ' ') {
        let problem = "must have 1 to 4,096 bytes, without spaces and line ends";
        return Err(SetupError::invalid(field, problem));
    }
    Ok(())
}
