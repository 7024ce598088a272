//! Setting the stage: simulator, gateway, onboarding by the same commands that operators use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::beside;
use super::cast::{
    APP_SECRET, CUSTOMER, NUMBERS, TENANTS, TOKEN, VERIFY_TOKEN, furnish, number_command,
    sim_number,
};
use super::show;
use super::story::{Attempts, Story, Teller};
use crate::admin::{self, Command, PluginCommand, PluginInstall, PluginTerms};
use crate::app::{Node, StartOptions};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::lifecycle::Shutdown;
use crate::reference_plugins::MENU;
use crate::simulator::{Simulator, SimulatorConfig, SimulatorHandle};

/// How long the end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The running demo.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    simulator: SimulatorHandle,
    node: Node,
    shutdown: Shutdown,
    /// Of every turn, in the order in which they ended.
    pub stories: mpsc::UnboundedReceiver<Story>,
}

impl Stage {
    pub(super) async fn set() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("vestibule-demo-")
            .tempdir()?;
        let mut setup = SimulatorConfig::new(Arc::new(SystemClock), APP_SECRET);
        setup.numbers = NUMBERS.iter().map(sim_number).collect();
        let simulator = Simulator::start(setup)
            .await
            .context("the simulator does not start")?;
        simulator.expect_stories();
        furnish(&simulator)?;
        let config = config(folder.path(), &simulator.base_url())?;
        let shutdown = Shutdown::new();
        let attempts = Arc::<Attempts>::default();
        let options = StartOptions {
            observer: attempts.clone(),
            ..StartOptions::new(shutdown.clone())
        };
        let node = Node::start(&config, options)
            .await
            .context("the gateway does not start")?;
        onboard(&node).await?;
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
            simulator,
            node,
            shutdown,
            stories,
        })
    }

    /// Ends gateway and simulator. An error: the gateway had broken down before.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
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
    pub(super) fn stopped(&self) -> CancellationToken {
        self.shutdown.soft().clone()
    }

    pub(super) fn name(&self, number: usize) -> String {
        let (tenant, _, _, display) = NUMBERS[number];
        format!("{tenant} +{display}")
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

    pub(super) fn welcome(&self) -> String {
        format!(
            "Vestibule demo. Open the customer's phone in a browser:\n\n  {}/\n\n\
             Gateway http://{}, data in {}.\nOr from another terminal:\n  curl -d '{{\"text\":\"menu\"}}' -H 'content-type: application/json' \
             {}/simulator/numbers/{}/customers/{CUSTOMER}/messages",
            self.simulator.base_url(),
            self.node.http,
            self.folder.path().display(),
            self.simulator.base_url(),
            NUMBERS[0].1,
        )
    }

    /// Says something as the customer to one of the numbers; answers with the message's id at Meta.
    pub(super) fn say(&self, number: usize, text: &str) -> anyhow::Result<String> {
        let customer = self.simulator.customer(NUMBERS[number].1, CUSTOMER)?;
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

fn config(folder: &std::path::Path, graph: &str) -> anyhow::Result<Config> {
    let set = |key: &str, value: &str| (format!("VESTIBULE__{key}"), value.to_owned());
    let environment = [
        set("DATA_DIR", &folder.display().to_string()),
        set(
            "DATABASE__URL",
            &format!("sqlite:{}", folder.join("demo.db").display()),
        ),
        set("HTTP__LISTEN", "127.0.0.1:0"),
        set("METRICS__LISTEN", ""),
        set("GRAPH__BASE_URL", graph),
    ];
    Ok(Config::load_with(None, environment)?)
}

async fn onboard(node: &Node) -> anyhow::Result<()> {
    let mut commands = vec![Command::AppAdd {
        meta_app_id: "1000".to_owned(),
        name: "demo".to_owned(),
        verify_token: VERIFY_TOKEN.into(),
        secrets: vec![APP_SECRET.into()],
        is_default: true,
    }];
    for (tenant, _) in TENANTS {
        let tenant = tenant.to_owned();
        commands.push(Command::TenantAdd {
            name: tenant.clone(),
            settings: r#"{"consent_basis":"attested"}"#.to_owned(),
        });
        commands.push(Command::CredentialAdd {
            tenant,
            name: "demo".to_owned(),
            token: TOKEN.into(),
            replace: false,
        });
    }
    commands.extend(NUMBERS.iter().map(number_command));
    for (tenant, config) in TENANTS {
        let install = PluginInstall {
            terms: PluginTerms {
                config: Some(config.to_owned()),
                grants: Some(["kv", "window"].map(str::to_owned).into()),
                ..PluginTerms::default()
            },
            ..PluginInstall::new(tenant, MENU)
        };
        commands.push(Command::Plugin(PluginCommand::Install(Box::new(install))));
    }
    for command in commands {
        let verb = command.verb();
        admin::execute(&node.context, command)
            .await
            .with_context(|| format!("onboarding: {verb}"))?;
    }
    Ok(())
}
