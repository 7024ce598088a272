//! The processes under test beside the baseline: the gateway as `vestibule serve` runs it, the verbs that set it up, and
//! the simulated Meta. Each is this binary again, so that one build measures what it was built from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use vestibule::access::Role;
use vestibule::admin::{self, Answer, Command, Local, PluginCommand, PluginInstall, PluginSource};
use vestibule::app::{Node, StartOptions};
use vestibule::clock::SystemClock;
use vestibule::config::Config;
use vestibule::domain::Clock as _;
use vestibule::lifecycle::Shutdown;
use vestibule::plugin_host::ComponentDigest;
use vestibule::simulator::{
    Checks, RecordLimits, SimNumber, Simulator, SimulatorConfig, StatusPolicy, TemplateSpec,
};
use vestibule::storage::migrate;
use vestibule::telemetry::{self, Recorder};
use vestibule_tests::guests;

use crate::bodies::{Cast, Casting, Noise, Number};
use crate::deployment::API_KEY;

const TOKEN: &str = "bench-access-token";
/// Numbers of one tenant, each of an account of its own.
pub const NUMBERS_EACH: usize = 4;
/// Messages a second, in and out together: more than the machine does, because pacing is not what is measured.
const THROUGHPUT: u32 = 1_000;

/// Migrates and sets up a whole cast with its plugins; then ends.
pub async fn set_up(casting: Casting) -> anyhow::Result<()> {
    let config = Config::load(None)?;
    {
        let _lock = admin::lock(&config)?;
        let db = admin::open_database(&config).await?;
        migrate::migrate(&db, SystemClock.now()).await?;
        db.close().await;
    }
    let local = Local::open(&config).await?;
    for command in commands(casting) {
        admin::execute(&local.context, command).await?;
    }
    let key = Command::KeyAdd {
        tenant: Some(name_of(0)),
        name: "bench".to_owned(),
        role: Role::TenantAdmin,
        seconds: None,
    };
    let Answer::Record(key) = admin::execute(&local.context, key).await? else {
        anyhow::bail!("no key was made");
    };
    let key = key["key"].as_str().context("a key is a text")?;
    std::fs::write(config.data_dir.join(API_KEY), key)?;
    Ok(local.close().await?)
}

fn commands(casting: Casting) -> Vec<Command> {
    let cast = Cast::of(casting);
    let mut commands = vec![app_add(&cast)];
    match casting {
        Casting::Standard => {
            let tenants = cast.numbers.chunks(NUMBERS_EACH).enumerate();
            commands.extend(tenants.flat_map(|(n, numbers)| tenant(n, numbers, guests::ECHO)));
        }
        Casting::Many => {
            commands.extend(tenant_add(&name_of(0), &cast.numbers));
            commands.extend(install_each(&name_of(0), &cast.numbers));
        }
        Casting::Neighbours => {
            let quiet = Cast::quiet().numbers.len();
            let plugin = |n: usize| match n.checked_sub(quiet).map(|n| Noise::ALL[n]) {
                None | Some(Noise::IsWrittenTo) => guests::ECHO,
                Some(Noise::Loops) => guests::LOOP_FOREVER,
                Some(Noise::Allocates) => guests::ALLOCATE,
                Some(Noise::FloodsHostCalls) => guests::FLOOD_HOST_CALLS,
            };
            let tenants = cast.numbers.chunks(1).enumerate();
            commands.extend(tenants.flat_map(|(n, numbers)| tenant(n, numbers, plugin(n))));
        }
    }
    commands
}

fn name_of(tenant: usize) -> String {
    format!("tenant {tenant}")
}

/// A tenant with its numbers, and a plugin for all of them.
fn tenant(tenant: usize, numbers: &[Number], plugin: &[u8]) -> Vec<Command> {
    let name = name_of(tenant);
    let mut commands = tenant_add(&name, numbers);
    let install = PluginInstall::new(&name, plugin);
    commands.push(Command::Plugin(PluginCommand::Install(Box::new(install))));
    commands
}

/// The echo plugin, uploaded once and installed for each number.
fn install_each(tenant: &str, numbers: &[Number]) -> impl Iterator<Item = Command> {
    let digest = ComponentDigest::of(guests::ECHO).to_string();
    numbers.iter().enumerate().map(move |(n, number)| {
        let mut install = PluginInstall::new(tenant, guests::ECHO);
        if n > 0 {
            install.source = PluginSource::Digest(digest.clone());
        }
        install.number = Some(number.phone_number_id.clone());
        Command::Plugin(PluginCommand::Install(Box::new(install)))
    })
}

fn app_add(cast: &Cast) -> Command {
    Command::AppAdd {
        meta_app_id: "1000".to_owned(),
        name: "bench".to_owned(),
        verify_token: "bench-verify-token".into(),
        secrets: vec![cast.secret.as_str().into()],
        is_default: true,
    }
}

/// A tenant with its numbers.
fn tenant_add(tenant: &str, numbers: &[Number]) -> Vec<Command> {
    let mut commands = vec![
        Command::TenantAdd {
            name: tenant.to_owned(),
            settings: r#"{"consent_basis":"attested"}"#.to_owned(),
        },
        Command::CredentialAdd {
            tenant: tenant.to_owned(),
            name: "main".to_owned(),
            token: TOKEN.into(),
            replace: false,
        },
    ];
    commands.extend(numbers.iter().map(|number| number_add(tenant, number)));
    commands
}

fn number_add(tenant: &str, number: &Number) -> Command {
    Command::NumberAdd {
        tenant: tenant.to_owned(),
        app: None,
        credential: "main".to_owned(),
        portfolio: None,
        waba_id: number.waba_id.clone(),
        phone_number_id: number.phone_number_id.clone(),
        display_number: format!("+{}", number.display_number),
        time_zone: "Europe/London".to_owned(),
        throughput: THROUGHPUT.into(),
    }
}

/// Serves until it is killed.
pub async fn gateway(turns_paused: bool) -> anyhow::Result<()> {
    let config = Config::load(None)?;
    telemetry::install_logs(&config.log);
    let options = StartOptions {
        recorder: Some(Recorder::install()),
        migrate: false,
        ..StartOptions::new(Shutdown::new())
    };
    let node = Node::start(&config, options).await?;
    node.turns_paused.store(turns_paused, Ordering::Relaxed);
    std::future::pending().await
}

/// Serves until it is killed. Rules that need to have seen the customer's message are off: the load generator posts
/// its own webhooks. `records`: how many sends are remembered for the asking; `templates`: of each account of the first
/// tenant.
pub async fn simulator(
    listen: SocketAddr,
    records: usize,
    templates: usize,
    casting: Casting,
) -> anyhow::Result<()> {
    let cast = Cast::of(casting);
    let mut config = SimulatorConfig::new(Arc::new(SystemClock), &cast.secret);
    config.listen = listen;
    config.numbers = cast.numbers.iter().map(sim_number).collect();
    config.templates = cast.numbers[..NUMBERS_EACH]
        .iter()
        .flat_map(|number| (0..templates).map(|n| template(&number.waba_id, n)))
        .collect();
    config.statuses = StatusPolicy::on_command();
    config.checks = Checks {
        window: false,
        message_ids: false,
        ..Checks::default()
    };
    // Enough that receipts wait for the gateway and not for one another.
    config.webhooks.connections = 128;
    config.record = RecordLimits {
        requests: records,
        ..RecordLimits::counts_only()
    };
    let _simulator = Simulator::start(config).await?;
    std::future::pending().await
}

fn template(account: &str, n: usize) -> TemplateSpec {
    let body = format!(
        "Hello {{{{1}}}}, this is notice {n} of your order {{{{2}}}}. It has left our house and will be with you soon."
    );
    TemplateSpec::approved(account, format!("notice_{n:05}"), "en", body)
}

fn sim_number(number: &Number) -> SimNumber {
    SimNumber {
        phone_number_id: number.phone_number_id.clone(),
        waba_id: number.waba_id.clone(),
        display_number: number.display_number.clone(),
        throughput: THROUGHPUT,
        access_token: TOKEN.to_owned(),
    }
}
