//! Setting the stage: simulator, gateway, onboarding by the same commands that operators use.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::beside;
use super::cast::{APP_SECRET, CREDENTIAL, CUSTOMER, Cast, Number, TOKEN, VERIFY_TOKEN};
use super::show;
use super::story::{Attempts, Story, Teller};
use crate::admin::{self, AdminContext, Command, PluginCommand};
use crate::app::{Node, StartOptions};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::directory::Directory;
use crate::lifecycle::Shutdown;
use crate::simulator::{Simulator, SimulatorConfig, SimulatorHandle};

/// How long the end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running deployment with its simulator, until it is struck.
pub(in crate::cli) struct Stage {
    folder: tempfile::TempDir,
    numbers: &'static [Number],
    simulator: SimulatorHandle,
    node: Node,
    shutdown: Shutdown,
    /// Of every turn, in the order in which they ended.
    pub(super) stories: mpsc::UnboundedReceiver<Story>,
}

impl Stage {
    pub(in crate::cli) async fn set(cast: Cast) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("vestibule-{}-", cast.name))
            .tempdir()?;
        let mut setup = SimulatorConfig::new(Arc::new(SystemClock), APP_SECRET);
        setup.listen = cast.listen;
        setup.numbers = cast.numbers.iter().map(Number::simulated).collect();
        let simulator = Simulator::start(setup)
            .await
            .context("the simulator does not start")?;
        simulator.expect_stories();
        cast.furnish(&simulator)?;
        let (numbers, more) = (cast.numbers, cast.config.clone());
        let graph = ("GRAPH__BASE_URL", simulator.base_url());
        let config = config(folder.path(), more.into_iter().chain([graph]))?;
        let shutdown = Shutdown::new();
        let attempts = Arc::<Attempts>::default();
        let options = StartOptions {
            observer: attempts.clone(),
            ..StartOptions::new(shutdown.clone())
        };
        let node = Node::start(&config, options)
            .await
            .context("the gateway does not start")?;
        onboard(&node, cast).await?;
        node.directory.refresh().await?;
        let url = format!("http://{}/webhooks/whatsapp", node.http);
        simulator
            .set_webhook(&url, None)
            .context("the simulator refuses the webhook URL")?;
        anyhow::ensure!(
            simulator.handshake(VERIFY_TOKEN).await?,
            "the webhook handshake failed"
        );
        let (tell, stories) = mpsc::unbounded_channel();
        let db = node.context.setup.db.clone();
        let snapshot = node.directory.snapshot();
        let tenants: BTreeSet<_> = snapshot.numbers().map(|entry| entry.tenant.id).collect();
        let teller = Teller::new(db, attempts, tenants.into_iter().collect());
        tokio::spawn(teller.tell(tell));
        let (world, directory) = (simulator.world(), Arc::clone(&node.directory));
        let (relay, stories) = relay(stories, move |story| {
            world.tell(beside::story(story, &directory.snapshot()));
        });
        tokio::spawn(relay);
        Ok(Self {
            folder,
            numbers,
            simulator,
            node,
            shutdown,
            stories,
        })
    }

    /// Ends gateway and simulator. An error: the gateway had broken down before.
    pub(in crate::cli) async fn strike(self) -> anyhow::Result<()> {
        drop(self.stories);
        self.shutdown.soft().cancel();
        let hurry = self.shutdown.clone();
        let hurrying = tokio::spawn(async move { hurry.begin(PATIENCE).await });
        let ended = self.node.finished().await;
        hurrying.abort();
        self.simulator.stop().await;
        Ok(ended?)
    }

    /// Cancelled when the gateway stops, for whatever reason.
    pub(in crate::cli) fn stopped(&self) -> CancellationToken {
        self.shutdown.soft().clone()
    }

    pub(super) fn name(&self, number: usize) -> String {
        let Number {
            tenant, display, ..
        } = self.numbers[number];
        format!("{tenant} +{display}")
    }

    /// Lets stories pass that the phone alone shows, until there are no more.
    pub(in crate::cli) async fn unheard(&mut self) {
        while self.stories.recv().await.is_some() {}
    }

    /// What operators' commands work on.
    pub(in crate::cli) fn context(&self) -> &AdminContext {
        &self.node.context
    }

    /// What the gateway knows of what is set up.
    pub(in crate::cli) fn directory(&self) -> &Arc<Directory> {
        &self.node.directory
    }

    /// What the customer wrote.
    pub(super) fn said(&self, story: &Story) -> String {
        let snapshot = self.node.directory.snapshot();
        let to = snapshot
            .number(story.told.number)
            .map(|entry| format!("{} {}", entry.tenant.name, entry.number.display_number));
        show::said(story, &to.unwrap_or_default())
    }

    /// What came back, and what the gateway did.
    pub(super) fn answered(&self, story: &Story) -> String {
        show::answered(story, &self.node.directory.snapshot())
    }

    /// `what`: a sentence about what it is.
    pub(in crate::cli) fn welcome(&self, what: &str) -> String {
        format!(
            "{what} Open the customer's phone in a browser:\n\n  {}/\n\n\
             Gateway http://{}, data in {}.\nOr from another terminal:\n  curl -d '{{\"text\":\"menu\"}}' -H 'content-type: application/json' \
             {}/simulator/numbers/{}/customers/{CUSTOMER}/messages",
            self.simulator.base_url(),
            self.node.http,
            self.folder.path().display(),
            self.simulator.base_url(),
            self.numbers[0].phone_number_id,
        )
    }

    /// Says something as the customer to one of the numbers; answers with the message's id at Meta.
    pub(super) fn say(&self, number: usize, text: &str) -> anyhow::Result<String> {
        let customer = (self.simulator).customer(self.numbers[number].phone_number_id, CUSTOMER)?;
        Ok(match text.strip_prefix("/tap ") {
            Some(choice) => customer.tap(choice.trim())?,
            None => customer.text(text)?,
        })
    }
}

/// Hands every story on, and shows it to somebody else before. Ends when nobody listens, so that who tells ends too: the
/// database closes only when it is no longer read.
fn relay(
    mut from: mpsc::UnboundedReceiver<Story>,
    show: impl Fn(&Story),
) -> (impl Future<Output = ()>, mpsc::UnboundedReceiver<Story>) {
    let (to, handed_on) = mpsc::unbounded_channel();
    let relay = async move {
        loop {
            let story = tokio::select! {
                story = from.recv() => story,
                () = to.closed() => return,
            };
            let Some(story) = story else { return };
            show(&story);
            // The receiver may have gone meanwhile: the next round sees it.
            let _gone = to.send(story);
        }
    };
    (relay, handed_on)
}

/// Of a deployment in a folder, on SQLite; `more` by the names of variables without their beginning.
pub(in crate::cli) fn config(
    folder: &Path,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<Config> {
    let database = folder.join("vestibule.db");
    let own = [
        ("DATA_DIR", folder.display().to_string()),
        ("DATABASE__URL", format!("sqlite:{}", database.display())),
        ("HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ("METRICS__LISTEN", String::new()),
    ];
    let all = own.into_iter().chain(more);
    let environment = all.map(|(key, value)| (format!("VESTIBULE__{key}"), value));
    Ok(Config::load_with(None, environment)?)
}

async fn onboard(node: &Node, cast: Cast) -> anyhow::Result<()> {
    let mut commands = vec![Command::AppAdd {
        meta_app_id: "1000".to_owned(),
        name: "demo".to_owned(),
        verify_token: VERIFY_TOKEN.into(),
        secrets: vec![APP_SECRET.into()],
        is_default: true,
    }];
    for tenant in cast.tenants() {
        let tenant = tenant.to_owned();
        commands.push(Command::TenantAdd {
            name: tenant.clone(),
            settings: cast.tenant_settings.to_owned(),
        });
        commands.push(Command::CredentialAdd {
            tenant,
            name: CREDENTIAL.to_owned(),
            token: TOKEN.into(),
            replace: false,
        });
    }
    commands.extend(cast.numbers.iter().map(Number::command));
    let installs = cast.plugins.into_iter().map(Box::new);
    commands.extend(installs.map(|install| Command::Plugin(PluginCommand::Install(install))));
    for command in commands {
        let verb = command.verb();
        admin::execute(&node.context, command)
            .await
            .with_context(|| format!("onboarding: {verb}"))?;
    }
    Ok(())
}
