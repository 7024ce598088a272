//! What was built, into service: uploaded, installed and promoted by the services that the API uses. The grants that its
//! manifest asks for are given, since the machine is its author's; of those that ask for any, what the author names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::admin::{self, AdminContext, Command};
use crate::cli::demo::cast::AUTHOR;
use crate::directory::Directory;
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::{ComponentDigest, Grant, Manifest, asks_for, inspect};
use crate::sync::blocking;
use crate::tenants::SetupError;
use crate::tenants::installations::{self, NewInstallation, Source};

/// A version that fails stays in service: whoever writes it wants to see it fail.
const BOUNDS: Bounds = Bounds {
    least_turns: 1_000_000,
    fault_percent: 100.0,
    fuel_percent: 100.0,
    latency_ms: 600_000,
    difference_percent: 100.0,
};

pub(super) struct Live {
    context: AdminContext,
    directory: Arc<Directory>,
    /// Given beside what the manifest asks for by name.
    named: BTreeSet<String>,
    /// Names of the secrets that there are.
    secrets: BTreeSet<String>,
    serving: Option<Serving>,
    /// What answered under other names, until it is taken out.
    former: BTreeMap<InstallationId, TenantId>,
    followed: watch::Sender<Option<InstallationId>>,
}

/// What answers now.
struct Serving {
    installation: InstallationId,
    tenant: TenantId,
    seq: i64,
    digest: ComponentDigest,
    settings: String,
    grants: BTreeSet<String>,
}

/// What became of what was built.
pub(super) enum Brought {
    /// The same component with the same settings answers already.
    Unchanged,
    Live {
        /// With its version, as the manifest has it.
        plugin: String,
        took: Duration,
        /// When that is something else than before.
        given: Option<Given>,
    },
}

/// What the plugin may use.
pub(super) struct Given {
    pub grants: BTreeSet<String>,
    /// What it asks for beside that, or what is missing to it, each with what to say.
    pub missing: Vec<String>,
}

impl Live {
    pub(super) async fn begin(
        context: &AdminContext,
        directory: &Arc<Directory>,
        named: BTreeSet<String>,
        secrets: Vec<(String, SecretString)>,
    ) -> anyhow::Result<Self> {
        let names = secrets.iter().map(|(name, _)| name.clone()).collect();
        for (name, value) in secrets {
            let set = Command::SecretSet {
                tenant: AUTHOR.to_owned(),
                name: name.clone(),
                value,
                hosts: Vec::new(),
            };
            let done = admin::execute(context, set).await;
            done.with_context(|| format!("the secret {name}"))?;
        }
        Ok(Self {
            context: context.clone(),
            directory: Arc::clone(directory),
            named,
            secrets: names,
            serving: None,
            former: BTreeMap::new(),
            followed: watch::Sender::new(None),
        })
    }

    /// Whose log is to be read.
    pub(super) fn followed(&self) -> watch::Receiver<Option<InstallationId>> {
        self.followed.subscribe()
    }

    /// The number of the version that answers.
    pub(super) fn version(&self) -> Option<i64> {
        self.serving.as_ref().map(|serving| serving.seq)
    }

    /// From its return on the component answers every message. An error: [`Live::version`] says what answers.
    pub(super) async fn bring(
        &mut self,
        component: Vec<u8>,
        settings: String,
    ) -> anyhow::Result<Brought> {
        let brought = self.install(component, settings).await?;
        self.remove_former().await?;
        Ok(brought)
    }

    async fn install(&mut self, component: Vec<u8>, settings: String) -> anyhow::Result<Brought> {
        let component = Bytes::from(component);
        let (digest, manifest) = looked_at(component.clone()).await;
        let before = self.serving.as_ref();
        let is_known = before.is_some_and(|before| before.digest == digest);
        if is_known && before.is_some_and(|before| before.settings == settings) {
            return Ok(Brought::Unchanged);
        }
        let source = match is_known {
            true => Source::Digest(digest.to_string()),
            false => Source::Wasm {
                bytes: component,
                signature: None,
            },
        };
        // What has none is refused, with everything else that is wrong.
        let asked = manifest.map(|manifest| manifest.grants);
        let asked = asked.unwrap_or_default();
        let grants = granted(&asked, &self.named, &self.secrets);
        let new = NewInstallation {
            tenant: AUTHOR.to_owned(),
            number: None,
            source,
            config: Some(settings.clone()),
            grants: Some(grants.clone()),
            position: None,
            bounds: Some(BOUNDS),
            stage: Stage::Active,
            percent: 100,
            state_is_safe: true,
        };
        let setup = &self.context.setup;
        let begun = setup.clock.now();
        let installed = installations::install(setup, &self.context.compiler, &new).await?;
        // It is installed whatever fails from here on.
        let active = installed.active().context("no version of it is active")?;
        let plugin = format!("{} {}", installed.plugin, active.version);
        let before = self.serves(Serving {
            installation: installed.id,
            tenant: installed.tenant,
            seq: active.seq,
            digest,
            settings,
            grants: grants.clone(),
        });
        self.directory.refresh().await?;
        let took = self.context.setup.clock.now().since(begun);
        let is_same = before.is_some_and(|before| before.grants == grants);
        let given = (!is_same).then(|| Given {
            missing: missing(&asked, &grants, &self.secrets),
            grants,
        });
        Ok(Brought::Live {
            plugin,
            took,
            given,
        })
    }

    /// Answers what served before.
    fn serves(&mut self, serving: Serving) -> Option<Serving> {
        let id = serving.installation;
        let before = self.serving.replace(serving);
        if let Some(before) = &before {
            self.former.insert(before.installation, before.tenant);
        }
        self.former.remove(&id);
        self.followed.send_if_modified(|followed| {
            let is_new = *followed != Some(id);
            *followed = Some(id);
            is_new
        });
        before
    }

    /// By another name it is another plugin: both would answer. What cannot be taken out now is tried again next time.
    async fn remove_former(&mut self) -> anyhow::Result<()> {
        while let Some((&id, &tenant)) = self.former.first_key_value() {
            match installations::remove(&self.context.setup, tenant, id).await {
                // Not found: it went by a try whose answer was lost.
                Ok(()) | Err(SetupError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.former.remove(&id);
            self.directory.refresh().await?;
        }
        Ok(())
    }
}

fn is_open(grant: &str) -> bool {
    Grant::parse(grant).is_ok_and(|grant| grant.is_open())
}

/// All that is asked for by name, and of what asks for any: what was named, and the secrets that there are.
fn granted(
    asked: &BTreeSet<String>,
    named: &BTreeSet<String>,
    secrets: &BTreeSet<String>,
) -> BTreeSet<String> {
    let by_name = asked.iter().filter(|grant| !is_open(grant)).cloned();
    let secrets = secrets.iter().map(|name| format!("secret {name}"));
    let secrets = secrets.filter(|grant| asks_for(asked, grant));
    by_name
        .chain(secrets)
        .chain(named.iter().cloned())
        .collect()
}

fn missing(
    asked: &BTreeSet<String>,
    grants: &BTreeSet<String>,
    secrets: &BTreeSet<String>,
) -> Vec<String> {
    let names = grants
        .iter()
        .filter_map(|grant| grant.strip_prefix("secret "));
    let unset = names.filter(|name| !secrets.contains(*name));
    let unset =
        unset.map(|name| format!("the secret {name} is not there: --secret-file {name}=FILE"));
    let is_given = |open: &String| {
        let open = BTreeSet::from([open.clone()]);
        grants.iter().any(|grant| asks_for(&open, grant))
    };
    let open = asked
        .iter()
        .filter(|grant| is_open(grant) && !is_given(grant));
    let open = open.map(|grant| match grant.starts_with("secret ") {
        true => format!("it asks for `{grant}`: give it one by --secret-file NAME=FILE"),
        false => format!("it asks for `{grant}`: say which by --grant"),
    });
    unset.chain(open).collect()
}

/// What its bytes say of a component.
async fn looked_at(component: Bytes) -> (ComponentDigest, Option<Manifest>) {
    blocking(move || {
        let manifest = inspect(&component).ok();
        let manifest = manifest.map(|inspection| inspection.manifest);
        (ComponentDigest::of(&component), manifest)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_asked_for_by_name_is_given_and_of_any_what_the_author_names() {
        let asked = set(&["kv", "http POST *", "secret *"]);
        let given = granted(&asked, &set(&[]), &set(&[]));
        assert_eq!(given, set(&["kv"]));
        let words = [
            "it asks for `http POST *`: say which by --grant",
            "it asks for `secret *`: give it one by --secret-file NAME=FILE",
        ];
        assert_eq!(missing(&asked, &given, &set(&[])), words);
        let (shop, secrets) = (set(&["http POST https://shop.example/"]), set(&["token"]));
        let given = granted(&asked, &shop, &secrets);
        let all = ["kv", "http POST https://shop.example/", "secret token"];
        assert_eq!(given, set(&all));
        assert!(missing(&asked, &given, &secrets).is_empty());
    }

    #[test]
    fn a_secret_that_nobody_told_is_missed() {
        let asked = set(&["secret token", "secret other"]);
        let given = granted(&asked, &set(&[]), &set(&["token", "stranger"]));
        assert_eq!(given, asked);
        let words = ["the secret other is not there: --secret-file other=FILE"];
        assert_eq!(missing(&asked, &given, &set(&["token"])), words);
    }
}
