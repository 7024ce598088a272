//! Carrying out a command.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, record};
use super::command::Command;
use super::error::AdminError;
use super::lock::remove_leftover;
use super::permission::permission;
use super::{audit, consent, keys, plugins, secrets, templates};
use crate::audit::OPERATOR;
use crate::checklist::{self, Item};
use crate::contacts;
use crate::explain;
use crate::graph::GraphClient;
use crate::jobs::Traffic;
use crate::plugin_host::Compiler;
use crate::replay::{read, trace};
use crate::storage::{StorageError, backup, counts, migrate, nodes, outbox};
use crate::telemetry::names;
use crate::tenants::apps::{self, NewApp};
use crate::tenants::numbers::{self, NewNumber};
use crate::tenants::{
    SetupContext, SetupError, add_tenant, all_tenants, credentials, find_tenant, holds,
    keys as sealing_keys, removal, set_tenant,
};

/// What commands work on.
#[derive(Debug, Clone)]
pub struct AdminContext {
    pub setup: SetupContext,
    pub compiler: Arc<Compiler>,
    /// For what is asked of Meta in the operator's name.
    pub graph: GraphClient,
    /// What long lists yield to.
    pub traffic: Traffic,
}

/// Carries out a command. A refused one has changed nothing.
pub async fn execute(context: &AdminContext, command: Command) -> Result<Answer, AdminError> {
    let verb = command.verb();
    let answer = dispatch(context, command).await;
    let result = match &answer {
        Ok(_) => "done",
        Err(AdminError::Refused(_)) => "refused",
        Err(AdminError::Failed(_)) => "failed",
    };
    metrics::counter!(names::ADMIN_COMMANDS, "verb" => verb, "result" => result).increment(1);
    answer
}

async fn dispatch(context: &AdminContext, command: Command) -> Result<Answer, AdminError> {
    let setup = &context.setup;
    match command {
        Command::AppAdd {
            meta_app_id,
            name,
            verify_token,
            secrets,
            is_default,
        } => {
            let new = NewApp {
                meta_app_id,
                name,
                verify_token,
                secrets,
                is_default,
            };
            Ok(Answer::app(&apps::add(setup, &new).await?))
        }
        Command::AppAddSecret {
            app,
            secret,
            retire_older,
        } => {
            let retired = apps::add_secret(setup, &app, &secret, retire_older).await?;
            Ok(Answer::Record(
                record! { "app" => app, "retired" => retired, },
            ))
        }
        Command::TenantAdd { name, settings } => {
            let id = add_tenant(setup, &name, &settings).await?;
            Ok(Answer::Record(record! { "id" => id, "name" => name, }))
        }
        Command::TenantSet { tenant, settings } => Ok(Answer::tenant(
            &set_tenant(setup, &tenant, &settings).await?,
        )),
        Command::TenantShow { tenant } => Ok(Answer::tenant(&find_tenant(setup, &tenant).await?)),
        Command::TenantList => Ok(Answer::tenants(&all_tenants(setup).await?)),
        Command::TenantChecklist { tenant } => {
            let tenant = find_tenant(setup, &tenant).await?.id;
            Ok(whole(&checklist::of(setup, tenant).await?))
        }
        Command::TenantAttest { tenant, item, note } => attest(setup, &tenant, item, note).await,
        Command::TenantRemove { .. }
        | Command::AppRemove { .. }
        | Command::CredentialRemove { .. }
        | Command::NumberRemove { .. } => remove(setup, command).await,
        Command::ContactEraseJournals { tenant, contact } => {
            let tenant = find_tenant(setup, &tenant).await?.id;
            let job = contacts::erase_journals(setup, tenant, contact).await?;
            Ok(Answer::Record(
                record! { "contact" => contact, "job" => job.id, },
            ))
        }
        Command::CredentialAdd {
            tenant,
            name,
            token,
            replace,
        } => {
            let id = credentials::add(setup, &tenant, &name, &token, replace).await?;
            Ok(Answer::Record(
                record! { "id" => id, "tenant" => tenant, "name" => name, },
            ))
        }
        Command::NumberAdd { .. } => number_add(setup, command).await,
        Command::Plugin(command) => plugins::execute(context, command).await,
        Command::Template(command) => templates::execute(context, command).await,
        Command::PluginJournal(asked) => Ok(whole(&read::page(setup, &asked).await?)),
        Command::PluginSetup {
            tenant,
            installation,
            version,
        } => {
            let found = read::setup_of(setup, &tenant, installation, version).await?;
            Ok(whole(&found))
        }
        Command::PluginTrace { tenant, turn } => {
            let trace = trace::of(setup, &context.compiler, &tenant, turn).await?;
            Ok(whole(&trace))
        }
        Command::SecretSet {
            tenant,
            name,
            value,
            hosts,
        } => secrets::set(setup, &tenant, &name, &value, &hosts).await,
        Command::SecretList { tenant } => secrets::list(setup, &tenant).await,
        Command::SecretRemove { tenant, name } => secrets::remove(setup, &tenant, &name).await,
        Command::HoldAdd {
            scope,
            reason,
            by,
            seconds,
        } => {
            let lasts = seconds.map(Duration::from_secs);
            Ok(Answer::hold(
                &holds::add(setup, &scope, &reason, &by, lasts).await?,
            ))
        }
        Command::HoldLift { hold } => {
            holds::lift(setup, hold).await?;
            Ok(Answer::Record(record! { "lifted" => hold, }))
        }
        Command::HoldList => Ok(Answer::holds(&holds::list(setup).await?)),
        Command::Permission {
            tenant,
            number,
            person,
        } => permission(setup, &tenant, &number, &person).await,
        Command::KeyAdd {
            tenant,
            name,
            role,
            seconds,
        } => keys::add(setup, tenant, name, role, seconds).await,
        Command::KeyList { tenant } => keys::list(setup, tenant).await,
        Command::KeyRevoke { tenant, key } => keys::revoke(setup, tenant, key).await,
        Command::AuditVerify { heads } => audit::verify(setup, &heads).await,
        Command::Consent(command) => consent::execute(context, command).await,
        Command::Explain { tenant, asked } => {
            let tenant = match tenant {
                Some(name) => Some(find_tenant(setup, &name).await?.id),
                None => None,
            };
            let told = explain::explain(setup, tenant, &asked, explain::Sight::OPERATOR).await?;
            Ok(whole(&told))
        }
        Command::SendsDoubts { limit } => sends_doubts(setup, limit)
            .await
            .map_err(|error| AdminError::failed(&error)),
        Command::KeysRotate { rewrap_only } => keys_rotate(setup, rewrap_only).await,
        Command::Backup { to } => back_up(setup, &to).await,
        Command::Status => status(setup)
            .await
            .map_err(|error| AdminError::failed(&error)),
    }
}

async fn attest(
    setup: &SetupContext,
    tenant: &str,
    item: Item,
    note: Option<String>,
) -> Result<Answer, AdminError> {
    let tenant = find_tenant(setup, tenant).await?.id;
    match note {
        Some(note) => checklist::attest(setup, tenant, item, &note).await?,
        None => checklist::withdraw(setup, tenant, item).await?,
    }
    Ok(whole(&checklist::of(setup, tenant).await?))
}

/// A value that serde writes as an object, as it is.
fn whole(value: &impl serde::Serialize) -> Answer {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => Answer::Record(fields.into_iter().collect()),
        other => Answer::Record(record! { "answer" => other.ok(), }),
    }
}

async fn remove(setup: &SetupContext, command: Command) -> Result<Answer, AdminError> {
    let mut answer = record! {};
    let removed = match command {
        Command::TenantRemove { tenant } => {
            let job = removal::tenant(setup, &tenant).await?;
            answer.insert("job".to_owned(), serde_json::json!(job.id));
            tenant
        }
        Command::AppRemove { app } => {
            removal::app(setup, &app).await?;
            app
        }
        Command::CredentialRemove { tenant, credential } => {
            removal::named_credential(setup, &tenant, &credential).await?;
            credential
        }
        Command::NumberRemove {
            tenant,
            number,
            cancel_queued,
        } => {
            removal::named_number(setup, &tenant, &number, cancel_queued).await?;
            number
        }
        _ => return Err(AdminError::Failed("nothing to remove".to_owned())),
    };
    answer.insert("removed".to_owned(), serde_json::json!(removed));
    Ok(Answer::Record(answer))
}

async fn number_add(setup: &SetupContext, command: Command) -> Result<Answer, AdminError> {
    let Command::NumberAdd {
        tenant,
        app,
        credential,
        portfolio,
        waba_id,
        phone_number_id,
        display_number,
        time_zone,
        throughput,
    } = command
    else {
        return Err(AdminError::Failed("not a number".to_owned()));
    };
    let new = NewNumber {
        tenant,
        app,
        credential,
        portfolio,
        waba_id,
        phone_number_id,
        display_number,
        time_zone,
        throughput,
    };
    Ok(Answer::number(&numbers::add(setup, &new).await?))
}

async fn sends_doubts(setup: &SetupContext, limit: usize) -> Result<Answer, StorageError> {
    let mut tx = setup.db.read().await?;
    Ok(Answer::sends(
        &outbox::doubted_all_tenants(&mut tx, limit).await?,
    ))
}

async fn keys_rotate(setup: &SetupContext, rewrap_only: bool) -> Result<Answer, AdminError> {
    let rotated = match rewrap_only {
        true => sealing_keys::rewrap(setup).await?,
        false => sealing_keys::rotate(setup).await?,
    };
    Ok(Answer::Record(record! {
        "newest_key" => rotated.newest.0,
        "rewrapped" => rotated.rewrapped,
    }))
}

async fn back_up(setup: &SetupContext, to: &Path) -> Result<Answer, AdminError> {
    if tokio::fs::try_exists(to).await.unwrap_or(true) {
        let problem = format!(
            "{} is there already (or its folder cannot be read)",
            to.display()
        );
        return Err(AdminError::Refused(problem));
    }
    if !setup.db.is_sqlite() {
        let how = "PostgreSQL is backed up by its own tools: \
            pg_dump --format=custom --file=vestibule.dump \"$VESTIBULE__DATABASE__URL\"";
        return Err(AdminError::Refused(how.to_owned()));
    }
    let bytes = match copy(setup, to).await {
        Ok(bytes) => bytes,
        Err(error) => {
            // Half a copy must not be taken for one.
            if let Err(error) = remove_leftover(to) {
                tracing::warn!(%error, file = %to.display(), "what there is of the copy stays");
            }
            return Err(error);
        }
    };
    record_backup(setup, to).await?;
    Ok(Answer::Record(record! {
        "file" => to,
        "bytes" => bytes,
        "note" => "the keys are not in it: keep the key file too, in another place",
    }))
}

/// Who holds a copy holds everything: the audit log says that one was made.
async fn record_backup(setup: &SetupContext, to: &Path) -> Result<(), AdminError> {
    let mut tx = setup.db.begin().await.map_err(SetupError::from)?;
    let became = Some(serde_json::json!({"file": to}));
    setup
        .record(&mut tx, OPERATOR, "database.backup", "", None, became)
        .await?;
    Ok(tx.commit().await.map_err(SetupError::from)?)
}

/// A copy holds as much as the database does: its owner's alone from its first byte, and on disk before we say so.
async fn copy(setup: &SetupContext, to: &Path) -> Result<u64, AdminError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| AdminError::failed(&error))?;
    backup::copy_into_all_tenants(&setup.db, to)
        .await
        .map_err(SetupError::from)?;
    file.sync_all()
        .and_then(|()| file.metadata())
        .map(|metadata| metadata.len())
        .map_err(|error| AdminError::failed(&error))
}

async fn status(setup: &SetupContext) -> Result<Answer, StorageError> {
    let mut record = record! {
        "database" => if setup.db.is_sqlite() { "sqlite" } else { "postgresql" },
        "migrations_pending" => migrate::pending(&setup.db).await?,
        "sealing_key" => setup.keyring.newest().0,
    };
    let mut tx = setup.db.read().await?;
    let nodes = nodes::live_slots(&mut tx).await?;
    record.insert(
        "nodes".to_owned(),
        serde_json::json!(nodes.iter().filter(|slot| slot.is_node()).count()),
    );
    for (name, count) in counts::counts_all_tenants(&mut tx).await? {
        record.insert(name.replace(' ', "_"), serde_json::json!(count));
    }
    Ok(Answer::Record(record))
}
