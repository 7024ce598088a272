//! Setting the stage: simulator, gateway, onboarding by the same commands that operators use.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use super::show;
use crate::admin::{self, Command};
use crate::app::{Node, StartOptions};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::delivery::{Observer, SendTrace};
use crate::lifecycle::Shutdown;
use crate::reference_plugins::MENU;
use crate::simulator::{Chat, SimNumber, Simulator, SimulatorConfig, SimulatorHandle};

/// A demo has no secrets: these are known to everybody.
const APP_SECRET: &str = "demo-app-secret";
const VERIFY_TOKEN: &str = "demo-verify-token";
const TOKEN: &str = "demo-access-token";
const CUSTOMER: &str = "447700900123";
/// A reply that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// A message that is answered with silence has had its turn by then.
const SILENCE: Duration = Duration::from_millis(1500);

/// Tenant, phone-number id, WABA, displayed number.
const NUMBERS: [(&str, &str, &str, &str); 4] = [
    (
        "Quay Bakery",
        "770000000000001",
        "990000000000001",
        "441632960101",
    ),
    (
        "Quay Bakery",
        "770000000000002",
        "990000000000001",
        "441632960102",
    ),
    (
        "Harbour Bikes",
        "770000000000003",
        "990000000000002",
        "441632960201",
    ),
    (
        "Harbour Bikes",
        "770000000000004",
        "990000000000002",
        "441632960202",
    ),
];

/// The running demo.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    simulator: SimulatorHandle,
    node: Node,
    shutdown: Shutdown,
    sent: tokio::sync::Mutex<mpsc::UnboundedReceiver<SendTrace>>,
}

struct Watch(mpsc::UnboundedSender<SendTrace>);

impl Observer for Watch {
    fn sent(&self, trace: &SendTrace) {
        // Nobody looks any more when the demo ends.
        let _ = self.0.send(trace.clone());
    }
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
        let config = config(folder.path(), &simulator.base_url())?;
        let shutdown = Shutdown::new();
        let (watch, sent) = mpsc::unbounded_channel();
        let options = StartOptions {
            observer: Arc::new(Watch(watch)),
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
        Ok(Self {
            folder,
            simulator,
            node,
            shutdown,
            sent: tokio::sync::Mutex::new(sent),
        })
    }

    pub(super) async fn strike(self) {
        self.shutdown.soft().cancel();
        if tokio::time::timeout(PATIENCE, self.node.finished())
            .await
            .is_err()
        {
            self.shutdown.stop_now();
        }
        self.simulator.stop().await;
    }

    pub(super) fn names(&self) -> Vec<String> {
        NUMBERS
            .iter()
            .map(|(tenant, _, _, display)| format!("{tenant} +{display}"))
            .collect()
    }

    pub(super) fn welcome(&self) -> String {
        format!(
            "Vestibule demo. Gateway http://{}, simulator {}, data in {}.\n\
             Or from another terminal:\n  curl -d '{{\"text\":\"menu\"}}' -H 'content-type: application/json' \
             {}/simulator/numbers/{}/customers/{CUSTOMER}/messages",
            self.node.http,
            self.simulator.base_url(),
            self.folder.path().display(),
            self.simulator.base_url(),
            NUMBERS[0].1,
        )
    }

    /// Says something as the customer to one of the numbers; answers with what came back and what the gateway did.
    pub(super) async fn say(&self, number: usize, text: &str) -> anyhow::Result<String> {
        let before = self.chat(number)?.items.len();
        let mut sent = self.sent.lock().await;
        while sent.try_recv().is_ok() {}
        let customer = self.simulator.customer(NUMBERS[number].1, CUSTOMER)?;
        match text.strip_prefix("/tap ") {
            Some(choice) => customer.tap(choice.trim())?,
            None => customer.text(text)?,
        };
        let mut traces = Vec::new();
        let mut wait = PATIENCE;
        // The first send may take a moment; what belongs to the same turn follows at once.
        while let Ok(Some(trace)) = tokio::time::timeout(wait.min(SILENCE), sent.recv()).await {
            traces.push(trace);
            wait = Duration::from_millis(150);
        }
        // Blue ticks come by webhook, a moment after the answer.
        let read = |chat: &Chat| {
            chat.items
                .iter()
                .skip(before)
                .all(|item| !show::waits_for_ticks(item))
        };
        let _ = customer.wait_for(Duration::from_secs(2), read).await;
        let chat: Vec<_> = self.chat(number)?.items.into_iter().skip(before).collect();
        show::heard(&self.node, &chat, &traces).await
    }

    pub(super) fn chat(&self, number: usize) -> anyhow::Result<Chat> {
        Ok(self.simulator.customer(NUMBERS[number].1, CUSTOMER)?.chat())
    }
}

fn sim_number((_, phone_number_id, waba_id, display): &(&str, &str, &str, &str)) -> SimNumber {
    SimNumber {
        phone_number_id: (*phone_number_id).to_owned(),
        waba_id: (*waba_id).to_owned(),
        display_number: (*display).to_owned(),
        throughput: 80,
        access_token: TOKEN.to_owned(),
    }
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
    for tenant in ["Quay Bakery", "Harbour Bikes"] {
        let tenant = tenant.to_owned();
        commands.push(Command::TenantAdd {
            name: tenant.clone(),
            settings: "{}".to_owned(),
        });
        commands.push(Command::CredentialAdd {
            tenant,
            name: "demo".to_owned(),
            token: TOKEN.into(),
            replace: false,
        });
    }
    commands.extend(NUMBERS.iter().map(number_command));
    for tenant in ["Quay Bakery", "Harbour Bikes"] {
        commands.push(Command::PluginInstall {
            tenant: tenant.to_owned(),
            number: None,
            component: STANDARD.encode(MENU),
            config: "{}".to_owned(),
            grants: ["kv".to_owned()].into(),
            position: 0,
        });
    }
    for command in commands {
        let verb = command.verb();
        admin::execute(&node.context, command)
            .await
            .with_context(|| format!("onboarding: {verb}"))?;
    }
    Ok(())
}

fn number_command(
    (tenant, phone_number_id, waba_id, display): &(&str, &str, &str, &str),
) -> Command {
    Command::NumberAdd {
        tenant: (*tenant).to_owned(),
        app: None,
        credential: "demo".to_owned(),
        portfolio: None,
        waba_id: (*waba_id).to_owned(),
        phone_number_id: (*phone_number_id).to_owned(),
        display_number: format!("+{display}"),
        time_zone: "Europe/London".to_owned(),
        throughput: 80,
    }
}
